#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the real `hostapp` before every system call that changes something, or makes that call fail; then looks.

For each verb a sysroot is prepared once. For each point it is copied, the verb is interrupted there, and then must hold:

  truthful   `status` exits 0 and describes the state before or the state after, nothing in between
  fsck       `ostree fsck` finds nothing, right away and at the end
  good       the known good deployment and its boot set are what they were, bit for bit
  converges  the same verb again succeeds (unless its outcome is there already), and after `gc` the sysroot is the same,
             serial numbers apart, as after an undisturbed run: nothing missing, nothing left over

Reads the disk itself and asks only `hostapp` and `ostree`. Before anything is believed, the harness must find each of
the writers in careless.c wrong: one that finds nothing fails.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from results import Rows  # noqa: E402

TIMEOUT = 60
SYNCS = {74: "fsync", 75: "fdatasync", 162: "sync", 306: "syncfs"}
ENOSPC, EIO, EROFS = 28, 5, 30
NO_SPACE, IO = 7, 1


class Verb:
    """One verb from one prepared state. `repeats`: run again it does nothing more once its outcome is there. `stride`:
    every n-th point only, for a verb that another one covers. `tail`: only so many of the last points."""

    def __init__(self, name, base, arguments, repeats=True, stride=1, tail=0):
        self.name, self.base, self.arguments, self.repeats, self.stride = name, base, arguments, repeats, stride
        self.tail = tail


def run(command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=TIMEOUT, **more)


def copy_tree(source, target):
    # cp keeps hard links to each other, which a deployment is made of, and makes none to the source.
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


def digest_of_tree(path, skip=()):
    """Names, types, modes, links and contents below `path`, in one digest."""
    sha = hashlib.sha256()
    for entry in sorted(entries_of(path, skip).items()):
        sha.update(repr(entry).encode())
    return sha.hexdigest()


def entries_of(path, skip=()):
    found = {}
    seen = {}
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            full = os.path.join(folder, name)
            relative = os.path.relpath(full, path)
            if relative in skip:
                continue
            info = os.lstat(full)
            kind = stat.S_IFMT(info.st_mode)
            if kind == stat.S_IFLNK:
                content = os.readlink(full)
            elif kind == stat.S_IFREG:
                if info.st_ino not in seen:
                    with open(full, "rb") as file:
                        seen[info.st_ino] = hashlib.sha256(file.read()).hexdigest()
                content = seen[info.st_ino]
            else:
                content = ""
            found[relative] = (kind, info.st_mode & 0o7777, content)
    return found


