# SPDX-License-Identifier: Apache-2.0
"""One cell of the boot matrix: a device with v1, its disk on this machine, its starts one by one."""

import json
import os
import shutil
import subprocess
import time

from device import Skipped, run, write

ARGUMENTS = ("console=ttyS0", "no_timer_check", "loglevel=6", "panic=1", "hostapp.restart-delay=1")
START_SECONDS = 240  # more is a device that hangs, which is an outcome too


class Wrong(AssertionError):
    """Not what the row promises."""


class NotHere(Exception):
    """The row has no meaning in this column; the text says why."""


class Start:
    """What one start said: until the machine was switched off, restarted or was cut from its power."""

    def __init__(self, console):
        self.console = console
        self.off = "user-space: off" in console
        self.status = None
        for line in console.splitlines():
            if line.startswith("user-space: status {"):
                try:
                    self.status = json.loads(line[len("user-space: status "):])
                except ValueError:  # cut
                    pass


class Cell:
    def __init__(self, images, column, name):
        self.images = images
        self.tools = images.tools
        self.column = column
        self.dir = os.path.join(self.tools.work, "matrix-cells", column.name, name)
        self.disk = os.path.join(self.dir, "disk")
        self.variables = os.path.join(self.dir, "variables")  # the firmware's, where it has any
        self.starts = []
        self.notes = []
        self.extra_arguments = ()  # of a kernel from outside
        self.initramfs = None      # the same
        self.clock = None
        self.layout = images.layout
        self.sees_layout = False   # whether the device can reach the releases by itself
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)

    # Its disk, mounted on this machine. Only while the device has been switched off: a journal is replayed by this.
    def partitions(self):
        table = json.loads(run(["sfdisk", "-J", self.disk]))["partitiontable"]["partitions"]
        return [(part["start"] * 512, part["size"] * 512, part["uuid"].lower()) for part in table]

    def on_disk(self, script, exit_status=0):
        """Runs a script with $ROOT, $BOOT (where the boot sets are) and /mnt (the releases); returns what it prints."""
        if os.geteuid() != 0:
            raise Skipped("mounting needs root")
        partitions = self.partitions()
        lines = ["ROOT='%s/root' BOOT='%s/root/boot'; mkdir -p $ROOT" % (self.dir, self.dir),
                 mounting(self.disk, partitions[-1], "$ROOT")]
        if self.column.boot_partition is not None:
            boot = partitions[self.column.boot_partition]
            lines += ["BOOT='%s/boot'; mkdir -p $BOOT" % self.dir,
                      self.column.open_boot(self.disk, boot) if self.column.on_fat else mounting(self.disk, boot, "$BOOT")]
        lines += ["mount --bind '%s' /mnt" % self.layout, "export ROOT BOOT",
                  "hostapp() { '%s' --sysroot $ROOT --boot $BOOT \"$@\"; }" % self.images.tools.hostapp,
                  "set +e; (set -e; %s); status=$?; set -e" % script]
        if self.column.boot_partition is not None:
            lines += [self.column.close_boot(self.disk, boot) if self.column.on_fat else ":", "umount $BOOT"]
        lines += ["umount $ROOT", "exit $status"]
        done = subprocess.run(["unshare", "--mount", "sh", "-ec", "\n".join(lines)], capture_output=True, text=True, timeout=120)
        if done.returncode != exit_status:
            raise Wrong("on the disk: exit %d, not %d: %s\n%s%s" %
                        (done.returncode, exit_status, script, done.stdout, done.stderr))
        return done.stdout + done.stderr

    def make_base(self):
        """v1, and its first healthy boot, which proves it. Made once for all cells of a column."""
        base = os.path.join(self.images.dir, "base-" + self.column.name)
        if not os.path.exists(base):
            self.column.make_disk(self)
            start = self.start()
            if not start.status or start.status["booted"] != 1 or start.status["last_failure"]:
                raise Wrong("v1 does not boot\n" + start.console[-3000:])
            for path in (self.variables, self.disk):
                if os.path.exists(path):
                    run(["cp", "--sparse=always", path, base + ".new"])
                    os.rename(base + ".new", base if path == self.disk else base + ".variables")
        run(["cp", "--sparse=always", base, self.disk])
        if os.path.exists(base + ".variables"):
            shutil.copy(base + ".variables", self.variables)
        self.starts = []

    def update(self, tag, *options, exit_status=0):
        """The release, deployed as the device would, with the device switched off."""
        self.images.need(tag)
        said = self.on_disk(" ".join(["hostapp --quiet deploy oci:/mnt:" + tag, *options]), exit_status)
        return said

    def move_tag(self, name, tag):
        """For this device alone, `name` is the release `tag` from now on."""
        self.layout = os.path.join(self.dir, "layout")
        run(["cp", "-al", self.images.layout, self.layout])
        index = os.path.join(self.layout, "index.json")
        shutil.copy(index, index + ".own")
        os.rename(index + ".own", index)
        run([self.tools.hostapp_image, "copy", "--quiet", self.images.place(tag), "oci:%s:%s" % (self.layout, name)])

    def deployment(self, serial):
        return "$ROOT/hostapp/deployments/%d" % serial

    # Its starts.
    def drive(self):
        """The options for its disk."""
        return ["-drive", "file=%s,if=virtio,format=raw" % self.disk]

    def machine(self, task):
        """The command that starts it, with a task for init."""
        path = os.path.join(self.dir, "task")
        write(path, task)
        os.truncate(path, 8192)
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "qemu64", "-m", "512", "-display", "none", "-nodefaults",
                   "-no-user-config", "-serial", "stdio", *self.drive(), "-drive", "file=%s,if=virtio,format=raw" % path]
        if self.sees_layout:
            command += ["-drive", "file=%s,if=virtio,format=raw,readonly=on" % self.layout_disk()]
        if self.clock:
            command += ["-rtc", "base=" + self.clock]
        return command + self.column.machine(self)

    def start(self, task="", until=None, after=0.0, restarts=False, seconds=START_SECONDS):
        """One start; with `restarts` all those that it asks for, too. `task`: functions for init. With `until` the power is cut that
        long after it is on the console."""
        command = self.machine(task) + ([] if restarts else ["-no-reboot"])
        log, began = os.path.join(self.dir, "console"), time.monotonic()
        with open(log, "wb") as out:
            machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        said, cut = False, False
        try:
            while machine.poll() is None and not cut and time.monotonic() - began < seconds:
                try:
                    machine.wait(0.05)
                except subprocess.TimeoutExpired:
                    pass
                if until and until.encode() in open(log, "rb").read():
                    if not said:
                        said = time.monotonic()
                    cut = time.monotonic() - said >= after
            ended = machine.poll() is not None
        finally:
            if machine.poll() is None:
                machine.kill()
            machine.wait()
        console = open(log, "rb").read().decode("utf-8", "replace").replace("\r", "")
        with open(os.path.join(self.dir, "console-%d" % (len(self.starts) + 1)), "w") as kept:
            kept.write(console)
        self.starts.append(Start(console))
        if not ended and not cut:
            raise Wrong("start %d does not come to an end\n%s" % (len(self.starts), console[-2000:]))
        return self.starts[-1]

    def layout_disk(self):
        image = os.path.join(self.dir, "releases")
        if not os.path.exists(image):
            run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", self.layout, image, "256M"])
        return image

    def run(self, task="", most=6):
        """Until it switches itself off."""
        for _ in range(most):
            if self.start(task).off:
                return self.starts[-1]
        raise Wrong("not at rest after %d starts\n%s" % (most, self.said()))

    def settle(self, task="", most=6):
        """Until it switches itself off, nothing is on trial and the default runs."""
        for _ in range(most):
            start = self.start(task)
            if start.off and start.status and not start.status["trial"] and start.status["booted"] == start.status["default"]:
                return start
        raise Wrong("not settled after %d starts\n%s" % (most, self.said()))

    # What came of it.
    def status(self):
        found = [start.status for start in self.starts if start.status]
        if not found:
            raise Wrong("no start came as far as status\n" + self.said())
        return found[-1]

    def version(self):
        """Of the deployment that runs at the end."""
        status = self.starts[-1].status
        if not status:
            raise Wrong("the last start did not come as far as status\n" + self.said())
        return next(one["version"] for one in status["deployments"] if one["serial"] == status["booted"])

    def expect(self, version, starts, cause=None, failed=2, proven=True):
        """Runs that version at the end, after at most so many starts; the failure is named, or there is none."""
        status, failure = self.status(), self.status()["last_failure"]
        if self.version() != version:
            raise Wrong("%s runs, not %s\n%s" % (self.version(), version, self.said()))
        if len(self.starts) > starts:
            raise Wrong("%d starts, not at most %d\n%s" % (len(self.starts), starts, self.said()))
        if proven and (status["default"] != status["booted"] or status["trial"]):
            raise Wrong("what runs is not the default, or something is on trial: %s" % status)
        got = failure and (failure["serial"], failure["cause"])
        if got != (cause and (failed, cause)):
            raise Wrong("the failure is %s, not %s\n%s" % (failure, cause, self.said()))

    def note(self, text):
        self.notes.append(text)

    def said(self):
        """The lines of all starts that matter."""
        out = []
        for number, start in enumerate(self.starts, 1):
            out += ["%d: %s" % (number, line[:400]) for line in start.console.splitlines()
                    if any(word in line for word in ("hostapp", "user-space", "panic"))]
        return "\n".join(out[-60:])


def mounting(disk, partition, place):
    return "mount -o loop,offset=%d,sizelimit=%d '%s' %s" % (partition[0], partition[1], disk, place)
