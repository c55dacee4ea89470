#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hostapp-init with composefs roots, mounted by this machine's kernel: as a hook, in namespaces of its own, without booting.

usage: composefs_root.py HOSTAPP_INIT LEDGER_TOOL COMPOSEFS_IMAGE

Needs root, EROFS and overlayfs; skipped, with the reason, where one of them is missing.
"""
import json
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path[:0] = [ROOT + "/tests/interop", ROOT + "/tests/boot"]
import composefs_tree  # noqa: E402
import support  # noqa: E402

HELPER, LEDGER_TOOL, COMPOSEFS_IMAGE = [os.path.abspath(path) for path in sys.argv[1:]]
SET = "1" * 64  # the boot set of every deployment: going back needs no restart
FOLDERS = "dev proc sys run tmp etc var/lib home root srv opt usr/local usr/etc usr/lib sysroot sbin"
# Then the composed system is at `disk`, and what stands on standard input looks at it. A restart would end the namespace only.
COMPOSE = """
mount --bind disk disk
mount --bind cmdline /proc/cmdline
mount -t tmpfs run /run
if [ -n "$WITHOUT_LOOP" ]; then mount -t tmpfs dev /dev; fi
$TRACE "$HELPER" --root "$PWD/disk" 2> said >&2 || exit 9
cd disk
[ -e sbin/init ] || exit 8
. "$LOOK"
"""


class Device:
    """A physical root, made anew for every test."""

    def __init__(self):
        shutil.rmtree("disk", ignore_errors=True)
        os.makedirs("disk/hostapp/tmp")
        self.said = ""
        self.digests = {}

    def path(self, *parts):
        return os.path.join("disk/hostapp", *map(str, parts))

    def deployment(self, serial, composefs=True):
        tree = self.path("deployments", serial, "root")
        for folder in FOLDERS.split():
            os.makedirs(os.path.join(tree, folder))
        for name, content in (("usr/lib/release", "v%d\n" % serial), ("usr/lib/large", "large %d\n" % serial * 20000), ("usr/lib/empty", ""),
                              ("usr/etc/hostname", "from-image-%d\n" % serial), ("usr/etc/removed-by-admin", "image\n"),
                              ("var/lib/from-image", "v%d\n" % serial), ("root/.profile", "image\n")):
            support.write(os.path.join(tree, name), content.encode())
        support.write(tree + "/sbin/init", b"#!/bin/sh\n# %d\n" % serial, 0o755)
        os.chmod(tree + "/usr/etc", 0o750)
        os.symlink("release", tree + "/usr/lib/link")
        members = {"boot_set": SET, "manifest_digest": "sha256:%064x" % serial, "serial": serial, "root": "checkout"}
        if composefs:
            self.digests[serial] = composefs_tree.make_root(COMPOSEFS_IMAGE, "disk", serial)
            members.update({"root": "composefs", "composefs_digest": self.digests[serial]})
        support.write(self.path("deployments", serial, "deployment.json"), json.dumps(members).encode())
        support.write(self.path("deployments", serial, "good"), b"")

    def ledger(self, *options):
        sets = ["boot-set.%d=%s" % (serial, SET) for serial in range(1, 4)]
        digests = ["composefs.%d=%s" % digest for digest in self.digests.items()]
        support.run(LEDGER_TOOL, "make", self.path("boot-ledger"), *sets, *digests, *options)

    def ledger_now(self):
        shown = subprocess.run([LEDGER_TOOL, "show", self.path("boot-ledger")], capture_output=True, text=True, timeout=60, check=False)
        return dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)

    def boot(self, serial, look="", **variables):
        """The helper's report, and what `look` prints with the deployment composed in the folder where it is."""
        for name, text in (("cmdline", "hostapp.deployment=%d hostapp.boot-set=%s\n" % (serial, SET)), ("look", look), ("compose", COMPOSE)):
            support.write(os.path.abspath(name), text.encode())
        environment = {**os.environ, "HELPER": HELPER, "LOOK": os.path.abspath("look"), **variables}
        look = subprocess.run(["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "setpriv", "--bounding-set",
                               "-sys_boot", "--inh-caps", "-sys_boot", "sh", "-e", "compose"], env=environment, timeout=60, check=False,
                              capture_output=True, text=True)
        with open("said", encoding="utf-8", errors="replace") as said:
            self.said = said.read()
        if look.returncode != 0:
            support.fail("exit status %d\n%s%s%s" % (look.returncode, self.said, look.stdout, look.stderr))
        return look.stdout


