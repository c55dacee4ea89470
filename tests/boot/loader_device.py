# SPDX-License-Identifier: Apache-2.0
"""A device whose loader is tested: a boot file system made by the adapter, firmware, a kernel that says who it is."""

import os
import shutil
import subprocess
import time

from device import Skipped, run, write

# The one partition.
OFFSET = 1 << 20
SIZE = 120 << 20
PART_UUID = "8a1b6d2c-41f3-4a9e-b7c5-2f9d0e63c417"

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo "user-space: $(/bin/busybox cat /proc/cmdline)"
/bin/busybox poweroff -f
"""


class LoaderDevice:
    loader = ""

    def __init__(self, tools, name):
        self.tools = tools
        self.dir = os.path.join(tools.work, name)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.boot = os.path.join(self.dir, "boot")
        self.disk = os.path.join(self.dir, "disk")
        self.tool_path = os.path.join(tools.build, "tests/boot/loader_tool")
        self.console = ""
        os.makedirs(self.boot)
        self.need()
        self.tool("install")

    def need(self):
        """Skips where the firmware is missing."""

    def needs(self, path, package):
        if not os.path.exists(path):
            raise Skipped("no %s (Debian's %s)" % (path, package))
        return path

    def initrd(self, init=INIT, files=None):
        """`files`: more of them, path in the initrd → file here."""
        folder = os.path.join(self.dir, "initrd")
        shutil.rmtree(folder, ignore_errors=True)
        for place in ("bin", "proc", "sys", "dev"):
            os.makedirs(os.path.join(folder, place))
        shutil.copy("/bin/busybox", os.path.join(folder, "bin/busybox"))
        write(os.path.join(folder, "init"), init, 0o755)
        for place, source in (files or {}).items():
            os.makedirs(os.path.dirname(folder + place), exist_ok=True)
            shutil.copy(source, folder + place)
        path = os.path.join(self.dir, "initrd.img")
        run(["sh", "-c", "cd '%s' && find . | cpio -o -H newc -R 0:0 > '%s'" % (folder, path)])
        # A console before /dev is there: a cpio of its own, as a device node needs no root in one.
        with open(path, "ab") as out:
            out.write(node("dev/console", 0o20600, 5, 1))
        return path

    def tool(self, *words):
        return run([self.tool_path, self.boot, self.loader, *map(str, words)])

    def stage(self, serial, *arguments, kernel=None, init=INIT, files=None):
        # A comment makes each boot set one of its own.
        self.tool("stage", serial, kernel or os.path.join(self.tools.kernel, "vmlinuz"),
                  self.initrd(init + "# %d\n" % serial, files), "console=ttyS0", "no_timer_check", "quiet", *arguments)

    def set_of(self, serial):
        digest = open(os.path.join(self.boot, "tool", str(serial))).readline().strip()
        return "hostapp/%s/" % digest

    def make_disk(self):
        with open(self.disk, "wb") as out:
            out.truncate(128 << 20)
        run(["sfdisk", "-q", self.disk], input="label: gpt\nstart=%d, size=%d, type=U, uuid=%s\n" %
            (OFFSET // 512, SIZE // 512, PART_UUID))
        run(["mkfs.vfat", "-F", "32", "--offset", str(OFFSET // 512), self.disk, str(SIZE // 1024)])
        self.put()

    def mtools(self, *command):
        return run([command[0], "-i", "%s@@%d" % (self.disk, OFFSET), *command[1:]])

    def put(self):
        """The folder as it is now, onto the disk."""
        for name in sorted(os.listdir(self.boot)):
            self.mtools("mcopy", "-s", "-o", "-Q", os.path.join(self.boot, name), "::")

    def get(self):
        """The disk as it is now, into the folder; what the loader changed is there then."""
        shutil.rmtree(self.boot)
        os.makedirs(self.boot)
        self.mtools("mcopy", "-s", "-n", "-Q", "::*", self.boot)

    def expect_state(self, **want):
        self.get()
        lines = [line.partition(" ") for line in self.tool("read").splitlines()]
        got = {name: value for name, _, value in lines}
        for name, value in want.items():
            assert got[name] == value, "the loader's %s: %s, not %s" % (name, got[name], value)

    def damage(self, path, content):
        """Changes a file on the disk; None removes it."""
        if content is None:
            self.mtools("mdel", "::" + path)
            return
        changed = os.path.join(self.dir, "changed")
        with open(changed, "wb") as out:
            out.write(content)
        self.mtools("mcopy", "-o", "-Q", changed, "::" + path)

    def content(self, path):
        return open(os.path.join(self.boot, path), "rb").read()

    def machine(self):
        raise NotImplementedError

    def start(self, seconds=240, until=None):
        """Runs until the machine powers off, restarts or says `until`; the console of this run alone is kept."""
        command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "512", "-display", "none", "-serial", "stdio",
                   "-nodefaults", "-no-user-config", "-no-reboot", *self.machine()]
        log, started = os.path.join(self.dir, "console"), time.monotonic()
        with open(log, "wb") as out:
            machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        said = False
        try:
            while machine.poll() is None and not said and time.monotonic() - started < seconds:
                time.sleep(0.2)
                said = bool(until) and until.encode() in open(log, "rb").read()
            ended = said or machine.poll() is not None
        finally:
            if machine.poll() is None:
                machine.kill()
            machine.wait()
        self.console = open(log, "rb").read().decode("utf-8", "replace").replace("\r", "")
        print("  [%.1f s]" % (time.monotonic() - started), flush=True)
        assert ended, "no end after %d s\n%s" % (seconds, self.said())

    def expect_boot(self, serial, **options):
        self.start(**options)
        self.expect("user-space: ", "hostapp.deployment=%d " % serial)

    def expect(self, *texts):
        position = 0
        for text in texts:
            found = self.console.find(text, position)
            assert found >= 0, "the console does not say (here, in this order): %s\n%s" % (text, self.said())
            position = found + len(text)

    def expect_not(self, *texts):
        for text in texts:
            assert text not in self.console, "the console says: %s\n%s" % (text, self.said())

    def said(self):
        return self.console[-4000:]


def node(name, mode, major, minor):
    """A cpio of one device node."""
    out = b""
    for entry, entry_mode, device in ((name, mode, (major, minor)), ("TRAILER!!!", 0, (0, 0))):
        fields = (1, entry_mode, 0, 0, 1, 0, 0, 0, 0, *device, len(entry) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + entry.encode() + b"\0"
        out += b"\0" * (-len(out) % 4)
    return out
