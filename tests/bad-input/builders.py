# SPDX-License-Identifier: Apache-2.0
"""Writers that can lie: tar headers, PAX records, zstd frames and image layouts, byte by byte.

What is not said is right: checksums of headers and digests of blobs fit whatever was made, so that each case breaks
the one rule it is about.
"""
import gzip
import hashlib
import json
import os
import platform
import struct

END = b"\0" * 1024
OCI = "application/vnd.oci.image."
LAYER, GZIP, ZSTD = OCI + "layer.v1.tar", OCI + "layer.v1.tar+gzip", OCI + "layer.v1.tar+zstd"
MANIFEST, INDEX, CONFIG = OCI + "manifest.v1+json", OCI + "index.v1+json", OCI + "config.v1+json"
POSIX, GNU = b"ustar\00000", b"ustar  \0"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def octal(value, width):
    return b"%0*o\0" % (width - 1, value)


def base256(value, width):
    """GNU's binary numbers: the first bit says so, the rest is the number in two's complement."""
    return bytes([value >> (8 * (width - 1)) & 0xff | 0x80]) + (value & (1 << 8 * (width - 1)) - 1).to_bytes(width - 1, "big")


def header(name=b"x", type=b"0", size=0, mode=0o644, uid=0, gid=0, mtime=0, link=b"", magic=POSIX, major=0, minor=0,
           prefix=b"", checksum=None):
    """One header block. Numbers may be given as the bytes of their field."""
    def number(value, width):
        return (octal(value, width) if isinstance(value, int) else value).ljust(width, b"\0")
    block = b"".join([name.ljust(100, b"\0"), number(mode, 8), number(uid, 8), number(gid, 8), number(size, 12),
                      number(mtime, 12), b" " * 8, type, link.ljust(100, b"\0"), magic, b"\0" * 64, number(major, 8),
                      number(minor, 8), prefix.ljust(155, b"\0")]).ljust(512, b"\0")
    assert len(block) == 512, len(block)
    sum_field = b"%06o\0 " % sum(block) if checksum is None else checksum(block)
    return block[:148] + sum_field + block[156:]


def padded(content):
    return content + b"\0" * (-len(content) % 512)


def file(name, content=b"", **more):
    more.setdefault("size", len(content))
    return header(name, **more) + padded(content)


def folder(name, **more):
    return header(name, b"5", mode=more.pop("mode", 0o755), **more)


def symlink(name, target, **more):
    return header(name, b"2", mode=0o777, link=target, **more)


def hardlink(name, target, **more):
    return header(name, b"1", link=target, **more)


def device(name, type, major, minor):
    return header(name, type, major=major, minor=minor)


