#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`hostapp install` and `hostapp grow` on block devices: loop devices, read back by sfdisk, blkid, fsck and the kernel.

usage: real_disk.py HOSTAPP HOSTAPP_IMAGE [unittest arguments]
"""
import contextlib
import errno
import io
import json
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
BUILT_IN = b"kernel/fs/erofs/erofs.ko\nkernel/fs/overlayfs/overlay.ko\nkernel/drivers/block/loop.ko\n"
INVALID, NOT_FOUND, NO_SPACE, BUSY, CANCELLED = 2, 3, 7, 8, 9
MIB = 1 << 20
FILE_SYSTEMS = ("ext4", "xfs", "btrfs")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI%s me@work" % ("A" * 43)
HASH = "$6$saltsaltsalt$" + "h" * 86


def can_loop():
    """Whether there are loop devices with partitions here, and we may use them."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(4 * MIB)
        made = subprocess.run(["losetup", "-P", "--show", "-f", file.name], capture_output=True, text=True)
        if made.returncode == 0:
            subprocess.run(["losetup", "-d", made.stdout.strip()], check=True)
        return made.returncode == 0


def wait_until_free(device):
    """Somebody's new mount namespace may have had a copy of the mount, until it ended."""
    deadline = time.monotonic() + 20
    while stat.S_ISBLK(os.stat(device).st_mode):
        try:
            os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def may_resize_ext4():
    """Whether we have CAP_SYS_RESOURCE, which a container's root may lack; the boot test grows ext4 too."""
    with open("/proc/self/status", encoding="utf-8") as status:
        effective = next(line for line in status if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> 24 & 1)


def write_tar(path):
    kernel = bytearray(8192)
    kernel[0x202:0x206] = b"HdrS"
    modules = "usr/lib/modules/6.1.0-test/"
    files = {modules + "vmlinuz": (bytes(kernel), 0o644), modules + "initramfs.img": (b"initramfs", 0o644),
             modules + "modules.builtin": (BUILT_IN, 0o644),
             "usr/sbin/init": (b"#!/bin/sh\n", 0o755), "usr/bin/su": (b"su", 0o4755), "etc/hostname": (b"image\n", 0o644),
             "etc/shadow": (b"root:*:19700:0:99999:7:::\n", 0o640), "usr/bin/systemd-tmpfiles": (b"program", 0o755),
             "usr/share/large": (os.urandom(MIB), 0o644)}
    with tarfile.open(path, "w") as tar:
        for folder in ("usr", "etc", "var", "tmp", "run", "proc", "sys", "dev", "boot", "sysroot"):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), mode, 1700000000
            tar.addfile(member, io.BytesIO(content))


