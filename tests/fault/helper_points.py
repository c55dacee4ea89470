#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the helper before every system call that changes something, or makes that call fail; then boots again.

boot_once is the helper's own code, which composes the deployment for real, in mounts of its own. Wherever it was cut off

  disk       check_disk finds nothing
  counted    the trial has as many tries as before, or one less; `status` says so
  boots      the next boot starts the trial while it has tries left and the default when it has none; after at most as many boots
             as there are tries the default runs
  reset      a factory reset that was asked for is done by the next boot: nothing of the device's is in /var, what is kept is there
  fails      where a call fails another deployment is composed, or it is said why none can be; the next boot is as after a cut

Control: a helper whose write to the ledger is undone must be found to try a trial for ever.
"""
import json
import os
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

TRIAL = ["deploy v1", "deploy v2"]
PROVEN = [*TRIAL, "mark-good"]
# name: (what was done before, how often it has booted since, what may run in the end)
STATES = {
    "trial": (TRIAL, 0, {1}),
    "last try": (TRIAL, 2, {1}),
    "no tries left": (TRIAL, 3, {1}),
    "default": (PROVEN, 0, {2}),
    "third attempt": (PROVEN, 2, {1, 2}),  # cut off, it was the third that did not reach user space: the default gives way
    "ledger lost": (PROVEN, 0, {2}),
    "factory reset": (PROVEN, 0, {2}),
}
OWN_CALLS, NOTHING = 2, 4  # of boot_once, before the helper; its exit status
ERRORS = {28: "ENOSPC", 5: "EIO", 30: "EROFS"}
KEPT, RESET = "home/kept", "lib/device-data"


class Harness:
    def __init__(self, options, work):
        self.options, self.work, self.bases = options, work, {}
        self.device = Device(options, work, None)

    def prepare(self, name):
        verbs, boots, _ = STATES[name]
        root = self.bases[name] = "%s/%s" % (self.work, name.replace(" ", "-"))
        self.device.prepare(root, verbs)
        for _ in range(boots):
            self.must_boot(root)
        if name == "ledger lost":
            with open(root + "/hostapp/boot-ledger", "r+b") as file:
                file.write(bytes(8192))
        elif name == "factory reset":
            self.must_boot(root)  # which fills /var
            for place in (KEPT, RESET):
                path = os.path.join(root, "hostapp/var", place)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="ascii") as file:
                    file.write(place)
            self.device.must(root, "factory-reset --yes --keep /var/" + os.path.dirname(KEPT))

    def boot(self, root, *before):
        command = [*before, self.options.boot_once, root]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)

    def must_boot(self, root):
        """The serial that was booted; RuntimeError."""
        done = self.boot(root)
        if done.returncode != 0:
            raise RuntimeError("the helper: exit status %d: %s" % (done.returncode, done.stderr[-500:]))
        return int(dict(line.split("=", 1) for line in done.stdout.splitlines())["serial"])

    def ledger(self, root):
        """(default, trial, tries left) of `status`; zeros: the ledger is lost."""
        done = self.device.run(root, "--json status")
        if done.returncode != 0:
            return 0, 0, 0
        said = json.loads(done.stdout)
        trial = said["trial"] or {"serial": 0, "tries_left": 0}
        return said["default"], trial["serial"], trial["tries_left"]

    def calls(self, name):
        root = self.fresh(name, "count")
        try:
            done = self.boot(root, self.options.killat)
            return int(done.stderr.rpartition("killat: ")[2].split()[0])
        finally:
            shutil.rmtree(root)

    def fresh(self, name, point):
        root = "%s/point-%s-%s" % (self.work, name.replace(" ", "-"), point)
        do("cp", "-a", self.bases[name], root)
        return root

    def point(self, name, number, error=None):
        """Violations of one cut or failing call."""
        root = self.fresh(name, "%d-%s" % (number, error))
        where = "%s, call %d%s" % (name, number, ", " + ERRORS[error] if error else "")
        try:
            before = self.ledger(root)
            done = self.boot(root, self.options.killat, "-n", str(number), *(["-e", str(error)] if error else []))
            found = []
            if error and done.returncode != 0 and not (done.returncode == NOTHING and "nothing bootable" in done.stderr):
                found.append("fails: exit status %d: %s" % (done.returncode, done.stderr[-300:]))
            return [(where, text) for text in found + list(self.check(name, root, before))]
        except (RuntimeError, ValueError, KeyError, OSError) as problem:
            return [(where, "harness: %r" % problem)]
        finally:
            shutil.rmtree(root)

    def check(self, name, root, before):
        now = self.ledger(root)
        if name != "ledger lost":
            for text in self.device.check(root):
                yield "disk: " + text
            allowed = [before[2], max(0, before[2] - 1)]
            if now[0] != before[0] or now[1] not in (before[1], 0) or (now[1] and now[2] not in allowed):
                yield "counted: %s before, %s after" % (before, now)
        for boots in range(6):
            default, trial, tries = self.ledger(root)
            booted = self.must_boot(root)
            if booted != (trial if trial and tries else default or booted) and booted not in STATES[name][2]:
                yield "boots: deployment %d with default %d, trial %d, tries %d" % (booted, default, trial, tries)
            if not trial or not tries:
                break
        if booted not in STATES[name][2] or boots > before[2] + 1:
            yield "boots: after %d boots deployment %d runs" % (boots + 1, booted)
        for text in self.device.check(root):
            yield "disk, in the end: " + text
        if name == "factory reset":
            var = root + "/hostapp/var/"
            if os.path.exists(var + RESET) or not os.path.exists(var + KEPT):
                yield "reset: /var has %s" % sorted(os.listdir(var))

    def control(self):
        """The ledger's write is undone after each boot."""
        root = self.fresh("trial", "control")
        try:
            before = self.ledger(root)
            real = self.must_boot

            def forgetful(root):
                shutil.copy(root + "/hostapp/boot-ledger", self.work + "/ledger")
                booted = real(root)
                shutil.copy(self.work + "/ledger", root + "/hostapp/boot-ledger")
                return booted
            self.must_boot = forgetful
            return list(self.check("trial", root, before))
        finally:
            self.must_boot = real
            shutil.rmtree(root)


