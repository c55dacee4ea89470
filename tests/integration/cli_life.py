#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A device's whole life through the two command lines, on a small made-up image in a temporary folder.

usage: cli_life.py HOSTAPP HOSTAPP_IMAGE [unittest arguments]
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HOSTAPP, HOSTAPP_IMAGE = (os.path.abspath(path) for path in sys.argv[1:3])

STATUS_KEYS = {"booted", "mounted", "default", "previous", "trial", "next_boot", "pending", "last_failure", "deployments",
               "warnings"}
DEPLOYMENT_KEYS = {"serial", "reference", "manifest_digest", "commit", "version", "root", "boot_set", "created", "pinned",
                   "state", "bytes"}
DEPLOY_KEYS = {"changed", "serial", "manifest_digest", "root", "root_reason", "bytes", "seconds"}
FEATURES = ["loop", "erofs", "erofs-from-file", "overlayfs", "overlayfs-metacopy", "overlayfs-data-only", "overlayfs-verity", "fs-verity",
            "reflink"]
BUILT_IN = "kernel/fs/ext4/ext4.ko\nkernel/fs/overlayfs/overlay.ko\nkernel/drivers/block/loop.ko\n"


def write(path, content, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def make_rootfs(path, version):
    """The least that deploys: a kernel with a boot header, an initramfs, an init, some /etc."""
    kernel = bytearray(8192)
    kernel[0x202:0x206] = b"HdrS"
    kernel[0x300] = version if version > 1 else 0
    modules = path + "/usr/lib/modules/6.1.0-test/"
    write(modules + "vmlinuz", bytes(kernel))
    write(modules + "initramfs.img", b"initramfs")
    write(path + "/usr/sbin/init", b"#!/bin/sh\n", 0o755)
    write(path + "/etc/hostname", b"device\n")
    write(path + "/usr/share/big", b"x" * 200000)
    write(path + "/usr/share/version", b"%d\n" % version)
    for name in ("var", "tmp", "run", "proc", "sys", "dev", "boot", "sysroot"):
        os.makedirs(path + "/" + name, exist_ok=True)


class Life(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="hostapp-cli-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.sysroot = self.dir + "/sysroot"

    def run_tool(self, *argv, status=0, env=None):
        result = subprocess.run(argv, capture_output=True, timeout=60, cwd=self.dir, stdin=subprocess.DEVNULL,
                                env={**os.environ, **(env or {})})
        said = "%s\n%s\n%s" % (" ".join(argv), result.stdout.decode(), result.stderr.decode())
        self.assertEqual(result.returncode, status, said)
        return result

    def hostapp(self, *argv, status=0):
        return self.run_tool(HOSTAPP, "--sysroot", self.sysroot, *argv, status=status).stdout.decode()

    def json(self, *argv, status=0):
        return json.loads(self.hostapp(*argv, "--json", status=status))

    def error(self, *argv, status):
        """Fails as documented: the exit status, one line on standard error, one document."""
        result = self.run_tool(HOSTAPP, "--sysroot", self.sysroot, *argv, "--json", status=status)
        lines = [line for line in result.stderr.decode().splitlines() if not line.startswith("warning: ")]
        self.assertEqual(len(lines), 1, lines)
        document = json.loads(result.stdout)
        self.assertEqual(set(document), {"error"})
        self.assertEqual(set(document["error"]), {"code", "message"})
        self.assertEqual(lines[0], "hostapp: " + document["error"]["message"])
        return document["error"]

    def pack(self, version, tag="stable"):
        rootfs = "%s/rootfs-%d" % (self.dir, version)
        if not os.path.exists(rootfs):
            make_rootfs(rootfs, version)
        document = json.loads(self.run_tool(HOSTAPP_IMAGE, "pack", rootfs, "oci:%s/layout:%s" % (self.dir, tag),
                                            "--version", "%d.0" % version, "--json").stdout)
        return document["manifest_digest"]

    def reference(self, tag="stable"):
        return "oci:%s/layout:%s" % (self.dir, tag)

    def device_with(self, *versions):
        """An initialised sysroot where these versions were deployed and marked good, in this order."""
        self.json("init")
        for version in versions:
            self.pack(version)
            if version == versions[0]:
                self.json("deploy", self.reference())
            else:
                self.json("upgrade")
                self.json("mark-good")

    def fsck(self):
        self.assertEqual(self.json("fsck")["ok"], True)
        self.run_tool("ostree", "--repo=" + self.sysroot + "/ostree/repo", "fsck", "-q")

    def test_status_of_a_new_sysroot_has_every_key(self):
        self.json("init")
        self.assertEqual(self.json("init").keys(), {"sysroot", "boot"})
        self.assertEqual(self.json("status"), {"booted": None, "mounted": None, "default": None, "previous": None, "trial": None,
                                               "next_boot": None, "pending": None, "last_failure": None, "deployments": [],
                                               "warnings": []})

    def test_the_first_deployment_is_the_default_and_the_second_a_trial(self):
        first_digest = self.pack(1)
        self.json("init")
        first = self.json("deploy", self.reference())
        self.assertEqual(set(first), DEPLOY_KEYS)
        self.assertEqual(set(first["bytes"]), {"downloaded", "reused", "written"})
        self.assertEqual(set(first["seconds"]), {"fetch", "deploy"})
        self.assertEqual((first["changed"], first["serial"], first["manifest_digest"]), (True, 1, first_digest))
        self.assertGreater(first["bytes"]["written"], 200000)
        self.pack(2)
        second = self.json("upgrade")
        self.assertEqual(set(second), DEPLOY_KEYS | {"skipped"})
        self.assertEqual((second["changed"], second["serial"], second["skipped"]), (True, 2, None))
        self.assertLess(second["bytes"]["written"], 100000)
        status = self.json("status")
        self.assertEqual(set(status), STATUS_KEYS)
        self.assertEqual((status["default"], status["trial"], status["next_boot"]), (1, {"serial": 2, "tries_left": 3}, 2))
        for deployment in status["deployments"]:
            self.assertEqual(set(deployment), DEPLOYMENT_KEYS)
        self.assertEqual([d["serial"] for d in status["deployments"]], [2, 1])
        self.assertEqual([d["version"] for d in status["deployments"]], ["2.0", "1.0"])
        self.assertEqual([d["state"] for d in status["deployments"]], ["trial", "default"])
        self.assertEqual(self.json("mark-good"), {"serial": 2})
        status = self.json("status")
        self.assertEqual((status["default"], status["previous"], status["trial"]), (2, 1, None))
        self.fsck()

    def pack_with(self, version, built_in):
        """A release that says what its kernel has built in."""
        rootfs = "%s/rootfs-%d" % (self.dir, version)
        make_rootfs(rootfs, version)
        write(rootfs + "/usr/lib/modules/6.1.0-test/modules.builtin", built_in.encode())
        self.pack(version)

    def test_the_root_is_composefs_where_the_images_kernel_can_and_else_there_is_a_reason(self):
        self.json("init")
        self.pack(1)
        first = self.json("deploy", self.reference())
        unknown = ("the image does not say what its kernel 6.1.0-test can do (no modules.builtin or modules.dep in "
                   "usr/lib/modules/6.1.0-test)")
        self.assertEqual((first["root"], first["root_reason"]), ("checkout", unknown + ": a checkout root"))
        said = self.run_tool(HOSTAPP, "--sysroot", self.sysroot, "deploy", self.reference(), "--verbose")
        self.assertIn("\n%s: a checkout root\n" % unknown, said.stdout.decode())
        self.assertIn("%s: a checkout root\n" % unknown, said.stderr.decode())
        refused = self.error("deploy", self.reference(), "--root", "composefs", status=4)
        self.assertIn("a composefs root was chosen, but " + unknown, refused["message"])

        self.pack_with(2, BUILT_IN)
        without = self.json("upgrade")
        self.assertEqual((without["root"], without["root_reason"]),
                         ("checkout", "the kernel 6.1.0-test of the image has no EROFS (neither built in nor as a module in "
                                      "usr/lib/modules/6.1.0-test): a checkout root"))
        self.pack_with(3, BUILT_IN + "kernel/fs/erofs/erofs.ko\n")
        able = self.json("upgrade")
        self.assertEqual((able["root"], able["root_reason"]), ("composefs", None))
        self.assertNotIn("root", self.hostapp("deploy", self.reference()))
        self.fsck()

    def test_a_root_that_was_chosen_stays_that_kind(self):
        self.json("init")
        self.pack_with(1, BUILT_IN + "kernel/fs/erofs/erofs.ko\n")
        self.assertEqual(self.json("deploy", self.reference(), "--root", "checkout")["root_reason"], None)
        self.pack_with(2, BUILT_IN + "kernel/fs/erofs/erofs.ko\n")
        self.assertEqual(self.json("upgrade")["root"], "checkout")
        self.assertEqual(self.json("kargs", "--append", "debug")["root"], "checkout")
        self.assertEqual(self.json("deploy", self.reference(), "--root", "composefs")["root"], "composefs")
        self.assertEqual({d["serial"]: d["root"] for d in self.json("status")["deployments"]},
                         {1: "checkout", 2: "checkout", 3: "checkout", 4: "composefs"})

    def test_features_are_tried_and_nothing_is_left_of_it(self):
        self.json("init")

        def around():
            with open("/proc/self/mountinfo", encoding="utf-8") as file:
                mounts = file.read()
            return mounts, sorted(os.listdir(self.sysroot + "/hostapp/tmp")), sorted(os.listdir("/tmp"))
        before = around()
        features = self.json("fsck", "--features")["features"]
        self.assertEqual([feature["name"] for feature in features], FEATURES)
        for feature in features:
            self.assertEqual(set(feature), {"name", "answer", "detail"})
            self.assertIn(feature["answer"], ("yes", "no") if os.geteuid() == 0 else ("yes", "no", "needs-root"), feature)
            self.assertEqual(feature["detail"] is None, feature["answer"] != "no", feature)
        self.assertEqual(around(), before)
        for name in FEATURES:
            self.assertRegex(self.hostapp("fsck", "--features"), r"(?m)^%s +(yes|no|needs-root)  " % name)
        self.error("fsck", "--features", "--repair", status=2)

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user")
    def test_features_that_need_root_say_so(self):
        self.json("init")
        os.chmod(self.dir, 0o755)
        listed = self.run_tool("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", HOSTAPP, "--sysroot", self.sysroot,
                               "fsck", "--features", "--json")
        answers = {feature["name"]: feature["answer"] for feature in json.loads(listed.stdout)["features"]}
        self.assertEqual(answers, {name: "needs-root" for name in FEATURES})

    def test_rollback_goes_back_and_forward_again(self):
        self.device_with(1, 2, 3)
        self.assertEqual(self.json("rollback"), {"serial": 2, "on_trial": False, "trial_ended": False})
        self.assertEqual(self.json("status")["next_boot"], 2)
        self.assertEqual(self.json("rollback", "--to", "3"), {"serial": 3, "on_trial": False, "trial_ended": False})
        self.assertEqual(self.json("status")["default"], 3)

    def test_rollback_during_a_trial_ends_it(self):
        self.device_with(1)
        self.pack(2)
        self.json("upgrade")
        self.assertEqual(self.json("rollback"), {"serial": 1, "on_trial": False, "trial_ended": True})
        self.assertEqual(self.json("status")["trial"], None)
        self.assertEqual(self.json("rollback", "--to", "2"), {"serial": 2, "on_trial": True, "trial_ended": False})
        self.assertEqual(self.json("status")["trial"], {"serial": 2, "tries_left": 3})

    def test_upgrade_with_nothing_new_changes_nothing(self):
        self.device_with(1)
        before = self.json("status")
        again = self.json("upgrade")
        self.assertEqual((again["changed"], again["serial"], again["skipped"]), (False, None, None))
        self.assertEqual(again["bytes"], {"downloaded": 0, "reused": 0, "written": 0})
        self.assertEqual(self.json("status"), before)

    def test_upgrade_check_only_looks(self):
        self.device_with(1)
        digest = self.pack(2)
        before = self.json("status")
        check = self.json("upgrade", "--check")
        self.assertEqual((check["changed"], check["serial"], check["manifest_digest"]), (True, None, digest))
        self.assertEqual(self.json("status"), before)

    def test_a_release_that_failed_is_left_alone_unless_asked_for(self):
        self.device_with(1)
        self.pack(2)
        self.json("upgrade")
        self.assertEqual(self.json("mark-failed", "--reason", "no \x1b[31mred\x1b[0m light\nat all"), {"serial": 2})
        failure = self.json("status")["last_failure"]
        self.assertEqual(set(failure), {"serial", "cause", "text", "time"})
        self.assertEqual((failure["serial"], failure["cause"]), (2, "marked-failed"))
        self.assertIn("light\nat all", failure["text"])
        text = self.hostapp("status")
        self.assertNotIn("\x1b", text)
        self.assertIn("last failure  deployment 2 (2.0): marked-failed, 20", text)
        skipped = self.json("upgrade")
        self.assertEqual((skipped["changed"], skipped["skipped"]), (False, "failed-before"))
        again = self.json("upgrade", "--retry")
        self.assertEqual((again["changed"], again["serial"]), (True, 3))

    def test_pin_keeps_what_gc_would_take(self):
        self.device_with(1, 2, 3)
        self.assertEqual(self.json("pin", "1"), {"serial": 1})
        self.assertEqual(self.json("gc")["deployments"], [])
        self.json("unpin", "1")
        counted = self.json("gc", "--dry-run")
        self.assertEqual(set(counted), {"deployments", "refs", "objects", "bytes"})
        self.assertEqual(counted["deployments"], [1])
        self.assertEqual([d["serial"] for d in self.json("status")["deployments"]], [3, 2, 1])
        self.assertEqual(self.json("gc"), counted)
        self.assertEqual([d["serial"] for d in self.json("status")["deployments"]], [3, 2])
        self.fsck()

    def test_remove_takes_only_what_is_not_needed(self):
        self.device_with(1, 2, 3)
        self.assertEqual(self.error("remove", "3", status=8)["code"], "busy")
        self.assertEqual(self.error("remove", "2", status=8)["code"], "busy")
        self.assertEqual(self.json("remove", "1"), {"serial": 1})
        self.assertEqual(self.error("remove", "1", status=3)["code"], "not-found")

    def test_etc_diff_names_what_the_device_changed(self):
        self.device_with(1)
        upper = self.sysroot + "/hostapp/deployments/1/etc/upper/"
        self.assertEqual(self.json("etc", "diff"), {"serial": 1, "changes": []})
        write(upper + "hostname", b"other\n")
        write(upper + "new", b"")
        self.assertEqual(self.json("etc", "diff", "1")["changes"],
                         [{"kind": "modified", "path": "hostname"}, {"kind": "added", "path": "new"}])
        self.assertEqual(self.error("etc", "diff", "9", status=3)["code"], "not-found")

    @unittest.skipUnless(os.geteuid() == 0, "mounting needs root")
    def test_mount_shows_the_tree_read_only(self):
        self.device_with(1)
        target = self.dir + "/mnt"
        os.mkdir(target)
        if self.run_probe() != 0:
            self.skipTest("mounts are not allowed here")
        self.json("mount", "1", target)
        try:
            with open(target + "/usr/share/version", "rb") as file:
                self.assertEqual(file.read(), b"1\n")
            with open(target + "/etc/hostname", "rb") as file:
                self.assertEqual(file.read(), b"device\n")
            with self.assertRaises(OSError):
                open(target + "/usr/share/new", "wb")
            self.error("mount", "1", target, status=8)
        finally:
            self.json("unmount", target)
        self.assertEqual(os.listdir(target), [])
        self.error("unmount", target, status=3)

    def run_probe(self):
        """Whether this system lets us mount at all."""
        return subprocess.run(["unshare", "-m", "mount", "--bind", "/", "/mnt"], capture_output=True, check=False).returncode

    def test_damage_is_found_and_mended(self):
        self.device_with(1)
        objects = self.sysroot + "/ostree/repo/objects"
        big = next(os.path.join(d, f) for d, _, files in os.walk(objects) for f in files
                   if f.endswith(".file") and os.path.getsize(os.path.join(d, f)) == 200000)
        with open(big, "r+b") as file:
            file.write(b"y")
        found = self.json("fsck", status=4)
        self.assertEqual(set(found), {"ok", "checked", "problems"})
        self.assertEqual(set(found["checked"]), {"objects"})
        self.assertFalse(found["ok"])
        for problem in found["problems"]:
            self.assertEqual(set(problem), {"kind", "what", "repaired"})
        mended = self.json("fsck", "--repair")
        self.assertTrue(mended["ok"])
        self.fsck()

    def test_dry_run_of_deploy_changes_nothing(self):
        self.pack(1)
        self.json("init")
        plan = self.json("deploy", self.reference(), "--dry-run")
        self.assertEqual(set(plan), {"dry_run", "manifest_digest", "version", "in_store", "layers", "need"})
        self.assertEqual(self.json("status")["deployments"], [])
        pulled = self.json("pull", self.reference())
        self.assertEqual(set(pulled), {"changed", "manifest_digest", "commit", "version", "bytes", "seconds", "dropped"})
        self.assertTrue(pulled["changed"])
        self.assertFalse(self.json("pull", self.reference())["changed"])
        self.assertEqual(self.json("status")["deployments"], [])

    def test_kernel_arguments_and_tries_are_the_deployments(self):
        self.device_with(1)
        self.pack(2)
        self.json("deploy", self.reference(), "--karg", "quiet", "--karg=console=ttyS0", "--tries", "1")
        with open(self.sysroot + "/hostapp/deployments/2/deployment.json", encoding="utf-8") as file:
            self.assertIn("console=ttyS0", file.read())
        self.assertEqual(self.json("status")["trial"]["tries_left"], 1)

    def test_kargs_belong_to_the_device_and_are_carried_on(self):
        self.assertEqual(self.error("kargs", status=3)["code"], "not-found")
        self.device_with(1)
        self.json("kargs", "--append", "console=ttyS0", "--append", "debug")
        self.assertEqual(self.json("status")["trial"]["serial"], 2)
        self.json("mark-good")
        shown = self.json("kargs")
        self.assertEqual((shown["serial"], shown["device"]), (2, ["console=ttyS0", "debug"]))
        self.pack(2)
        self.assertTrue(self.json("upgrade")["changed"])
        self.json("mark-good")
        self.assertEqual(self.json("kargs")["device"], ["console=ttyS0", "debug"])
        self.json("kargs", "--delete", "debug", "--append", "panic=3")
        self.json("mark-good")
        self.assertEqual(self.json("kargs")["device"], ["console=ttyS0", "panic=3"])
        self.assertEqual(self.error("kargs", "--delete", "debug", status=3)["code"], "not-found")
        self.assertEqual(self.error("kargs", "--append", "a b", status=2)["code"], "invalid")
        self.assertEqual(self.error("kargs", "--reboot", status=2)["code"], "invalid")

    def test_log_tells_what_happened(self):
        self.device_with(1)
        self.pack(2)
        self.json("upgrade")
        self.json("mark-failed", "--reason", "no answer")
        told = [(t["event"], t["serial"], t["cause"], t["text"]) for t in self.json("log")["transitions"]]
        self.assertEqual(told, [("default", 1, None, None), ("on-trial", 2, None, None),
                                ("failed", 2, "marked-failed", "no answer")])

    def test_a_factory_reset_waits_until_it_is_taken_back(self):
        self.json("init")
        self.assertEqual(self.error("factory-reset", "--yes", status=3)["code"], "not-found")
        self.pack(1)
        self.json("deploy", self.reference())
        hostapp = self.sysroot + "/hostapp/"
        write(hostapp + "var/lib/app/state", b"mine")
        write(hostapp + "deployments/1/etc/upper/hostname", b"mine")
        os.symlink("lib", hostapp + "var/link")
        before = self.json("status")
        without = self.error("factory-reset", status=2)
        self.assertEqual(without["code"], "invalid")
        for word in ("/var", "/etc", "lost", "--yes"):
            self.assertIn(word, without["message"])
        for path, status in (("/usr/lib", 2), ("/var", 2), ("/var/", 2), ("/var/lib/../x", 2), ("/var//lib", 2), ("var/lib", 2),
                             ("/var/a\nb", 2), ("/var/" + "x" * 300, 2), ("/var/link/app", 2), ("/var/lib/ap", 3)):
            self.assertIn("--keep", self.error("factory-reset", "--yes", "--keep", path, status=status)["message"], path)
        self.assertEqual(self.error("factory-reset", "--yes", "--reboot", status=2)["code"], "invalid")
        self.assertEqual(self.error("factory-reset", "--cancel", "--yes", status=2)["code"], "invalid")
        self.assertEqual(self.error("factory-reset", "--cancel", status=3)["code"], "not-found")
        self.assertEqual(self.json("status"), before)
        self.assertFalse(os.path.exists(hostapp + "factory-reset"))

        asked = self.json("factory-reset", "--yes", "--keep", "/var/lib/app/state", "--keep=/etc/hostname", "--keep", "/var/lib/app")
        self.assertEqual(asked, {"pending": "factory-reset", "keep": ["/etc/hostname", "/var/lib/app"]})
        with open(hostapp + "factory-reset", encoding="utf-8") as file:
            self.assertEqual(file.read(), "hostapp factory-reset 1\n/etc/hostname\n/var/lib/app\n")
        self.assertEqual(self.json("status"), {**before, "pending": "factory-reset"})
        self.assertIn("waiting       a factory reset", self.hostapp("status"))
        self.assertEqual(self.json("factory-reset", "--yes")["keep"], [], "the last request counts")
        self.assertEqual(self.json("factory-reset", "--cancel"), {"pending": None, "keep": []})
        self.assertEqual(self.json("status"), before)
        self.assertFalse(os.path.exists(hostapp + "factory-reset"))

        write(hostapp + "reset/old-var/of-an-earlier-one", b"")
        self.json("factory-reset", "--yes")
        self.assertFalse(os.path.exists(hostapp + "reset"), "an earlier reset's trees would pass for this one's beginning")
        os.makedirs(hostapp + "reset/old-var")
        for arguments in (["--yes"], ["--cancel"]):
            self.assertIn("has begun", self.error("factory-reset", *arguments, status=8)["message"])
        os.removedirs(hostapp + "reset/old-var")
        self.json("factory-reset", "--cancel")
        self.json("gc")
        self.assertEqual(os.listdir(hostapp + "tmp"), ["import.lock"])

    def test_a_trial_is_not_reset(self):
        self.device_with(1)
        self.pack(2)
        self.json("upgrade")
        self.assertIn("on trial", self.error("factory-reset", "--yes", status=8)["message"])
        self.assertEqual(self.json("status")["pending"], None)
        self.json("mark-good")
        self.json("factory-reset", "--yes")
        self.assertEqual(self.json("status")["pending"], "factory-reset")

    def test_reconcile_converges(self):
        self.device_with(1)
        self.assertEqual(self.json("reconcile"), {"settled": [], "try_given_back": None})
        self.assertEqual(self.json("reconcile", "--shutdown"), {"settled": [], "try_given_back": False})

    def test_errors_have_their_exit_status(self):
        self.assertEqual(self.error("status", status=3)["code"], "not-found")
        self.device_with(1)
        self.assertEqual(self.error("deploy", "oci:" + self.dir + "/nothing", status=3)["code"], "not-found")
        self.assertEqual(self.error("deploy", "docker://upper.example/CASE", status=2)["code"], "invalid")
        self.assertEqual(self.error("deploy", self.reference(), "--karg", "hostapp.deployment=7", status=2)["code"],
                         "invalid")
        self.assertEqual(self.error("deploy", self.reference(), "--reboot", status=2)["code"], "invalid")
        self.assertEqual(self.error("mark-good", status=3)["code"], "not-found")
        self.assertEqual(self.error("rollback", status=3)["code"], "not-found")
        self.assertEqual(self.error("pin", "7", status=3)["code"], "not-found")
        self.assertIn("not in this version", self.error("export", "x", status=2)["message"])
        self.assertIn("--trust-key", self.error("init", "--trust-key", "k", status=2)["message"])

    def test_a_registry_that_is_not_there_is_worth_another_try_later(self):
        self.json("init")
        self.assertEqual(self.error("deploy", "127.0.0.1:1/nobody/home", status=6)["code"], "unavailable")

    def test_a_damaged_blob_leaves_the_device_as_it_was(self):
        self.device_with(1)
        self.pack(2)
        before = self.json("status")
        blobs = self.dir + "/layout/blobs/sha256"
        layers = sorted(os.listdir(blobs), key=lambda name: os.path.getmtime(os.path.join(blobs, name)))
        for name in layers[-3:]:
            path = os.path.join(blobs, name)
            with open(path, "rb") as file:
                head = file.read(4)
            if head == b"\x28\xb5\x2f\xfd":
                os.chmod(path, 0o644)
                with open(path, "r+b") as file:
                    file.seek(20)
                    file.write(b"\0\0\0\0")
        self.assertEqual(self.error("upgrade", status=4)["code"], "corrupt")
        self.assertEqual(self.json("status"), before)
        self.fsck()

    def test_a_hostile_start_is_an_error_or_works_and_never_a_crash(self):
        self.device_with(1)
        for redirect in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            subprocess.run(["sh", "-c", "exec \"$0\" \"$@\" " + redirect, HOSTAPP, "--sysroot", self.sysroot, "status"],
                           check=True, capture_output=True, timeout=60)
        self.run_tool("sh", "-c", "umask 0; \"$0\" --sysroot \"$1\" pin 1", HOSTAPP, self.sysroot)
        for folder, _, files in os.walk(self.sysroot + "/hostapp"):
            for name in files:
                self.assertEqual(os.lstat(os.path.join(folder, name)).st_mode & 0o022, 0, name)
        status = subprocess.run(["sh", "-c", "\"$0\" --sysroot \"$1\" status >/dev/full", HOSTAPP, self.sysroot],
                                capture_output=True, timeout=60, check=False)
        self.assertEqual(status.returncode, 1)

    def test_progress_for_programs_is_json_on_standard_error(self):
        self.pack(1)
        self.json("init")
        result = self.run_tool(HOSTAPP, "--sysroot", self.sysroot, "--progress", "json", "deploy", self.reference(), "--json")
        lines = [line for line in result.stderr.decode().splitlines() if line.startswith("{")]
        self.assertTrue(lines)
        for line in lines:
            self.assertEqual(set(json.loads(line)), {"stage", "item", "done", "total", "unit", "rate", "seconds_left"})

    def test_images_are_copied_and_inspected(self):
        digest = self.pack(1)
        copied = json.loads(self.run_tool(HOSTAPP_IMAGE, "push", self.reference(), "oci:%s/other:x" % self.dir,
                                          "--json").stdout)
        self.assertEqual(set(copied), {"reference", "digest", "manifests", "blobs", "bytes"})
        self.assertEqual(copied["digest"], digest)
        shown = json.loads(self.run_tool(HOSTAPP_IMAGE, "inspect", "oci:%s/other:x" % self.dir, "--json").stdout)
        self.assertEqual(set(shown), {"digest", "manifest", "config", "platform", "created", "version", "kernel", "layers",
                                      "bytes"})
        self.assertEqual((shown["manifest"]["digest"], shown["version"]), (digest, "1.0"))
        again = json.loads(self.run_tool(HOSTAPP_IMAGE, "copy", self.reference(), "oci:%s/other:x" % self.dir,
                                         "--json").stdout)
        self.assertEqual(again["blobs"]["sent"], 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:])
