#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Damages one file of a device after the other, silently, in every way, and asks fsck.

Each class of file (objects, refs, deployments, boot sets, the ledger's slots, the loader's files) is flipped, cut to half, emptied and removed,
and a FIFO put in its place, for which nothing may wait.
`fsck` must find each damage (exit status 4), `fsck --repair` mend what the registry has or the other files say, after which fsck and check_disk
find nothing. What nothing depends on may be damaged without a word, and nothing else changes. Where a composefs image or an inlined file is
damaged the helper must not boot it. Nothing is damaged, too: then fsck is silent.
"""
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import lanes  # noqa: E402
from device import Device  # noqa: E402
from disk_log import do  # noqa: E402
from options import parser  # noqa: E402
from results import Rows  # noqa: E402
from small_registry import Registry  # noqa: E402

PREPARED = ["deploy v1", "deploy v2", "mark-good", "deploy v3"]
SLOT = 4096
# The first that matches says what a file is. Of "mended" ones --repair leaves nothing; "reported": it can only be said; "tolerated": whatever it is
# like, status and the next update do what they would. Every file is of a class, and every class has files.
CLASSES = [(re.compile(pattern), name, what) for pattern, name, what in [
    (r"ostree/repo/objects/.*\.commit$", "object: commit", "mended"),
    (r"ostree/repo/objects/.*\.dirtree$", "object: dirtree", "mended"),
    (r"ostree/repo/objects/.*\.dirmeta$", "object: dirmeta", "mended"),
    (r"ostree/repo/objects/.*\.file$", "object: file", "mended"),
    (r"ostree/repo/refs/heads/hostapp/layer/", "ref of a layer", "mended"),
    (r"ostree/repo/refs/heads/hostapp/image/", "ref of an image", "mended"),
    (r"hostapp/deployments/\d+/root\.cfs$", "root.cfs", "mended"),
    (r"hostapp/deployments/\d+/contents$", "contents", "mended"),
    (r"hostapp/deployments/\d+/deployment\.json$", "deployment.json", "reported"),
    (r"boot/hostapp/[0-9a-f]{64}/SHA256SUMS$", "SHA256SUMS of a boot set", "mended"),
    (r"boot/hostapp/[0-9a-f]{64}/", "file of a boot set", "mended"),
    (r"boot/hostapp/grub/entries/0+[23]/(entry\.cfg|SHA256SUMS)$", "GRUB's entry", "mended"),
    (r"boot/hostapp/grub/entries/0+2/good$", "GRUB's mark of goodness", "mended"),
    (r"boot/hostapp/grub/env$", "GRUB's environment", "mended"),
    (r"boot/loader/entries/hostapp-.*\.conf$", "systemd-boot's entry", "mended"),
    (r"boot/hostapp/systemd-boot/entries/[23]\.conf$", "systemd-boot's staged entry", "mended"),
    (r"boot/hostapp/systemd-boot/good/2$", "systemd-boot's mark", "mended"),
    (r"boot/hostapp/uboot/entries/[23]\.env$", "U-Boot's entry", "mended"),
    (r"boot/hostapp/uboot/state-[01]$", "U-Boot's state", "mended"),
    (r"boot/hostapp/uboot/proven$", "U-Boot's list of proven", "mended"),
    (r"hostapp/boot-ledger$", "ledger", "mended"),
    (r"ostree/repo/config$", "the store's config", "mended"),
    (r"hostapp/loader\.json$", "loader.json", "reported"),
    # Of deployments that nothing needs any more, for people only, locks, and what an installer writes and no update reads.
    (r"boot/hostapp/(grub|systemd-boot|uboot)/entries/0*1\b|hostapp/history\.json$|boot/boot\.scr$|boot/loader/loader\.conf$|.*\block$"
     r"|hostapp/deployments/\d+/good$", "others", "tolerated"),
]]


def flip(path):
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        if not data:
            return False
        data[next((at for end, at in FLIPPED_AT.items() if path.endswith(end)), len(data) // 2)] ^= 0x10
        file.seek(0)
        file.write(data)
    return True


def cut(path):
    size = os.path.getsize(path)
    os.truncate(path, size // 2)
    return size > 0


def empty(path):
    return os.path.getsize(path) > 0 and os.truncate(path, 0) is None


def remove(path):
    os.remove(path)
    return True


def slot(number):
    def damage(path):
        with open(path, "r+b") as file:
            file.seek(number * SLOT + 40)
            byte = file.read(1)
            file.seek(number * SLOT + 40)
            file.write(bytes([byte[0] ^ 1]))
        return True
    return damage


def fifo(path):
    os.remove(path)
    os.mkfifo(path)
    return True


DAMAGES = {"flipped": flip, "cut": cut, "emptied": empty, "removed": remove, "a FIFO instead": fifo}
SLOTS = {"first slot": slot(0), "second slot": slot(1)}
# What counts, where the middle may be padding, or what anybody may change.
FLIPPED_AT = {"/grub/env": 40, "/ostree/repo/config": len("[core]\nrepo_version=1\nmode=b")}


def damages_of(what):
    if what == "ledger":
        return SLOTS
    return {"removed": remove} if "mark" in what else DAMAGES  # of those only the name counts


class Suite:
    def __init__(self, options, work, loader):
        self.options, self.loader = options, loader
        self.work = os.path.join(work, loader)
        os.makedirs(self.work)
        self.device = Device(options, self.work, None if loader == "none" else loader)
        self.registry = Registry(self.device.images)
        self.base = self.work + "/base"
        self.device.prepare(self.base, [])
        for verb in PREPARED:
            words = verb.split()
            self.device.must(self.base, " ".join(words[:1] + [self.registry.reference(tag) for tag in words[1:]]))

    def cases(self):
        """[(class, file, damage)]: so many files of each class, each damage of each."""
        found, seen = [], collections.Counter()
        for folder, folders, names in os.walk(self.base):
            folders.sort()
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), self.base)
                what = next((entry[1:] for entry in CLASSES if entry[0].match(path)), None)
                if what is None:
                    raise RuntimeError("%s is of no class" % path)
                if os.path.islink(os.path.join(folder, name)) or self.is_enough(what, seen[what[0]], path):
                    continue
                seen[what[0]] += 1
                if self.options.only not in what[0]:
                    continue
                found += [(*what, path, damage) for damage in damages_of(what[0])]
        return found

    def is_enough(self, what, count, path):
        """What nothing depends on lies in many places, most of them the same for every loader."""
        if what[1] == "tolerated":
            return self.loader != "none" and not path.startswith("boot/")
        return count >= self.options.files

    def fsck(self, root, *words):
        done = self.device.run(root, " ".join(("--json", "fsck") + words))
        try:
            return done.returncode, json.loads(done.stdout)["problems"], done.stderr
        except (ValueError, KeyError):
            return done.returncode, [], done.stdout + done.stderr

    def case(self, number, what, ends, path, damage):
        """Violations."""
        root = "%s/case-%d" % (self.work, number)
        do("cp", "-a", self.base, root)
        try:
            full = os.path.join(root, path)
            os.chmod(full, 0o644)
            if what.startswith("object: file"):
                shutil.copystat(os.path.join(self.base, path), full)
            if not {**DAMAGES, **SLOTS}[damage](full):
                return []
            found = []
            status, problems, text = self.fsck(root)
            if ends == "tolerated":
                return ["%s, %s: %s" % (path, damage, text) for text in self.goes_on(root)]
            if status != 4 or ends == "mended" and not problems and "fsck --repair" not in text:
                found.append("fsck: exit status %d, %d problems: %s" % (status, len(problems), text.strip()[-300:]))
            if what == "root.cfs":
                found += self.refused(root, path)
            status, problems, text = self.fsck(root, "--repair")
            if ends == "mended":
                if status != 0:
                    found.append("fsck --repair: exit status %d: %s %s" % (status, [problem for problem in problems if not problem["repaired"]][:3], text[-300:]))
                status, problems, text = self.fsck(root)
                if status != 0 or problems:
                    found.append("fsck afterwards: exit status %d: %s %s" % (status, problems[:3], text[-300:]))
                found += ["check_disk afterwards: " + line for line in self.device.check(root)]
            return ["%s, %s, %s: %s" % (what, path, damage, text) for text in found]
        finally:
            shutil.rmtree(root)

    def goes_on(self, root):
        """What of the verbs of every day does not."""
        for verb in ("status", "mark-failed --reason damage", "deploy " + self.registry.reference("v3"), "gc"):
            done = self.device.run(root, verb)
            if done.returncode != 0:
                yield "%s: exit status %d: %s" % (verb, done.returncode, (done.stdout + done.stderr)[-300:])

    def refused(self, root, path):
        """The helper boots another one."""
        serial = path.split("/")[2]
        done = subprocess.run([self.options.boot_once, root], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0 or "serial=%s\n" % serial in done.stdout:
            yield "the helper: exit status %d: %s" % (done.returncode, done.stdout or done.stderr)


def parse():
    made = parser(__doc__, ("hostapp", "make-tiny-image", "loader-tool", "boot-once"), ("jobs", "rows"))
    made.add_argument("--loader", action="append", choices=["none", "grub", "systemd-boot", "uboot"])
    made.add_argument("--files", type=int, default=4, help="of each class")
    made.add_argument("--class", dest="only", metavar="TEXT", default="", help="those whose names contain it")
    return made.parse_args()


def main():
    options = parse()
    work, rows, violations = tempfile.mkdtemp(prefix="hostapp-damage-", dir="/dev/shm"), Rows(options.rows), []
    print("%-14s%-28s%8s%12s" % ("loader", "class", "cases", "violations"), flush=True)
    try:
        seen = set()
        for loader in options.loader or ["none", "grub", "systemd-boot", "uboot"]:
            begun, suite = time.monotonic(), Suite(options, work, loader)
            status, problems, text = suite.fsck(suite.base)
            if status or problems:
                violations.append("%s: nothing is damaged: exit status %d: %s %s" % (loader, status, problems, text))
            cases, counts = suite.cases(), collections.Counter()
            seen |= {what for what, *_ in cases}
            runs = lanes.each(suite.case, [(number, *case) for number, case in enumerate(cases)], options.jobs)
            for (what, *_), found in zip(cases, runs):
                counts[what] += bool(found)
                violations += ["%s: %s" % (loader, text) for text in found]
            for what, count in collections.Counter(case[0] for case in cases).items():
                print("%-14s%-28s%8d%12d" % (loader, what, count, counts[what]), flush=True)
            rows.add("fsck, " + loader, "silent damage", len(cases), sum(counts.values()), time.monotonic() - begun)
            shutil.rmtree(suite.work)
        if not options.loader and not options.only:
            violations += ["no file was of the class: %s" % name for _, name, _ in CLASSES if name not in seen]
    finally:
        shutil.rmtree(work)
    for text in violations[:60]:
        print("\n" + text[:700])
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
