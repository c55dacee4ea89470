# SPDX-License-Identifier: Apache-2.0
"""Rows 39-58: the tar's framing and sizes, and its compression."""
import bz2
import lzma

from builders import *  # pylint: disable=wildcard-import,unused-wildcard-import
from case import MIB, NO_SPACE, bad_tar, good_tar, refused, taken

F = file(b"f", b"abc")


def read(name, content):
    return lambda device: device.equal(device.read(name), content)


# --- C. tar framing and size --------------------------------------------------------------------------------------

# Inside what a reader that believes the header takes for members stands a whole tar of another image.
SMUGGLED = file(b"etc/passwd", b"root::0:0::/:/bin/sh\n")


def only_the_outer_file(device):
    device.equal(device.read("f"), SMUGGLED)
    device.equal(device.exists("usr/etc/passwd"), False)


good_tar(39, "size_in_pax_only", [pax(size=b"%d" % len(SMUGGLED)), header(b"f"), SMUGGLED], only_the_outer_file)
good_tar(39, "size_in_header_only", [pax(size=b"0"), header(b"f", size=len(SMUGGLED)), file(b"g", b"g")],
         lambda device: device.equal((device.read("f"), device.read("g")), (b"", b"g")))
bad_tar(40, "pax_then_gnu_name", tar(pax(size=b"0"), gnu_long(b"L", b"n"), file(b"f", magic=GNU)), "a GNU long name and an extended header for one member")
bad_tar(40, "gnu_name_then_pax", tar(gnu_long(b"L", b"n"), pax(size=b"0"), file(b"f")), "a GNU long name and an extended header for one member")
bad_tar(40, "two_pax", tar(pax(path=b"a"), pax(path=b"b"), F), "two extended headers for one member")
bad_tar(40, "two_gnu_names", tar(gnu_long(b"L", b"a"), gnu_long(b"L", b"b"), file(b"f", magic=GNU)), "two GNU long names")
bad_tar(40, "pax_at_the_end", tar(pax(path=b"a")), "an extended header without a member")
for label, text, says in (
        ("length_too_large", b"99 path=a\n", "a record of impossible length"), ("length_too_small", b"5 path=a\n", "does not end in a newline"),
        ("length_hexadecimal", b"0xb path=ab\n", "a record without a length"), ("length_signed", b"+10 path=a\n", "impossible length"),
        ("length_over_64_bits", b"99999999999999999999 path=a\n", "without a length"), ("no_length", b"path=a\n", "a record"),
        ("no_newline", b"10 path=ab", "does not end in a newline"), ("no_key", b"7 =ab\n\n", "a record without a key"),
        ("key_twice", record(b"path", b"a") + record(b"path", b"b"), "the key path twice"),
        ("zeros_behind", record(b"path", b"a") + b"\0\0\0", "a record without a length")):
    bad_tar(41, label, tar(extension(b"x", text), F), ["extended header: ", says])
bad_tar(42, "pax_of_a_gigabyte", tar(header(b"ext", b"x", size=1 << 30)), "an extended header of 1073741824 bytes, more than the 1048576 allowed")
bad_tar(42, "gnu_name_of_a_gigabyte", tar(header(b"ext", b"L", size=1 << 30, magic=GNU)), "an extended header of 1073741824 bytes, more than the 1048576 allowed")
bad_tar(42, "a_million_records", lambda: tar(pax_of([(b"k%06d" % i, b"") for i in range(10**5)]), F), "more than the 1048576 allowed")
bad_tar(42, "global_header_that_renames_all", tar(pax(type=b"g", path=b"evil"), F), "a global header that sets path")
bad_tar(42, "global_header_between", tar(pax(path=b"a"), pax(type=b"g", comment=b"c"), F), "a global header between a member's")


LONG_NAME = b"/".join([b"n" * 200] * 19)


def many_unknown_keys(layout):
    keys = [(b"path", LONG_NAME)] + [(b"k%05d" % i, b"") for i in range(60000)]
    layout.image(tar(pax_of(keys), F))


def all_are_counted_and_some_are_named(device):
    """What is not kept must not be remembered with the whole name of its member each time: that would be gigabytes."""
    names = ", ".join("k%05d" % i for i in range(32))
    device.equal([entry["path"] for entry in device.dropped], ["%s (%s, and 59968 more)" % (LONG_NAME.decode(), names)])


