# SPDX-License-Identifier: Apache-2.0
"""Rows 1-38: names, links, whiteouts, metadata and special files in a layer's tar."""
import os

from builders import *  # pylint: disable=wildcard-import,unused-wildcard-import
from case import bad_layers, bad_tar, good_tar, refused, taken

NOT_TAKEN = "extended attribute that no device takes from an image"

# --- A. tar names and links ---------------------------------------------------------------------------------------

DOTDOT = '".." in a name'
bad_tar(1, "dotdot", tar(file(b"../../etc/passwd", b"x")), ["tar member ../../etc/passwd: ", DOTDOT])
bad_tar(1, "dotdot_by_pax", tar(pax(path=b"../../etc/passwd"), file(b"x")), ["tar member ../../etc/passwd: ", DOTDOT])
bad_tar(1, "dotdot_by_gnu_name", tar(gnu_long(b"L", b"../x"), file(b"x", magic=GNU)), ["tar member ../x: ", DOTDOT])
bad_tar(1, "dotdot_by_prefix", tar(file(b"x", prefix=b"..")), ["tar member ../x: ", DOTDOT])
bad_tar(2, "absolute", tar(file(b"/etc/passwd", b"x")), ["tar member /etc/passwd: ", "an absolute name"])
bad_tar(2, "absolute_by_pax", tar(pax(path=b"/etc/passwd"), file(b"x")), "tar member /etc/passwd: an absolute name")
bad_tar(3, "dotdot_inside", tar(file(b"a/../../x")), ["tar member a/../../x: ", DOTDOT])
bad_tar(3, "dotdot_after_dot", tar(file(b"./../x")), ["tar member ./../x: ", DOTDOT])
bad_tar(3, "dotdot_mixed", tar(file(b"a/./../..//x")), ["tar member a/./../..//x: ", DOTDOT])
bad_tar(4, "through_own_link", tar(symlink(b"d", b"/etc"), file(b"d/x", b"x")),
        "member d/x: it is below d, which the same layer made a link")
bad_layers(5, "through_lower_link", [tar(symlink(b"d", b"/etc")), tar(file(b"d/x", b"x"))],
           ["layer 3 of 3", "members below d, which a lower layer made a file or link"])
bad_layers(5, "through_lower_link_in_base", [tar(file(b"usr/share/link/x", b"x"))],
           "members below usr/share/link, which a lower layer made a file or link")


def lower_link_is_replaced(device):
    device.equal((device.mode("d"), device.read("d/x")), ("0o40755", b"x"))
    device.equal((device.names("usr/etc"), device.read("usr/etc/hostname")), ([b"hostname"], b"device\n"))


taken(5, "folder_replaces_lower_link",
      lambda layout: layout.image(tar(symlink(b"d", b"/usr/etc")), tar(folder(b"d/"), file(b"d/x", b"x"))),
      lower_link_is_replaced)
bad_tar(6, "root_is_a_link", tar(symlink(b".", b"/etc")), ["tar member .: ", "the root must be a directory"])
bad_tar(6, "slash_is_a_link", tar(symlink(b"/", b"/etc")), ["tar member /: ", "an absolute name"])
bad_tar(6, "root_with_slash_is_a_link", tar(symlink(b"./", b"/etc")), ["tar member ./: ", "trailing slash"])
bad_tar(6, "root_is_a_file", tar(file(b".")), ["tar member .: ", "the root must be a directory"])
bad_tar(7, "hardlink_outside", tar(hardlink(b"x", b"../etc/passwd")), ["tar member x: hard link target: ", DOTDOT])
bad_tar(7, "hardlink_absolute", tar(hardlink(b"x", b"/etc/passwd")), "tar member x: hard link target: an absolute name")
bad_tar(7, "hardlink_through_link", tar(symlink(b"d", b"/etc"), hardlink(b"x", b"d/passwd")),
        "member x: a hard link to d/passwd, which no earlier member of the layer is")
bad_tar(8, "hardlink_to_link", tar(symlink(b"l", b"/etc/passwd"), hardlink(b"x", b"l")),
        "member x: a hard link to l, which is a link")