def expect(what, found, wanted):
    if found != wanted:
        support.fail("%s: %r instead of %r" % (what, found, wanted))


LOOK = r"""
grep -v '^helper=\|^format=\|^boot-set=' /run/hostapp/boot
echo "release $(cat usr/lib/link)"
echo "large $(cksum < usr/lib/large)"
echo "empty $(stat -c '%s %U:%G %a' usr/lib/empty)"
echo "root $(stat -c %a .) $(ls | tr '\n' ' ')"
echo "etc $(stat -c %a etc) $(cat etc/hostname)"
echo "var $(cat var/lib/from-image root/.profile | tr '\n' ' ')"
touch usr/x 2>/dev/null && echo "tree writable"
touch etc/new var/new home/new || echo "not writable"
echo "mounts left over: $(ls /run/hostapp | tr '\n' ' ')$(cut -d' ' -f2 /proc/mounts | grep -c /run/hostapp)"
"""


def looked(image, etc):
    return """serial=1
reason=default
trial=no
kernel=own
asked=1
ledger-writable=yes
ledger-remade=no
root=composefs
root-image=%s
root-store=data-only
etc=%s
release v1
large %s
empty 0 root:root 644
root 755 dev etc home opt proc root run sbin srv sys sysroot tmp usr var 
etc 750 from-image-1
var v1 image 
mounts left over: boot 0
""" % (image, etc, subprocess.run(["cksum"], input=b"large 1\n" * 20000, capture_output=True, check=True).stdout.decode().strip())


def one_boots():
    device = Device()
    device.deployment(1)
    device.ledger("default=1")
    expect("a boot", device.boot(1, LOOK), looked("loop", "overlay"))
    expect("the next boot", device.boot(1, "cat etc/hostname; ls etc var"), "from-image-1\netc:\nhostname\nnew\nremoved-by-admin\n\nvar:\n"
           "home\nlib\nnew\nopt\nroothome\nsrv\nusrlocal\n")
    left = support.run("losetup", "--list", "--noheadings", "--output", "BACK-FILE")
    expect("loop devices that are left", "root.cfs" in left, False)


def one_boots_without_loop_devices():
    """How many file systems may stand on each other is the kernel's: /etc may be a copy here."""
    device = Device()
    device.deployment(1)
    device.ledger("default=1")
    found = device.boot(1, LOOK, WITHOUT_LOOP="1")
    expect("a boot without loop devices", found, looked("file", "copy" if "etc=copy" in found else "overlay"))


def a_wrong_image_is_a_failed_trial():
    """Every part of the file counts; the default, a checkout, boots in the same boot."""
    for place in (0, 0.5, 1):
        device = Device()
        device.deployment(1, composefs=False)
        device.deployment(2)
        size = os.path.getsize(device.path("deployments/2/root.cfs"))
        composefs_tree.flip_byte(device.path("deployments/2/root.cfs"), int(place * (size - 1)))
        device.ledger("default=1", "trial=2", "tries=3")
        expect("what boots", device.boot(2, "grep ^root= /run/hostapp/boot; cat usr/lib/release"), "root=checkout\nv1\n")
        ledger = device.ledger_now()
        expect("the failure", (ledger["failed"], ledger["cause"], ledger["trial"]), ("2", "digest", "0"))
        wanted = r"hostapp/deployments/2/root.cfs: the digest is [0-9a-f]{64}, not %s" % device.digests[2]
        if not re.fullmatch(wanted, ledger["text"]):
            support.fail("the failure's text: " + ledger["text"])


def a_missing_image_is_a_failed_trial():
    """Although there is a folder: the ledger says that it is an image."""
    device = Device()
    device.deployment(1)
    device.deployment(2)
    os.unlink(device.path("deployments/2/root.cfs"))
    shutil.copytree("/usr/share/doc/bash", device.path("deployments/2/root"))
    device.ledger("default=1", "trial=2", "tries=3")
    expect("what boots", device.boot(2, "cat usr/lib/release"), "v1\n")
    ledger = device.ledger_now()
    expect("the failure", (ledger["cause"], ledger["text"]), ("mount", "opening hostapp/deployments/2/root.cfs: No such file or directory"))