def parse():
    made = parser(__doc__, ("hostapp", "make-tiny-image", "loader-tool", "killat", "boot-once"), ("stride", "jobs", "rows"))
    made.add_argument("--state", action="append", choices=sorted(STATES))
    made.add_argument("--errors", action="store_true", help="each call fails, too, with %s" % ", ".join(ERRORS.values()))
    return made.parse_args()


def main():
    options = parse()
    work, rows, violations = tempfile.mkdtemp(prefix="hostapp-helper-", dir="/dev/shm"), Rows(options.rows), []
    print("%-16s%-20s%8s%12s%9s" % ("state", "method", "points", "violations", "seconds"), flush=True)
    try:
        harness = Harness(options, work)
        harness.prepare("trial")
        blind = not harness.control()
        print("%-16s%-20s%8s%12s" % ("(forgetful)", "kill points", "", "NOT FOUND" if blind else "found"), flush=True)
        rows.add("helper: forgetful", "kill points", 1, int(not blind), 0, control=True)
        for name in options.state or STATES:
            if name not in harness.bases:
                harness.prepare(name)
            numbers = range(OWN_CALLS + 1, harness.calls(name) + 1)[::options.stride]
            for method, errors in [("kill points", [None]), *([("failing calls", ERRORS)] if options.errors else [])]:
                begun = time.monotonic()
                cases = [(name, number, error) for number in numbers for error in errors]
                found = [violation for run in lanes.each(harness.point, cases, options.jobs) for violation in run]
                seconds, points = time.monotonic() - begun, len({where for where, _ in found})
                print("%-16s%-20s%8d%12d%9.1f" % (name, method, len(cases), points, seconds), flush=True)
                rows.add("helper: " + name, method, len(cases), points, seconds)
                violations += found
    finally:
        shutil.rmtree(work)
    for where, text in violations[:40]:
        print("\n%s:\n    %s" % (where, text))
    return 1 if violations or blind else 0


if __name__ == "__main__":
    sys.exit(main())