bad_tar(8, "hardlink_to_folder", tar(folder(b"d/"), hardlink(b"x", b"d")), "member x: a hard link to d, which is a folder")
bad_tar(8, "hardlink_to_root", tar(hardlink(b"x", b".")), "tar member x: a hard link to a directory")
bad_tar(8, "hardlink_to_itself", tar(hardlink(b"a/x", b"./a//x")), "tar member a/x: a hard link to itself")
bad_tar(8, "hardlink_forward", tar(hardlink(b"x", b"y"), file(b"y", b"y")),
        "member x: a hard link to y, which no earlier member of the layer is")
bad_tar(8, "hardlink_missing", tar(hardlink(b"x", b"nowhere")), "member x: a hard link to nowhere")
bad_layers(8, "hardlink_to_lower_layer", [tar(hardlink(b"x", b"usr/etc/hostname"))],
           "member x: a hard link to usr/etc/hostname, which no earlier member of the layer is")


def owners_through_links_are_the_links(device):
    link, target = device.stat("l"), device.stat("usr/etc/hostname")
    device.equal((link.st_uid, link.st_gid, target.st_uid, target.st_gid), (7, 8, 0, 0))
    device.equal(device.dropped, [{"path": "l (user.evil)", "reason": NOT_TAKEN}])


good_tar(9, "attributes_of_a_link", [xattr(b"user.evil", b"1"), symlink(b"l", b"usr/etc/hostname", uid=7, gid=8)],
         owners_through_links_are_the_links, pull=True)


def loops_are_only_kept(device):
    device.equal([os.readlink(device.path(name)) for name in ("a", "b", "self", "s44")], [b"b", b"a", b"self", b"s45"])


good_tar(11, "loop_and_long_chain", [symlink(b"a", b"b"), symlink(b"b", b"a"), symlink(b"self", b"self")] +
         [symlink(b"s%d" % i, b"s%d" % (i + 1)) for i in range(64)], loops_are_only_kept)
bad_tar(11, "below_a_loop", tar(symlink(b"a", b"a"), file(b"a/x")), "member a/x: it is below a, which the same layer made a link")
bad_layers(11, "kernel_is_a_loop", [tar(symlink(MODULES + b"/vmlinuz", b"vmlinuz"))], "the image has no kernel")

HOSTILE_NAME = b"a\n\x1b[31m\xe2\x80\xaeb"


def hostile_names_are_kept_and_escaped(device):
    device.equal(device.read(HOSTILE_NAME), b"kept")
    device.equal(device.dropped, [{"path": (HOSTILE_NAME + b"-pipe").decode(), "reason": "fifo"}])
    for verb in ("status", "pull"):
        text = device.run_hostapp(verb, *([device.reference] if verb == "pull" else [])).decode()
        assert not set(text) & set("\x1b\u202e"), text


good_tar(12, "terminal_codes_in_a_name", [file(HOSTILE_NAME, b"kept"), header(HOSTILE_NAME + b"-pipe", b"6")],
         hostile_names_are_kept_and_escaped, pull=True)