class Harness:
    def __init__(self, options):
        self.options = options
        self.images = os.path.join(options.work, "images")
        self.bases = {}

    # -- the programs

    def hostapp(self, root, *arguments):
        return [self.options.hostapp, "--sysroot", root, "--progress", "none", "--quiet", *arguments]

    def must(self, root, *arguments):
        done = run(self.hostapp(root, *arguments))
        if done.returncode != 0:
            raise SystemExit(f"preparing: hostapp {' '.join(arguments)}: {done.returncode}: {done.stderr.decode()}")
        return done

    def image(self, tag, release, initramfs):
        subprocess.run([self.options.make_tiny_image, self.images, tag, release, initramfs], check=True,
                       stdout=subprocess.DEVNULL)

    # -- preparing

    def prepare(self):
        self.image("v1", "1", "initramfs one")
        self.image("v2", "2", "initramfs two")
        self.image("v3", "3", "initramfs three")
        self.image("stable", "1", "initramfs one")
        work = self.options.work

        def base(name, before, *steps):
            root = os.path.join(work, "base-" + name)
            if before:
                copy_tree(self.bases[before], root)
            for step in steps:
                self.must(root, *step)
            self.bases[name] = root

        self.bases["nothing"] = None
        base("empty", None, ["init"])
        base("one", "empty", ["deploy", f"oci:{self.images}:stable"])
        base("checkout", "empty", ["deploy", f"oci:{self.images}:stable", "--root", "checkout"])
        base("waiting", "one", ["deploy", f"oci:{self.images}:v2"])
        base("two", "waiting", ["mark-good"])
        base("garbage", "two", ["deploy", f"oci:{self.images}:v3"], ["rollback"])
        os.makedirs(os.path.join(self.bases["garbage"], "hostapp/deployments/9/root/usr"))
        # From here on `upgrade` finds something new.
        self.image("stable", "2", "initramfs two")
        v2 = f"oci:{self.images}:v2"
        return [
            Verb("init", "nothing", ["init"]),
            # Once it is the default, the same deploy makes a trial beside it.
            Verb("deploy (first)", "empty", ["deploy", v2], repeats=False, stride=5),
            Verb("deploy", "one", ["deploy", v2]),
            Verb("deploy (checkout)", "checkout", ["deploy", v2], stride=5),
            Verb("upgrade", "one", ["upgrade"]),
            Verb("mark-good", "waiting", ["mark-good"], repeats=False),
            Verb("mark-failed", "waiting", ["mark-failed", "--reason", "a test"], repeats=False),
            Verb("rollback (trial)", "waiting", ["rollback"], repeats=False),
            Verb("rollback", "two", ["rollback"], repeats=False),
            Verb("rollback --to", "two", ["rollback", "--to", "1"]),
            Verb("gc", "garbage", ["gc"]),
        ]

    def fresh(self, base):
        folder = tempfile.mkdtemp(prefix="point-", dir=self.options.work)
        root = os.path.join(folder, "root")
        if self.bases[base]:
            copy_tree(self.bases[base], root)
        return folder, root

    # -- looking

    def status(self, root):
        """(what boots, in words that do not depend on serial numbers) or the exit code."""
        done = run(self.hostapp(root, "--json", "status"))
        if done.returncode != 0:
            return done.returncode, done.stdout.decode() + done.stderr.decode()
        answer = json.loads(done.stdout)
        digests = {d["serial"]: d["manifest_digest"] for d in answer["deployments"]}
        trial = answer["trial"]
        failure = answer["last_failure"]
        return (digests.get(answer["default"]), digests.get(answer["previous"]),
                trial and (digests.get(trial["serial"]), trial["tries_left"]), digests.get(answer["next_boot"]),
                failure and (failure["cause"], failure["text"])), ""

    def fsck(self, root):
        repo = os.path.join(root, "ostree/repo")
        # The last that `init` makes: before that there is no store yet.
        if not os.path.exists(os.path.join(root, "hostapp/boot-ledger")) and not os.path.exists(
                os.path.join(root, "hostapp/deployments/1")):
            return ""
        done = run(["ostree", f"--repo={repo}", "fsck", "--quiet"])
        return "" if done.returncode == 0 else (done.stdout + done.stderr).decode()

    def good(self, root):
        """The deployment that was the default before, and its boot set."""
        path = os.path.join(root, "hostapp/deployments/1")
        if not os.path.exists(path):
            return ""
        with open(os.path.join(path, "deployment.json"), encoding="utf-8") as file:
            boot_set = json.load(file)["boot_set"]
        # Marks come and go with the verbs; etc/ is forgotten when a trial is armed again.
        return digest_of_tree(path, skip=("good", ".good.new", "etc")) + digest_of_tree(
            os.path.join(root, "boot/hostapp", boot_set))

    def outcome(self, root):
        """Everything on disk, with serial numbers replaced by their order and the ledger by what `status` reads in it."""
        if not os.path.exists(root):
            return {}
        deployments = os.path.join(root, "hostapp/deployments")
        serials = sorted((int(name) for name in os.listdir(deployments) if name.isdigit())) if os.path.isdir(
            deployments) else []
        order = {str(serial): f"#{i}" for i, serial in enumerate(serials)}
        found = {}
        for path, value in entries_of(root).items():
            # The history is for people, and a second try is one more line of it.
            if path in ("hostapp/store.lock", "hostapp/ledger.lock", "hostapp/boot-ledger", "hostapp/history.json",
                        "ostree/repo/.lock", "hostapp/tmp/import.lock"):
                continue
            parts = path.split("/")
            if parts[:2] == ["hostapp", "deployments"] and len(parts) > 2:
                parts[2] = order.get(parts[2], parts[2])
                if parts[3:] == ["deployment.json"]:
                    with open(os.path.join(root, path), encoding="utf-8") as file:
                        record = json.load(file)
                    record["serial"], record["created"] = parts[2], "then"
                    value = value[:2] + (json.dumps(record, sort_keys=True),)
            found["/".join(parts)] = value
        return found

    # -- one point

    def check(self, verb, root, before, after, good, expected, repeat):
        """Yields (invariant, what is wrong)."""
        answer, text = self.status(root)
        done = answer == after
        allowed = [before, after] + ([3] if verb.name == "init" else [])
        if answer not in allowed:
            yield "truthful", f"status says {answer} {text.strip()}"
        if problem := self.fsck(root):
            yield "fsck", problem
        try:
            if good and self.good(root) != good:
                yield "good", "the known good deployment or its boot set has changed"
        except (OSError, ValueError) as error:
            yield "good", str(error)
        if repeat and (verb.repeats or not done):
            again = run(self.hostapp(root, *verb.arguments))
            if again.returncode != 0:
                yield "converges", f"again: exit {again.returncode}: {again.stderr.decode().strip()}"
        collected = run(self.hostapp(root, "gc"))
        if collected.returncode != 0:
            yield "converges", f"gc: exit {collected.returncode}: {collected.stderr.decode().strip()}"
        answer, text = self.status(root)
        if answer != expected[0]:
            yield "converges", f"status says {answer}, not {expected[0]} {text.strip()}"
        found = self.outcome(root)
        if found != expected[1]:
            names = sorted(name for name in found.keys() | expected[1].keys() if found.get(name) != expected[1].get(name))
            marks = {(True, False): "-", (False, True): "+", (True, True): "~"}
            shown = [marks[(name in expected[1], name in found)] + name for name in names[:6]]
            yield "converges", f"{len(names)} differences: {' '.join(shown)}"
        if problem := self.fsck(root):
            yield "fsck", "at the end: " + problem

    def reference(self, verb):
        """What an undisturbed run does and leads to: (calls, status before, after; status and outcome after gc; good)."""
        folder, root = self.fresh(verb.base)
        try:
            before = self.status(root)[0]
            good = self.good(root)
            listed = os.path.join(folder, "calls")
            done = run([self.options.killat, "-l", listed, *self.hostapp(root, *verb.arguments)])
            if done.returncode != 0:
                raise SystemExit(f"{verb.name}: undisturbed: {done.returncode}: {done.stderr.decode()}")
            with open(listed, encoding="ascii") as file:
                calls = [int(line) for line in file]
            after = self.status(root)[0]
            self.must(root, "gc")
            return calls, before, after, good, (self.status(root)[0], self.outcome(root))
        finally:
            shutil.rmtree(folder)

    def point(self, verb, number, reference, error=None):
        _, before, after, good, expected = reference
        folder, root = self.fresh(verb.base)
        violations = []
        try:
            flags = ["-n", str(number)] + (["-e", str(error)] if error else [])
            done = run([self.options.killat, *flags, *self.hostapp(root, *verb.arguments)])
            text = done.stderr.decode(errors="replace").strip()
            # A run that a thread's timing made a call shorter ends undisturbed: that is a result too.
            if error and done.returncode not in (0, IO, NO_SPACE):
                violations.append(("exit", f"exit {done.returncode}: {text}"))
            if error == ENOSPC and done.returncode == IO and "No space left" in text:
                violations.append(("exit", f"no space, but exit {IO}: {text}"))
            if error and done.returncode == 0 and self.status(root)[0] != after:
                violations.append(("exit", f"exit 0, but nothing was done: {text}"))
            if error and done.returncode != 0 and sum(line.startswith("hostapp: ") for line in text.splitlines()) != 1:
                violations.append(("exit", f"not one line of error: {text}"))
            violations += self.check(verb, root, before, after, good, expected, repeat=True)
            return [(f"{verb.name} at call {number}" + (f", error {error}" if error else ""), *v, text)
                    for v in violations]
        except Exception as error_met:  # pylint: disable=broad-except
            return [(f"{verb.name} at call {number}", "harness", repr(error_met), "")]
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # -- controls

    def control(self, kind, expected_kinds, base="one"):
        """How many points of a careless writer there are, and which invariants it was seen to break."""
        folder, root = self.fresh(base)
        counted = run([self.options.killat, self.options.careless, root, kind])
        calls = int(re.search(rb"killat: (\d+) mutating", counted.stderr).group(1))
        before = self.status(root)[0]
        good = self.good(root)
        verb = Verb("careless", base, [])
        self.must(root, "gc")
        expected = (self.status(root)[0], self.outcome(root))
        shutil.rmtree(folder)
        broken = set()
        for number in range(1, calls + 1):
            folder, root = self.fresh(base)
            run([self.options.killat, "-n", str(number), self.options.careless, root, kind])
            broken |= {v[0] for v in self.check(verb, root, before, before, good, expected, repeat=False)}
            shutil.rmtree(folder)
        if not expected_kinds <= broken:
            raise SystemExit(f"the harness is blind: the careless writer \"{kind}\" broke {sorted(expected_kinds)}, "
                             f"seen: {sorted(broken)}")
        return calls, broken


