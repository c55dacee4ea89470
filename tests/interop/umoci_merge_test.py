#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The merged tree is what umoci unpacks: type, mode, owner, content, link target, extended attributes, file by file."""
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile

PULL = sys.argv[1]
TRANSIENT = ("dev", "proc", "run", "sys", "tmp")
ADDED = {"boot", "dev", "etc", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys", "sysroot", "tmp",
         "usr/etc", "usr/local", "var"}


def member(tar, name, data=None, type_=None, **fields):
    info = tarfile.TarInfo(name)
    info.mode = 0o755 if type_ == tarfile.DIRTYPE else 0o644
    info.mtime = 1700000000
    if type_:
        info.type = type_
    xattrs = fields.pop("xattrs", {})
    info.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in xattrs.items()}
    for key, value in fields.items():
        setattr(info, key, value)
    if data is not None:
        info.size = len(data)
    tar.addfile(info, io.BytesIO(data) if data is not None else None)


def layers(work):
    d, s, h = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    content = [
        [("usr", None, d, {}), ("usr/bin", None, d, {"mode": 0o711, "uid": 3, "gid": 4}),
         ("usr/bin/a", b"a" * 70000, None, {"mode": 0o4755}), ("usr/bin/b", None, h, {"linkname": "usr/bin/a"}),
         ("usr/lib", None, d, {}), ("usr/lib/old", b"old", None, {}), ("usr/lib/keep", b"keep", None, {}),
         ("lib", None, s, {"linkname": "usr/lib"}), ("etc", None, d, {}), ("etc/gone", b"x", None, {}),
         ("etc/stays", b"y", None, {"uid": 1000, "gid": 1000, "mode": 0o600}), ("opaque", None, d, {}),
         ("opaque/one", b"1", None, {}), ("opaque/two", None, d, {}), ("opaque/two/three", b"3", None, {}),
         ("link-to-dir", None, s, {"linkname": "usr"}), ("dir-to-file", None, d, {}), ("dir-to-file/x", b"x", None, {}),
         ("odd \u00fc\n\x1b[31m name", b"odd", None, {}), ("x" * 200, b"long", None, {}),
         ("xattr", b"x", None, {"xattrs": {"user.note": "kept"}}), ("empty", b"", None, {})],
        [("usr", None, d, {}), ("usr/lib", None, d, {"mode": 0o700}), ("usr/lib/.wh.old", b"", None, {}),
         ("etc", None, d, {}), ("etc/.wh.gone", b"", None, {}), ("etc/.wh.never-was", b"", None, {}),
         ("opaque", None, d, {}), ("opaque/new", b"n", None, {}), ("opaque/.wh..wh..opq", b"", None, {}),
         (".wh.link-to-dir", b"", None, {}), ("dir-to-file", b"now a file", None, {}),
         ("hard1", b"h", None, {"mode": 0o640}), ("hard2", None, h, {"linkname": "hard1"})],
        [("usr", None, d, {}), ("usr/bin", None, d, {"mode": 0o755}), ("usr/bin/a", b"replaced", None, {}),
         ("usr/lib", None, d, {"mode": 0o755}), ("usr/lib/old", b"back again", None, {}), (".wh.empty", b"", None, {})],
    ]
    for number, entries in enumerate(content):
        path = os.path.join(work, f"{number}.tar")
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, data, type_, fields in entries:
                member(tar, name, data, type_, **fields)
        yield path


def describe(path):
    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    xattrs = {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}
    content = None
    if stat.S_ISREG(kind):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
    elif stat.S_ISLNK(kind):
        content = os.readlink(path)
    return (oct(info.st_mode), info.st_uid, info.st_gid, content, xattrs)


def tree(root, rename=lambda path: path):
    out = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.relpath(os.path.join(folder, name), root)
            if path.split("/")[0] in TRANSIENT:
                continue
            out[rename(path)] = describe(os.path.join(folder, name))
    return out


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        sys.exit(f"FAILED: {' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def main():
    if os.geteuid() != 0 or not shutil.which("umoci"):
        print("needs root and umoci")
        sys.exit(77)
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base, prefix="hostapp-umoci-") as work:
        image = os.path.join(work, "image")
        run("umoci", "init", "--layout", image)
        run("umoci", "new", "--image", f"{image}:v1")
        for path in layers(work):
            run("umoci", "raw", "add-layer", "--image", f"{image}:v1", path)
        run("umoci", "unpack", "--image", f"{image}:v1", os.path.join(work, "bundle"))
        sysroot = os.path.join(work, "sysroot")
        os.mkdir(sysroot)
        commit = run(PULL, sysroot, f"oci:{image}:v1").split()[0]
        checkout = os.path.join(work, "checkout")
        run("ostree", "checkout", f"--repo={sysroot}/ostree/repo", commit, checkout)
        run("ostree", "fsck", "--quiet", f"--repo={sysroot}/ostree/repo")
        theirs = tree(os.path.join(work, "bundle/rootfs"), lambda path: "usr/" + path if path.split("/")[0] == "etc" else path)
        ours = {path: what for path, what in tree(checkout).items() if path in theirs or path not in ADDED}
        for path in sorted(set(theirs) | set(ours)):
            if theirs.get(path) != ours.get(path):
                print(f"FAILED: {path!r}: umoci {theirs.get(path)}, here {ours.get(path)}")
        if theirs != ours or len(theirs) < 15:
            sys.exit(1)
        print(f"{len(theirs)} paths are the same")


main()
