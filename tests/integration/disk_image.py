#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disk images as `hostapp-image disk` makes them, read by e2fsck, sfdisk, Linux and ostree.

usage: disk_image.py HOSTAPP HOSTAPP_IMAGE [unittest arguments]

What needs root (another user, a mount) is left out for others.
"""
import contextlib
import hashlib
import functools
import io
import json
import operator
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

HOSTAPP, HOSTAPP_IMAGE = (os.path.abspath(path) for path in sys.argv[1:3])
SBIN = ":/usr/sbin:/sbin"
OFFSET = 1 << 20
ROOT = os.geteuid() == 0
CANCELLED, NO_SPACE, INVALID = 9, 7, 2
# CAP_NET_RAW, permitted and effective, as setcap writes it.
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
SHADOW = b"daemon:*:1::::::\nroot:*:19700:0:99999:7:::\nuser:!:1::::::\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI%s me@work" % ("A" * 43)
HASH = "$6$saltsaltsalt$" + "h" * 86


def tree():
    """Members of a root file system with all that a store can hold: (path, type, mode, owner, content or target, xattrs)."""
    kernel = bytearray(8192)
    kernel[0x202:0x206] = b"HdrS"
    modules = "usr/lib/modules/6.1.0-test"
    folders = ["etc", "var", "tmp", "run", "proc", "sys", "dev", "boot", "sysroot", "usr", "usr/bin", "usr/sbin", "usr/lib",
               "usr/lib/modules", modules, "usr/share", "usr/share/many", "usr/share/sticky", "usr/share/owned"]
    special = {"tmp": (0o1777, 0), "usr/share/sticky": (0o3770, 0), "usr/share/owned": (0o750, 100000)}
    for path in folders:
        yield (path, tarfile.DIRTYPE, *special.get(path, (0o755, 0)), b"", {})
    file = tarfile.REGTYPE
    yield modules + "/vmlinuz", file, 0o644, 0, bytes(kernel), {}
    yield modules + "/initramfs.img", file, 0o644, 0, b"initramfs", {}
    built_in = b"kernel/fs/erofs/erofs.ko\nkernel/fs/overlayfs/overlay.ko\nkernel/drivers/block/loop.ko\n"
    yield modules + "/modules.builtin", file, 0o644, 0, built_in, {}
    yield "usr/sbin/init", file, 0o755, 0, b"#!/bin/sh\n", {}
    yield "usr/bin/su", file, 0o4755, 0, b"su", {}
    yield "usr/bin/ping", file, 0o755, 0, b"ping", {"security.capability": CAPABILITY}
    yield "usr/bin/ping4", tarfile.LNKTYPE, 0o755, 0, b"usr/bin/ping", {}
    yield "usr/share/owned/file", file, 0o600, 100000, b"of user 100000", {"user.note": b"kept"}
    yield "usr/share/secret", file, 0o000, 0, b"nobody may read this", {}
    yield "usr/share/empty", file, 0o644, 0, b"", {}
    yield "usr/share/large", file, 0o644, 0, bytes(range(256)) * 8192, {}
    yield "usr/share/zeros", file, 0o644, 0, bytes(300000), {}
    yield "usr/share/" + "n" * 255, file, 0o644, 0, b"long name", {}
    yield "usr/share/short", tarfile.SYMTYPE, 0o777, 0, b"large", {}
    yield "usr/share/long", tarfile.SYMTYPE, 0o777, 7, b"../" * 40 + b"large", {}
    yield "etc/hostname", file, 0o644, 0, b"image\n", {}
    yield "etc/shadow", file, 0o640, 42, SHADOW, {}
    yield "usr/bin/systemd-tmpfiles", file, 0o755, 0, b"program", {}
    for number in range(500):
        yield "usr/share/many/%03d" % number, file, 0o644, 0, b"%d" % number, {}


def write_tar(path, more=()):
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for name, kind, mode, owner, content, xattrs in [*tree(), *more]:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.gid, member.mtime = kind, mode, owner, owner, 1700000000
            if kind in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                member.linkname = content.decode()
            elif kind == tarfile.REGTYPE:
                member.size = len(content)
            member.pax_headers = {"SCHILY.xattr." + key: value.decode("utf-8", "surrogateescape")
                                  for key, value in xattrs.items()}
            tar.addfile(member, io.BytesIO(content if kind == tarfile.REGTYPE else b""))


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def picture(top):
    """Everything below a folder but times: path to (type and mode, owner, extended attributes, content, names of it)."""
    names = {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            if not stat.S_ISDIR(info.st_mode):
                names.setdefault(info.st_ino, []).append(os.path.relpath(path, top))
    out = {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, top)
            info = os.lstat(path)
            content = None
            if stat.S_ISLNK(info.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                content = sha256(path)
            xattrs = {key: os.getxattr(path, key, follow_symlinks=False)
                      for key in os.listxattr(path, follow_symlinks=False)}
            out[relative] = (oct(info.st_mode), info.st_uid, info.st_gid, xattrs, content, sorted(names.get(info.st_ino, [])))
    return out


class DiskImage(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="hostapp-disk-")
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        os.chmod(cls.shared, 0o755)
        write_tar(cls.shared + "/rootfs.tar")
        cls.reference = "oci:%s/layout:v1" % cls.shared
        subprocess.run([HOSTAPP_IMAGE, "pack", "--quiet", cls.shared + "/rootfs.tar", cls.reference, "--version", "1"],
                       check=True, timeout=60, umask=0o022)

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="hostapp-disk-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        os.chmod(self.dir, 0o777)
        self.disk = self.dir + "/disk.img"

    def run_tool(self, *argv, status=0, **options):
        if "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        result = subprocess.run(argv, capture_output=True, timeout=100,
                                env={**os.environ, "PATH": os.environ["PATH"] + SBIN}, text=True, **options)
        self.assertEqual(result.returncode, status, "%s\n%s\n%s" % (" ".join(argv), result.stdout, result.stderr))
        return result.stdout + result.stderr

    def make(self, *options, status=0, file=None, prefix=(), **more):
        return self.run_tool(*prefix, HOSTAPP_IMAGE, "disk", "--quiet", self.reference, file or self.disk, *options,
                             status=status, **more)

    def left(self):
        return sorted(os.listdir(self.dir))

    def test_is_what_other_programs_take_for_a_disk_and_a_file_system(self):
        document = json.loads(subprocess.run(
            [HOSTAPP_IMAGE, "disk", "--quiet", "--json", self.reference, self.disk], check=True, timeout=100,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
        partition, = document["partitions"]
        self.assertEqual((document["root"], document["root_reason"]), ("composefs", None))
        self.assertEqual(self.left(), ["disk.img"])
        self.assertEqual(stat.S_IMODE(os.stat(self.disk).st_mode), 0o644)
        self.assertEqual(os.path.getsize(self.disk), document["bytes"]["disk"])
        # Sparse: what is in it, and not the room.
        self.assertLess(os.stat(self.disk).st_blocks * 512, os.path.getsize(self.disk) // 10)
        self.assertIn("No errors detected", self.run_tool("sfdisk", "--verify", self.disk))
        table = json.loads(self.run_tool("sfdisk", "--json", self.disk))["partitiontable"]
        self.assertEqual(table["partitions"][0]["uuid"].lower(), partition["partuuid"])
        self.assertEqual(table["partitions"][0]["start"] * 512, OFFSET)
        kinds = self.run_tool("sfdisk", "--label", "gpt", "--list-types")
        kind = next(line for line in kinds.splitlines() if table["partitions"][0]["type"] in line)
        self.assertIn("Linux root (", kind)
        checked = self.run_tool("e2fsck", "-fn", "%s?offset=%d" % (self.disk, OFFSET))
        self.assertNotIn("Fix?", checked)
        self.assertIn(partition["uuid"], self.run_tool("dumpe2fs", "-h", "%s?offset=%d" % (self.disk, OFFSET)))

    def test_is_the_same_for_another_user_mask_clock_and_folder(self):
        self.make("--hostname", "device-7", "--karg", "console=ttyS0")
        other = self.dir + "/other/folder"
        os.makedirs(other)
        # As in a shared folder: what is made there belongs to its group and has its access list.
        os.chmod(other, 0o2777)
        self.run_tool("setfacl", "-d", "-m", "u:1234:rwx", other)
        user = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups") if ROOT else ()
        self.make("--hostname", "device-7", "--karg", "console=ttyS0", file=other + "/another-name",
                  prefix=(*user, "faketime", "2031-05-06 07:08:09"), umask=0o077)
        self.assertEqual(sha256(other + "/another-name"), sha256(self.disk))
        self.assertEqual(os.listdir(other), ["another-name"])
        self.make("--hostname", "device-8", "--karg", "console=ttyS0", file=self.dir + "/third")
        self.assertNotEqual(sha256(self.dir + "/third"), sha256(self.disk))

    @contextlib.contextmanager
    def mounted(self):
        target = self.dir + "/mounted"
        os.mkdir(target)
        done = subprocess.run(["mount", "-o", "loop,ro,offset=%d" % OFFSET, self.disk, target], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest("no loop mount here: " + done.stderr.strip())
        try:
            yield target
        finally:
            subprocess.run(["umount", target], check=True)

    @unittest.skipUnless(ROOT, "mounts")
    def test_holds_what_a_device_would_have_made(self):
        self.check_holds_what_a_device_would_have_made()

    @unittest.skipUnless(ROOT, "mounts")
    def test_holds_what_a_device_would_have_made_as_a_checkout(self):
        here = self.check_holds_what_a_device_would_have_made("--root", "checkout")
        # That the comparison saw something.
        root = "hostapp/deployments/1/root/usr/"
        self.assertEqual(here[root + "bin/ping"][3], {"security.capability": CAPABILITY})
        self.assertEqual(here[root + "share/owned/file"][1], 100000)
        self.assertEqual(here[root + "share/secret"][0], oct(0o100000))
        self.assertEqual(len(here[root + "bin/ping4"][5]), 3)

    def check_holds_what_a_device_would_have_made(self, *options):
        user = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups")
        self.make("--karg", "console=ttyS0", *options, prefix=user)
        native = self.dir + "/native"
        self.run_tool(HOSTAPP, "--sysroot", native, "init")
        self.run_tool(HOSTAPP, "--sysroot", native, "--quiet", "deploy", self.reference, "--karg", "console=ttyS0", *options)
        with self.mounted() as top:
            here, there = picture(top), picture(native)
            with open(top + "/hostapp/deployments/1/deployment.json", encoding="utf-8") as file:
                self.assertEqual(json.load(file)["root"], options[-1] if options else "composefs")
            self.assertEqual(here.pop("lost+found")[0], oct(0o40700))
            # The two files that have a time in them.
            # (A time before this was built is none.)
            for record, times, made in (("deployments/1/deployment.json", ["created"], "2023-11-14T22:13:20Z"),
                                        ("history.json", ["transitions", 0, "time"], None)):
                documents = []
                for folder, image in ((top, here), (native, there)):
                    with open(folder + "/hostapp/" + record, encoding="utf-8") as file:
                        documents.append(json.load(file))
                    image["hostapp/" + record] = image["hostapp/" + record][:4]
                places = [functools.reduce(operator.getitem, times[:-1], document) for document in documents]
                self.assertEqual(places[0].pop(times[-1]), made)
                places[1].pop(times[-1])
                self.assertEqual(*documents)
            self.assertEqual(sorted(here), sorted(there))
            for path, found in there.items():
                self.assertEqual(here[path], found, path)
            self.run_tool("ostree", "--repo=" + top + "/ostree/repo", "fsck", "-q")
            status = json.loads(self.run_tool(HOSTAPP, "--sysroot", native, "status", "--json"))
            self.assertEqual(status["default"], 1)
        return here

    @unittest.skipUnless(ROOT, "mounts")
    def test_is_a_sysroot_for_the_device_and_has_its_hostname(self):
        self.make("--hostname", "device-7.example", "--size", "300M")
        self.assertEqual(os.path.getsize(self.disk), 300 << 20)
        target = self.dir + "/writable"
        os.mkdir(target)
        done = subprocess.run(["mount", "-o", "loop,offset=%d" % OFFSET, self.disk, target], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest("no loop mount here: " + done.stderr.strip())
        try:
            self.assertEqual(self.run_tool(HOSTAPP, "--sysroot", target, "etc", "diff").split(), ["M", "hostname"])
            with open(target + "/hostapp/deployments/1/etc/upper/hostname", encoding="utf-8") as file:
                self.assertEqual(file.read(), "device-7.example\n")
            self.assertTrue(json.loads(self.run_tool(HOSTAPP, "--sysroot", target, "fsck", "--json"))["ok"])
            # It can be updated, and what was there in linear folders is found and added to.
            self.run_tool(HOSTAPP, "--sysroot", target, "--quiet", "deploy", self.reference)
        finally:
            subprocess.run(["umount", target], check=True)
        self.assertNotIn("Fix?", self.run_tool("e2fsck", "-fn", "%s?offset=%d" % (self.disk, OFFSET)))

    LOADERS = {"grub": "hostapp-boot", "systemd-boot": "hostapp-esp", "uboot": "hostapp-boot"}

    def partition(self, name):
        table = json.loads(self.run_tool("sfdisk", "--json", self.disk))["partitiontable"]
        return next(partition for partition in table["partitions"] if partition["name"] == name)

    def extract(self, partition, top):
        """What is on a FAT partition, path to content; and what a checker says of it."""
        image = self.dir + "/fat"
        with open(self.disk, "rb") as disk, open(image, "wb") as out:
            disk.seek(partition["start"] * 512)
            out.write(disk.read(partition["size"] * 512))
        self.run_tool("fsck.vfat", "-n", image)
        os.mkdir(top)
        self.run_tool("mcopy", "-s", "-Q", "-i", image, "::*", top)
        found = {}
        for folder, _, files in os.walk(top):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    found[os.path.relpath(os.path.join(folder, name), top)] = file.read()
        return found

    def loader_json(self):
        root = self.partition("hostapp-root")
        place = "%s?offset=%d" % (self.disk, root["start"] * 512)
        said = self.run_tool("debugfs", "-R", "cat /hostapp/loader.json", place)
        return json.loads(said[:said.rindex("}") + 1])  # its own name and version follow

    def expect_boot_sets(self, found):
        """One, whole."""
        sums, = (path for path in found if path.endswith("/SHA256SUMS"))
        lines = found[sums].decode().splitlines()
        self.assertEqual(len(lines), 2)
        for line in lines:
            digest, _, name = line.partition("  ")
            self.assertEqual(hashlib.sha256(found[os.path.dirname(sums) + "/" + name]).hexdigest(), digest)
        return os.path.dirname(sums)

    def test_with_systemd_boot_the_system_partition_has_all_of_it(self):
        self.make("--loader", "systemd-boot", "--karg", "word=\"a b\"")
        partition = self.partition("hostapp-esp")
        self.assertEqual(partition["type"], "C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
        self.assertEqual(self.loader_json(), {"loader": "systemd-boot", "boot": "PARTUUID=" + partition["uuid"].lower(),
                                              "esp": "PARTUUID=" + partition["uuid"].lower()})
        found = self.extract(partition, self.dir + "/esp")
        boot_set = self.expect_boot_sets(found)
        with open("/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "rb") as file:
            program = file.read()
        self.assertEqual(found["EFI/BOOT/BOOTX64.EFI"], program)
        self.assertEqual(found["EFI/systemd/systemd-bootx64.efi"], program)
        self.assertIn(b"default hostapp-*\n", found["loader/loader.conf"])
        entry = found["loader/entries/hostapp-0000000001-0000000001.conf"].decode()
        self.assertIn("\nlinux /%s/linux\n" % boot_set, entry)
        self.assertIn("\ninitrd /%s/initrd\n" % boot_set, entry)
        root = self.partition("hostapp-root")["uuid"].lower()
        self.assertRegex(entry, r"\noptions .*hostapp\.deployment=1 .*root=PARTUUID=%s word=\"a b\"\n" % root)

    def test_with_uboot_the_marked_partition_has_its_script_and_state(self):
        self.make("--loader", "uboot", "--karg", "console=ttyS0")
        partition = self.partition("hostapp-boot")
        self.assertEqual(partition["attrs"], "LegacyBIOSBootable")
        self.assertEqual(partition["start"] * 512, 16 << 20)
        self.assertEqual(self.loader_json(), {"loader": "uboot", "boot": "PARTUUID=" + partition["uuid"].lower(), "esp": None})
        found = self.extract(partition, self.dir + "/boot")
        boot_set = self.expect_boot_sets(found)
        self.assertEqual(found["boot.scr"][:4], b"\x27\x05\x19\x56")
        state = found["hostapp/uboot/state-0"]
        self.assertEqual(len(state), 512)
        self.assertIn(b"hostapp_default=1\0", state)
        self.assertEqual(found["hostapp/uboot/state-1"], state)
        entry = found["hostapp/uboot/entries/1.env"]
        self.assertIn(boot_set.partition("/")[2].encode(), entry)
        self.assertIn(b" console=ttyS0\0", entry)

    def test_with_a_loader_it_is_the_same_for_another_user_and_clock(self):
        user = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups") if ROOT else ()
        for loader, boot in self.LOADERS.items():
            with self.subTest(loader):
                self.make("--loader", loader)
                self.assertIn("No errors detected", self.run_tool("sfdisk", "--verify", self.disk))
                # Three boot sets of this image's few kB, and no less than FAT32 is made of.
                self.assertGreaterEqual(self.partition(boot)["size"] * 512, 24 << 20)
                again = self.dir + "/again"
                self.make("--loader", loader, file=again, prefix=(*user, "faketime", "2031-05-06 07:08:09"), umask=0o077)
                self.assertEqual(sha256(again), sha256(self.disk))

    def given(self, name, text):
        path = self.dir + "/" + name
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    @unittest.skipUnless(ROOT, "mounts")
    def test_has_the_keys_and_the_password_of_root(self):
        first, second = self.given("first.pub", "# mine\n%s\n\n" % KEY), self.given("second.pub", KEY.replace("me@", "you@"))
        user = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups")
        self.make("--ssh-key", first, "--ssh-key", second, "--password-hash", self.given("hash", HASH + "\n"), prefix=user)
        with self.mounted() as top:
            upper = top + "/hostapp/deployments/1/etc/upper"
            with open(upper + "/shadow", "rb") as file:
                self.assertEqual(file.read(), SHADOW.replace(b"root:*", b"root:" + HASH.encode()))
            for path, mode, owner in (("shadow", 0o640, 42), ("tmpfiles.d", 0o755, 0), ("", 0o755, 0),
                                      ("tmpfiles.d/hostapp-ssh-keys.conf", 0o644, 0)):
                info = os.stat(upper + "/" + path)
                self.assertEqual((oct(stat.S_IMODE(info.st_mode)), info.st_uid, info.st_gid), (oct(mode), owner, owner), path)
            # What systemd makes of it at the first boot, and at one after the keys were changed on the device.
            device = self.dir + "/device"
            shutil.copytree(upper + "/tmpfiles.d", device + "/etc/tmpfiles.d")
            os.mkdir(device + "/root")
            keys = device + "/root/.ssh/authorized_keys"
            tmpfiles = ("systemd-tmpfiles", "--root=" + device, "--create", "hostapp-ssh-keys.conf")
            self.run_tool(*tmpfiles)
            with open(keys, encoding="utf-8") as file:
                self.assertEqual(file.read(), KEY + "\n" + KEY.replace("me@", "you@") + "\n")
            self.assertEqual([oct(os.stat(path).st_mode) for path in (keys, os.path.dirname(keys))], ["0o100600", "0o40700"])
            with open(keys, "w", encoding="utf-8") as file:
                file.write("changed\n")
            self.run_tool(*tmpfiles)
            with open(keys, encoding="utf-8") as file:
                self.assertEqual(file.read(), "changed\n")

    def test_keys_and_password_are_a_part_of_what_the_disk_follows_from(self):
        self.make("--ssh-key", self.given("key", KEY), "--password-hash", self.given("hash", HASH))
        once = sha256(self.disk)
        self.make("--ssh-key", self.given("other", KEY), "--password-hash", "-", input=HASH)
        self.assertEqual(sha256(self.disk), once)
        self.make("--ssh-key", self.given("key", KEY), "--password-hash", self.given("hash", HASH.replace("salt", "pepp")))
        self.assertNotEqual(sha256(self.disk), once)

    def test_what_is_no_key_and_no_hash_is_refused(self):
        for text, words in (("", "there is no key in it"),
                            ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "line 1: this is a private key"),
                            (KEY + "\nssh-dss AAAA\n", "line 2: ssh-dss: no known type"),
                            ("restrict " + KEY, "options before a key are not taken"),
                            (KEY.replace("AAAAI", "AAAAJ").replace("ssh-ed25519 ", "ssh-rsa "), "is no key of this type"),
                            (KEY.replace("AAAA", "AA"), "is no key of this type"),
                            ("ssh-ed25519", "is no key of this type"),
                            (KEY + "\x1b[2J", "characters of no key"),
                            (KEY + "\n" + "#" * 70000, "longer than 65536 bytes")):
            said = self.make("--ssh-key", self.given("key", text), status=INVALID)
            self.assertIn("the ssh keys in %s/key: " % self.dir, said)
            self.assertIn(words, said)
            self.assertEqual(len(said.strip().splitlines()), 1, said)
        for text in ("", "secret", "$1$salt$" + "h" * 40, HASH + "\nmore", HASH + ":x", "$6$short"):
            said = self.make("--password-hash", self.given("hash", text), status=INVALID)
            self.assertIn("this is no line with a password's hash", said)
            self.assertNotIn("secret", said)
        self.assertIn("No such file", self.make("--ssh-key", self.dir + "/none", status=3))
        self.assertEqual(self.left(), ["hash", "key"])

    def test_an_image_that_cannot_take_them_is_refused(self):
        file, link = tarfile.REGTYPE, tarfile.SYMTYPE
        key, password = self.given("key", KEY), self.given("hash", HASH)
        # A link in the image must never reach this machine's own file.
        for name, more, options, words, status in (
                ("own", [("root", tarfile.DIRTYPE, 0o700, 0, b"", {}), ("root/.ssh", tarfile.DIRTYPE, 0o700, 0, b"", {}),
                         ("root/.ssh/authorized_keys", file, 0o600, 0, b"k", {})], ["--ssh-key", key],
                 "the image brings /root/.ssh/authorized_keys itself", INVALID),
                ("link", [("etc/shadow", link, 0o777, 0, b"/etc/shadow", {})], ["--password-hash", password],
                 "the image has no /etc/shadow that can be read", 4),
                ("rootless", [("etc/shadow", file, 0o600, 0, b"toor:*:1:::::::\nxroot:*:::::::\n", {})],
                 ["--password-hash", password], "has no line for root", 4),
                ("tmpfiles", [], ["--ssh-key", key], "has no systemd-tmpfiles", INVALID)):
            replaced = {path for path, *_ in more} | ({"usr/bin/systemd-tmpfiles"} if name == "tmpfiles" else set())
            with tarfile.open(self.dir + "/rootfs.tar", "w") as tar:
                for path, kind, mode, _, content, _ in [*(m for m in tree() if m[0] not in replaced), *more]:
                    member = tarfile.TarInfo(path)
                    member.type, member.mode = kind, mode
                    if kind in (tarfile.LNKTYPE, link):
                        member.linkname = content.decode()
                    member.size = len(content) if kind == file else 0
                    tar.addfile(member, io.BytesIO(content if kind == file else b""))
            reference = "oci:%s/%s:v1" % (self.dir, name)
            self.run_tool(HOSTAPP_IMAGE, "pack", "--quiet", self.dir + "/rootfs.tar", reference)
            said = self.run_tool(HOSTAPP_IMAGE, "disk", "--quiet", reference, self.disk, *options, status=status)
            self.assertIn(words, said)
            self.assertNotIn("disk.img", self.left())

    def test_too_small_a_disk_is_refused_with_both_numbers(self):
        said = self.make("--size", "10M", status=NO_SPACE)
        self.assertRegex(said, r"a disk of 10485760 bytes \(10.0 MiB\) is too small: the image needs [0-9]+ \(")
        self.assertEqual(self.left(), [])
        needs = int(said.split("the image needs ")[1].split()[0])
        self.make("--size", str(needs))
        self.assertIn("too small", self.make("--size", str(needs - 512), status=NO_SPACE))

    def test_bad_arguments_have_one_clear_error(self):
        for options, words in ((["--size", "8X"], "--size 8X: it is a number of bytes"),
                               (["--size", "1000000001"], "no whole sectors"),
                               (["--fs", "xfs"], "without hard links and extended attributes, which a deployment is made of. On a real "
                                "disk, as root: hostapp install --fs xfs"),
                               (["--fs", "btrfs"], "to which only root could give them. On a real disk, as root: hostapp install --fs "
                                "btrfs"),
                               (["--fs", "fat"], "--fs fat: it is ext4"),
                               (["--loader", "lilo"], "--loader lilo: it is"),
                               (["--hostname", "a b"], "the hostname a b is not of"),
                               (["--hostname", "-a"], "the hostname -a is not of"),
                               (["--hostname", "a" * 65], "64 characters"),
                               (["--karg", "hostapp.deployment=2"], "hostapp.deployment")):
            said = self.make(*options, status=INVALID)
            self.assertIn(words, said)
            self.assertEqual(len(said.strip().splitlines()), 1 if "sectors" not in words else 2, said)
            self.assertEqual(self.left(), [])

    def test_replaces_only_an_ordinary_file(self):
        with open(self.disk, "w", encoding="utf-8") as file:
            file.write("old")
        self.make()
        self.assertIn("No errors", self.run_tool("sfdisk", "--verify", self.disk))
        os.mkdir(self.dir + "/folder")
        os.symlink("disk.img", self.dir + "/link")
        for name in ("folder", "link"):
            self.assertIn("is no ordinary file", self.make(file=self.dir + "/" + name, status=INVALID))
        block = next((path for path in ("/dev/" + name for name in sorted(os.listdir("/dev")))
                      if stat.S_ISBLK(os.lstat(path).st_mode)), None)
        if block:
            os.symlink(block, self.dir + "/device")
            said = self.make(file=self.dir + "/device", status=INVALID)
            self.assertIn("is a block device", said)
            self.assertIn("hostapp install", said)
        self.assertIn("question mark", self.make(file=self.dir + "/a?offset=0", status=INVALID))
        self.assertIn("No such file", self.make(file=self.dir + "/missing/disk", status=3))
        self.assertEqual([name for name in self.left() if name.startswith(".")], [])

    @unittest.skipUnless(ROOT, "mounts")
    def test_a_full_disk_below_is_no_space_and_leaves_nothing(self):
        small = self.dir + "/small"
        os.mkdir(small)
        large = ("usr/share/24MiB", tarfile.REGTYPE, 0o644, 0, b"24 MiB!\n" * (3 << 20), {})
        write_tar(self.dir + "/large.tar", [large])
        reference = "oci:%s/layout:v1" % self.dir
        self.run_tool(HOSTAPP_IMAGE, "pack", "--quiet", self.dir + "/large.tar", reference)
        self.run_tool("mount", "-t", "tmpfs", "-o", "size=48M", "none", small)
        try:
            # Enough for the sysroot and the 16 MiB that an import leaves free, not for the disk beside it.
            said = self.run_tool(HOSTAPP_IMAGE, "disk", "--quiet", reference, small + "/disk.img", status=NO_SPACE)
            self.assertIn(" into the disk: ", said)
            self.assertEqual(os.listdir(small), [])
        finally:
            subprocess.run(["umount", small], check=True)

    def start(self, until):
        """A run that has got as far as `until` in its folder."""
        work = self.dir + "/.disk.img.hostapp-disk"
        # In a session of its own, so that what is sent to it is sent to nobody else.
        running = subprocess.Popen([HOSTAPP_IMAGE, "disk", "--quiet", self.reference, self.disk],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        while running.poll() is None and not os.path.exists(work + "/" + until):
            time.sleep(0.001)
        return running

    def test_interrupted_it_leaves_nothing_behind(self):
        with open(self.disk, "w", encoding="utf-8") as file:
            file.write("old")
        for until in ("lock", "root/ostree/repo", "disk"):
            running = self.start(until)
            running.send_signal(signal.SIGTERM)
            _, said = running.communicate(timeout=60)
            self.assertEqual(running.returncode, CANCELLED, said)
            self.assertEqual(self.left(), ["disk.img"])
            self.assertEqual(os.path.getsize(self.disk), 3)

    def test_killed_the_next_run_makes_the_same_and_clears_up(self):
        self.make()
        wanted = sha256(self.disk)
        for until in ("lock", "root/hostapp/deployments", "disk"):
            running = self.start(until)
            running.kill()
            running.communicate(timeout=60)
            self.assertEqual(running.returncode, -signal.SIGKILL)
            self.assertEqual(self.left(), [".disk.img.hostapp-disk", "disk.img"])
            self.assertEqual(sha256(self.disk), wanted)
            self.make()
            self.assertEqual(self.left(), ["disk.img"])
            self.assertEqual(sha256(self.disk), wanted)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
