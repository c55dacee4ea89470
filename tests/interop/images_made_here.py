#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What hostapp-image packs is read, copied and unpacked by other programs, and is the same whenever and however it is packed.

usage: images_made_here.py HOSTAPP_IMAGE
"""
import json
import os
import shutil
import stat
import sys
import tarfile

sys.dont_write_bytecode = True  # Tests leave the source tree as it is.
import support  # noqa: E402
from support import CAP_NET_RAW, fail, run, step

PROGRAM = os.path.abspath(sys.argv[1])
VERSION = "2.5-odd+1"


def make_source(root):
    support.make_base(root)
    for number in range(40):
        support.write("%s/usr/share/many/%02d" % (root, number * 7 % 40), b"%d" % number * 100)
    for name in ("with space", "new\nline", "\u00fcml\u00e4ut", "back\\slash", "b" * 255, "-rf", ".hidden"):
        support.write("%s/usr/share/odd/%s" % (root, name), name.encode())
    support.write(root + "/usr/bin/ping", b"ping", 0o755)
    support.write(root + "/usr/bin/su", b"su", 0o4755)
    support.write(root + "/usr/share/owned", b"owned", 0o640)
    os.link(root + "/usr/share/owned", root + "/usr/share/many/linked")
    os.chown(root + "/usr/share/owned", 1234, 5000000)
    os.symlink("x/" * 300 + "end", root + "/usr/share/long-link")
    os.chmod(root + "/usr/share/many", 0o2750)
    support.write(root + "/etc/shadow", b"root:*:1::::::\n", 0o640)
    os.setxattr(root + "/usr/bin/ping", "security.capability", CAP_NET_RAW)
    os.setxattr(root + "/usr/share/many", "user.note", b"\x00\xff=\n")
    # Times that neither the clock nor the copy below makes by chance.
    for folder, folders, files in os.walk(root, topdown=False):
        for name in files + folders:
            os.utime(os.path.join(folder, name), (1600000000, 1500000000 + len(name)), follow_symlinks=False)
    os.utime(root, (1600000000, 1600000000))


def copy_in_another_order(source, target):
    """The same tree, every folder filled from the last name to the first; links stay links."""
    seen = {}

    def copy(a, b):
        info = os.lstat(a)
        if stat.S_ISREG(info.st_mode) and info.st_ino in seen:
            os.link(seen[info.st_ino], b)
            return
        if stat.S_ISLNK(info.st_mode):
            os.symlink(os.readlink(a), b)
        elif stat.S_ISDIR(info.st_mode):
            os.mkdir(b)
            for name in sorted(os.listdir(a), reverse=True):
                copy(os.path.join(a, name), os.path.join(b, name))
        else:
            shutil.copyfile(a, b)
            seen[info.st_ino] = b
        os.chown(b, info.st_uid, info.st_gid, follow_symlinks=False)
        shutil.copystat(a, b, follow_symlinks=False)  # After chown, which takes set-user-id and capabilities away.

    copy(source, target)
    if list(os.scandir(source))[0].name == list(os.scandir(target))[0].name:
        print("    (this file system lists both copies in one order: the case shows less)")


def make_tar(root, path, reverse=False):
    """As an image builder writes one: owners, links, a capability."""
    names = sorted(os.path.relpath(os.path.join(folder, name), root)
                   for folder, folders, files in os.walk(root) for name in folders + files) + ["."]
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(names, reverse=reverse):
            info = tar.gettarinfo(os.path.join(root, name), name)
            info.uname = info.gname = ""
            for key in os.listxattr(os.path.join(root, name), follow_symlinks=False):
                value = os.getxattr(os.path.join(root, name), key, follow_symlinks=False)
                info.pax_headers["SCHILY.xattr." + key] = value.decode("utf-8", "surrogateescape")
            if info.isreg():
                with open(os.path.join(root, name), "rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
    os.chmod(path, 0o644)


class Here:
    def __init__(self):
        self.work = support.work_folder("here")
        os.chmod(self.work, 0o711)
        self.packs = 0

    def pack(self, source, destination=None, prefix=(), env=None, options=("--compression", "gzip")):
        """The digest of what it makes of `source`."""
        self.packs += 1
        destination = destination or "oci:%s/packed-%d:x" % (self.work, self.packs)
        out = run(*prefix, PROGRAM, "pack", source, destination, "--version", VERSION, "--json", *options, env=env)
        return json.loads(out)["manifest_digest"]

    def same(self, what, got, wanted):
        if got != wanted:
            fail("%s: the digest is %s and was %s" % (what, got, wanted))
        print("    %s: the same digest" % what, flush=True)

    def reproducible(self, source):
        step("packed again, at another time, in another order, by another user")
        first = self.pack(source)
        self.same("a second time", self.pack(source), first)
        self.same("another clock", self.pack(source, prefix=("faketime", "2031-05-06 07:08:09")), first)
        self.same("another time zone and language", self.pack(source, env={"TZ": "Asia/Kathmandu", "LC_ALL": "C", "LANG": "C"}), first)
        self.same("another umask", self.pack(source, prefix=("sh", "-c", "umask 077; exec \"$@\"", "sh")), first)
        copy_in_another_order(source, self.work + "/copy")
        self.same("entries made in another order, elsewhere", self.pack(self.work + "/copy"), first)
        shutil.rmtree(self.work + "/copy")
        tar = self.work + "/source.tar"
        make_tar(source, tar)
        as_root = self.pack(tar)
        open_folder = self.work + "/anyone"
        os.mkdir(open_folder)
        os.chmod(open_folder, 0o777)
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--inh-caps=-all")
        self.same("a tar, as nobody", self.pack(tar, "oci:%s/layout:x" % open_folder, prefix=nobody, env={"HOME": open_folder, "TMPDIR": open_folder}), as_root)
        self.same("a tar of the folder and the folder", as_root, first)
        make_tar(source, self.work + "/reversed.tar", reverse=True)
        self.same("a tar with its members in another order", self.pack(self.work + "/reversed.tar"), first)
        return first

    def tree_is(self, who, root, wanted):
        tree, links = support.tree(root)
        lines = support.differences("the folder packed", wanted[0], who, tree)
        if links != wanted[1]:
            lines.append("hard links: the folder packed has %s, %s has %s" % (wanted[1], who, links))
        if lines:
            fail("%s has not what was packed:\n  %s" % (who, "\n  ".join(lines)))
        print("    %s: %d paths as they were packed" % (who, len(tree)), flush=True)

    def read_elsewhere(self, source, kind):
        step("a %s image is read by skopeo, podman, buildah%s" % (kind, " and umoci" if kind == "gzip" else ""))
        layout = "%s/layout-%s" % (self.work, kind)
        digest = self.pack(source, "oci:%s:x" % layout, options=("--compression", kind, "--label", "vendor=Example"))
        wanted = support.tree(source)
        inspected = json.loads(run("skopeo", "inspect", "oci:%s:x" % layout))
        self.same("skopeo inspect", inspected["Digest"], digest)
        labels = inspected["Labels"]
        if labels.get("vendor") != "Example" or labels.get("org.opencontainers.image.version") != VERSION:
            fail("skopeo shows other labels: %s" % labels)
        self.copies(layout, digest)
        if kind == "gzip":
            run("umoci", "unpack", "--image", layout + ":x", self.work + "/bundle")
            self.tree_is("umoci", self.work + "/bundle/rootfs", wanted)
            shutil.rmtree(self.work + "/bundle")
        store = ("--root", self.work + "/storage-" + kind, "--runroot", self.work + "/runroot-" + kind, "--storage-driver", "vfs")
        image = run("podman", *store, "pull", "--quiet", "oci:%s:x" % layout, timeout=100).split()[-1]
        about = json.loads(run("podman", *store, "inspect", image))[0]
        if about["Labels"].get("org.opencontainers.image.version") != VERSION or about["Os"] != "linux":
            fail("podman inspect shows other things: %s" % about)
        self.tree_is("podman", run("podman", *store, "image", "mount", image).strip(), wanted)
        container = run("buildah", *store, "from", "--pull-never", image).strip()
        self.tree_is("buildah", run("buildah", *store, "mount", container).strip(), wanted)

    def copies(self, layout, digest):
        """There and back: skopeo to a registry, to a folder, to a layout; and our own copy of what came back."""
        copy = ("skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false")
        with support.Registry(self.work) as registry:
            remote = "docker://%s/os/image" % registry.host
            run(*copy, "oci:%s:x" % layout, remote + ":skopeo")
            self.same("skopeo copy to a registry", json.loads(run("skopeo", "inspect", "--tls-verify=false", remote + ":skopeo"))["Digest"], digest)
            run(*copy, remote + ":skopeo", "dir:%s/dir" % self.work)
            run(*copy, "dir:%s/dir" % self.work, "oci:%s-back:x" % layout)
            self.same("back through a folder", json.loads(run(PROGRAM, "inspect", "oci:%s-back:x" % layout, "--json"))["digest"], digest)
            copied = json.loads(run(PROGRAM, "copy", "oci:%s-back:x" % layout, remote + "2:ours", "--json"))["digest"]
            self.same("hostapp-image copy to the registry", copied, digest)
            self.same("as skopeo sees it", json.loads(run("skopeo", "inspect", "--tls-verify=false", remote + "2:ours"))["Digest"], digest)
            run(PROGRAM, "copy", remote + "2:ours", "oci-archive:%s/back.tar:x" % self.work)
            self.same("skopeo reads our archive", json.loads(run("skopeo", "inspect", "oci-archive:%s/back.tar:x" % self.work))["Digest"], digest)
        for path in ("/dir", "/registry-data"):
            shutil.rmtree(self.work + path)
        os.remove(self.work + "/back.tar")


def main():
    support.need("skopeo", "podman", "buildah", "umoci", "docker-registry", "faketime", "setpriv", "busybox", "unshare")
    test = Here()
    source = test.work + "/source"
    make_source(source)
    test.reproducible(source)
    for kind in ("gzip", "zstd"):
        test.read_elsewhere(source, kind)


main()
