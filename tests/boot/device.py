# SPDX-License-Identifier: Apache-2.0
"""A device for the boot tests: a disk with deployments written by hand, and a virtual machine that boots it."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time

import composefs_tree

UUID = "5d3a1f0e-8c44-4f0a-9d21-0c6b7e5a9f31"
PART_UUID = "8a1b6d2c-41f3-4a9e-b7c5-2f9d0e63c417"
LABEL = "device"
OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
UBOOT = "/usr/lib/u-boot/qemu-x86/u-boot.rom"
SBIN = "/usr/sbin:/sbin:"
COMPOSEFS_MODULES = ("overlay", "erofs", "loop")

# The deployment's init: tells what it sees, does what `step` on the command line asks for, and powers off.
INIT = """#!/bin/sh
# The console is slow: one writer, short lines.
export PATH=/bin
say() { echo "user-space: $*"; }
say "up $(cat /usr/lib/release)"
cat /run/hostapp/boot | sed 's/^/report: /'
%s
sync
poweroff -f
"""

REPORT_PLACES = r"""
say "root $(grep ' / ' /proc/mounts | cut -d' ' -f4 | cut -d, -f1)"
say "etc $(grep ' /etc ' /proc/mounts | cut -d' ' -f3)"
say "tmp $(grep ' /tmp ' /proc/mounts | cut -d' ' -f3) $(stat -c %a /tmp)"
say "etc-files $(ls /etc | tr '\n' ' ')"
say "var-files $(ls /var | tr '\n' ' ')"
say "sysroot-files $(ls /sysroot/hostapp | tr '\n' ' ')"
touch /usr/x 2>/dev/null && say "tree writable" || say "tree read-only"
for d in etc var home root srv opt usr/local tmp sysroot; do
  touch /$d/probe 2>/dev/null && say "writable $d" || say "read-only $d"