def a_missing_object_is_a_failed_trial():
    device = Device()
    device.deployment(1, composefs=False)
    device.deployment(2)
    store = "disk/ostree/repo/objects"
    for folder in os.listdir(store):
        for name in os.listdir(os.path.join(store, folder)):
            with open(os.path.join(store, folder, name), "rb") as file:
                init = file.read() == b"#!/bin/sh\n# 2\n"
            if init:
                os.unlink(os.path.join(store, folder, name))
    device.ledger("default=1", "trial=2", "tries=3")
    expect("what boots", device.boot(2, "cat usr/lib/release"), "v1\n")
    expect("the failure", device.ledger_now()["cause"], "no-init")
    device.ledger("default=1", "trial=2", "tries=3")
    shutil.rmtree(store)
    expect("what boots without a store", device.boot(2, "cat usr/lib/release"), "v1\n")
    ledger = device.ledger_now()
    expect("the failure without a store", (ledger["cause"], ledger["text"].split(" and ")[0]), ("mount", "mounting the overlay of the image"))


def deployment_json_has_the_digest_where_the_ledger_has_none():
    device = Device()
    device.deployment(1, composefs=False)
    device.deployment(2)
    look = "grep '^root=\\|^reason=' /run/hostapp/boot; cat usr/lib/release"
    expect("a lost ledger", device.boot(2, look), "reason=ledger-lost\nroot=composefs\nv2\n")
    device.ledger("default=1")
    expect("asked for by its entry", device.boot(2, look), "reason=asked-for\nroot=composefs\nv2\n")
    composefs_tree.flip_byte(device.path("deployments/2/root.cfs"), 5000)
    expect("a wrong image", device.boot(2, look), "reason=no-such-deployment\nroot=checkout\nv1\n")


def changes_of_etc_follow():
    """Of a composefs deployment whose /etc is a real copy: what it differs from its own image in."""
    device = Device()
    device.deployment(1)
    device.deployment(2)
    support.write(device.path("deployments/1/etc/tree/hostname"), b"changed-by-admin\n")
    support.write(device.path("deployments/1/etc/tree/added"), b"admin\n")
    device.ledger("default=1", "trial=2", "tries=3", "etc-from=1")
    look = "grep '^etc=' /run/hostapp/boot; cat etc/hostname; ls etc; ls /run/hostapp"
    expect("the trial", device.boot(2, look), "etc=overlay\nchanged-by-admin\nadded\nhostname\nboot\n")
    expect("the trial's changes", sorted(os.listdir(device.path("deployments/2/etc/upper"))), ["added", "hostname", "removed-by-admin"])
    expect("the copy itself", device.boot(1, look), "etc=copy\nchanged-by-admin\nadded\nhostname\nboot\n")


def a_factory_reset_begins_again_with_the_image():
    device = Device()
    device.deployment(1)
    support.write(device.path("deployments/1/etc/upper/hostname"), b"changed-by-admin\n")
    support.write(device.path("var/lib/database"), b"used\n")
    support.write(device.path("var/home/me/letter"), b"mine\n")
    support.write(device.path("factory-reset"), b"hostapp factory-reset 1\n/var/home/me\n")
    device.ledger("default=1", "pending=1")
    expect("after it", device.boot(1, "cat etc/hostname home/me/letter; ls var/lib; stat -c %a etc"), "from-image-1\nmine\nfrom-image\n750\n")
    expect("that it is done", device.ledger_now()["pending"], "0")


def an_ordinary_boot_takes_few_system_calls():
    if not shutil.which("strace"):
        print("left out: no strace here")
        return
    for composefs in (True, False):
        device = Device()
        device.deployment(1, composefs)
        device.ledger("default=1")
        device.boot(1)
        device.boot(1, TRACE="strace -f -c -o calls")
        with open("calls", encoding="utf-8") as file:
            calls = int(re.search(r"([0-9]+)(?: +[0-9]+)? total", file.read())[1])
        print("%s: %d system calls" % ("composefs" if composefs else "checkout", calls))
        if calls >= 150:
            support.fail("150 or more")


def main():
    support.need("mount", "unshare", "setpriv", "losetup", "cksum")
    with open("/proc/filesystems", encoding="utf-8") as file:
        known = file.read().split()
    if "erofs" not in known or "overlay" not in known:
        print("SKIPPED: this kernel has no EROFS or no overlayfs")
        sys.exit(support.SKIP)
    os.chdir(support.work_folder("composefs-root", on_disk=True))
    for test in (one_boots, one_boots_without_loop_devices, a_wrong_image_is_a_failed_trial, a_missing_image_is_a_failed_trial,
                 a_missing_object_is_a_failed_trial, deployment_json_has_the_digest_where_the_ledger_has_none, changes_of_etc_follow,
                 a_factory_reset_begins_again_with_the_image, an_ordinary_boot_takes_few_system_calls):
        support.step(test.__name__.replace("_", " "))
        test()


main()
