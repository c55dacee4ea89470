# SPDX-License-Identifier: Apache-2.0
"""A disk that GRUB boots, BIOS and UEFI, made without root and loop devices: the real adapter writes its boot file
system, the real installer its images."""

import hashlib
import os
import shutil
import subprocess
import time

import tiny_kernel
from device import SBIN, UUID, run, write

FAT_ID = "1A2B-3C4D"
MIB = 1 << 20
SECTOR = 512
BIOS_BOOT_AT = 1 * MIB
ESP_AT = 2 * MIB
ESP_BYTES = 4 * MIB
FIRMWARE = "/usr/share/ovmf/OVMF.fd"
GPT = """label: gpt
start=%d, size=%d, type=21686148-6449-6E6F-744E-656564454649
start=%d, size=%d, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
"""

# Says what it was started with; an argument that the kernel does not know arrives in the environment.
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo "kernel: $(/bin/busybox cat /proc/cmdline)<end>"
echo "word: $word<end>"
echo "initrd: $(/bin/busybox cat /name)<end>"
/bin/busybox poweroff -f
"""


def name_of(serial):
    return "%010d" % serial


class GrubDisk:
    """`boot` is the folder that becomes the file system; the disk is made of it by make(), and again after a change."""

    def __init__(self, device, top="", file_system="ext4", kernel="tiny", mib=12):
        self.tools = device.tools
        self.dir = device.dir
        self.top = top
        self.file_system = file_system
        self.kernel = kernel
        self.mib = mib
        self.at = ESP_AT if file_system == "fat" else ESP_AT + ESP_BYTES
        self.content = os.path.join(self.dir, "grub-root")
        shutil.rmtree(self.content, ignore_errors=True)
        self.boot_dir = self.content + top
        self.disk = os.path.join(self.dir, "disk")
        self.initrd_bytes = 0
        self.console = ""
        os.makedirs(self.path())
        write(self.path("grub/grub.cfg"), self.tool("config", top))

    def path(self, *parts):
        return os.path.join(self.boot_dir, "hostapp", *parts)

    def entry_path(self, serial, name):
        return self.path("grub/entries", name_of(serial), name)

    def tool(self, *arguments):
        return run([os.path.join(self.tools.build, "tests/boot/grub_tool"), *arguments])

    def uuid(self):
        return FAT_ID if self.file_system == "fat" else UUID

    # The deployments that there are.
    def boot_set(self, serial):
        """Its digest, which is its folder's name."""
        kernel = self.tiny_kernel() if self.kernel == "tiny" else os.path.join(self.tools.kernel, "vmlinuz")
        initrd = os.path.join(self.dir, "initrd")
        (write_line if self.kernel == "tiny" else write_initrd)(initrd, "of %d" % serial)
        if self.initrd_bytes:
            os.truncate(initrd, self.initrd_bytes)
        sums = "".join("%s  %s\n" % (sha256(path), name) for name, path in (("initrd", initrd), ("linux", kernel)))
        digest = hashlib.sha256(sums.encode()).hexdigest()
        os.makedirs(self.path(digest), exist_ok=True)
        shutil.copy(kernel, self.path(digest, "linux"))
        shutil.copy(initrd, self.path(digest, "initrd"))
        write(self.path(digest, "SHA256SUMS"), sums)
        return digest

    def tiny_kernel(self):
        return self.tools.made("tiny_kernel", tiny_kernel.changed(), tiny_kernel.make)

    def stage(self, serial, *arguments, good=False):
        digest = self.boot_set(serial)
        self.tool("stage", self.boot_dir, str(serial), digest, *arguments)
        if good:
            self.bless(serial)
        return digest

    def bless(self, serial):
        self.tool("bless", self.boot_dir, str(serial))

    def arm(self, default, trial, tries):
        self.tool("arm", self.boot_dir, str(default), str(trial), str(tries))

    def read_env(self):
        with open(self.path("grub/env"), "rb") as file:
            return file.read()

    def write_env(self, block):
        with open(self.path("grub/env"), "wb") as file:
            file.write(block)

    # The disk.
    def make(self):
        size = self.at + (self.mib + 1) * MIB
        with open(self.disk, "wb") as file:
            file.truncate(size)
        table = GPT % (BIOS_BOOT_AT // SECTOR, MIB // SECTOR, ESP_AT // SECTOR,
                       (self.mib * MIB if self.file_system == "fat" else ESP_BYTES) // SECTOR)
        if self.file_system == "ext4":
            table += "start=%d, size=%d\n" % (self.at // SECTOR, self.mib * MIB // SECTOR)
        run(["sfdisk", "-q", self.disk], input=table)
        code, core, efi = (os.path.join(self.dir, name) for name in ("boot-code", "core", "efi"))
        self.tool("bios", self.uuid(), self.top, str(BIOS_BOOT_AT // SECTOR), code, core)
        self.tool("efi", self.uuid(), self.top, efi)
        self.put(code, 0)
        self.put(core, BIOS_BOOT_AT)
        self.make_fat(efi)
        if self.file_system == "ext4":
            image = self.disk + ".fs"
            if os.path.exists(image):
                os.unlink(image)
            run(["mke2fs", "-q", "-F", "-t", "ext4", "-U", UUID, "-d", self.content, image, "%dM" % self.mib])
            self.put(image, self.at)

    def make_fat(self, efi):
        place = "%s@@%d" % (self.disk, ESP_AT)
        mib = self.mib if self.file_system == "fat" else ESP_BYTES // MIB
        run(["mformat", "-i", place, "-T", str(mib * MIB // SECTOR), "-h", "16", "-s", "63", "-N",
             FAT_ID.replace("-", ""), "::"])
        run(["mmd", "-i", place, "::EFI", "::EFI/BOOT"])
        run(["mcopy", "-i", place, efi, "::EFI/BOOT/BOOTX64.EFI"])
        if self.file_system == "fat":
            run(["mcopy", "-s", "-i", place, *[os.path.join(self.content, name) for name in os.listdir(self.content)],
                 "::"])

    def cut_power_after(self, commands):
        """Linux mounts the boot file system, the adapter works on it, and the disk becomes what it is in that moment."""
        place = os.path.join(self.dir, "mounted")
        os.makedirs(place, exist_ok=True)
        tool = os.path.join(self.tools.build, "tests/boot/grub_tool")
        lines = ["mount -o loop,offset=%d,sizelimit=%d '%s' '%s'" % (self.at, self.mib * MIB, self.disk, place)]
        for verb, *arguments in commands:
            lines.append("GRUB_TOOL_FREEZES=1 '%s' %s '%s' %s" % (tool, verb, place + self.top, " ".join(arguments)))
        lines += ["cp '%s' '%s.cut'" % (self.disk, self.disk), "umount '%s'" % place]
        run(["unshare", "--mount", "sh", "-ec", "\n".join(lines)])
        os.rename(self.disk + ".cut", self.disk)
        features = run(["dumpe2fs", "-h", "%s?offset=%d" % (self.disk, self.at)])
        assert "needs_recovery" in features, "it was unmounted before the cut"

    def put(self, path, offset):
        with open(path, "rb") as source, open(self.disk, "r+b") as target:
            target.seek(offset)
            shutil.copyfileobj(source, target, MIB)

    def env(self):
        """The environment block as the disk has it now, and no journal."""
        if self.file_system == "fat":
            command = ["mcopy", "-i", "%s@@%d" % (self.disk, self.at), "::%s/hostapp/grub/env" % self.top, "-"]
        else:
            command = ["debugfs", "-R", "cat %s/hostapp/grub/env" % self.top, "%s?offset=%d" % (self.disk, self.at)]
        environment = dict(os.environ, PATH=SBIN + os.environ["PATH"])
        return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True).stdout

    def state(self):
        """What the adapter reads of the block that GRUB left."""
        self.write_env(self.env())
        return dict(line.split("=", 1) for line in self.tool("read", self.boot_dir).splitlines())

    # Starting it.
    def boot(self, firmware="bios", serial=True, seconds=150, memory=256, hurry=False):
        """Until the machine powers off or restarts. In a hurry: its clock runs as fast as its processor can wait."""
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "qemu64", "-m", str(memory), "-display", "none",
                   "-nodefaults", "-no-user-config", "-no-reboot", "-drive",
                   "file=%s,if=virtio,format=raw" % self.disk]
        if hurry:
            command += ["-icount", "shift=8,sleep=off"]
        if firmware == "uefi":
            # On QEMU's older PC this firmware now and then takes half a minute, and once did not come to an end.
            command += ["-machine", "q35", "-vga", "std", "-bios", FIRMWARE]
        log = os.path.join(self.dir, "console")
        open(log, "wb").close()
        command += ["-serial", "file:" + log] if serial else ["-serial", "none"]
        started = time.monotonic()
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
            ending = "" if done.returncode == 0 else "%s\n" % done.stderr
        except subprocess.TimeoutExpired:
            ending = "no end after %d s\n" % seconds
        self.console = open(log, "rb").read().decode("utf-8", "replace").replace("\r", "\n")
        print("  [%.1f s] %s" % (time.monotonic() - started, firmware), flush=True)
        assert not ending, ending + self.console

    def value(self, key):
        """What the kernel said about itself."""
        for line in self.console.split("\n"):
            at = line.find(key + ": ")
            if at >= 0 and line.endswith("<end>"):
                return line[at + len(key) + 2:-len("<end>")]
        return None

    def expect_started(self, serial):
        if self.value("initrd") != "of %d" % serial or " hostapp.deployment=%d " % serial not in self.value("kernel"):
            raise AssertionError("deployment %d was not started, but %s with %s\n%s" %
                                 (serial, self.value("initrd"), self.value("kernel"), self.console))

    def expect_said(self, text):
        if text not in self.console:
            raise AssertionError("the console does not say: %s\n%s" % (text, self.console))

    def expect_state(self, **want):
        got = self.state()
        for key, value in want.items():
            assert got.get(key) == str(value), "%s is %s, not %s\n%s" % (key, got.get(key), value, self.console)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def write_line(path, text):
    write(path, text + "\n")


def write_initrd(path, name):
    root = path + "-root"
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("bin", "proc", "dev"):
        os.makedirs(os.path.join(root, folder))
    shutil.copy("/bin/busybox", os.path.join(root, "bin/busybox"))
    write(os.path.join(root, "init"), INIT, 0o755)
    write(os.path.join(root, "name"), name + "\n")
    listing = "\n".join("bin bin/busybox proc dev init name".split()) + "\n"
    with open(path, "wb") as out:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "--reproducible"], cwd=root, input=listing.encode(),
                       stdout=out, timeout=60, check=True)
