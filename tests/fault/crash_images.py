#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the power at the writes of a disk: every image that is left must hold what check_disk asks for.

A verb runs on a file system whose every write and flush is kept (disk_log.py). Then for each moment between two writes, and for random
losses among those that no flush had covered, the disk is made as it would have been, and looked at

  as Linux sees it     mounted, the journal replayed: check_disk; of every n-th, `status` says old or new, the verb again succeeds, gc
                       leaves nothing over, and check_disk once more
  as a loader sees it  mounted without the journal: what it would start is whole; of every n-th, with the files that GRUB's own code reads

With --torn some requests end between two sectors. A file system that cannot be mounted then is counted apart, beside one on which only plain
files were written: nothing that hostapp does makes it better.

A writer that does not sync, that syncs late (lazy_sync.c under the same program) or writes in place (careless.c) must be found wrong, or
the suite is.
"""
import multiprocessing
import os
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import disk_log  # noqa: E402
import grub_view  # noqa: E402
import lanes  # noqa: E402
from device import MAIN_VERBS, VERBS, Device  # noqa: E402
from disk_log import FILE_SYSTEMS, do  # noqa: E402
from options import parser  # noqa: E402
from results import Rows  # noqa: E402

# Writers that are wrong: the verb itself with lazy_sync.c under it, and one of careless.c.
CONTROLS = ("no sync", "late sync", "in place")
UNTOUCHED = "untouched"  # one that has nothing to do with the device on the same file system
CANNOT = "cannot be looked at"
UNREADABLE = "the file system, torn"


def write_plain_files(root):
    """As many as a verb does, durable, some in place of each other, and the file system frozen in between: all metadata is written then."""
    for number in range(40):
        name = "%s/hostapp/plain-%d" % (root, number % 16)
        with open(name + ".new", "wb") as file:
            file.write(os.urandom(3000))
            os.fsync(file.fileno())
        os.rename(name + ".new", name)
        do("sync", os.path.dirname(name))
        if number % 10 == 9:
            do("fsfreeze", "-f", root)
            do("fsfreeze", "-u", root)


class Campaign:
    """One verb on one file system with one loader."""

    def __init__(self, options, work, kind, loader, verb):
        self.options, self.kind, self.verb = options, kind, verb
        self.work = os.path.join(work, "%s-%s-%s" % (kind, loader, verb))
        os.makedirs(self.work)
        self.device = Device(options, self.work, None if loader == "none" else loader)
        self.before_file = self.work + "/before.json"
        self.enough = multiprocessing.Event()

    def record(self, control=None):
        before, verb, _ = VERBS[self.verb]
        environment = dict(os.environ)
        if control and control.endswith(" sync"):
            environment.update(LD_PRELOAD=self.options.lazy_sync, LAZY_SYNC=control)

        def fill(root):
            self.device.prepare(root, before)
            self.device.check(root, "--record", self.before_file)
            self.before = self.device.status(root)

        def command(root):
            if control == "in place":
                do(self.options.careless, root, "boot-set")
            elif control == UNTOUCHED:
                write_plain_files(root)
            else:
                self.device.must(root, verb, env=environment)
            self.after = self.device.status(root)
        self.recording = disk_log.record(self.work + "/disk-" + (control or "right").replace(" ", "-"), self.kind, fill, command)

    def look(self, points, lane, first):
        """(crash images, violations: (point, view, text)) of these. `first`: until one is wrong, here or in another lane."""
        folder = "%s/lane-%d" % (self.work, lane)
        os.makedirs(folder + "/mount", exist_ok=True)
        image = disk_log.Image(self.recording, folder + "/image")
        looked, found, crash = 0, [], folder + "/crash"
        for index, (count, how) in points:
            if first and self.enough.is_set():
                break
            image.go(count)
            with image.cut(how):
                image.snapshot(crash)
            name = "%s after %d of %d requests%s" % (self.verb, count - self.recording.begin, len(self.recording.requests) - self.recording.begin,
                                                   disk_log.told(how))
            if self.device.loader:
                found += [(name, "loader", text) for text in self.mounted(crash, folder + "/mount", FILE_SYSTEMS[self.kind][3], self.loader_view)]
            again = index % self.options.second_every == 0
            if again and self.device.loader == "grub":
                found += [(name, "GRUB", text) for text in self.grub_view(crash, folder + "/grub")]
            linux = self.mounted(crash, folder + "/mount", FILE_SYSTEMS[self.kind][2], self.second_run if again else self.first_look)
            torn = isinstance(how, int) and any(text.startswith(CANNOT) for text in linux)
            found += [(name, UNREADABLE if torn else "Linux", text) for text in linux]
            looked += 1
            if found:
                self.enough.set()
        image.close()
        return looked, found

    @staticmethod
    def mounted(crash, folder, options, look):
        try:
            with disk_log.mounted(crash, folder, options):
                return look(folder)
        except RuntimeError as error:
            return ["%s: %s" % (CANNOT, error)]

    def loader_view(self, root):
        return self.device.check(root, "--loader-view")

    def grub_view(self, crash, folder):
        try:
            grub_view.extract(crash, "/boot", folder)
            return self.device.check(folder, "--boot", folder, "--loader-view")
        finally:
            disk_log.remove(folder)

    def first_look(self, root):
        return self.device.check(root, "--before", self.before_file)

    def second_run(self, root):
        return self.first_look(root) + self.device.go_on(root, self.verb, self.before, self.after)

    def run(self, images, seed, first=False):
        """(crash images, violations, seconds)."""
        begun = time.monotonic()
        self.enough.clear()
        points = list(enumerate(disk_log.crash_points(self.recording, images, seed, torn=self.options.torn)))
        jobs = self.options.jobs
        runs = lanes.each(self.look, [(share, lane, first) for lane, share in enumerate(lanes.shares(points, jobs))], jobs)
        return sum(looked for looked, _ in runs), [violation for _, found in runs for violation in found], time.monotonic() - begun


def without_what_any_writer_meets(campaign, found, images):
    """(violations, a sentence): without file systems that cannot be mounted, if those of an untouched device cannot be either."""
    unreadable = [violation for violation in found if violation[1] == UNREADABLE]
    campaign.record(UNTOUCHED)
    _, control, _ = campaign.run(images, campaign.options.seed)
    untouched = len([violation for violation in control if violation[1] == UNREADABLE])
    note = ("Torn writes, %s: %d of %d images cannot be mounted, where writes ended between two sectors; where only plain files were written, "
            "%d of %d." % (campaign.kind, len(unreadable), images, untouched, images))
    return [violation for violation in found if violation not in unreadable or not untouched], note


def controls(kind):
    """btrfs commits all of itself at once: a writer that does not sync leaves what there was before, and of that nothing is wrong. That a verb
    which has ended must not be undone is simulate.py's."""
    return [control for control in CONTROLS if kind != "btrfs" or control != "no sync"]