taken(42, "many_unknown_keys_of_a_long_name", many_unknown_keys, all_are_counted_and_some_are_named, pull=True)
bad_tar(43, "sparse_by_pax", tar(pax_of([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0")]), F), "a sparse file, which OCI forbids")
bad_tar(43, "sparse_map_of_ten_million", tar(pax_of([(b"GNU.sparse.numblocks", b"10000000")]), F), "a sparse file, which OCI forbids")
bad_tar(43, "sparse_by_star", tar(pax_of([(b"SCHILY.realsize", b"1")]), F), "a sparse file, which OCI forbids")
bad_tar(44, "old_gnu_sparse", tar(header(b"f", b"S", magic=GNU)), "tar member f: a sparse file, which OCI forbids")
bad_tar(45, "checksum_wrong", tar(header(b"f", checksum=lambda block: b"000001\0 ")), "the header's checksum is wrong")
bad_tar(45, "checksum_of_signed_bytes", tar(header(b"f\xff", checksum=lambda block: b"%06o\0 " % (sum(block) - 256))), "the header's checksum is wrong")
bad_tar(46, "size_over_63_bits", tar(header(b"f", size=base256(1 << 63, 12))), "tar member f: the size is no number in 63 bits")
bad_tar(46, "size_negative", tar(header(b"f", size=b"\xff" * 12)), "tar member f: the size is below zero")
bad_tar(46, "size_with_a_space_inside", tar(header(b"f", size=b"0000 000")), "the size is no number")
bad_tar(46, "size_with_a_zero_byte_inside", tar(header(b"f", size=b"\x000000001")), "the size is no number")
bad_tar(46, "mode_of_nines", tar(header(b"f", mode=b"0000999")), "the mode is no number")
bad_tar(47, "no_end", tar(F, end=b""), "the end, two blocks of zeros, is missing")
bad_tar(47, "half_an_end", tar(F, end=bytes(512)), "second block of zeros is missing")
bad_tar(47, "empty", b"", "the end, two blocks of zeros, is missing")
for label, size in (("header", 300), ("content", 514), ("padding", 600)):
    bad_tar(47, "ends_in_the_" + label, tar(F)[:size], "the stream ends in the " + label)
bad_tar(47, "ends_in_an_extended_header", tar(pax(path=b"abcdef"), F)[:515], "the stream ends in the extended header")
bad_tar(48, "two_archives", tar(F) + tar(file(b"g")), "something other than zeros after the end")
bad_tar(48, "one_byte_behind", tar(F) + bytes(5000) + b"x", "something other than zeros after the end")
bad_tar(48, "one_zero_block_in_front", bytes(512) + tar(F), "one block of zeros with more behind it")
good_tar(48, "zeros_behind", [F, bytes(20480)], read("f", b"abc"))


def million_members(layout):
    """More members than a layer may have, as a thousand gzip members of a thousand headers each."""
    piece = gz(folder(b"d/") * 1000)
    hasher, block = hashlib.sha256(), folder(b"d/") * 1000
    for _ in range(1001):
        hasher.update(block)
    hasher.update(END)
    layout.image(Layer(piece * 1001 + gz(END), None, GZIP, "sha256:" + hasher.hexdigest()))


refused(49, "a_million_members", million_members, "more than 1000000 members", cpu=30)


def annotated(content, **annotations):
    names = {"io.hostapp.layer." + key.replace("_", "-"): value for key, value in annotations.items()}
    return lambda layout: layout.image(Layer(content, annotations=names))


refused(49, "declared_inodes_that_are_not_free", annotated(tar(F), entries="1000000000000"), ["the image may need 2048", "in the store", "free"], NO_SPACE)


def many_empty_files():
    return tar(*(file(b"many/%d/%06d" % (i % 100, i)) for i in range(60000)))


taken(49, "sixty_thousand_names", lambda layout: layout.image(Layer(gz(many_empty_files()), many_empty_files(), GZIP)))
bad_tar(50, "file_of_eight_exbibytes", tar(header(b"f", size=base256((1 << 63) - 1, 12))), "tar member f: 9223372036854775807 bytes, more than the 9223372036854775295 allowed")
refused(50, "file_of_an_exbibyte_that_is_not_there", lambda layout: layout.image(tar(header(b"f", size=base256(1 << 60, 12)))), "the stream ends in the content")
for flag in (b"V", b"M", b"A", b"D", b"N", b"X", b"Z", b"7"):
    bad_tar(51, "type_flag_" + flag.decode(), tar(header(b"f", flag)), 'tar member f: type flag "%s" is none of POSIX\'s' % flag.decode())
bad_tar(51, "no_magic", tar(header(b"f", magic=b"")), "no POSIX or GNU tar header")
bad_tar(51, "gnu_header_with_a_prefix", tar(header(b"f", magic=GNU, prefix=b"etc")), "a GNU header with a prefix")

# --- D. compression -----------------------------------------------------------------------------------------------

TAR = tar(F)


def bad_blob(row, name, media_type, blob, says, content=TAR, **more):
    def build(layout):
        made = blob() if callable(blob) else blob
        layer = Layer(made, content, media_type, **more.get("descriptor", {}))
        case_says.append(layer.descriptor["digest"])
        layout.image(layer)
    case_says = [says]
    refused(row, name, build, case_says, **{key: value for key, value in more.items() if key != "descriptor"})


def good_blob(row, name, media_type, blob, check=read("f", b"abc"), **more):
    taken(row, name, lambda layout: layout.image(Layer(blob, TAR, media_type, **more)), check)


def gzip_bomb():
    """A thousand to one, and 72 MiB in all."""
    return gz(header(b"f", size=72 * MIB)) + gz(bytes(8 * MIB)) * 9 + gz(END)


BOMB = "more bytes come out than are allowed"
bad_blob(52, "zstd_bomb", ZSTD, lambda: zstd_zeros(header(b"f", size=1 << 30), 8192), BOMB)
bad_blob(52, "zstd_bomb_without_a_member", ZSTD, lambda: zstd_zeros(b"", 8192), BOMB)
bad_blob(52, "gzip_that_is_more_than_declared", GZIP, lambda: gz(tar(file(b"f", bytes(MIB)))), BOMB,
         descriptor={"annotations": {"io.hostapp.layer.uncompressed-size": "4096"}})
refused(52, "declared_size_that_is_not_free", annotated(TAR, uncompressed_size="9000000000000000000"), ["bytes", "free"], NO_SPACE)
refused(53, "window_of_2_gib", lambda layout: layout.image(Layer(zstd(TAR, 31), TAR, ZSTD)), "the zstd stream is damaged: ")
bad_blob(53, "window_of_256_mib", ZSTD, zstd(TAR, 28), "the zstd stream is damaged: Frame requires too much memory")
taken(53, "window_of_128_mib", lambda layout: layout.image(Layer(zstd(TAR, 27), TAR, ZSTD)), read("f", b"abc"), rss=300 * MIB)
good_blob(54, "several_gzip_members", GZIP, gz(TAR[:700]) + gz(b"") + gz(TAR[700:]))
good_blob(54, "several_zstd_frames", ZSTD, zstd(TAR[:700]) + zstd(b"") + zstd(TAR[700:]))
good_blob(54, "skippable_frames_with_a_tar", ZSTD, skippable(SMUGGLED) + zstd(TAR) + skippable(tar(SMUGGLED), 15),
          lambda device: device.equal(device.names("usr/etc"), [b"hostname"]))
bad_blob(54, "plain_bytes_behind_gzip", GZIP, gz(TAR) + b"abcdef", "something other than gzip after the gzip stream")
bad_blob(54, "gzip_behind_zstd", ZSTD, zstd(TAR) + gz(TAR), "something other than zstd after a zstd frame")
CRC_WRONG = gz(TAR)[:-8] + bytes([gz(TAR)[-8] ^ 1]) + gz(TAR)[-7:]
bad_blob(55, "gzip_with_a_wrong_checksum", GZIP, CRC_WRONG, "the gzip stream is damaged")
bad_blob(55, "gzip_with_a_wrong_length", GZIP, gz(TAR)[:-1] + b"\x01", "the gzip stream is damaged")
bad_blob(55, "gzip_truncated", GZIP, gz(TAR)[:-12], "the gzip stream ends too early")
bad_blob(55, "gzip_without_its_trailer", GZIP, gz(TAR)[:-8], "the gzip stream ends too early")
bad_blob(55, "zstd_truncated", ZSTD, zstd(TAR)[:-100], "the zstd stream ends too early")
for called, media_type in (("gzip", GZIP), ("zstd", ZSTD), ("uncompressed", LAYER)):
    for what, blob in (("gzip", gz(TAR)), ("zstd", zstd(TAR)), ("xz", lzma.compress(TAR)), ("bzip2", bz2.compress(TAR)), ("uncompressed", TAR)):
        if what != called:
            bad_blob(56, "%s_called_%s" % (what, called), media_type, blob, "the layer is called %s, and its bytes are %s" % (called, what))
refused(56, "xz_by_its_type", lambda layout: layout.image(Layer(lzma.compress(TAR), TAR, OCI + "layer.v1.tar+xz")), "of unknown type")
refused(57, "diff_id_of_another", lambda layout: layout.image(Layer(gz(TAR), media_type=GZIP, diff_id=digest(b"other"))),
        ["uncompressed, it is " + digest(TAR), "but the image's config says " + digest(b"other")])
refused(57, "diff_id_of_the_blob", lambda layout: layout.image(Layer(gz(TAR), media_type=GZIP, diff_id=digest(gz(TAR)))), "uncompressed, it is " + digest(TAR))
TOC = json.dumps({"version": 1, "entries": [{"type": "reg", "name": "etc/passwd", "size": 1}]}).encode()
good_blob(58, "table_of_contents_that_lies", ZSTD, zstd(TAR) + skippable(gz(TOC)) + skippable(b"GNUlInUx" * 8),
          lambda device: device.equal((device.read("f"), device.exists("usr/etc/passwd")), (b"abc", False)),
          annotations={"io.github.containers.zstd-chunked.manifest-checksum": digest(TOC),
                       "io.github.containers.zstd-chunked.manifest-position": "%d:%d:%d:1" % (len(zstd(TAR)), len(gz(TOC)), len(TOC))})
