#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images of composefs, mounted: what Linux finds in them is what the dump says, alone and under overlayfs with a store.

usage: composefs.py COMPOSEFS_IMAGE

Needs root, loop devices, EROFS and overlayfs; skipped, with the reason, where one of them is missing.
"""
import contextlib
import errno
import os
import re
import stat
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, ROOT + "/tests/interop")
import composefs_trees  # noqa: E402
import support  # noqa: E402

TOOL = os.path.abspath(sys.argv[1])
OVERLAY = b"trusted.overlay."
ESCAPES = {b"\\": b"\\", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def unescape(text):
    return re.sub(rb"\\(x(..)|.)", lambda found: bytes.fromhex(found[2].decode()) if found[2] else ESCAPES[found[1]], text)


class File:
    """A line of a dump, and what the image has for it."""

    def __init__(self, line, version):
        fields = line.split(b" ")
        self.path = unescape(fields[0])
        self.link = fields[2].startswith(b"@")
        self.payload, self.content, self.digest = [None if field == b"-" else unescape(field) for field in fields[8:11]]
        self.mode = int(fields[2].lstrip(b"@"), 8)
        self.size, self.links, self.uid, self.gid, self.device = [int(field) for field in (fields[1], *fields[3:7])]
        second, nano = fields[7].split(b".")
        self.mtime = int(second) * 10**9 + int(nano)
        self.xattrs = {unescape(name): unescape(value) for name, value in (text.split(b"=", 1) for text in fields[11:])}
        self.version = version
        self.overlay()

    def kind(self):
        return stat.S_IFMT(self.mode)

    def overlay(self):
        """What overlayfs needs, and its own names escaped."""
        self.xattrs = {OVERLAY + b"overlay." + name[len(OVERLAY):] if name.startswith(OVERLAY) else name: value
                       for name, value in self.xattrs.items()}
        self.backed = not self.link and self.kind() == stat.S_IFREG and self.size > 0 and self.content is None
        if self.backed:
            self.xattrs[OVERLAY + b"metacopy"] = bytes((0, 36, 0, 1)) + bytes.fromhex(self.digest.decode()) if self.digest else b""
            if self.payload:
                self.xattrs[OVERLAY + b"redirect"] = b"/" + self.payload
        self.whiteout = not self.link and self.kind() == stat.S_IFCHR and self.device == 0
        if self.whiteout:
            self.mode = stat.S_IFREG | stat.S_IMODE(self.mode)
            self.xattrs.update({OVERLAY + b"overlay.whiteout": b"", b"user.overlay.whiteout": b""})

    def holds_whiteouts(self):
        self.xattrs.update({OVERLAY + b"overlay.whiteouts": b"", b"user.overlay.whiteouts": b""})
        if self.version:
            self.xattrs.update({OVERLAY + b"overlay.opaque": b"x", b"user.overlay.opaque": b"x"})


def expected(dump, version):
    """{path: File} of an image of the dump, with what the format adds."""
    files = {}
    for line in dump.rstrip(b"\n").split(b"\n"):
        file = File(line, version)
        files[file.path] = file
    folders = [file for file in files.values() if file.kind() == stat.S_IFDIR]
    for file in files.values():
        if file.whiteout:
            files[os.path.dirname(file.path)].holds_whiteouts()
    for file in folders:
        file.links = 2 + sum(os.path.dirname(folder.path) == file.path != folder.path for folder in folders)
    root = files[b"/"]
    root.xattrs[OVERLAY + b"opaque"] = b"y"
    for number in range(256):
        path = b"/%02x" % number
        if path not in files:
            files[path] = File(b"%s 0 20644 1 %d %d 0 0.0 - - -" % (path, root.uid, root.gid), version)
            files[path].mode, files[path].whiteout, files[path].mtime = stat.S_IFCHR | 0o644, False, root.mtime
            files[path].xattrs = {name: value for name, value in root.xattrs.items() if name == b"security.selinux"}
    return files


def resolve(files, file):
    while file.link:
        file = files[file.payload]
    return file


def found_xattrs(path, only_trusted):
    """Those that Linux gives to root as they are: no ACLs and capabilities, which it reads; `user.` not of links and devices."""
    wanted = (b"trusted.", b"security.selinux") if only_trusted else (b"trusted.", b"security.selinux", b"user.")
    return {os.fsencode(name): os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
            if os.fsencode(name).startswith(wanted) and os.fsencode(name) not in (b"user.", b"trusted.")}


def compare(path, file, shown):
    info, wrong = os.lstat(shown), []

    def check(what, found, wanted):
        if found != wanted:
            wrong.append("%r: %s: %r instead of %r" % (path, what, found, wanted))

    check("mode", oct(info.st_mode), oct(file.mode))
    check("owner", (info.st_uid, info.st_gid), (file.uid, file.gid))
    check("mtime", info.st_mtime_ns, file.mtime)
    check("links", info.st_nlink, file.links)
    if stat.S_ISREG(info.st_mode):
        check("size", info.st_size, 0 if file.whiteout else file.size)
    if file.content is not None:
        with open(shown, "rb") as opened:
            check("content", opened.read(), file.content)
    if stat.S_ISLNK(info.st_mode):
        check("target", os.readlink(shown), file.payload)
    if stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        check("device", info.st_rdev, file.device)
    special = not stat.S_ISREG(info.st_mode) and not stat.S_ISDIR(info.st_mode)
    prefixes = (b"trusted.", b"security.selinux") if special else (b"trusted.", b"security.selinux", b"user.")
    check("attributes", found_xattrs(shown, special),
          {name: value for name, value in file.xattrs.items() if name.startswith(prefixes) and name not in (b"user.", b"trusted.")})
    return wrong


@contextlib.contextmanager
def mounted(*options):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", *options, folder], capture_output=True, check=False, timeout=60)
        if done.returncode != 0:
            raise OSError(errno.ENODEV, done.stderr.decode().strip())
        try:
            yield folder
        finally:
            support.run("umount", folder)


def make(dump, version):
    with open("dump", "wb") as file:
        file.write(dump)
    support.run(TOOL, "v%d" % version, "dump", "image")


def without_acls(dump):
    """Random bytes are no access control list: Linux doesn't look into a folder with such a one."""
    return re.sub(rb" system\.posix_acl_[a-z]+=[^ \n]*", b"", dump)