def parse():
    made = parser(__doc__, ("hostapp", "make-tiny-image", "loader-tool", "lazy-sync", "careless"), ("seed", "jobs", "rows", "no-controls", "work"))
    made.add_argument("--fs", action="append", choices=sorted(FILE_SYSTEMS))
    made.add_argument("--loader", action="append", choices=["none", "grub", "systemd-boot", "uboot"])
    made.add_argument("--verb", action="append", choices=sorted(VERBS))
    made.add_argument("--images", type=int, default=120, help="of each verb, file system and loader")
    made.add_argument("--second-every", type=int, default=8, metavar="N", help="of every N-th image the verb runs again, and GRUB itself reads")
    made.add_argument("--torn", action="store_true", help="requests torn between two sectors, too")
    return made.parse_args()


def main():
    options = parse()
    disk_log.alone()
    work = tempfile.mkdtemp(prefix="hostapp-images-", dir=options.work or "/dev/shm")
    violations, blind = [], []
    print("%-16s%-14s%-11s%9s%9s%8s%12s%9s" % ("file system", "loader", "verb", "requests", "flushes", "images", "violations", "seconds"), flush=True)

    def row(campaign, verb, loader, images, found, seconds, note=None):
        control = isinstance(found, str)
        Rows(options.rows).add("%s, %s" % (verb.strip("()"), loader), "crash images%s, %s" % (" with torn writes" * options.torn, campaign.kind),
                               images, found if not control else int(found == "found"), seconds, control, note)
        print("%-16s%-14s%-11s%9d%9d%8d%12s%9.1f" % (
            campaign.kind, loader, verb, len(campaign.recording.requests) - campaign.recording.begin, campaign.recording.flushes(), images,
            found, seconds), flush=True)
    try:
        for kind in options.fs or ["ext4", "xfs"]:
            for loader in options.loader or ["grub"]:
                for verb in options.verb or MAIN_VERBS:
                    campaign = Campaign(options, work, kind, loader, verb)
                    campaign.record()
                    images, found, seconds = campaign.run(options.images, options.seed)
                    note = None
                    if options.torn:
                        found, note = without_what_any_writer_meets(campaign, found, images)
                        print(note, flush=True)
                    row(campaign, verb, loader, images, len(found), seconds, note)
                    violations += [(kind, loader, *violation) for violation in found]
                    for control in () if options.no_controls or verb != "deploy" else controls(kind):
                        campaign.record(control)
                        images, found, seconds = campaign.run(options.images, options.seed, first=True)
                        row(campaign, "(%s)" % control, loader, images, "found" if found else "NOT FOUND", seconds)
                        if not found:
                            blind.append("%s on %s" % (control, kind))
                    disk_log.remove(campaign.work)
    finally:
        disk_log.remove(work)
    for kind, loader, point, view, text in violations[:40]:
        print("\n%s, %s, %s, as %s sees it:\n    %s" % (kind, loader, point, view, text[:400]))
    if blind:
        print("\nthe suite is blind to: " + ", ".join(blind))
    return 1 if violations or blind else 0


if __name__ == "__main__":
    sys.exit(main())