# What each careless writer breaks, and where it works.
CONTROLS = {
    "ledger": ({"truthful"}, "one"),
    "object": ({"fsck", "good"}, "checkout"),
    "good": ({"good"}, "checkout"),
    "root-image": ({"good"}, "one"),
    "boot-set": ({"good"}, "one"),
    "leftover": ({"converges"}, "one"),
}


def points_of(calls, options):
    """The points worth a run of their own.

    A killed program leaves what it wrote whether it was synced or not: to be killed before a call that follows a sync is
    to be killed before that sync. libostree syncs all its 256 folders each time; of such a run that is made to fail, the
    first, the last and every 32nd stand for all."""
    numbers = []
    for number in range(1, len(calls) + 1):
        synced = number > 1 and calls[number - 2] in SYNCS
        if options.mode == "crash" and synced:
            continue
        within = synced and calls[number - 1] in SYNCS and number < len(calls) and calls[number] in SYNCS
        if options.mode == "errno" and within and number % 32:
            continue
        numbers.append(number)
    return numbers[::options.stride]


def arguments(*programs):
    os.environ["HOSTAPP_JOBS"] = "1"  # The n-th call is the same one in each run.
    parser = argparse.ArgumentParser()
    for program in ("hostapp", "killat", "make-tiny-image", *programs):
        parser.add_argument("--" + program, required=True)
    parser.add_argument("--work", help="where; default: a folder in /dev/shm or TMPDIR")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--stride", type=int, default=int(os.environ.get("HOSTAPP_FAULT_STRIDE", "1")),
                        help="every n-th point only")
    parser.add_argument("--verb", action="append", help="only this one")
    parser.add_argument("--point", type=int, help="only this one")
    parser.add_argument("--rows", help="a file for results.py")
    parser.add_argument("mode", choices=["crash", "errno"], default="crash", nargs="?")
    return parser.parse_args()


