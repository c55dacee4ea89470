#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the power on a disk that keeps only what it must (simulated_disk.py), while the real program works on it.

The system calls of a verb are kept (call_log.py). Before each sync, all that may be lost is lost in every combination, or in so many as are
asked for, and each disk is looked at with the rules of check_disk. Of some the program itself goes on: `status` is true, the verb again
succeeds, gc leaves nothing over. Of these runs the power is cut, too, and of the runs after that.

Controls: without its syncs, with its calls in the wrong order (a ref before anything was verified, or before its objects; a commit before
what it needs; the ledger before the deployment), or with a boot entry edited in place the verb must be found wrong. --syncs leaves out each sync alone, and says which of them nothing needs.
"""
import concurrent.futures
import os
import random
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "checker"))
import call_log  # noqa: E402
from call_log import Data, Names, Sync  # noqa: E402
from deployments import Sysroot  # noqa: E402
from device import MAIN_VERBS, VERBS, Device  # noqa: E402
from files import Folder  # noqa: E402
from judge import violations  # noqa: E402
from options import parser  # noqa: E402
from results import Rows  # noqa: E402
from simulated_disk import Disk, PowerCuts  # noqa: E402
from store import Store  # noqa: E402

CONTROL_STATES = 2000


class Run:
    """A verb that ran on a folder: the disk before it, and what it did."""

    def __init__(self, device, root, verb):
        disk = Disk.of(root)
        reader = call_log.Reader(disk, root)
        done, lines = call_log.trace(device.argv(root, verb))
        if done.returncode != 0:
            raise RuntimeError("%s: exit status %d: %s" % (verb, done.returncode, done.stderr))
        self.operations, self.before = reader.read(lines), reader.before
        if missed := disk.differences(root):
            raise RuntimeError("the calls of %s do not lead to what is on the disk: %s" % (verb, missed[:5]))
        files, store = Folder(root), Store(Folder(root + "/ostree/repo"))
        self.outcome = outcome(files, store)


def outcome(files, store):
    """What the verb was for."""
    return dict(Sysroot(files, files.below("boot")).outcome(), refs=sorted(store.refs()))


class Campaign:
    """One verb with one boot loader. `facts`: what may not change, `said`: what status() says before and after it."""

    def __init__(self, options, work, loader, verb):
        self.options, self.verb = options, verb
        self.work = os.path.join(work, "%s-%s" % (loader, verb))
        os.makedirs(self.work)
        self.device = Device(options, self.work, None if loader == "none" else loader)
        root = self.work + "/root"
        self.device.prepare(root, VERBS[verb][0])
        self.facts = Sysroot(Folder(root), Folder(root + "/boot")).facts()
        before = self.device.status(root)
        self.run = Run(self.device, root, VERBS[verb][1])
        self.said = before, self.device.status(root)

    def wrong(self, left, ended):
        """`ended`: the outcome of the verb, if it had said so before the power was cut."""
        found = ["%s: %s" % violation for violation in violations(left, left.below("boot"), self.device.loader, self.facts)]
        if ended:
            now = outcome(left, Store(left.below("ostree/repo")))
            found += ["I7: the verb had ended, but %s: %s, not %s" % (name, now.get(name), ended[name]) for name in ended if now.get(name) != ended[name]]
        return found

    def look(self, run, operations, states, lane=(0, 1), every=0, first=False):
        """Of every n-th point: (states, disks, violations, [(where, disk)]: one of each `every` disks). Each found disk is judged once.
        `first`: until something is wrong."""
        count, disks, found, kept = 0, 0, [], []
        cuts, most = PowerCuts(run.before, operations, {}), share(run, operations, states)
        for point, number in enumerate(cuts.points()):
            if point % lane[1] != lane[0]:
                continue
            seen = set()
            for how, left, key in cuts.states(most, number):
                count += 1
                if key in seen:
                    continue
                seen.add(key)
                disks += 1
                where = "%s after %d of %d calls" % (self.verb, number, len(operations))
                ended = run.outcome if number == len(operations) and self.verb != "gc" else None  # what comes back is collected again
                for text in self.wrong(left, ended):
                    found.append((where, "%s: %s" % (cuts.describe(*how), text)))
                if first and found:
                    return count, disks, found, kept
                if every and disks % every == 0:
                    kept.append((where + ", " + cuts.describe(*how), left))
        return count, disks, found, kept

    def go_on(self, kept, lane, depth, chance):
        """The program on disks that a cut has left: (states tried, violations). `depth`: how often the power is cut again meanwhile."""
        count, found = 0, []
        for number, (where, left) in enumerate(kept):
            root = "%s/again-%d-%d-%d" % (self.work, lane, depth, number)
            left.materialize(root)
            try:
                if depth:
                    more, wrong, then = self.cut_again(root, where, chance)
                    count += more
                    found += wrong
                    more, wrong = self.go_on(then, lane, depth - 1, chance)
                    count += more
                    found += wrong
                else:
                    count += 1
                    found += [(where, text) for text in self.device.go_on(root, self.verb, *self.said)]
            finally:
                shutil.rmtree(root)
        return count, found

    def cut_again(self, root, where, chance):
        said = self.device.status(root)
        if said == self.said[1] and not VERBS[self.verb][2]:
            return 0, [], []  # there is nothing more to do
        run = Run(self.device, root, VERBS[self.verb][1])
        count, disks, found, kept = self.look(run, run.operations, self.options.again_states)
        chance.shuffle(kept)
        return count, [(where + "; then " + place, text) for place, text in found], [(where + "; then " + place, left) for place, left in kept[:2]]

    def lane(self, lane, lanes):
        """The part of one process."""
        options, chance = self.options, random.Random(lane)
        count, disks, found, kept = self.look(self.run, self.run.operations, options.states, (lane, lanes), every=1)
        chance.shuffle(kept)
        again = 0
        for depth, asked in enumerate(options.again):
            more, wrong = self.go_on(kept[:-(-asked // lanes)], lane, depth, chance)
            again += more
            found += wrong
        return count, disks, again, found

    # -- controls

    def control(self, operations):
        """The first violation, or None."""
        _, _, found, _ = self.look(self.run, operations, CONTROL_STATES, first=True)
        return found[0] if found else None

    def without_syncs(self):
        return [operation for operation in self.run.operations if not isinstance(operation, Sync)]

    def earlier(self, is_late, is_early):
        """The names that `is_late` comes before all that `is_early` does; each of their own syncs stays where it is."""
        late = [operation for operation in self.run.operations if is_late(operation)]
        rest = [operation for operation in self.run.operations if not is_late(operation)]
        at = next(index for index, operation in enumerate(rest) if is_early(operation))
        return rest[:at] + late + rest[at:]

    def controls(self):
        """{what is wrong with it: operations}."""
        ledger = self.run.before.find("hostapp/boot-ledger")
        refs = {inode for path, inode in folders(self.run.before, "ostree/repo/refs")}
        objects = {inode for path, inode in folders(self.run.before, "ostree/repo/objects")}

        def is_ref(operation):
            return isinstance(operation, Names) and operation.changes[-1][0] in refs and operation.changes[-1][2] is not None

        def is_object(operation):
            return isinstance(operation, Names) and operation.changes[-1][0] in objects

        def is_commit(operation):
            return is_object(operation) and operation.changes[-1][1].endswith(".commit")

        def is_ledger(operation):
            return isinstance(operation, Data) and operation.inode == ledger
        found = {"no sync": self.without_syncs(), "a ref before its objects": self.earlier(is_ref, is_object),
                 "a ref before the verdict": self.earlier(is_ref, lambda operation: True),
                 "a commit before what it needs": self.earlier(is_commit, is_object),
                 "the ledger before the deployment": self.earlier(is_ledger, lambda operation: True)}
        if self.device.loader:
            entry = self.entry()
            content = self.run.before.contents[entry]
            found["an entry edited in place"] = [*self.run.operations, Data(entry, None, b"", 0), Data(entry, 0, content, None)]
        return found

    def entry(self):
        """The inode of a file that the boot loader reads for the deployment before."""
        for folder in ("boot/hostapp/grub/entries", "boot/loader/entries", "boot/hostapp/uboot/entries"):
            try:
                inodes = [inode for _, inode in folders(self.run.before, folder)]
            except KeyError:
                continue
            return next(child for inode in inodes for name, child in sorted(self.run.before.entries[inode].items())
                        if name.endswith((".cfg", ".conf", ".env")))
        raise RuntimeError("no boot loader's entry")

    def needless_syncs(self):
        """Those that nothing notices when they alone are left out: [(index, operation)]; and how many there are."""
        operations = self.run.operations
        syncs = [index for index, operation in enumerate(operations) if isinstance(operation, Sync)]
        return [index for index in syncs if not self.control(operations[:index] + operations[index + 1:])], len(syncs)


def folders(disk, top):
    todo = [(top, disk.find(top))]
    while todo:
        path, inode = todo.pop()
        yield path, inode
        todo += [(path + "/" + name, child) for name, child in disk.entries[inode].items() if child in disk.entries]


def share(run, operations, states):
    """So many of each point that all together are `states`, where they have so many."""
    cuts = PowerCuts(run.before, operations, {})
    counts = sorted(cuts.count() for _ in cuts.points())
    for index, count in enumerate(counts):
        if count * (len(counts) - index) >= states:
            return -(-states // (len(counts) - index))
        states -= count
    return counts[-1]


def lane(campaign, number, lanes):
    return campaign.lane(number, lanes)


def parse():
    made = parser(__doc__, ("hostapp", "make-tiny-image", "loader-tool"), ("jobs", "rows", "no-controls"))
    made.add_argument("--loader", action="append", choices=["none", "grub", "systemd-boot", "uboot"])
    made.add_argument("--verb", action="append", choices=sorted(VERBS))
    made.add_argument("--states", type=int, default=4000, help="of each verb and loader")
    made.add_argument("--again", type=int, nargs="+", default=[16, 4, 2], metavar="N",
                        help="so many disks on which the program goes on; is cut off a second time first; and a third time")
    made.add_argument("--again-states", type=int, default=500, metavar="N", help="of each second or third cut")
    made.add_argument("--syncs", action="store_true", help="leave each sync out, too")
    return made.parse_args()


def main():
    options = parse()
    work, rows, found, blind = tempfile.mkdtemp(prefix="hostapp-simulated-", dir="/dev/shm"), Rows(options.rows), [], []
    print("%-14s%-11s%7s%7s%10s%10s%8s%12s%9s" % ("loader", "verb", "calls", "syncs", "states", "disks", "again", "violations", "seconds"), flush=True)
    try:
        with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
            for loader in options.loader or ["none", "grub"]:
                for verb in options.verb or MAIN_VERBS:
                    begun = time.monotonic()
                    campaign = Campaign(options, work, loader, verb)
                    runs = [pool.submit(lane, campaign, number, options.jobs) for number in range(options.jobs)]
                    counts, wrong = [0, 0, 0], []
                    for run in runs:
                        *more, violated = run.result()
                        counts, wrong = [a + b for a, b in zip(counts, more)], wrong + violated
                    seconds, operations = time.monotonic() - begun, campaign.run.operations
                    print("%-14s%-11s%7d%7d%10d%10d%8d%12d%9.1f" % (loader, verb, len(operations), sum(isinstance(one, Sync) for one in operations),
                                                                *counts, len(wrong), seconds), flush=True)
                    rows.add("%s, %s" % (verb, loader), "simulated disk", counts[0] + counts[2], len(wrong), seconds)
                    found += [(loader, *violation) for violation in wrong]
                    if verb == "deploy" and not options.no_controls:
                        for name, changed in campaign.controls().items():
                            first = campaign.control(changed)
                            print("%-14s%-47s%12s" % (loader, "(%s)" % name, "found" if first else "NOT FOUND"), flush=True)
                            rows.add("%s, %s" % (name, loader), "simulated disk", CONTROL_STATES, int(bool(first)), 0, control=True)
                            blind += [] if first else [name]
                    if options.syncs:
                        needless, count = campaign.needless_syncs()
                        print("%-14s%s: %d of %d syncs are missed when they alone are left out; not: %s" % (
                            loader, verb, count - len(needless), count, needless), flush=True)
                    shutil.rmtree(campaign.work)
    finally:
        shutil.rmtree(work)
    for loader, where, text in found[:40]:
        print("\n%s, %s:\n    %s" % (loader, where[:600], text[:600]))
    if blind:
        print("\nthe suite is blind to: " + ", ".join(blind))
    return 1 if found or blind else 0


if __name__ == "__main__":
    sys.exit(main())