def erofs():
    return mounted("-t", "erofs", "-o", "ro,loop", "image")


def has_what_the_dump_says(name, dump, version):
    make(dump, version)
    files, wrong, inodes = expected(dump, version), [], {}
    with erofs() as root:
        top = os.fsencode(root)
        shown = {b"/"}
        for folder, folders, names in os.walk(top, onerror=support.raise_it):
            shown |= {folder[len(top):] + b"/" + found for found in folders + names}
        wrong += ["%r is missing" % path for path in set(files) - shown] + ["%r is too much" % path for path in shown - set(files)]
        for path in set(files) & shown:
            file = resolve(files, files[path])
            wrong += compare(path, file, top + path)
            inodes.setdefault(os.lstat(top + path).st_ino, set()).add(file.path)
    wrong += ["%r share an inode" % paths for paths in inodes.values() if len(paths) > 1]
    if len(inodes) != len([file for file in files.values() if not file.link]):
        wrong.append("%d inodes" % len(inodes))
    if wrong:
        support.fail("%s, version %d:\n%s" % (name, version, "\n".join(wrong[:20])))


STORE_DUMP = b"""/ 4096 40755 2 0 0 0 1700000000.5 - - -
/etc 4096 40755 2 0 0 0 1700000001.0 - - -
/etc/motd 6 100644 1 0 0 0 1700000002.7 - hello\\n - user.note=kept
/usr 4096 40755 2 0 0 0 1700000003.0 - - -
/usr/large 100000 100755 2 7 8 0 1700000004.0 ab/large - - trusted.overlay.redirect=mine
/usr/link 100000 @100755 2 7 8 0 1700000004.0 /usr/large - -
/usr/short 5 120777 1 0 0 0 1700000005.0 large - -
/ac 4096 40755 2 0 0 0 1700000006.0 - - -
/ac/of-the-image 3 100644 1 0 0 0 1700000007.0 ac/file - -
/layers 4096 40755 2 0 0 0 1700000008.0 - - -
/layers/upper 4096 40755 2 0 0 0 1700000008.0 - - -
/layers/upper/gone 0 20000 1 0 0 0 1700000009.0 - - -
/layers/lower 4096 40755 2 0 0 0 1700000008.0 - - -
/layers/lower/gone 3 100644 1 0 0 0 1700000009.0 - no\\n -
/layers/lower/kept 4 100644 1 0 0 0 1700000009.0 - yes\\n -
"""


