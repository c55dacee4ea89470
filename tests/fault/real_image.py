#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the real `hostapp` at a sample of the system calls with which it deploys an update of a real Debian.

The device has one release; of the next a twentieth of the bytes are new, package by package. It lies on btrfs: for each point a snapshot is
taken, and `deploy` killed there. Then `status` says what it said before or says after an undisturbed run; `fsck` finds nothing; `deploy`
again and `gc` lead to what an undisturbed run leads to. Of every tenth point check_disk reads all of it. Control: a block of an object changed.
Needs root, loop devices, mmdebstrap the first time.
"""
import os
import random
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "bench"))
import inputs  # noqa: E402
import lanes  # noqa: E402
from device import Device  # noqa: E402
from disk_log import alone, do  # noqa: E402
from faults import KILL  # noqa: E402
from options import parser  # noqa: E402
from results import Rows  # noqa: E402

DISK_BYTES = 8 << 30
CHECKED = 10  # of so many points one is read whole
PACKAGES = "linux-image-cloud-amd64,systemd,ca-certificates,openssh-server"


def releases(options):
    """A layout of two: v1, and v2 a month later. Made once."""
    layout, tree = options.inputs + "/layout", options.inputs + "/tree"
    if os.path.exists(layout + "/made"):
        return layout
    do("rm", "-rf", options.inputs)
    os.makedirs(options.inputs)
    subprocess.run(["mmdebstrap", "--variant=minbase", "--format=directory", "--include=" + PACKAGES, "bookworm", tree], check=True, timeout=900,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    version = next(name for name in os.listdir(tree + "/usr/lib/modules"))
    with open("%s/boot/initrd.img-%s" % (tree, version), "wb") as file:
        file.write(random.Random(1).randbytes(8 << 20))
    for tag in ("v1", "v2"):
        if tag == "v2":
            inputs.update(tree, random.Random(2))
        do(options.hostapp_image, "pack", tree, "oci:%s:%s" % (layout, tag), "--layers", "20", "--version", tag)
    do("rm", "-rf", tree)
    with open(layout + "/made", "w", encoding="ascii"):
        return layout


class Debian(Device):
    """On a file system whose snapshots cost nothing."""

    def __init__(self, options, work):  # pylint: disable=super-init-not-called
        self.options, self.work, self.loader, self.images = options, work, None, releases(options)
        self.disk, self.place, self.facts = work + "/disk", work + "/mnt", work + "/facts"
        with open(self.disk, "wb") as file:
            file.truncate(DISK_BYTES)
        do("mkfs.btrfs", "-q", self.disk)
        os.mkdir(self.place)
        do("mount", "-o", "loop,noatime", self.disk, self.place)

    def end(self):
        do("umount", self.place)

    def prepare_base(self):
        base = self.place + "/base"
        do("btrfs", "-q", "subvolume", "create", base)
        self.prepare(base, ["deploy v1"])
        self.before = self.status(base)
        self.check(base, "--record", self.facts)
        root = self.snapshot("undisturbed")
        done = subprocess.run([self.options.killat, "-l", self.work + "/calls", *self.argv(root, "deploy v2")], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=600, check=False)
        if done.returncode != 0:
            raise RuntimeError("deploy v2: " + done.stderr)
        with open(self.work + "/calls", encoding="ascii") as file:
            self.calls = [int(line) for line in file]
        self.must(root, "gc")
        self.after = self.status(root)
        self.remove(root)

    def snapshot(self, name):
        do("btrfs", "-q", "subvolume", "snapshot", self.place + "/base", "%s/%s" % (self.place, name))
        return "%s/%s" % (self.place, name)

    def remove(self, root):
        do("btrfs", "-q", "subvolume", "delete", root)

    def point(self, number, whole):
        """What is wrong after a cut there."""
        root = self.snapshot("point-%d" % number)
        try:
            subprocess.run([self.options.killat, *KILL.at(number), *self.argv(root, "deploy v2")], capture_output=True, stdin=subprocess.DEVNULL,
                           timeout=600, check=False)
            found = ["I4: fsck: " + line for line in self.fsck(root)]
            if whole:
                found += self.check(root, "--before", self.facts)
            return ["call %d: %s" % (number, text) for text in found + self.go_on(root, "deploy", self.before, self.after, whole)]
        finally:
            self.remove(root)

    def fsck(self, root):
        done = self.run(root, "fsck")
        return (done.stdout + done.stderr).splitlines() if done.returncode else []

    def control(self):
        """Whether a changed byte of the store is seen."""
        root = self.snapshot("control")
        try:
            objects = subprocess.run(["find", root + "/ostree/repo/objects", "-name", "*.file", "-size", "+100k"], capture_output=True, text=True, check=True)
            with open(sorted(objects.stdout.split())[0], "r+b") as file:
                file.seek(5000)
                byte = file.read(1)
                file.seek(5000)
                file.write(bytes([byte[0] ^ 1]))
            return bool(self.fsck(root)) and bool(self.check(root, "--before", self.facts))
        finally:
            self.remove(root)


def parse():
    made = parser(__doc__, ("hostapp", "hostapp-image", "killat"), ("seed", "jobs", "rows"))
    made.add_argument("--points", type=int, default=500)
    made.add_argument("--inputs", type=os.path.abspath, default=os.path.join(HERE, "../../build/fault-inputs"), help="where the releases are kept")
    return made.parse_args()


def main():
    options = parse()
    alone()
    os.environ["HOSTAPP_JOBS"] = "1"  # the n-th call is the same one in each run
    rows = Rows(options.rows)
    with tempfile.TemporaryDirectory(prefix="hostapp-real-", dir="/dev/shm") as work:
        device = Debian(options, work)
        try:
            device.prepare_base()
            seen = device.control()
            print("control, a changed byte: %s" % ("found" if seen else "NOT FOUND"), flush=True)
            rows.add("a changed byte of a real image", "kill points, real image", 1, int(seen), 0, control=True)
            begun = time.monotonic()
            numbers = KILL.points(device.calls, 1)
            chosen = sorted(random.Random(options.seed).sample(numbers, min(options.points, len(numbers))))
            found = lanes.each(device.point, [(number, index % CHECKED == 0) for index, number in enumerate(chosen)], options.jobs)
            seconds, wrong = time.monotonic() - begun, sum(bool(texts) for texts in found)
            print("deploy: %d of %d calls, %d points, %d violations, %.0f s" % (len(chosen), len(device.calls), len(numbers), wrong, seconds))
            rows.add("deploy", "kill points, real image", len(chosen), wrong, seconds)
        finally:
            device.end()
    for text in [text for texts in found for text in texts][:40]:
        print("\n" + text[:600])
    return 1 if wrong or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