bad_tar(12, "terminal_codes_in_an_error", tar(file(b"a\n\x1b\xe2\x80\xae/..")), r"tar member a\x0a\x1b\xe2\x80\xae/..: ")
bad_tar(12, "terminal_codes_in_a_refused_whiteout", tar(file(b"a\n\x1b/.wh.")), r"a\x0a\x1b/.wh.: a whiteout of nothing")
bad_tar(12, "not_utf8", tar(file(b"a\xff", b"x")), [r"a\xff", "UTF-8"])
bad_tar(12, "link_target_not_utf8", tar(symlink(b"x", b"\xff")), ["member x: the link target", "UTF-8"])
bad_tar(12, "zero_byte_in_pax_path", tar(pax(path=b"a\0b"), file(b"x")), "extended header: a zero byte in path")
bad_tar(12, "zero_byte_in_gnu_name", tar(gnu_long(b"L", b"a\0b"), file(b"x", magic=GNU)), "a zero byte in a GNU long name")
bad_tar(13, "component_of_256", tar(pax(path=b"a" * 256), file(b"x")), "a component longer than 255 bytes")
bad_tar(13, "path_of_4097", tar(pax(path=b"a/" * 2048 + b"x"), file(b"x")), "a name longer than 4096 bytes")
bad_tar(13, "ten_thousand_folders", tar(pax(path=b"/".join([b"d"] * 2000)), file(b"x")), "deeper than 256 folders")
bad_tar(13, "link_target_of_4096", tar(pax(linkpath=b"a" * 4096), symlink(b"x", b"y")), "a link target longer than 4095 bytes")
good_tar(13, "at_the_limits", [pax(path=b"/".join([b"d"] * 255) + b"/f"), file(b"x"), pax(path=b"n" * 255), file(b"x", b"1"),
                               pax(linkpath=b"a" * 4095), symlink(b"long-link", b"y")],
         lambda device: device.equal(device.read("n" * 255), b"1"))


def names_are_bytes(device):
    for name, content in (("README", b"1"), ("readme", b"2"), ("caf\u00e9", b"3"), ("cafe\u0301", b"4")):
        device.equal(device.read("usr/share/" + name), content)


good_tar(14, "names_that_differ_in_case_and_form",
         [file(b"usr/share/README", b"1"), file(b"usr/share/readme", b"2"), file("usr/share/caf\u00e9".encode(), b"3"),
          file("usr/share/cafe\u0301".encode(), b"4")], names_are_bytes)
bad_tar(15, "empty_name", tar(file(b"")), "an empty name")
bad_tar(15, "slash_on_a_file", tar(file(b"a/")), "tar member a/: a trailing slash on what is no directory")
bad_tar(15, "folder_with_data", tar(folder(b"d/", size=1) + padded(b"x")), "tar member d/: content in what is no file")
bad_tar(15, "link_with_data", tar(hardlink(b"x", b"y", size=1) + padded(b"x")), "tar member x: content in what is no file")
bad_tar(15, "fifo_with_data_by_pax", tar(pax(size=b"1"), header(b"p", b"6"), padded(b"x")),
        "tar member p: content in what is no file")
good_tar(16, "file_twice", [file(b"f", b"first"), file(b"f", b"second")], lambda device: device.equal(device.read("f"), b"second"))
bad_tar(16, "file_then_folder", tar(file(b"f"), folder(b"f/")), "member f: the same layer has it twice, first as a file, then as a folder")
bad_tar(16, "folder_then_link", tar(folder(b"f/"), symlink(b"f", b"/etc")), "member f: the same layer has it twice, first as a folder, then as a link")
bad_tar(16, "device_then_file", tar(device(b"f", b"3", 1, 3), file(b"f")), "member f: the same layer has it twice, with two types")
bad_tar(16, "file_then_device", tar(file(b"f"), device(b"f", b"3", 1, 3)), "member f: the same layer has it twice, with two types")
bad_tar(17, "below_a_file", tar(file(b"f"), file(b"f/x")), "member f/x: it is below f, which the same layer made a file")
bad_tar(17, "below_a_device", tar(device(b"f", b"3", 1, 3), file(b"f/x")), "member f/x: it is below a device or FIFO")
bad_layers(17, "below_a_lower_file", [tar(file(b"f")), tar(file(b"f/x"))], "members below f, which a lower layer made a file or link")
refused(18, "dev_is_a_link", lambda layout: layout.image(tar(symlink(b"dev", b"/tmp"))), "no host image: /dev must be a folder")
for top in ("boot", "etc", "proc", "run", "sys", "sysroot", "usr", "var"):
    bad_layers(19, top + "_is_a_link", [tar(symlink(top.encode(), b"/elsewhere"))], "no host image: /%s must be a folder" % top)