def main():
    options = arguments("careless")
    parent = options.work or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    options.work = tempfile.mkdtemp(prefix="hostapp-fault-", dir=parent)
    try:
        return measure(Harness(options), options)
    finally:
        shutil.rmtree(options.work, ignore_errors=True)


def measure(harness, options):
    verbs = harness.prepare()
    rows = Rows(options.rows)
    print(f"{'verb':<20}{'points':>8}{'violations':>12}{'seconds':>9}", flush=True)
    for kind, (expected, base) in CONTROLS.items():
        started = time.monotonic()
        calls, broken = harness.control(kind, expected, base)
        print(f"{'(careless ' + kind + ')':<20}{calls:>8}{'found':>12}{time.monotonic() - started:>9.1f}", flush=True)
        rows.add("careless: " + kind, "kill points", calls, len(broken), time.monotonic() - started, control=True)
    violations = []
    if options.mode == "errno":
        verbs = [verb for verb in verbs if verb.name == "deploy"]
    if options.verb:
        verbs = [verb for verb in verbs if verb.name in options.verb]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for verb in verbs:
            started = time.monotonic()
            reference = harness.reference(verb)
            numbers = [options.point] if options.point else points_of(reference[0], options)[::verb.stride]
            # No space is what happens; the others take the same ways out.
            errors = {ENOSPC: 1, EIO: 4, EROFS: 4} if options.mode == "errno" else {None: 1}
            jobs = [pool.submit(harness.point, verb, n, reference, e)
                    for e, stride in errors.items() for n in numbers[::1 if options.point else stride]]
            found = [violation for job in jobs for violation in job.result()]
            points = len({v[0] for v in found})
            print(f"{verb.name:<20}{len(jobs):>8}{points:>12}{time.monotonic() - started:>9.1f}", flush=True)
            method = "failing calls (ENOSPC, EIO, EROFS)" if options.mode == "errno" else "kill points"
            rows.add(verb.name, method, len(jobs), points, time.monotonic() - started)
            violations += found
    return report(violations)


def report(violations):
    for where, invariant, what, text in violations[:60]:
        print(f"\n{where}: {invariant}: {what}\n    {text[-300:]}")
    if len(violations) > 60:
        print(f"\n… and {len(violations) - 60} more")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
