#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images that other programs made, deployed and mounted: the tree is what umoci and podman make of the same image.

usage: images_made_elsewhere.py HOSTAPP

Compared file by file: type, mode, owner, extended attributes, content, sets of hard links, and where the root is composefs
the time of change. Apart: /etc (the image's is compared with both /etc and /usr/etc), mount points that are added (with
their modes), what is listed as dropped (and the image must have had it), what is below /var (a device's own).
"""
import io
import os
import shutil
import subprocess
import sys
import tarfile

sys.dont_write_bytecode = True  # Tests leave the source tree as it is.
import support  # noqa: E402
from support import CAP_NET_RAW, MOUNT_POINTS, TRANSIENT, fail, run, step

ODD_NAMES = ["with space", "new\nline", "tab\there", "\u00fcml\u00e4ut \u65e5\u672c", "\U0001f600", "-rf", "back\\slash", "star*?[a]",
             "quote'\"", "esc\x1b[31m", "a" * 255, "..three", "trailing.", "%41$(x)`y`", ".hidden", "#hash", "e\u0301 not composed"]

CONTAINERFILE = r"""FROM scratch
ADD base.tar /
RUN set -e; cd /usr/share; rm removed; rm -r removed-dir; rm link-removed; rm /etc/removed; \
    rm -r opaque; mkdir opaque; echo new >opaque/new; mkdir opaque/sub; \
    ln lower lower-link; echo one >first; ln first second; ln first /opt/third; \
    ln -s /nowhere/at/all dangling; ln -s ../share/first relative; rm link; ln -s other link; \
    rm -r back; mkdir -p empty/er/est; mkfifo fifo
RUN set -e; cd /usr/share; chmod 4755 /usr/bin/tool; chmod 2750 group; chown 1234:54321 owned; chmod 1777 /opt/sticky; \
    rm -r dir-to-file; echo f >dir-to-file; rm file-to-dir; mkdir file-to-dir; echo x >file-to-dir/x; \
    rm link-to-dir; mkdir link-to-dir; echo real >link-to-dir/file; mkdir back; echo again >back/again; \
    echo "root:*:1::::::" >/etc/shadow; chmod 640 /etc/shadow; chown 0:42 /etc/shadow; ln -s ../usr/share /etc/share; \
    mkdir -p /var/lib/thing; echo v >/var/lib/thing/state; echo t >/tmp/left
"""


def make_base(root):
    support.make_base(root)
    for name in ("removed", "removed-dir/file", "removed-dir/deep/er", "link-removed", "opaque/old", "opaque/sub/old", "lower", "group/x",
                 "owned", "dir-to-file/x", "file-to-dir", "back/old", "link-target/y"):
        support.write("%s/usr/share/%s" % (root, name), name.encode() * 50)
    for name in ODD_NAMES:
        support.write("%s/usr/share/odd/%s" % (root, name), name.encode())
    support.write(root + "/usr/share/odd/dir\n\u00e9/" + "b" * 200, b"x")
    support.write(root + "/usr/share/random", os.urandom(300000))
    support.write(root + "/usr/share/empty-file", b"")
    support.write(root + "/usr/bin/tool", b"#!/bin/sh\n", 0o755)
    support.write(root + "/usr/bin/ping", b"ping" * 100, 0o755)
    support.write(root + "/etc/removed", b"x")
    support.write(root + "/etc/deep/er/conf", b"x", 0o600)
    os.makedirs(root + "/opt/sticky")
    os.symlink("link-target", root + "/usr/share/link-to-dir")
    os.symlink("lower", root + "/usr/share/link")
    os.symlink("x/" * 500 + "end", root + "/usr/share/long-link")
    os.link(root + "/usr/share/owned", root + "/usr/share/owned-too")


def base_tar(root, path):
    """With what a plain copy of a folder would lose: a capability, other attributes, large owners, the owner and time of each."""
    def dress(info):
        info.mtime = 1600000000
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        if info.name == "usr/bin/ping":
            info.pax_headers["SCHILY.xattr.security.capability"] = CAP_NET_RAW.decode("latin-1")
        if info.name == "usr/share/random":
            info.pax_headers["SCHILY.xattr.user.note"] = "kept"
            info.uid, info.gid = 2000000000, 3000000
        return info
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for name in sorted(os.listdir(root)):
            tar.add(os.path.join(root, name), arcname=name, filter=dress)


class Elsewhere:
    def __init__(self, program):
        self.work = support.work_folder("elsewhere")
        self.device = support.Device(program, self.work + "/sysroot")
        self.store = ["--root", self.work + "/storage", "--runroot", self.work + "/runroot", "--storage-driver", self.driver()]
        self.umoci_trees = 0

    def driver(self):
        """overlay makes opaque folders, vfs only whiteouts; not every file system has overlay on it."""
        for name in ("upper", "below", "workdir", "merged"):
            os.makedirs("%s/probe/%s" % (self.work, name))
        probe = self.work + "/probe/"
        done = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", "lowerdir=%sbelow,upperdir=%supper,workdir=%sworkdir" %
                               (probe, probe, probe), probe + "merged"], capture_output=True, check=False)
        if done.returncode != 0:
            return "vfs"
        run("umount", probe + "merged")
        return "overlay"

    def podman(self, *argv):
        return run("podman", *self.store, *argv, timeout=150)

    def buildah(self, *argv):
        return run("buildah", *self.store, *argv, timeout=150)

    def umoci(self, layout, tag):
        self.umoci_trees += 1
        bundle = "%s/umoci-%d" % (self.work, self.umoci_trees)
        run("umoci", "unpack", "--image", "%s:%s" % (layout, tag), bundle)
        return bundle + "/rootfs"

    def compare(self, name, reference, others, must_have, kinds=("composefs",)):
        """Deploys `reference` with each kind of root, mounts it, and compares with each of `others`: {who made it: root of the tree}."""
        step(name)
        dropped = self.device.json("pull", reference)["dropped"]["paths"]
        for kind in kinds:
            mine = self.deployed_tree(reference, kind)
            for who, root in others.items():
                self.compare_one(name, kind, mine, who, support.tree(root), dropped, must_have)
            print("    %d paths as %s have them, root is %s" % (len(mine[0]), " and ".join(others), kind))

    def deployed_tree(self, reference, kind):
        serial = str(self.device.json("deploy", reference, "--root", kind)["serial"])
        target = "%s/mnt-%s" % (self.work, serial)
        os.mkdir(target)
        self.device.json("mount", serial, target)
        try:
            return support.tree(target)
        finally:
            self.device.json("unmount", target)

    @staticmethod
    def links(tree):
        """The sets of hard links that are compared."""
        return [group for group in tree[1] if group[0].split("/")[0] not in ("var", *TRANSIENT)]

    def compare_one(self, name, kind, mine, who, theirs, dropped, must_have):
        ours, their = dict(mine[0]), dict(theirs[0])
        lines = []
        for path in must_have:
            if path not in their:
                lines.append("%r is not in the tree of %s: the case tests less than it says" % (path, who))
        for path, what in list(their.items()):
            if path.split("/")[0] == "etc" and path != "etc":
                their["usr/" + path] = what
        their["usr/etc"] = their["etc"]
        listed = {entry["path"].lstrip("/") for entry in dropped if entry["path"].lstrip("/").split("/")[0] not in TRANSIENT}
        cannot = {path for path, what in their.items() if what["kind"] not in ("file", "folder", "symlink")}
        if listed != cannot:
            lines.append("listed as dropped: %s, to be dropped of what %s has: %s" % (sorted(listed), who, sorted(cannot)))
        for path in cannot:
            del their[path]
        for path in [p for p in ours if p.split("/")[0] == "var" and p != "var"]:
            del ours[path]
        for path in [p for p in their if p.split("/")[0] == "var" and p != "var"]:
            del their[path]
        for path, mode in MOUNT_POINTS.items():
            if path not in their and ours.get(path, {}).get("mode") == mode:
                del ours[path]
        for path in TRANSIENT:  # Mounted over at boot.
            ours.pop(path, None)
            their.pop(path, None)
        lines += support.differences("hostapp", ours, who, their, without=() if kind == "composefs" else ("mtime",))
        for group in self.links(theirs):
            mates = [mine_too for mine_too in self.links(mine) if set(group) <= set(mine_too)]
            # A checkout cannot tell two equal files from two links: there it may have more.
            if not mates or (kind == "composefs" and group not in mates):
                lines.append("hard links: %s has %s, hostapp has %s" % (who, group, self.links(mine)))
        if lines:
            fail("%s: not as %s has it:\n  %s" % (name, who, "\n  ".join(lines)))


def odd_paths():
    return ["usr/share/odd/" + name for name in ODD_NAMES]


def main():
    support.need("podman", "buildah", "skopeo", "umoci", "busybox", "ostree", "docker-registry", "unshare")
    test = Elsewhere(os.path.abspath(sys.argv[1]))
    work = test.work
    context = work + "/context"
    make_base(work + "/base")
    os.mkdir(context)
    base_tar(work + "/base", context + "/base.tar")
    support.write(context + "/Containerfile", CONTAINERFILE.encode())
    must = ["usr/bin/ping", "usr/share/opaque/new", "usr/share/lower-link", "opt/third", "usr/share/back/again", *odd_paths()]

    step("podman builds (%s)" % test.store[-1])
    test.podman("build", "--isolation=chroot", "--layers=true", "-t", "made", context)
    layout = work + "/layout"
    test.podman("push", "made", "oci:%s:podman" % layout)
    mounted = test.podman("image", "mount", "made").strip()
    check_the_case(mounted)
    unpacked = test.umoci(layout, "podman")
    test.compare("podman build with RUN rm, opaque folders, hard links, odd names, a capability", "oci:%s:podman" % layout,
                 {"umoci": unpacked, "podman": mounted}, must, kinds=("composefs", "checkout"))
    shutil.rmtree(os.path.dirname(unpacked))

    test.podman("save", "--format", "docker-archive", "-o", work + "/made.tar", "made")
    run("skopeo", "copy", "--insecure-policy", "docker-archive:%s/made.tar" % work, "oci:%s:archive" % layout, timeout=100)
    unpacked = test.umoci(layout, "archive")
    test.compare("a docker archive brought in with skopeo", "oci:%s:archive" % layout, {"umoci": unpacked, "podman": mounted}, must)
    with support.Registry(work) as registry:
        remote = "docker://%s/os/made:v2s2" % registry.host
        run("skopeo", "copy", "--insecure-policy", "--format", "v2s2", "--dest-tls-verify=false", "docker-archive:%s/made.tar" % work,
            remote, timeout=100)
        test.compare("the same with Docker's manifest, from a registry", remote, {"umoci": unpacked, "podman": mounted}, must)
    shutil.rmtree(os.path.dirname(unpacked))

    buildah_case(test, layout, must)
    umoci_case(test, layout, context, must)
    not_utf8(test, layout, context)
    test.device.fsck()


def check_the_case(root):
    """The builder kept what the case is about, or comparing proves nothing."""
    if os.getxattr(root + "/usr/bin/ping", "security.capability") != CAP_NET_RAW:
        fail("the builder lost the capability")
    if os.path.lexists(root + "/usr/share/removed") or os.listdir(root + "/usr/share/opaque") == []:
        fail("the builder did not run the steps")


def buildah_case(test, layout, must):
    container = test.buildah("from", "--pull-never", "localhost/made").strip()
    root = test.buildah("mount", container).strip()
    support.write(root + "/usr/share/by-buildah", b"z" * 100000)
    os.setxattr(root + "/usr/share/by-buildah", "security.capability", CAP_NET_RAW)
    os.setxattr(root + "/usr/share/by-buildah", "user.two", b"\x00\xff\n=")
    shutil.rmtree(root + "/usr/share/group")
    os.mkdir(root + "/usr/share/group")
    support.write(root + "/usr/share/group/fresh", b"fresh")
    test.buildah("commit", container, "by-buildah")
    test.buildah("push", "--format", "oci", "--compression-format", "zstd", "by-buildah", "oci:%s:buildah" % layout)
    kinds = run("skopeo", "inspect", "--raw", "oci:%s:buildah" % layout)
    if "tar+zstd" not in kinds:
        fail("buildah made no zstd layer: " + kinds)
    test.podman("push", "by-buildah", "oci:%s:buildah-gzip" % layout)  # For umoci, which does not read zstd.
    unpacked = test.umoci(layout, "buildah-gzip")
    mounted = test.podman("image", "mount", "by-buildah").strip()
    test.compare("buildah with zstd layers", "oci:%s:buildah" % layout, {"umoci": unpacked, "podman": mounted},
                 [*must, "usr/share/by-buildah", "usr/share/group/fresh"])
    test.buildah("umount", container)
    shutil.rmtree(os.path.dirname(unpacked))


def umoci_case(test, layout, context, must):
    image = layout + ":umoci"
    run("umoci", "new", "--image", image)
    run("umoci", "raw", "add-layer", "--image", image, context + "/base.tar")
    bundle = test.work + "/umoci-edit"
    run("umoci", "unpack", "--image", image, bundle)
    root = bundle + "/rootfs"
    os.remove(root + "/usr/share/removed")
    shutil.rmtree(root + "/usr/share/opaque")
    os.link(root + "/usr/share/lower", root + "/usr/share/lower-link")
    support.write(root + "/usr/share/opaque/new", b"new")
    support.write(root + "/opt/third", b"3")
    support.write(root + "/usr/share/back/again", b"again")
    os.chown(root + "/usr/share/owned", 77, 88)
    os.setxattr(root + "/opt", "user.of.a.folder", b"kept")
    run("umoci", "repack", "--image", image, bundle)
    marks = test.work + "/marks.tar"
    with tarfile.open(marks, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("usr/share/group/fresh", "usr/share/group/.wh..wh..opq", "usr/share/.wh.link-target", "usr/share/.wh.never-was"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    run("umoci", "raw", "add-layer", "--image", image, marks)
    unpacked = test.umoci(layout, "umoci")
    name = test.podman("pull", "--quiet", "oci:" + image).split()[-1]
    mounted = test.podman("image", "mount", name).strip()
    test.compare("umoci: unpack, repack, layers added raw", "oci:" + image, {"umoci": unpacked, "podman": mounted},
                 [*must, "usr/share/group/fresh"])
    shutil.rmtree(os.path.dirname(unpacked))
    step("a tar without its end, as umoci insert writes it, is refused")
    run("umoci", "insert", "--image", image, "--tag", "inserted", context + "/Containerfile", "/usr/share/recipe")
    error = test.device.json("deploy", "oci:%s:inserted" % layout, status=4)["error"]
    if "the stream ends in the padding" not in error["message"] or error["code"] != "corrupt":
        fail("the message does not say what is wrong: %s" % error)


def not_utf8(test, layout, context):
    """OSTree's names are text: refused, naming the rule, and nothing of it stays."""
    step("a name that is not UTF-8 is refused")
    path = test.work + "/latin1.tar"
    with tarfile.open(context + "/base.tar") as source, tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        for info in source:
            if info.name.startswith("usr/lib/modules") or info.name == "usr/sbin/init":
                info.pax_headers = {}
                tar.addfile(info, source.extractfile(info) if info.isreg() else None)
        info = tarfile.TarInfo("usr/share/caf\u00e9")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    run("umoci", "new", "--image", layout + ":latin1")
    run("umoci", "raw", "add-layer", "--image", layout + ":latin1", path)
    test.device.json("gc")
    before = (test.device.objects(), test.device.json("status"))
    error = test.device.json("deploy", "oci:%s:latin1" % layout, status=4)["error"]
    print("    " + error["message"])
    if "UTF-8" not in error["message"] or error["code"] != "corrupt":
        fail("the message does not say what is wrong: %s" % error)
    test.device.json("gc")
    if test.device.json("status") != before[1] or test.device.objects() != before[0]:
        fail("the refused image left something: %d objects before, %d after" % (before[0], test.device.objects()))


main()