bad_layers(19, "etc_is_a_file", [tar(file(b"etc", b"x"))], "no host image: /etc must be a folder")
bad_layers(19, "ostree_is_a_link_elsewhere", [tar(symlink(b"ostree", b"/tmp"))], "no host image: /ostree must be a folder")
good_tar(19, "ostree_is_bootcs_link", [symlink(b"ostree", b"sysroot/ostree")], 
         lambda device: device.equal(os.readlink(device.path("ostree")), b"sysroot/ostree"))
bad_layers(20, "etc_and_usr_etc", [tar(file(b"etc/passwd", b"x"))], "no host image: /etc and /usr/etc both have content")

# --- B. whiteouts, metadata, special files ------------------------------------------------------------------------

for label, name in (("alone", b".wh."), ("of_dot", b".wh.."), ("of_dotdot", b".wh...")):
    bad_tar(21, "whiteout_" + label, tar(file(b"usr/" + name)), "layer member usr/%s: a whiteout of nothing" % name.decode())
bad_tar(21, "below_a_whiteout", tar(file(b"usr/.wh.a/b")), "layer member usr/.wh.a/b: below a whiteout")


def only_the_new_one(device):
    device.equal(device.names("usr/share/lower"), [b"new"])


good_tar(22, "opaque_before_siblings", [folder(b"usr/share/lower/"), file(b"usr/share/lower/.wh..wh..opq"),
                                        file(b"usr/share/lower/new")], only_the_new_one)
good_tar(22, "opaque_after_siblings", [folder(b"usr/share/lower/"), file(b"usr/share/lower/new"),
                                       file(b"usr/share/lower/.wh..wh..opq")], only_the_new_one)
bad_layers(23, "whiteout_through_lower_link", [tar(file(b"usr/share/link/.wh.hostname"))],
           "members below usr/share/link, which a lower layer made a file or link")
bad_tar(23, "whiteout_through_own_link", tar(symlink(b"d", b"/"), file(b"d/.wh.etc")),
        "member d/.wh.etc: it is below d, which the same layer made a link")


def link_went_and_target_stayed(device):
    device.equal(device.names("usr/share"), [b"lower"])
    device.equal(device.read("usr/etc/hostname"), b"device\n")


good_tar(23, "whiteout_of_a_link", [file(b"usr/share/.wh.link")], link_went_and_target_stayed)
good_tar(24, "whiteout_of_nothing", [file(b"usr/share/.wh.never-there"), file(b"nowhere/.wh.x")],
         lambda device: device.equal((device.names("usr/share"), device.names("nowhere")), ([b"link", b"lower"], [])))
bad_layers(25, "whiteout_of_the_kernel", [tar(file(MODULES + b"/.wh.vmlinuz"))], "the image has no kernel")
bad_layers(25, "whiteout_of_the_initramfs", [tar(file(MODULES + b"/.wh.initramfs.img"))], "has no initramfs")
bad_layers(25, "whiteout_of_init", [tar(file(b"usr/sbin/.wh.init"))], "the image cannot boot: none of usr/sbin/init")
bad_layers(25, "whiteout_of_usr", [tar(file(b".wh.usr"))], "the image cannot boot: none of usr/sbin/init")
bad_layers(25, "kernel_that_is_none", [tar(file(MODULES + b"/vmlinuz", b"x" * 8192))], "no boot loader can start it")
bad_tar(26, "whiteout_with_data", tar(file(b".wh.x", b"data")), "layer member .wh.x: a whiteout must be an empty file")
bad_tar(26, "whiteout_is_a_folder", tar(folder(b".wh.x/")), "layer member .wh.x: a whiteout must be an empty file")
bad_tar(26, "whiteout_is_a_link", tar(symlink(b".wh.x", b"y")), "layer member .wh.x: a whiteout must be an empty file")
bad_tar(26, "hardlink_to_a_whiteout", tar(file(b".wh.x"), hardlink(b"y", b".wh.x")), "layer member y: a link to a whiteout")
bad_tar(26, "whiteout_is_a_hardlink", tar(file(b"y"), hardlink(b".wh.x", b"y")), "layer member .wh.x: a whiteout must be an empty file")
bad_tar(26, "file_of_aufs", tar(folder(b".wh..wh.plnk/")), "layer member .wh..wh.plnk: ")
bad_tar(27, "overlay_whiteout", tar(device(b"usr/x", b"3", 0, 0)), "layer member usr/x: a whiteout as overlayfs writes it")
for name in (b"trusted.overlay.opaque", b"trusted.overlay.redirect", b"user.overlay.opaque"):
    bad_tar(27, name.decode().replace(".", "_"), tar(xattr(name, b"y"), folder(b"d/")),
            "layer member d: the extended attribute %s is overlayfs's own" % name.decode())