def read(path):
    with open(path, "rb") as file:
        return file.read()


def looks_like_the_system(root, kind):
    """Through overlayfs: contents from the store, nothing of the store's own folders, attributes as they were given.

    Where the store is an ordinary layer, a folder at the image's root that has the name of one of the store's shows its files, too:
    the format has no answer to that.
    """
    large = bytes(range(250)) * 400
    facts = {
        "names": (sorted(os.listdir(root)), ["ac", "etc", "layers", "usr"]),
        "names in ac": (sorted(os.listdir(root + "/ac")), ["of-the-image"] if kind == "data-only" else ["file", "of-the-image"]),
        "a file in the image": (read(root + "/etc/motd"), b"hello\n"),
        "a file of the store": (read(root + "/usr/large"), large),
        "its link": (read(root + "/usr/short"), large),
        "another file of the store": (read(root + "/ac/of-the-image"), b"abc"),
        "owner": ((os.stat(root + "/usr/large").st_uid, os.stat(root + "/usr/large").st_gid), (7, 8)),
        "mtime": (os.stat(root + "/etc/motd").st_mtime_ns, 1700000002000000007),
        "hard link": (os.stat(root + "/usr/large").st_ino, os.stat(root + "/usr/link").st_ino),
        "attribute": (os.getxattr(root + "/etc/motd", "user.note"), b"kept"),
    }
    return ["%s: %r instead of %r" % (what, found, wanted) for what, (found, wanted) in facts.items() if found != wanted]


def boots_from_a_store(version):
    """overlayfs over the image and the store: the store as data only (Linux 6.5), and as an ordinary layer before that."""
    support.write("store/ab/large", bytes(range(250)) * 400)
    support.write("store/ac/file", b"abc")
    make(STORE_DUMP, version)
    wrong, skipped = [], []
    with erofs() as image:
        for kind, separator in (("data-only", "::"), ("ordinary", ":")):
            options = "ro,metacopy=on,redirect_dir=on,lowerdir=%s%s%s" % (image, separator, os.path.abspath("store"))
            try:
                with mounted("-t", "overlay", "-o", options, "overlay") as root:
                    wrong += ["%s: %s" % (kind, line) for line in looks_like_the_system(root, kind)]
                    wrong += hides_below_an_escaped_whiteout(root) if version else []
            except OSError as error:
                if error.errno != errno.ENODEV:
                    raise
                skipped.append("%s: %s" % (kind, error.strerror))
    if wrong:
        support.fail("version %d: under overlayfs:\n%s" % (version, "\n".join(wrong)))
    if skipped:
        print("left out: this kernel's overlayfs: " + "; ".join(skipped))


def hides_below_an_escaped_whiteout(root):
    """A container's overlayfs over folders of the system, one of which has a whiteout (Linux 6.8)."""
    options = "ro,lowerdir=%s/layers/upper:%s/layers/lower" % (root, root)
    with mounted("-t", "overlay", "-o", options, "overlay") as both:
        names = os.listdir(both)
    return [] if names == ["kept"] else ["the overlayfs above shows %r" % names]


def main():
    support.need("mount", "umount", "unshare")
    os.chdir(support.work_folder("composefs"))
    golden = ROOT + "/tests/data/composefs-golden"
    make(STORE_DUMP, 1)
    try:
        with erofs():
            pass
    except OSError as error:
        print("SKIPPED: no EROFS by a loop device here: %s" % error.strerror)
        sys.exit(support.SKIP)
    for version in (0, 1):
        support.step("an image and a store, version %d" % version)
        boots_from_a_store(version)
        support.step("golden trees, version %d" % version)
        for name in sorted(os.listdir(golden)):
            if name.endswith(".dump"):
                has_what_the_dump_says(name, read(golden + "/" + name), version)
        support.step("random trees, version %d" % version)
        for seed in range(2001, 2009):
            has_what_the_dump_says("seed %d" % seed, without_acls(composefs_trees.tree(seed, 400).encode()), version)


main()