class Disks(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="hostapp-install-")
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        write_tar(cls.shared + "/rootfs.tar")
        cls.reference = "oci:%s/layout:v1" % cls.shared
        subprocess.run([HOSTAPP_IMAGE, "pack", "--quiet", cls.shared + "/rootfs.tar", cls.reference], check=True, timeout=60)

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="hostapp-install-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.file = self.dir + "/disk"

    def run_tool(self, *argv, status=0, **options):
        result = subprocess.run(argv, capture_output=True, timeout=200, stdin=subprocess.DEVNULL, text=True, **options)
        self.assertEqual(result.returncode, status, "%s\n%s\n%s" % (" ".join(argv), result.stdout, result.stderr))
        return result.stdout + result.stderr

    def attach(self, mib=1024, file=None):
        file = file or self.file
        if not os.path.exists(file):
            with open(file, "wb") as disk:
                disk.truncate(mib * MIB)
        device = self.run_tool("losetup", "-P", "--show", "-f", file).strip()
        # Gone with its last user, where a test has not unmounted it.
        self.addCleanup(subprocess.run, ["losetup", "-d", device], capture_output=True)
        return device

    @contextlib.contextmanager
    def mounted(self, device, *options):
        place = tempfile.mkdtemp(dir=self.dir)
        self.run_tool("mount", *options, device, place)
        try:
            yield place
        finally:
            self.run_tool("umount", place)
            wait_until_free(device)

    def show(self, device):
        """Its partitions, to a kernel that reads no such table by itself too."""
        self.run_tool("partx", "-u", device)

    def install(self, device, *options, status=0):
        said = self.run_tool(HOSTAPP, "--quiet", "install", device, self.reference, *options, status=status)
        if status == 0:
            self.show(device)
        return said

    def table(self, device):
        listed = subprocess.run(["sfdisk", "--json", device], capture_output=True, check=True, timeout=60).stdout
        return json.loads(listed)["partitiontable"]["partitions"]

    def tag(self, device, name):
        return subprocess.run(["blkid", "-p", "-o", "value", "-s", name, device], capture_output=True, text=True).stdout.strip()

    def is_empty(self, device):
        return subprocess.run(["blkid", "-p", device], capture_output=True).returncode == 2

    def parts(self, device):
        """The loop devices on it; one with a file system that is still mounted does not go away."""
        return [line for line in self.run_tool("losetup", "-l", "-n", "-O", "NAME,BACK-FILE").splitlines() if line.endswith(" " + device)]

    # Installing.

    def test_a_disk_is_what_other_programs_take_for_one(self):
        for file_system in FILE_SYSTEMS:
            with self.subTest(file_system=file_system):
                device = self.attach(file=self.dir + "/" + file_system)
                document = json.loads(subprocess.run(
                    [HOSTAPP, "--json", "install", device, self.reference, "--fs", file_system, "--hostname", "device-7",
                     "--karg", "console=ttyS0"], check=True, timeout=200, stdout=subprocess.PIPE).stdout)
                self.show(device)
                self.assertEqual((document["serial"], document["loader"], document["file_system"]), (1, "grub", file_system))
                self.assertEqual((document["root"], document["root_reason"]), ("composefs", None))
                self.assertEqual(self.parts(device), [])
                verified = self.run_tool("sfdisk", "--verify", device)
                self.assertIn("No errors detected", verified)
                self.assertEqual([part["name"] for part in self.table(device)],
                                 ["hostapp-bios", "hostapp-esp", "hostapp-boot", "hostapp-root"])
                self.assertEqual(self.tag(device + "p2", "TYPE"), "vfat")
                self.assertEqual(self.tag(device + "p3", "TYPE"), "ext4")
                self.assertEqual(self.tag(device + "p4", "TYPE"), file_system)
                self.assertEqual(self.tag(device + "p4", "LABEL"), "hostapp-root")
                self.assertEqual(self.tag(device + "p4", "UUID"), document["partitions"][3]["uuid"])
                self.run_tool("e2fsck", "-fn", device + "p3")
                if file_system == "ext4":
                    self.run_tool("e2fsck", "-fn", device + "p4")
                with self.mounted(device + "p4") as root, self.mounted(device + "p3") as boot:
                    status = json.loads(self.run_tool(HOSTAPP, "--sysroot", root, "--boot", boot, "status", "--json"))
                    self.assertEqual((status["default"], status["trial"]), (1, None))
                    self.assertTrue(json.loads(self.run_tool(HOSTAPP, "--sysroot", root, "--boot", boot, "fsck", "--json"))["ok"])
                    self.assertEqual(self.run_tool(HOSTAPP, "--sysroot", root, "--boot", boot, "etc", "diff").split(), ["M", "hostname"])
                    self.assertTrue(os.path.isfile(root + "/hostapp/deployments/1/root.cfs"))
                    su = self.run_tool("ostree", "--repo=" + root + "/ostree/repo", "ls", status["deployments"][0]["commit"], "/usr/bin/su")
                    self.assertTrue(su.startswith("-04755 0 0 "), su)
                    with open(root + "/hostapp/deployments/1/deployment.json", encoding="utf-8") as file:
                        arguments = json.load(file)
                    self.assertIn("root=PARTUUID=" + document["partitions"][3]["partuuid"], json.dumps(arguments))
                    self.assertEqual(os.listdir(root + "/hostapp/tmp"), ["import.lock"])

    def test_without_a_loader_there_is_one_partition(self):
        device = self.attach(512)
        with open(self.dir + "/key", "w", encoding="utf-8") as file:
            file.write(KEY)
        with open(self.dir + "/hash", "w", encoding="utf-8") as file:
            file.write(HASH)
        self.install(device, "--loader", "none", "--ssh-key", self.dir + "/key", "--password-hash", self.dir + "/hash")
        self.assertEqual([part["name"] for part in self.table(device)], ["hostapp-root"])
        with self.mounted(device + "p1") as root:
            self.assertTrue(os.listdir(root + "/boot/hostapp"))
            upper = root + "/hostapp/deployments/1/etc/upper"
            with open(upper + "/shadow", encoding="utf-8") as file:
                self.assertEqual(file.read(), "root:%s:19700:0:99999:7:::\n" % HASH)
            self.assertEqual(oct(os.stat(upper + "/shadow").st_mode), "0o100640")
            self.assertEqual(os.listdir(upper + "/tmpfiles.d"), ["hostapp-ssh-keys.conf"])

    def test_two_disks_have_nothing_of_their_identities_in_common(self):
        seen = set()
        for name in ("a", "b"):
            device = self.attach(512, self.dir + "/" + name)
            self.install(device, "--loader", "none")
            ids = {self.table(device)[0]["uuid"], self.tag(device + "p1", "UUID"), self.tag(device, "PTUUID")}
            self.assertEqual(len(ids), 3)
            self.assertFalse(ids & seen)
            seen |= ids

    def test_a_disk_that_is_not_empty_is_only_taken_when_told(self):
        device = self.attach(512)
        for content, make in (("ext4", ["mke2fs", "-q", "-t", "ext4", device]), ("xfs", ["mkfs.xfs", "-q", "-f", device]),
                              ("btrfs", ["mkfs.btrfs", "-q", "-f", device]), ("swap", ["mkswap", "-f", device])):
            self.run_tool(*make)
            said = self.install(device, status=INVALID)
            self.assertIn("%s is not empty, there is %s on it" % (device, content), said)
            self.assertEqual(self.tag(device, "TYPE"), content)
        self.run_tool("wipefs", "-qa", device)
        subprocess.run(["sfdisk", "-q", device], input="label: dos\nsize=10M\n", text=True, check=True, capture_output=True)
        self.assertIn("there is a partition table (dos) on it", self.install(device, status=INVALID))
        self.install(device, "--erase", "--loader", "none")
        self.assertEqual([part["name"] for part in self.table(device)], ["hostapp-root"])
        self.assertIn("a partition table (gpt)", self.install(device, "--loader", "none", status=INVALID))
        # And with other file systems where the parts will be: none of them is seen any more.
        self.run_tool("mkfs.btrfs", "-q", "-f", device + "p1")
        self.install(device, "--erase", "--loader", "none", "--fs", "ext4")
        self.assertEqual(self.tag(device + "p1", "TYPE"), "ext4")

    def test_a_disk_in_use_is_refused_whatever_is_said(self):
        device = self.attach(512)
        self.install(device, "--loader", "none")
        before = self.table(device)
        with self.mounted(device + "p1") as place:
            said = self.install(device, "--erase", "--loader", "none", status=BUSY)
            self.assertIn("%s is in use (mounted at %s)" % (device, place), said)
        self.assertEqual(self.table(device), before)
        holder = os.open(device, os.O_RDWR | os.O_EXCL)
        try:
            self.assertIn("is in use", self.install(device, "--erase", "--loader", "none", status=BUSY))
        finally:
            os.close(holder)
        self.assertIn("is a partition", self.install(device + "p1", "--erase", status=INVALID))

    def test_what_is_no_disk_is_refused(self):
        with open(self.dir + "/file", "wb") as file:
            file.truncate(512 * MIB)
        self.assertIn("is no block device", self.install(self.dir + "/file", status=INVALID))
        self.assertIn("No such file", self.install("/dev/none", status=NOT_FOUND))
        device = self.attach(512)
        for options, words in ((["--fs", "fat"], "--fs fat: it is"), (["--loader", "lilo"], "--loader lilo: it is"),
                               (["--hostname", "a b"], "the hostname a b"), (["--karg", "hostapp.deployment=2"], "hostapp.deployment"),
                               (["--ssh-key", self.dir + "/file"], "the ssh keys in ")):
            self.assertIn(words, self.install(device, *options, status=INVALID))
        self.assertIn("--sysroot and --boot are not for install", self.run_tool(
            HOSTAPP, "--sysroot", "/", "install", device, self.reference, status=INVALID))
        self.assertTrue(self.is_empty(device))

    def test_a_boot_file_system_that_this_kernel_has_not_is_refused_before_the_disk_is_touched(self):
        has_fat = subprocess.run(["modprobe", "-q", "vfat"]).returncode == 0 or "\tvfat\n" in open("/proc/filesystems").read()
        for loader in ("uboot", "systemd-boot"):  # tests/boot/disk_test.py boots them
            device = self.attach(file=self.dir + "/" + loader)
            with open(device, "r+b") as disk:
                disk.write(b"somebody's")
            if has_fat:
                self.install(device, "--loader", loader)
                self.assertEqual(self.tag(device, "PTTYPE"), "gpt")
                continue
            self.assertIn("this kernel cannot mount vfat", self.install(device, "--loader", loader, status=NOT_FOUND))
            with open(device, "rb") as disk:
                self.assertEqual(disk.read(10), b"somebody's")

    def test_too_small_a_disk_is_refused_with_both_numbers_before_it_is_touched(self):
        device = self.attach(100)
        self.run_tool("mke2fs", "-q", "-t", "ext4", device)
        said = self.install(device, "--erase", "--loader", "grub", status=NO_SPACE)
        self.assertRegex(said, r"has 104857600 bytes \(100.0 MiB\), the image may need [0-9]+ \(")
        self.assertEqual(self.tag(device, "TYPE"), "ext4")
        needs = int(said.split("the image may need ")[1].split()[0])
        enough = self.attach(needs // MIB, self.dir + "/enough")
        self.install(enough, "--loader", "grub")

    def test_cut_short_it_leaves_an_empty_disk_and_nothing_behind(self):
        device = self.attach(512)
        for how, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, CANCELLED)):
            self.run_tool("mke2fs", "-q", "-F", "-t", "ext4", device)
            running = subprocess.Popen([HOSTAPP, "--verbose", "install", device, self.reference, "--loader", "none", "--erase"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
            said = []
            for line in running.stderr:
                said.append(line)
                if "making hostapp-root" in line:
                    running.send_signal(how)
            running.communicate(timeout=60)
            self.assertEqual(running.returncode, status, "".join(said))
            deadline = time.monotonic() + 20  # a killed process's mount goes in the kernel's own time
            while self.parts(device) and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertEqual(self.parts(device), [])
            self.assertTrue(self.is_empty(device))
        self.install(device, "--loader", "none")

    # Growing.

    def device_on(self, file_system, mib=512, name="hostapp-root", more=""):
        """A disk with a sysroot in its last partition, and where it is mounted."""
        with open(self.file, "wb") as file:
            file.truncate(mib * MIB)
        subprocess.run(["sfdisk", "-q", self.file], text=True, check=True, capture_output=True,
                       input="label: gpt\nstart=1MiB, size=8MiB, name=first\nsize=%dMiB, name=%s\n%s" % (mib - 20, name, more))
        device = self.attach()
        self.show(device)
        make = {"ext4": ["mke2fs", "-q", "-t", "ext4"], "xfs": ["mkfs.xfs", "-q", "-f"], "btrfs": ["mkfs.btrfs", "-q", "-f"]}
        self.run_tool(*make[file_system], device + "p2")
        return device

    def enlarge(self, device, mib):
        os.truncate(self.file, mib * MIB)
        self.run_tool("losetup", "-c", device)

    def grow(self, root):
        return json.loads(self.run_tool(HOSTAPP, "--sysroot", root, "--json", "--quiet", "grow"))

    def test_a_root_grows_to_its_larger_disk_while_it_is_mounted(self):
        for file_system in FILE_SYSTEMS if may_resize_ext4() else ("xfs", "btrfs"):
            with self.subTest(file_system=file_system):
                device = self.device_on(file_system)
                with self.mounted(device + "p2") as root:
                    self.run_tool(HOSTAPP, "--sysroot", root, "init")
                    self.enlarge(device, 1024)
                    grown = self.grow(root)
                    self.assertEqual((grown["changed"], grown["reason"], grown["device"]), (True, None, device + "p2"))
                    size = os.statvfs(root).f_blocks * os.statvfs(root).f_frsize
                    self.assertEqual(grown["bytes"]["now"], size)
                    self.assertGreater(size, 930 * MIB)
                    again = self.grow(root)
                    self.assertEqual((again["changed"], again["reason"]), (False, "it has the whole disk already"))
                self.assertIn("No errors detected", self.run_tool("sfdisk", "--verify", device))
                first, last = self.table(device)
                self.assertEqual((first["size"] * 512, last["start"] * 512 + last["size"] * 512), (8 * MIB, 1023 * MIB))
                check = {"ext4": ["e2fsck", "-fn"], "xfs": ["xfs_repair", "-n"], "btrfs": ["btrfs", "check"]}[file_system]
                self.run_tool(*check, device + "p2")
                self.run_tool("losetup", "-d", device)

    def test_growing_goes_on_after_a_kill_at_every_step(self):
        """strace kills the program at the entry of each call that changes something."""
        device = self.device_on("xfs")
        with self.mounted(device + "p2") as root:
            self.run_tool(HOSTAPP, "--sysroot", root, "init")
            # The tables of any size give the same steps; each kill is followed by a whole run.
            for step, (call, when) in enumerate((("pwrite64", 1), ("fdatasync", 1), ("pwrite64", 2), ("fdatasync", 2),
                                                 ("ioctl", "kernel"), ("ioctl", "file system"), ("syncfs", 1))):
                self.enlarge(device, 600 + 100 * step)
                command = [HOSTAPP, "--sysroot", root, "--quiet", "grow"]
                if call == "ioctl":  # the one that tells the kernel, and the last one
                    plain = subprocess.run(["strace", "-f", "-e", "trace=ioctl", *command], capture_output=True, text=True)
                    calls = [line for line in plain.stderr.splitlines() if "ioctl(" in line]
                    when = len(calls) if when == "file system" else 1 + next(i for i, line in enumerate(calls) if "BLKPG" in line)
                    self.enlarge(device, 650 + 100 * step)
                killed = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                                         "inject=%s:signal=KILL:when=%d" % (call, when), *command], capture_output=True)
                self.assertNotEqual(killed.returncode, 0, (call, when))
                # Whoever reads the disk now finds a table: the old one or the new one.
                self.assertEqual([part["name"] for part in self.table(device)], ["first", "hostapp-root"])
                self.grow(root)
                size = os.statvfs(root).f_blocks * os.statvfs(root).f_frsize
                self.assertGreater(size, (500 + 100 * step) * MIB)
                self.assertEqual(self.grow(root)["reason"], "it has the whole disk already")
        self.run_tool("xfs_repair", "-n", device + "p2")
        self.assertIn("No errors detected", self.run_tool("sfdisk", "--verify", device))

    def test_what_is_not_ours_does_not_grow(self):
        for name, more, reason in (("other", "", 'its partition is called "other", not hostapp-root'),
                                   ("hostapp-root", "size=1MiB, name=data\n", "it is not the last partition of its disk")):
            device = self.device_on("ext4", name=name, more=more)
            with self.mounted(device + "p2") as root:
                self.run_tool(HOSTAPP, "--sysroot", root, "init")
                self.enlarge(device, 1024)
                with open(self.file, "rb") as file:
                    before = file.read(34 * 512)
                grown = self.grow(root)
                self.assertEqual((grown["changed"], grown["reason"]), (False, reason))
                with open(self.file, "rb") as file:
                    self.assertEqual(file.read(34 * 512), before)
            self.run_tool("losetup", "-d", device)
        plain = self.dir + "/plain"
        with open(plain, "wb") as file:
            file.truncate(64 * MIB)
        self.run_tool("mke2fs", "-q", "-t", "ext4", plain)
        with self.mounted(plain, "-o", "loop") as root:
            self.run_tool(HOSTAPP, "--sysroot", root, "init")
            self.assertEqual(self.grow(root)["reason"], "it is not in one partition of a disk")

    def test_a_damaged_table_is_an_error_and_stays_as_it_is(self):
        device = self.device_on("ext4")
        with self.mounted(device + "p2") as root:
            self.run_tool(HOSTAPP, "--sysroot", root, "init")
            self.enlarge(device, 1024)
            with open(device, "r+b") as disk:
                disk.seek(512 + 60)
                disk.write(b"\x5a")
            said = self.run_tool(HOSTAPP, "--sysroot", root, "grow", status=4)
            self.assertIn("the disk's first partition table is damaged", said)


if __name__ == "__main__":
    if os.geteuid() != 0 or not can_loop():
        print("skipped: needs root and loop devices")
        sys.exit(77)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