def dropped(*pairs):
    def check(device):
        device.equal(sorted((d["path"], d["reason"]) for d in device.dropped), sorted(pairs))
        for path, _ in pairs:
            assert not device.exists(path), path
    return check


good_tar(28, "device_nodes", [device(b"usr/null", b"3", 1, 3), device(b"usr/disk", b"4", 8, 0)],
         dropped(("usr/null", "character device"), ("usr/disk", "block device")), pull=True)
good_tar(28, "link_to_a_device_node", [device(b"usr/null", b"3", 1, 3), hardlink(b"usr/other", b"usr/null")],
         dropped(("usr/null", "character device"), ("usr/other", "character device")), pull=True)
good_tar(28, "device_nodes_in_dev", [device(b"dev/null", b"3", 1, 3), file(b"dev/core", b"x")],
         dropped(("dev/null", "character device"), ("dev/core", "below /dev")), pull=True)
good_tar(29, "fifo", [header(b"usr/pipe", b"6")], dropped(("usr/pipe", "fifo")), pull=True)


def modes_are_kept(device):
    device.equal([device.mode("usr/" + name) for name in ("suid", "sgid", "sticky")], ["0o104755", "0o102755", "0o41777"])


good_tar(30, "setuid_setgid_sticky", [file(b"usr/suid", mode=0o4755), file(b"usr/sgid", mode=0o2755), folder(b"usr/sticky/", mode=0o1777)],
         modes_are_kept)

CAPS_2 = bytes.fromhex("0100000200200000000000000000000000000000")
CAPS_3 = bytes.fromhex("010000030020000000000000000000000000000000000100")[:24]


def both_capabilities(device):
    device.equal(device.dropped, [])
    device.equal(os.getxattr(device.path("usr/two"), "security.capability"), CAPS_2)
    # The kernel shows version 3 of this user namespace's own root as version 2.
    assert "security.capability" in os.listxattr(device.path("usr/three"))


good_tar(31, "capabilities_two_and_three", [xattr(b"security.capability", CAPS_2), file(b"usr/two"), xattr(b"security.capability", CAPS_3),
                                            file(b"usr/three")], both_capabilities, pull=True)
for label, value in (("short", b"\1\0\0\2"), ("version_9", CAPS_2[:3] + b"\x09" + CAPS_2[4:]), ("three_without_rootid", CAPS_3[:20]),
                     ("unknown_flags", b"\xf1" + CAPS_2[1:])):
    bad_tar(31, "capability_" + label, tar(xattr(b"security.capability", value), file(b"f")),
            "layer member f: the extended attribute security.capability is malformed")
FOREIGN = [b"security.selinux", b"security.ima", b"security.evm", b"trusted.x", b"system.nfs4_acl", b"unknown.x"]


def foreign_attributes_are_listed(device):
    device.equal(device.dropped, [{"path": "usr/f (%s)" % ", ".join(sorted(name.decode() for name in FOREIGN)), "reason": NOT_TAKEN}])
    device.equal(os.listxattr(device.path("usr/f")), [])


