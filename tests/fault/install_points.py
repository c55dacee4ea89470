#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills `hostapp install` at the system calls that change something, on a loop device, and looks at the disk.

Wherever it was killed, nothing stays mounted, and the disk is empty for everybody who looks, or a whole device: check_disk finds nothing on its
root. An empty one is installed again without being told that it may be erased. Control: a first partition table that is written too early.
"""
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import lanes  # noqa: E402
from device import Device  # noqa: E402
from disk_log import alone, do  # noqa: E402
from faults import KILL  # noqa: E402
from options import parser  # noqa: E402
from results import Rows  # noqa: E402

DISK_BYTES = 512 << 20
NOTHING_THERE = 2  # exit status of blkid


class Disk:
    """An empty one, as long as the block runs."""
    made = multiprocessing.Lock()  # partitions come and go with losetup

    def __init__(self, work, name):
        self.file, self.place = "%s/%s" % (work, name), "%s/%s.mnt" % (work, name)

    def __enter__(self):
        with open(self.file, "wb") as file:
            file.truncate(DISK_BYTES)
        with Disk.made:
            self.device = do("losetup", "-P", "-f", "--show", self.file)
        os.mkdir(self.place)
        return self

    def __exit__(self, *_):
        subprocess.run(["losetup", "-d", self.device], check=False)
        os.rmdir(self.place)
        os.remove(self.file)

    def is_empty(self):
        return subprocess.run(["blkid", "-p", self.device], capture_output=True, check=False).returncode == NOTHING_THERE

    def wait_until_free(self):
        """A killed process's mounts go in the kernel's own time. False: something stays."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                os.close(os.open(self.device, os.O_RDONLY | os.O_EXCL))
                return True
            except OSError:
                time.sleep(0.05)
        return False

    def root(self):
        """(its last partition's offset, size)."""
        table = json.loads(do("sfdisk", "--json", self.device))["partitiontable"]
        last = table["partitions"][-1]
        return last["start"] * table.get("sectorsize", 512), last["size"] * table.get("sectorsize", 512)


class Suite:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.device = Device(options, work, None)

    def argv(self, disk):
        return [self.options.hostapp, "--quiet", "--progress", "none", "install", disk.device, "oci:%s:v1" % self.device.images, "--loader", "none"]

    def install(self, disk, *before):
        return subprocess.run([*before, *self.argv(disk)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)

    def calls(self):
        with Disk(self.work, "count") as disk:
            done = self.install(disk, self.options.killat, "-l", self.work + "/calls")
            if done.returncode != 0:
                raise RuntimeError("install: exit status %d: %s" % (done.returncode, done.stderr))
            with open(self.work + "/calls", encoding="ascii") as file:
                return [int(line) for line in file]

    def look(self, disk):
        """What is wrong with a disk that is not empty."""
        try:
            offset, size = disk.root()
            do("mount", "-o", "loop,offset=%d,sizelimit=%d" % (offset, size), disk.device, disk.place)
        except (RuntimeError, IndexError, ValueError) as error:
            return ["it has something, but no root: %s" % error]
        try:
            return self.device.check(disk.place)
        finally:
            do("umount", disk.place)

    def point(self, number):
        with Disk(self.work, "disk-%d" % number) as disk:
            self.install(disk, self.options.killat, *KILL.at(number))
            found = [] if disk.wait_until_free() else ["something is still mounted"]
            if disk.is_empty():
                done = self.install(disk)
                if done.returncode != 0:
                    found.append("again: exit status %d: %s" % (done.returncode, done.stderr.strip()))
            return ["call %d: %s" % (number, text) for text in found + self.look(disk)]

    def control(self):
        """The table of a disk that was installed, on one whose partitions are empty."""
        with Disk(self.work, "right") as right, Disk(self.work, "early") as early:
            self.install(right)
            begin = right.root()[0]
            with open(right.file, "rb") as source, open(early.file, "r+b") as target:
                target.write(source.read(begin))
            return not early.is_empty() and bool(self.look(early))


def parse():
    return parser(__doc__, ("hostapp", "make-tiny-image", "killat"), ("stride", "jobs", "rows")).parse_args()


def main():
    options = parse()
    alone()
    os.environ["HOSTAPP_JOBS"] = "1"
    rows = Rows(options.rows)
    with tempfile.TemporaryDirectory(prefix="hostapp-install-", dir="/dev/shm") as work:
        suite, begun = Suite(options, work), time.monotonic()
        seen = suite.control()
        print("control, a table too early: %s" % ("found" if seen else "NOT FOUND"), flush=True)
        rows.add("a partition table too early", "kill points", 1, int(seen), 0, control=True)
        calls = suite.calls()
        numbers = KILL.points(calls, options.stride)
        found = lanes.each(suite.point, [(number,) for number in numbers], options.jobs)
        wrong, seconds = sum(bool(texts) for texts in found), time.monotonic() - begun
        print("install: %d of %d calls, %d violations, %.0f s" % (len(numbers), len(calls), wrong, seconds))
        rows.add("install", "kill points", len(numbers), wrong, seconds)
    for text in [text for texts in found for text in texts][:40]:
        print("\n" + text[:600])
    return 1 if wrong or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