done
"""


class Skipped(Exception):
    """What a test cannot do without is not here."""


class Tools:
    """Where the programs under test are."""

    def __init__(self, build, kernel, work):
        self.build = build
        self.ledger_tool = os.path.join(build, "tests/boot/ledger_tool")
        self.verity_tool = os.path.join(build, "tests/boot/verity_tool")
        self.composefs_image = os.path.join(build, "tests/interop/composefs_image")
        self.hostapp = os.path.join(build, "tools/hostapp/hostapp")
        self.hostapp_store = os.path.join(build, "tools/libexec/hostapp/hostapp-store")
        self.hostapp_image = os.path.join(build, "tools/hostapp-image/hostapp-image")
        self.helper = os.path.join(build, "initramfs/helper/hostapp-init")
        self.kernel = kernel
        self.version = open(os.path.join(kernel, "version")).read().strip()
        self.work = work
        self.source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

    def initramfs(self, name, *options):
        """Our own, of the modules and without a checker."""
        program = os.path.join(self.source, "initramfs/mkinitramfs")
        return self.made(name, os.path.getmtime(program), lambda path: run(
            [program, "--root", os.path.join(self.kernel, "root"), "--kernel", self.version, "--helper", self.helper,
             "--compress", "none", "--output", path, *options]))

    def add_modules(self, tree, names):
        """Into the tree of a release, with those that they need."""
        folder = os.path.join(self.kernel, "root")
        for name in names:
            found = run(["modprobe", "--dirname", folder, "--set-version", self.version, "--show-depends", name])
            for path in re.findall(r"^insmod (\S+)", found, re.M):
                target = os.path.join(tree, "usr/lib/modules", self.version, path.split(self.version + "/")[1])
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(path, target)

    def made(self, name, changed, make):
        """An image made once for all tests that ask for the same one, and again when what it is made of has changed. One is
        made at a time: tests run beside each other."""
        path = os.path.join(self.work, name + ".img")
        with open(os.path.join(self.work, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(path) or os.path.getmtime(path) < max(changed, os.path.getmtime(self.helper)):
                make(path + ".new")
                os.rename(path + ".new", path)
        return path


def run(command, **options):
    environment = dict(os.environ, PATH=SBIN + os.environ["PATH"])
    done = subprocess.run(command, env=environment, timeout=120, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError("%s: exit %d\n%s%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
    return done.stdout


def newest_in(folder):
    """When a file below it was last changed."""
    return max(os.path.getmtime(os.path.join(place, name)) for place, _, names in os.walk(folder) for name in names)


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


class Device:
    def __init__(self, tools, name):
        self.tools = tools
        self.dir = os.path.join(tools.work, name)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.root = os.path.join(self.dir, "root")
        self.disk = os.path.join(self.dir, "disk")
        self.offset = 0
        self.variables = None  # of UEFI firmware that keeps them
        self.mount_options = ""  # of a disk that is read by mounting it
        self.devices = []  # of the machine, besides
        self.cpu = "qemu64"
        self.bytes = 48 << 20
        self.composefs = {}  # of each deployment with such a root: the image's digest
        self.console = ""
        os.makedirs(os.path.join(self.root, "hostapp/tmp"))

    def path(self, *parts):
        return os.path.join(self.root, "hostapp", *parts)

    def deployment(self, serial, good=True, init=None, script="", boot_set=None, complete=True):
        """A tree with a small user land. `init` may be a text, or "" for a deployment without one."""
        tree = self.path("deployments", str(serial), "root")
        for folder in ("dev proc sys run tmp etc var/lib var/log home root srv opt usr/local usr/etc sysroot bin sbin "
                       "usr/lib/modules/" + self.tools.version).split():
            os.makedirs(os.path.join(tree, folder))
        os.chmod(os.path.join(tree, "tmp"), 0o1777)
        shutil.copy("/bin/busybox", os.path.join(tree, "bin/busybox"))
        for name in "sh cat sed grep cut tr ls stat touch sync poweroff reboot readlink sleep dd echo".split():
            os.symlink("busybox", os.path.join(tree, "bin", name))
        write(os.path.join(tree, "usr/lib/release"), "v%d\n" % serial)
        write(os.path.join(tree, "usr/etc/hostname"), "from-image-%d\n" % serial)
        write(os.path.join(tree, "usr/etc/removed-by-admin"), "image\n")
        write(os.path.join(tree, "var/lib/from-image"), "v%d\n" % serial)
        write(os.path.join(tree, "root/.profile"), "image\n")
        if init is None:
            init = INIT % script
        if init:
            write(os.path.join(tree, "sbin/init"), init, 0o755)
        if complete:
            boot_set = boot_set or str(serial % 10) * 64
            write(self.path("deployments", str(serial), "deployment.json"),
                  '{"boot_set":"%s","manifest_digest":"sha256:%s","serial":%d}\n' % (boot_set, "%064x" % serial, serial))
            if good:
                write(self.path("deployments", str(serial), "good"), "")

    def change_etc(self, serial):
        """What an administrator did while this deployment ran: a change, a new folder that hides the image's, a removal."""
        upper = self.path("deployments", str(serial), "etc/upper")
        write(os.path.join(upper, "hostname"), "changed-by-admin\n")
        write(os.path.join(upper, "secret/key"), "k\n", 0o600)
        os.mknod(os.path.join(upper, "removed-by-admin"), 0o020000, os.makedev(0, 0))

    def as_composefs(self, serial):
        """The deployment's tree becomes a composefs image, and its files the store's."""
        self.composefs[serial] = composefs_tree.make_root(self.tools.composefs_image, self.root, serial)
        name = self.path("deployments", str(serial), "deployment.json")
        with open(name) as file:
            members = json.load(file)
        write(name, json.dumps({**members, "root": "composefs", "composefs_digest": self.composefs[serial]}))

    def ledger(self, *options):
        digests = ["composefs.%d=%s" % digest for digest in self.composefs.items()]
        run([self.tools.ledger_tool, "make", self.path("boot-ledger"), *digests, *options])

    def damage_slot(self, slot, how):
        with open(self.path("boot-ledger"), "r+b") as file:
            file.seek(4096 * slot + (2048 if how == "torn" else 0))
            file.write(b"\x5a" * 2048)

    def deploy(self, reference, *options):
        """`hostapp deploy` into a sysroot without a boot loader, which becomes the disk's content: the kernel is from outside."""
        shutil.rmtree(self.root)
        run([self.tools.hostapp, "--quiet", "--sysroot", self.root, "init"])
        run([self.tools.hostapp, "--quiet", "--sysroot", self.root, "deploy", reference, *options])

    def make_disk(self, partitioned=False, options=(), mib=48):
        image = self.disk + ".fs" if partitioned else self.disk
        run(["mke2fs", "-q", "-F", "-t", "ext4", "-U", UUID, "-L", LABEL, "-d", self.root, *options, image, "%dM" % mib])
        if partitioned:
            self.offset = 1 << 20
            with open(self.disk, "wb") as file:
                file.truncate(50 << 20)
            run(["sfdisk", "-q", self.disk], input="label: gpt\nstart=2048, size=96M, uuid=%s, name=%s\n".replace(
                "96M", "48MiB") % (PART_UUID, "system"))
            with open(image, "rb") as source, open(self.disk, "r+b") as target:
                target.seek(self.offset)
                shutil.copyfileobj(source, target, 1 << 20)

    def make_disk_of(self, file_system):
        """An xfs or btrfs disk, as small as their programs make one; the kernel of this machine fills it. In btrfs the
        root is the subvolume `system`, as installers have it."""
        self.mount_options = "loop"
        with open(self.disk, "wb") as file:
            file.truncate(320 << 20)
        if file_system == "xfs":
            run(["mkfs.xfs", "-q", "-m", "uuid=" + UUID, "-L", LABEL, self.disk])
        else:
            run(["mkfs.btrfs", "-q", "-U", UUID, "-L", LABEL, self.disk])
            self.with_disk_mounted("btrfs -q subvolume create system")
            self.mount_options = "loop,subvol=system"
        self.with_disk_mounted("cp -a '%s/.' ." % self.root)

    def with_disk_mounted(self, script):
        """Runs a shell script in the disk's root folder; nobody else sees the mount."""
        place = os.path.join(self.dir, "mounted")
        os.makedirs(place, exist_ok=True)
        run(["unshare", "--mount", "sh", "-ec", "mount -o %s '%s' '%s'; cd '%s'; (%s); cd /; umount '%s'" %
             (self.mount_options, self.disk, place, place, script, place)])

    def add_program(self, program, serial=1, folder="bin"):
        """A program of this machine with all its libraries; hostapp with its second program."""
        tree = self.path("deployments", str(serial), "root")
        for line in run(["ldd", program]).splitlines():
            library = next((word for word in line.split() if word.startswith("/")), None)
            if library and not os.path.exists(tree + library):
                os.makedirs(os.path.dirname(tree + library), exist_ok=True)
                shutil.copy(library, tree + library)
        os.makedirs(os.path.join(tree, folder), exist_ok=True)
        run(["strip", "-o", os.path.join(tree, folder, os.path.basename(program)), program])
        if program == self.tools.hostapp:
            self.add_program(self.tools.hostapp_store, serial, "libexec/hostapp")

    def pack_image(self, script="", programs=()):
        """The tree of deployment 1 as an image; its reference."""
        self.deployment(1, script=script)
        for program in programs:
            self.add_program(program)
        return self.pack(1)

    def pack(self, serial):
        """The tree of a deployment as an image, whose reference is returned."""
        tree = self.path("deployments", str(serial), "root")
        shutil.copytree(os.path.join(tree, "usr/etc"), os.path.join(tree, "etc"), dirs_exist_ok=True)
        shutil.rmtree(os.path.join(tree, "usr/etc"))
        modules = os.path.join(tree, "usr/lib/modules", self.tools.version)
        shutil.copy(os.path.join(self.tools.kernel, "vmlinuz"), modules)
        shutil.copy(self.tools.initramfs("tiny"), os.path.join(modules, "initramfs.img"))
        self.tools.add_modules(tree, COMPOSEFS_MODULES)
        shutil.copy(os.path.join(self.tools.kernel, "root/lib/modules", self.tools.version, "modules.dep"), modules)
        # Zeros after a cpio mean nothing, but make it a boot set of its own.
        with open(os.path.join(modules, "initramfs.img"), "ab") as file:
            file.write(bytes(512 * serial))
        reference = "oci:%s/layout-%d:v%d" % (self.dir, serial, serial)
        run([self.tools.hostapp_image, "pack", "--quiet", tree, reference])
        return reference

    def make_disk_image(self, *options, script="", programs=()):
        """The tree of deployment 1, packed as an image, on a disk of `hostapp-image disk`."""
        self.disk_of(self.pack_image(script, programs), *options)

    def disk_of(self, reference, *options):
        """The disk of `hostapp-image disk`; the part of it that is looked at is its root."""
        made = run([self.tools.hostapp_image, "disk", "--quiet", "--json", reference, self.disk, *options])
        partition = json.loads(made)["partitions"][-1]  # the root
        self.offset, self.bytes = partition["offset"], partition["bytes"]

    def install_disk(self, mib, *options, script=""):
        """The same with `hostapp install`, on a loop device."""
        reference = self.pack_image(script)
        with open(self.disk, "wb") as disk:
            disk.truncate(mib << 20)
        loop = run(["losetup", "--show", "-f", self.disk]).strip()
        try:
            run([self.tools.hostapp, "--quiet", "install", loop, reference, *options])
        finally:
            run(["losetup", "-d", loop])

    def mark_opaque(self, folder):
        """As overlayfs marks a folder that hides the image's of the same name."""
        run(["debugfs", "-w", "-R", "ea_set %s trusted.overlay.opaque y" % folder, self.disk])

    def overwrite_block(self, path, number):
        """A file's block on the disk, of a file system with blocks of 4096 bytes; nobody tells the file system."""
        blocks = run(["debugfs", "-R", "blocks " + path, self.disk]).split()
        with open(self.disk, "r+b") as disk:
            disk.seek(int(blocks[number]) * 4096)
            disk.write(b"\x5a" * 4096)

    def damage(self, *requests):
        """Changes the file system with debugfs, and marks it as one with errors."""
        for request in (*requests, "ssv state 2"):
            run(["debugfs", "-w", "-R", request, self.disk])
        assert self.damage_left(), "the damage is none"

    def damage_left(self):
        """What a checker finds, after the journal; empty when there is nothing."""
        image = self.disk + ".checked"
        shutil.copy(self.disk, image)
        run(["e2fsck", "-E", "journal_only", "-p", image])
        environment = dict(os.environ, PATH=SBIN + os.environ["PATH"])
        done = subprocess.run(["e2fsck", "-fn", image], env=environment, capture_output=True, text=True, timeout=60)
        return done.stdout if done.returncode != 0 else ""

    def boot(self, cmdline, initramfs=None, seconds=180, until=None, restarts=True, read_only=False, clock=None, after=0,
             firmware=None, more_disks=()):
        """Runs until the machine powers off, `after` seconds after `until` is on the console, or until the time is up
        (which fails). With `firmware`, "bios", "uefi" or "uboot", the disk starts by itself and `cmdline` means nothing."""
        initramfs = initramfs or self.tools.initramfs("tiny")
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", self.cpu, "-m", "512", "-nographic", "-nodefaults",
                   "-serial", "stdio", "-no-user-config", "-drive",
                   "file=%s,if=virtio,format=raw%s" % (self.disk, ",readonly=on" if read_only else "")]
        for name in self.devices:
            command += ["-device", name]
        for disk in more_disks:
            command += ["-drive", "file=%s,if=virtio,format=raw" % disk]
        if firmware is None:
            command += ["-kernel", os.path.join(self.tools.kernel, "vmlinuz"), "-initrd", initramfs, "-append",
                        "console=ttyS0 no_timer_check loglevel=6 panic=1 hostapp.restart-delay=1 " + cmdline]
        elif firmware == "uboot":
            command += ["-machine", "pc", "-bios", UBOOT]
        elif firmware == "uefi" and self.variables:
            command += ["-machine", "q35", "-drive", "if=pflash,format=raw,readonly=on,file=" + OVMF_CODE,
                        "-drive", "if=pflash,format=raw,file=" + self.variables]
        elif firmware == "uefi":  # on QEMU's other machine this firmware is slow
            command += ["-machine", "q35", "-bios", "/usr/share/ovmf/OVMF.fd"]
        if not restarts:
            command.append("-no-reboot")
        if clock:
            command += ["-rtc", "base=" + clock]
        log = os.path.join(self.dir, "console")
        started = time.monotonic()
        with open(log, "wb") as out:
            machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        try:
            while machine.poll() is None and time.monotonic() - started < seconds:
                if until and until.encode() in open(log, "rb").read():
                    time.sleep(after)
                    break
                try:
                    machine.wait(0.02 if after else 0.2)
                except subprocess.TimeoutExpired:
                    pass
            timed_out = machine.poll() is None and not (until and until.encode() in open(log, "rb").read())
        finally:
            if machine.poll() is None:
                machine.kill()
            machine.wait()
        self.console += open(log, "rb").read().decode("utf-8", "replace").replace("\r", "")
        print("  [%.1f s] %s" % (time.monotonic() - started, cmdline), flush=True)
        if timed_out:
            raise AssertionError("no end after %d s" % seconds)

    def replay_journal(self):
        """What the next boot's kernel would see."""
        image = self.disk
        if self.offset:
            image = self.disk + ".fs"
            with open(self.disk, "rb") as source, open(image, "wb") as target:
                source.seek(self.offset)
                target.write(source.read(self.bytes))
        environment = dict(os.environ, PATH=SBIN + os.environ["PATH"])
        subprocess.run(["e2fsck", "-fy", image], env=environment, capture_output=True, timeout=60)
        return image

    def file(self, path):
        """A file of the disk as it is now; None if it is not there."""
        target = os.path.join(self.dir, "dumped")
        if os.path.exists(target):
            os.unlink(target)
        if self.mount_options:
            self.with_disk_mounted("[ ! -e '.%s' ] || cp '.%s' '%s'" % (path, path, target))
        else:
            run(["debugfs", "-R", "dump %s %s" % (path, target), self.replay_journal()])
        return open(target, "rb").read() if os.path.exists(target) else None

    def ledger_now(self):
        self.file("/hostapp/boot-ledger")
        text = subprocess.run([self.tools.ledger_tool, "show", os.path.join(self.dir, "dumped")], capture_output=True,
                              text=True, timeout=60).stdout
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    # What must and must not have been said. The message shows the part of the console that matters.
    def expect(self, *texts):
        position = 0
        for text in texts:
            found = self.console.find(text, position)
            if found < 0:
                raise AssertionError("the console does not say (here, in this order): %s\n%s" % (text, self.said()))
            position = found + len(text)

    def expect_not(self, *texts):
        for text in texts:
            if text in self.console:
                raise AssertionError("the console says: %s\n%s" % (text, self.said()))

    def expect_ledger(self, **want):
        got = self.ledger_now()
        for key, value in want.items():
            if got.get(key) != str(value):
                raise AssertionError("ledger: %s is %s, not %s\n%s\n%s" % (key, got.get(key), value, got, self.said()))

    def said(self):
        return "\n".join(line for line in self.console.splitlines()
                         if "hostapp-init" in line or "user-space" in line or "report" in line or "panic" in line)


def asked(serial, boot_set=None):
    return "hostapp.deployment=%d hostapp.boot-set=%s" % (serial, (boot_set or str(serial % 10)) * 64)


def main(tests, arguments, make=Device):
    build, kernel, work = arguments[:3]
    names = arguments[3:] or sorted(tests)
    os.makedirs(work, exist_ok=True)
    failures = 0
    skipped = 0
    for name in names:
        print(name, flush=True)
        try:
            tests[name](make(Tools(build, kernel, work), name))
        except Skipped as reason:
            skipped += 1
            print("skipped %s: %s" % (name, reason), flush=True)
        except AssertionError as error:
            failures += 1
            print("FAILED %s: %s" % (name, error), flush=True)
    sys.exit(1 if failures else 77 if skipped else 0)