good_tar(32, "labels_and_integrity", [pax_of([(b"SCHILY.xattr." + name, b"v") for name in FOREIGN]), file(b"usr/f")], foreign_attributes_are_listed, pull=True)
bad_tar(33, "value_over_64_kib", tar(xattr(b"user.a", b"v" * 65537), file(b"f")), "the extended attribute user.a has 65537 bytes, more than the 65536 allowed")
bad_tar(33, "too_many", tar(pax_of([(b"SCHILY.xattr.user.%d" % i, b"v") for i in range(257)]), file(b"f")), "more than 256 extended attributes")
bad_tar(33, "ten_thousand", tar(pax_of([(b"SCHILY.xattr.user.%d" % i, b"v") for i in range(10000)]), file(b"f")), "more than 256 extended attributes")
bad_tar(33, "twice", tar(pax_of([(b"SCHILY.xattr.user.a", b"1"), (b"SCHILY.xattr.user.a", b"2")]), file(b"f")), "twice")
bad_tar(33, "long_name", tar(xattr(b"user." + b"n" * 251, b"v"), file(b"f")), "longer than 255 bytes")
bad_tar(33, "not_base64", tar(pax_of([(b"LIBARCHIVE.xattr.user.a", b"?")]), file(b"f")), "does not decode")
for label, value in (("empty", b""), ("no_entries", b"\2\0\0\0"), ("half_an_entry", b"\2\0\0\0" + b"\1\0\7"), ("version_1", b"\1\0\0\0"),
                     ("unknown_tag", bytes.fromhex("02000000 4000 0700 ffffffff"))):
    bad_tar(34, "acl_" + label, tar(xattr(b"system.posix_acl_access", value), file(b"f")),
            "layer member f: the extended attribute system.posix_acl_access is malformed")
OWNER = "an owner outside 0..4294967294"
bad_tar(35, "uid_4294967295", tar(pax(uid=b"4294967295"), file(b"f")), ["tar member f: ", OWNER])
bad_tar(35, "uid_4294967296", tar(pax(uid=b"4294967296"), file(b"f")), ["tar member f: ", OWNER])
bad_tar(35, "uid_over_64_bits", tar(pax(uid=b"18446744073709551616"), file(b"f")), "no whole number")
bad_tar(35, "gid_negative", tar(pax(gid=b"-1"), file(b"f")), 'gid "-1" is no whole number')
bad_tar(35, "uid_text", tar(pax(uid=b"root"), file(b"f")), 'uid "root" is no whole number')
bad_tar(35, "uid_base256_negative", tar(file(b"f", uid=b"\xff" * 8)), "tar member f: the uid is below zero")
bad_tar(35, "uid_base256_huge", tar(file(b"f", uid=base256(1 << 32, 8))), ["tar member f: ", OWNER])
good_tar(35, "uid_at_the_limit", [file(b"f", uid=base256(4294967294, 8))], 
         lambda device: device.equal(device.stat("f").st_uid, 4294967294))
good_tar(36, "times_are_clamped", [file(b"a", mtime=b"\xff" * 12), pax(mtime=b"-5.5"), file(b"b"), pax(mtime=b"9223372036854775808"), file(b"c"),
                                   pax(mtime=b"1.%s" % (b"9" * 500)), file(b"d"), file(b"e", mtime=base256(1 << 62, 12))],
         lambda device: device.same_commit_again())
for label, value in (("nan", b"NaN"), ("exponent", b"1e999"), ("hexadecimal", b"0x5"), ("two_points", b"1.2.3")):
    bad_tar(36, "time_" + label, tar(pax(mtime=value), file(b"f")), 'mtime "%s" is no time' % value.decode())
bad_tar(37, "type_in_mode_differs", tar(file(b"f", mode=0o040755)), "tar member f: the type in the mode is not the type flag's")
bad_tar(37, "link_in_mode", tar(file(b"f", mode=0o120777)), "tar member f: the type in the mode is not the type flag's")
good_tar(37, "more_bits_than_a_mode", [file(b"f", mode=0o7200644)], 
         lambda device: device.equal(device.mode("f"), "0o100644"))
bad_tar(38, "major_too_large", tar(device(b"d", b"3", 4096, 0)), "tar member d: a device number beyond Linux's")
bad_tar(38, "minor_too_large", tar(device(b"d", b"4", 8, 1 << 20)), "tar member d: a device number beyond Linux's")
bad_tar(38, "major_base256", tar(device(b"d", b"4", base256(1 << 40, 8), 0)), "tar member d: a device number beyond Linux's")