def record(key, value):
    """A PAX record: its length counts itself."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(b"%d" % length) + len(rest):
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def extension(type, text, **more):
    return file(b"ext", text, type=type, **more)


def pax(type=b"x", **records):
    """PAX header of keyword arguments; `__` stands for a dot."""
    return extension(type, b"".join(record(k.replace("__", ".").encode(), v) for k, v in records.items()))


def pax_of(pairs, type=b"x"):
    return extension(type, b"".join(record(k, v) for k, v in pairs))


def xattr(name, value):
    return pax_of([(b"SCHILY.xattr." + name, value)])


def gnu_long(type, name):
    return extension(type, name + b"\0", magic=GNU)


def tar(*members, end=END):
    return b"".join(members) + end


def zstd(content, window_log=20, last=True):
    """One zstd frame of stored blocks, with a window of any size claimed."""
    out = b"\x28\xb5\x2f\xfd\0" + bytes([(window_log - 10) << 3])
    pieces = [content[i:i + 0x10000] for i in range(0, len(content), 0x10000)] or [b""]
    for i, piece in enumerate(pieces):
        out += struct.pack("<I", len(piece) << 3 | (last and i + 1 == len(pieces)))[:3] + piece
    return out


def zstd_zeros(head, blocks):
    """A frame that is `head`, then 128 KiB of zeros for each four of its bytes."""
    out = zstd(head, last=False)
    for i in range(blocks):
        out += struct.pack("<I", (0x20000 << 3) | (1 << 1) | (i + 1 == blocks))[:3] + b"\0"
    return out


def skippable(payload, kind=0):
    return struct.pack("<II", 0x184D2A50 + kind, len(payload)) + payload


def gz(content):
    return gzip.compress(content, 9, mtime=0)


def digest(content, algorithm="sha256"):
    return algorithm + ":" + hashlib.new(algorithm, content).hexdigest()


def dump(document):
    return document if isinstance(document, bytes) else json.dumps(document).encode()


class Layer:
    """A blob and what the image says of it."""

    def __init__(self, blob, content=None, media_type=LAYER, diff_id=None, **descriptor):
        self.blob = blob
        self.diff_id = diff_id or digest(blob if content is None else content)
        self.descriptor = {"mediaType": media_type, "digest": digest(blob), "size": len(blob), **descriptor}


def kernel():
    image = bytearray(8192)
    image[0x202:0x206] = b"HdrS"
    image[0x38:0x3c] = b"ARM\x64"
    return bytes(image)


MODULES = b"usr/lib/modules/6.1.0-test"


def base_layer():
    """The least that deploys, with usr/etc in place."""
    folders = [b"boot", b"dev", b"etc", b"proc", b"run", b"sys", b"sysroot", b"tmp", b"usr", b"usr/etc", b"usr/lib",
               b"usr/lib/modules", MODULES, b"usr/sbin", b"usr/share", b"usr/share/lower", b"var"]
    return tar(*(folder(name + b"/") for name in folders), file(MODULES + b"/vmlinuz", kernel()),
               file(MODULES + b"/initramfs.img", b"initramfs"), file(b"usr/sbin/init", b"#!/bin/sh\n", mode=0o755),
               file(b"usr/etc/hostname", b"device\n"), file(b"usr/share/lower/one", b"1"),
               file(b"usr/share/lower/two", b"2"), symlink(b"usr/share/link", b"/usr/etc"))


BASE = base_layer()


class Layout:
    """An image layout in a folder, tag "bad", made of whatever it is told."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path + "/blobs/sha256")
        os.makedirs(path + "/blobs/sha512")
        with open(path + "/oci-layout", "wb") as out:
            out.write(b'{"imageLayoutVersion":"1.0.0"}')

    def put(self, content, name=None):
        with open(self.path + "/blobs/" + (name or digest(content)).replace(":", "/"), "wb") as out:
            out.write(content)
        return content

    def describe(self, content, media_type, **more):
        self.put(content)
        return {"mediaType": media_type, "digest": digest(content), "size": len(content), **more}

    def config(self, diff_ids, **more):
        return {"architecture": ARCHITECTURE, "os": "linux", "created": "2026-01-02T03:04:05Z",
                "config": {"Labels": {"org.opencontainers.image.version": "2.0"}},
                "rootfs": {"type": "layers", "diff_ids": diff_ids}, **more}

    def manifest(self, layers, config=None, **more):
        """`config` is changed by a function, or given as bytes or as a descriptor's worth of them."""
        document = self.config([layer.diff_id for layer in layers])
        if callable(config):
            document = config(document) or document
        elif config is not None:
            document = config
        for layer in layers:
            self.put(layer.blob)
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.describe(dump(document), CONFIG),
                "layers": [layer.descriptor for layer in layers], **more}

    def top(self, document, media_type=MANIFEST, **more):
        """Names `document` in index.json as what the tag "bad" is."""
        content = dump(document)
        entry = self.describe(content, media_type, annotations={"org.opencontainers.image.ref.name": "bad"}, **more)
        self.index({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
        return digest(content)

    def index(self, document):
        with open(self.path + "/index.json", "wb") as out:
            out.write(dump(document))

    def image(self, *layers, config=None, **more):
        """A whole image: the bootable base, then these layers (tars, or Layer for what is said of one)."""
        all_layers = [Layer(BASE)] + [layer if isinstance(layer, Layer) else Layer(layer) for layer in layers]
        return self.top(self.manifest(all_layers, config, **more))
