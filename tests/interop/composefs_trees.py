# SPDX-License-Identifier: Apache-2.0
"""Random file trees as dumps (composefs-dump(5)): every kind of file, and sizes around every border of the format."""
import random

NAMES = bytes(set(range(1, 256)) - {ord("/")})
PLAIN = b"abcdefghijklmnopqrstuvwxyz-._+0123456789"
XATTR_NAMES = [b"user.a", b"user.", b"user.long" + b"x" * 200, b"trusted.t", b"trusted.overlay.opaque", b"trusted.overlay.whiteouts",
               b"trusted.overlay.overlay.opaque", b"user.overlay.opaque", b"user.overlay.whiteout", b"security.selinux", b"security.capability",
               b"system.posix_acl_access", b"system.posix_acl_default", b"system.posix_acl_accessory", b"lustre.lov", b"odd", b"user.=\n "]
SIZES = [1, 2, 4095, 4096, 4097, (1 << 31) - 1, 1 << 32, (1 << 32) + 1, (1 << 43) - 1, 1 << 43, (1 << 43) + 1, 17 << 43, 1000 << 43, 1 << 53]
INLINE_SIZES = [0, 1, 31, 64, 2047, 2048, 2049, 4095, 4096, 4097, 4999, 5000]
TARGET_SIZES = [1, 2, 31, 32, 200, 2048, 4000, 4031, 4032, 4033, 4063, 4064, 4065, 4095]


def escape(text, also=b""):
    if text == b"-":
        return "\\x2d"
    return "".join(chr(byte) if 0x20 < byte < 0x7f and byte not in b"\\" + also else "\\x%02x" % byte for byte in text)


class Tree:
    """`lines` of a dump; the same seed gives the same tree."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.shared = [(name, self.value(name, self.random.choice((0, 1, 4, 30, 300)))) for name in self.some(XATTR_NAMES, 12)]
        self.times = [(self.random.choice((0, 1, -5, 1600000000, 1 << 33)), self.random.choice((0, 0, 1, 999999999))) for _ in range(3)]
        self.folders = [b""]
        self.files = []
        self.names = {b"": set()}
        self.lines = [self.line(b"/", 0o40755, xattrs=self.xattrs())]
        self.backings = [self.bytes(32).hex() for _ in range(5)]

    def bytes(self, count):
        return bytes(self.random.getrandbits(8) for _ in range(count))

    def some(self, things, most):
        return self.random.sample(things, self.random.randint(0, min(most, len(things))))

    def number(self, borders, most):
        return self.random.choice(borders) if self.random.random() < 0.5 else self.random.randint(0, most)

    def value(self, name, size):
        """An attribute's. Where the writer puts another in its place that is shorter, the reference loses count and gives up."""
        if b".overlay." in name:
            return b"y" if name.endswith(b".opaque") else b""
        return self.bytes(size)

    def xattrs(self):
        rolled = self.random.random()
        if rolled < 0.5:
            return {}
        if rolled < 0.52:  # more than an inode can share
            return {b"user.many%d" % number: b"v" for number in range(self.random.choice((127, 128, 129, 300)))}
        if rolled < 0.56:
            return {b"user.large": b"v" * self.random.choice((1000, 4000, 4096, 9000, 32700))}
        found = dict(self.some(self.shared, 6))
        for name in self.some(XATTR_NAMES, 2):
            found[name] = self.value(name, self.random.randint(0, 40))
        return found

    def line(self, path, mode, size=0, links=1, device=0, payload="-", content="-", digest="-", xattrs=None):
        roll, (second, nano) = self.random.random(), self.random.choice(self.times)
        uid, gid = (0, 0) if roll < 0.7 else (self.number((65535, 65536, 4294967294), 3000), self.number((65535, 65536), 3000))
        fields = [escape(path), size, "%o" % mode if mode >= 0 else "@100644", links, uid, gid, device, "%d.%d" % (second, nano), payload, content,
                  digest]
        fields += ["%s=%s" % (escape(name, b"="), escape(value)) for name, value in (xattrs or {}).items()]
        return " ".join(map(str, fields))

    def path(self, folder=None):
        folder = self.random.choice(self.folders[-20:]) if folder is None else folder
        while True:
            rolled = self.random.random()
            if rolled < 0.03:
                name = b"%02x" % self.random.getrandbits(8)  # one of the store's own folders
            elif rolled < 0.4:
                name = bytes(self.random.choice(NAMES) for _ in range(self.random.choice((1, 2, 3, 20, 255))))
            else:
                name = bytes(self.random.choice(PLAIN) for _ in range(self.random.randint(1, 30)))
            if name not in (b".", b"..") and name not in self.names[folder]:
                self.names[folder].add(name)
                return folder + b"/" + name

    def add(self, folder=None):
        path, kind, permissions = self.path(folder), self.random.random(), self.random.choice((0o644, 0o755, 0o4711, 0o7777, 0))
        links = self.random.choice((1, 1, 1, 2, 65535, 65536))
        if kind < 0.15:
            self.folders.append(path)
            self.names[path] = set()
            line = self.line(path, 0o40000 | permissions, 4096, xattrs=self.xattrs())
        elif kind < 0.3:
            target = b"t" * self.number(TARGET_SIZES, 100) or b"t"
            line = self.line(path, 0o120777, len(target), links, payload=escape(target), xattrs=self.xattrs())
        elif kind < 0.45:
            size = self.number(INLINE_SIZES, 200)
            line = self.line(path, 0o100000 | permissions, size, links, content=escape(self.bytes(size)) if size else "-", xattrs=self.xattrs())
        elif kind < 0.75:
            digest = self.random.choice(self.backings) if self.random.random() < 0.2 else self.bytes(32).hex()
            payload = "-" if self.random.random() < 0.05 else "%s/%s" % (digest[:2], digest[2:])
            line = self.line(path, 0o100000 | permissions, self.number(SIZES, 1 << 20) or 1, links, payload=payload,
                             digest="-" if self.random.random() < 0.1 else digest, xattrs=self.xattrs())
        elif kind < 0.85 and self.files:
            self.lines.append(self.line(path, -1, payload=escape(self.random.choice(self.files))))
            return
        else:
            mode = self.random.choice((0o20000, 0o20000, 0o60000, 0o10000, 0o140000))
            device = 0 if mode < 0o20000 or mode > 0o60000 else self.number((0, 1, 259, 0xfffff, 0xffffffff), 1 << 16)
            line = self.line(path, mode | permissions, 0, links, device, xattrs=self.xattrs())
        if kind >= 0.15:
            self.files.append(path)
        self.lines.append(line)

    def text(self):
        return "\n".join(self.lines) + "\n"


def tree(seed, entries=None):
    """A dump with a few to a few thousand names; every fifth has them all in one folder."""
    made = Tree(seed)
    for _ in range(entries or made.random.choice((1, 5, 30, 200, 1000, 3000))):
        made.add(b"" if seed % 5 == 0 else None)
    return made.text()
