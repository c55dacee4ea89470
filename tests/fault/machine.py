#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole machine: kernel, file system, boot loader, helper and hostapp, cut from its power while it updates by itself.

A virtual machine with a device's disk goes from one of two releases to the other and back: gc, upgrade, restart into the trial, proof, and
again. Every write to its disk is kept; at a random moment the machine is killed. A cycle is one disk that this can have left:

  killed   the disk file itself: all that the machine wrote is there, for the machine is killed and not its host
  cut      the disk after a random write, of every second with random losses among those that no flush had covered

It must hold what check_disk asks for, its journal replayed, and as its boot loader reads it without; then it starts, by itself, with the old
or the new release; `status` says which, and what is in the ledger; the next update goes through; and check_disk is asked once more. Every
third is killed again, at a random moment of its first start.

Under hostapp without its syncs (lazy_sync.c) a cycle must be found wrong.
"""
import base64
import contextlib
import gzip
import multiprocessing
import os
import random
import re
import shutil
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "boot"), os.path.join(HERE, "checker")]
import checking  # noqa: E402
import disk_log  # noqa: E402
import guest  # noqa: E402
import lanes  # noqa: E402
import ledger  # noqa: E402
from device import Skipped, Tools, run  # noqa: E402
from files import Folder  # noqa: E402
from matrix_columns import COLUMNS  # noqa: E402
from matrix_device import Cell, Start  # noqa: E402
from matrix_images import Images  # noqa: E402
from options import parser  # noqa: E402
from results import Rows  # noqa: E402

UPDATE_SECONDS = 120  # of one update with its restart; a machine that takes longer hangs
# What the checker calls the loader of a column with a boot file system.
LOADERS = {"grub-bios": "grub"}

TASK = guest.MARK + r"""
dmesg -n 1
next() { [ "$(cat /usr/lib/release)" != v1 ] && echo v1 || echo v2; }
tell() { say "ledger $(gzip -c /sysroot/hostapp/boot-ledger | base64 -w 0)"; tell_status; }
update() {
  mark gc
  hostapp --quiet gc || say "gc: exit $?"
  mark upgrade
  mount --bind /mnt/$(next) /mnt
  hostapp --quiet upgrade || say "upgrade: exit $?"
  mark restart
  clean_restart
  sleep 60
}
"""
LAZY = r"""
hostapp() { [ -e /run/lazy.so ] || cp /mnt/lazy_sync.so /run/lazy.so; LD_PRELOAD=/run/lazy.so LAZY_SYNC="no sync" /usr/bin/hostapp "$@"; }
"""
FOR_EVER = r"""
before() { mark prove; }
at_end() {
  n=$(($(cat /var/updates 2>/dev/null || echo 0) + 1))
  echo $n > /var/updates
  say "update $n begins"
  update
}
"""
ONE_MORE = r"""
at_end() {
  tell
  if [ ! -e /var/one-more ]; then touch /var/one-more; update; fi
  hostapp --quiet gc || say "gc: exit $?"
  say "left $(hostapp --json --quiet gc --dry-run | tr -d '\n ')"
  say "ledger $(gzip -c /sysroot/hostapp/boot-ledger | base64 -w 0)"
}
"""


class Machine(Cell):
    """A device that finds its releases on a disk of their own."""
    log = releases = None

    def __init__(self, images, column, name, releases):
        super().__init__(images, column, name)
        self.releases, self.sees_layout = releases, True

    def drive(self):
        return guest.logged_drive(self.disk, self.log) if self.log else super().drive()

    def machine(self, task):
        return guest.WITH_US + super().machine(task)

    def layout_disk(self):
        return self.releases

    # Its disk, looked at from here.
    @contextlib.contextmanager
    def mounted(self, disk, options=""):
        """(root, boot file system or None)."""
        parts = self.partitions()
        root, boot = os.path.join(self.dir, "root"), os.path.join(self.dir, "boot")
        with_boot = self.column.boot_partition is not None
        with contextlib.ExitStack() as stack:
            for place, part in [(root, parts[-1])] + ([(boot, parts[self.column.boot_partition])] if with_boot else []):
                os.makedirs(place, exist_ok=True)
                stack.enter_context(disk_log.mounted(disk, place, options, part[:2]))
            yield root, boot if with_boot else None

    def check(self, *words, disk=None, options=""):
        """What check_disk says; with options for mounting, as the boot loader reads it."""
        try:
            with self.mounted(disk or self.disk, options) as (root, boot):
                return checking.check(root, *(["--boot", boot, "--loader", LOADERS[self.column.name]] if boot else []), *words)
        except RuntimeError as error:
            return ["cannot be mounted: %s" % error]

    def old_and_new(self):
        """The deployments that may run next."""
        with self.mounted(self.disk) as (root, _):
            record = ledger.read(Folder(root), "hostapp/boot-ledger")[0]
        return {record.default["serial"], record.trial["serial"]} - {0} if record else set()

    # What its starts said.
    def truth(self, start):
        """I7: what `status` says in this start, beside what runs and what is in the ledger."""
        helper = re.findall(r"hostapp-init: .*booting deployment (\d+)", start.console)
        release = re.findall(r"^user-space: up (\S+)", start.console, re.M)
        record = None
        for line in start.console.splitlines():
            if line.startswith("user-space: ledger "):
                data = gzip.decompress(base64.b64decode(line.split()[2]))
                record = ledger.Record(max((data[:4096], data[4096:]), key=lambda slot: getattr(ledger.record_of(slot), "generation", -1)))
            if line.startswith("user-space: status "):
                said = Start(line).status
                if not said or record is None:
                    yield "I7: " + line[:300]
                    continue
                versions = {entry["serial"]: entry["version"] for entry in said["deployments"]}
                runs = [str(said["booted"])], [versions.get(said["booted"])]
                if runs != (helper[-1:], release[-1:]):
                    yield "I7: status says that %s runs, version %s; the helper started %s, its release is %s" % (
                        said["booted"], versions.get(said["booted"]), helper, release)
                named = [said["default"], said["previous"] or 0, said["trial"]["serial"] if said["trial"] else 0]
                if named != [entry["serial"] for entry in (record.default, record.previous, record.trial)]:
                    yield "I7: status says default, previous, trial %s; the ledger %s" % (named, [entry["serial"] for entry in record.named()])
                if said["last_failure"]:
                    yield "I7: a failure that was none: %s" % said["last_failure"]

    def come_up(self, old_and_new, again, chance):
        """What is wrong with its starts, until it has made one more update by itself."""
        if again:  # whatever this start does, the next has to do
            self.start(TASK + ONE_MORE, until="Linux version", after=chance.uniform(0, 8))
        began = len(self.starts)
        for _ in range(5):
            if self.start(TASK + ONE_MORE).off:
                break
        starts = self.starts[began:]
        for start in starts:
            yield from self.truth(start)
            yield from ("I8: " + line[12:] for line in start.console.splitlines() if re.match(r"user-space: (gc|upgrade|reconcile|prove): exit", line))
        releases = [release for start in self.starts for release in re.findall(r"^user-space: up (\S+)", start.console, re.M)]
        booted = [int(serial) for start in self.starts for serial in re.findall(r"hostapp-init: .*booting deployment (\d+)", start.console)]
        last = starts[-1]
        if not releases or booted[0] not in old_and_new:
            yield "I1: it does not come up on one of %s, but %s" % (old_and_new, booted)
        elif not last.off or not last.status:
            yield "I8: not at rest after %d starts" % len(starts)
        elif last.status["trial"] or last.status["booted"] != last.status["default"] or (not again and releases[-1] == releases[0]):
            yield "I8: the next update does not go through: releases %s, status %s" % (releases, last.status)
        else:
            left = re.findall(r"^user-space: left (\{.*)", last.console, re.M)
            if not left or re.search(r'"(objects|refs|deployments|boot_sets|leftovers)":(?!0|\[\])', left[-1]):
                yield "I9: gc leaves %s" % left


class Campaign:
    """One machine with one loader, and the disks that it can have left."""

    def __init__(self, options, images, releases, column, cycles, control=False):
        self.options, self.images, self.releases, self.column = options, images, releases, COLUMNS[column]
        self.cycles, self.control, self.name = cycles, control, "(no sync)" if control else column
        self.dir = os.path.join(images.tools.work, "recording-control" if control else "recording-" + column)
        self.enough = multiprocessing.Event()
        self.chance = random.Random("%d %s" % (options.seed, column))
        os.makedirs(self.dir, exist_ok=True)

    def machine(self, name):
        return Machine(self.images, self.column, name, self.releases)

    def record(self):
        """What it has then and had not before, for another process."""
        begun, updates = time.monotonic(), 2 if self.control else min(self.options.updates, self.cycles + 1)
        machine = self.machine("recorded-control" if self.control else "recorded")
        machine.make_base()
        base = os.path.join(self.dir, "base")
        disk_log.copy(machine.disk, base)
        machine.log = os.path.join(self.dir, "log")
        # The last is cut in the middle.
        start = machine.start(TASK + FOR_EVER + (LAZY if self.control else ""), until="user-space: update %d begins" % updates,
                              after=self.chance.uniform(0, 10), restarts=True, seconds=UPDATE_SECONDS * updates)
        if "user-space: update %d begins" % updates not in start.console:
            raise RuntimeError("it does not update:\n" + start.console[-3000:])
        self.killed = os.path.join(self.dir, "killed")
        os.rename(machine.disk, self.killed)
        self.recording = disk_log.Recording(base, disk_log.read_log(machine.log), 0)
        os.remove(machine.log)
        self.marks = guest.marks(self.recording.requests)
        self.record_facts()
        self.seconds = time.monotonic() - begun
        return {name: getattr(self, name) for name in ("killed", "recording", "marks", "facts", "chance", "seconds")}

    def record_facts(self):
        """What may not change until the next update has begun."""
        self.facts = [(0, os.path.join(self.dir, "facts-0"))]
        self.facts += [(count, os.path.join(self.dir, "facts-%d" % count)) for count, text in self.marks if text == "gc"]
        machine = self.machine("facts-control" if self.control else "facts")
        image = disk_log.Image(self.recording, os.path.join(self.dir, "image"))
        for count, path in self.facts:
            image.go(count)
            image.snapshot(machine.disk)
            said = machine.check("--record", path)
            if said:
                raise RuntimeError("the machine is wrong before it is cut off: %s" % said)
        image.close()

    def points(self, cycles):
        """The disk of the killed machine itself comes last."""
        points = disk_log.crash_points(self.recording, cycles - 1, self.chance.random())
        return list(enumerate(points + [(len(self.recording.requests), "killed")]))

    def phase(self, count):
        return next((text for at, text in reversed(self.marks) if at < count), "start")

    def say(self, count, how):
        return "%s after %d of %d requests (%s)%s" % (self.column.name, count, len(self.recording.requests), self.phase(count),
                                                      "" if how is None else ", killed" if how == "killed" else ", some lost")

    def look(self, points, lane, boots):
        looked, found = 0, []
        image = disk_log.Image(self.recording, os.path.join(self.dir, "image-%d" % lane))
        for index, (count, how) in points:
            machine = self.machine("lane-%d" % lane)
            crash = os.path.join(machine.dir, "crash")
            if how == "killed":
                disk_log.copy(self.killed, crash)
            else:
                image.go(count)
                with image.lose(how or [True] * len(image.epoch)):
                    image.snapshot(crash)
            try:
                wrong = self.cycle(machine, crash, index, count, boots)
            except Exception as error:  # one cycle's trouble is a finding, and the others go on
                wrong = ["the cycle failed: %r\n%s" % (error, traceback.format_exc()[-600:])]
            if wrong and self.options.keep:
                self.keep(machine, crash, "%s-%d" % (self.column.name, index), wrong)
            found += [(self.say(count, how), text) for text in wrong]
            looked += 1
            if wrong and not boots:
                self.enough.set()
            if self.enough.is_set():
                break
        image.close()
        return looked, found

    def cycle(self, machine, crash, index, count, boots):
        before = [path for at, path in self.facts if at < count or at == 0][-1]
        found = []
        disk_log.copy(crash, machine.disk)
        if machine.column.has_loader:
            found += ["as the loader sees it: " + text for text in machine.check("--loader-view", disk=crash, options="ro,noload")]
        found += machine.check("--before", before)
        if not boots:
            return found
        old_and_new = machine.old_and_new()
        disk_log.copy(crash, machine.disk)  # with its journal as the cut has left it
        found += machine.come_up(old_and_new, index % 3 == 2, random.Random("%d %d" % (self.options.seed, index)))
        return found + ["then " + text for text in machine.check()]

    def keep(self, machine, crash, name, wrong):
        """For somebody who looks for the cause."""
        folder = os.path.join(self.options.keep, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        disk_log.copy(crash, os.path.join(folder, "disk"))
        with open(os.path.join(folder, "said"), "w", encoding="utf-8") as file:
            file.write("\n".join(wrong) + "\n" + "\n=== start ===\n".join(start.console for start in machine.starts))

    def run(self, points, boots=True):
        """(cycles, violations). Without `boots` the disks are only looked at, until one is wrong."""
        jobs = self.options.jobs
        runs = lanes.each(self.look, [(points[lane::jobs], lane, boots) for lane in range(jobs)], jobs)
        return sum(looked for looked, _ in runs), [violation for _, found in runs for violation in found]


def make_releases(images, lazy_sync):
    """A disk with a folder for each release, in which the tag that the device follows is that release."""
    folder = os.path.join(images.tools.work, "releases")
    images.need("fine-own")
    for name, tag in (("v1", "v1"), ("v2", "fine-own")):
        place = os.path.join(folder, name)
        os.makedirs(folder, exist_ok=True)
        run(["cp", "-al", images.layout, place])
        shutil.copy(os.path.join(place, "index.json"), os.path.join(place, "own"))
        os.rename(os.path.join(place, "own"), os.path.join(place, "index.json"))
        run([images.tools.hostapp_image, "copy", "--quiet", images.place(tag), "oci:%s:v1" % place])
    shutil.copy(lazy_sync, os.path.join(folder, "lazy_sync.so"))
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", folder, folder + ".img", "256M"])
    return folder + ".img"


def parse():
    made = parser(__doc__, ("build", "lazy-sync"), ("seed", "jobs", "rows", "no-controls", "keep", "work"))
    made.add_argument("--cycles", type=int, default=6)
    made.add_argument("--grub-every", type=int, default=6, metavar="N", help="every N-th cycle with GRUB; the kernel of the others is from outside")
    made.add_argument("--updates", type=int, default=3, help="in one recording")
    return made.parse_args()


def row(options, campaign, cycles, found, seconds):
    """`found`: how many, or a word of a control."""
    control = isinstance(found, str)
    Rows(options.rows).add(campaign.name, "the whole machine", cycles, int(found == "found") if control else found, seconds, control)
    print("%-28s%10d%9d%9d%8d%12s%9.1f" % (campaign.name, len(campaign.recording.requests), campaign.recording.flushes(),
                                          sum(text == "upgrade" for _, text in campaign.marks), cycles, found, seconds), flush=True)


def campaigns(options, images, releases):
    """All of them, recorded: one machine alone leaves the other processors without work."""
    with_grub = options.cycles // options.grub_every
    found = [Campaign(options, images, releases, column, cycles)
             for column, cycles in (("none", options.cycles - with_grub), ("grub-bios", with_grub)) if cycles]
    # Their first release, which the control shares.
    lanes.each(lambda campaign: campaign.machine("first").make_base(), [(campaign,) for campaign in found], options.jobs)
    if not options.no_controls:
        found.append(Campaign(options, images, releases, "none", 0, control=True))
    for campaign, made in zip(found, lanes.each(Campaign.record, [(campaign,) for campaign in found], options.jobs)):
        vars(campaign).update(made)
    return found


def main():
    options = parse()
    disk_log.alone()
    kernel = os.path.join(options.build, "tests/boot/kernel")
    run([os.path.join(TESTS, "boot/get_kernel"), kernel])
    work = tempfile.mkdtemp(prefix="hostapp-machine-", dir=options.work or "/dev/shm")
    violations, blind = [], []
    try:
        images = Images(Tools(options.build, kernel, work))
        releases = make_releases(images, options.lazy_sync)
        print("%-28s%10s%9s%9s%8s%12s%9s" % ("loader", "requests", "flushes", "updates", "cycles", "violations", "seconds"), flush=True)
        for campaign in campaigns(options, images, releases):
            begun = time.monotonic()
            if campaign.control:  # where nothing was synced the restart writes all of it at once
                points = [point for point in campaign.points(400) if campaign.phase(point[1][0]) in ("upgrade", "restart")]
            else:
                points = campaign.points(campaign.cycles)
            cycles, found = campaign.run(points, boots=not campaign.control)
            seconds = campaign.seconds + time.monotonic() - begun
            row(options, campaign, cycles, ("found" if found else "NOT FOUND") if campaign.control else len(found), seconds)
            if campaign.control:
                blind += [] if found else ["no sync"]
            else:
                violations += found
    except Skipped as reason:
        print("skipped: %s" % reason)
        return 77
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for point, text in violations[:40]:
        print("\n%s:\n    %s" % (point, text[:600]))
    if blind:
        print("\nthe suite is blind to: " + ", ".join(blind))
    return 1 if violations or blind else 0


if __name__ == "__main__":
    sys.exit(main())
