#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the real `hostapp` before every system call that changes something, or makes that call fail (faults.py); then looks.

For each verb a sysroot is prepared once. For each point it is copied, the verb is interrupted there, and then must hold:

  truthful   `status` exits 0 and describes the state before or the state after, nothing in between
  fsck       `ostree fsck` finds nothing, right away and at the end
  good       the known good deployment and its boot set are what they were, bit for bit
  converges  the same verb again succeeds (unless its outcome is there already), and after `gc` the sysroot is the same,
             serial numbers apart, as after an undisturbed run: nothing missing, nothing left over
  then       any other verb instead does what it is for or is not possible (exit status 3; 8 to remove what is in use); after `gc`
             nothing is left over, and `hostapp fsck` and check_disk find nothing

Points that leave the same disk, name by name and bit by bit, are judged once. Reads the disk itself and asks only `hostapp` and `ostree`. Before anything is believed, the harness must find each of
the writers in careless.c wrong: one that finds nothing fails.
"""
import glob
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
import checking  # noqa: E402
import lanes  # noqa: E402
from faults import FAILURES, KILL, NO_SPACE, OTHER  # noqa: E402
from options import parser  # noqa: E402
from results import Rows  # noqa: E402

TIMEOUT = 60
# What is done where another verb was cut off: {name: words}; {images} are the harness's own.
THEN = {words: words.split() for words in (
    "init", "pull oci:{images}:v3", "deploy oci:{images}:v3", "upgrade", "rollback", "mark-good", "mark-failed --reason then", "pin 1", "unpin 1",
    "remove 2", "gc", "fsck", "fsck --repair", "reconcile")}
DONE, NOT_IN_THAT_STATE, DAMAGED, IN_USE = 0, 3, 4, 8


class Verb:
    """One verb from one prepared state. `repeats`: run again it does nothing more once its outcome is there, and ends with one of
    `again`. `stride`: every n-th point only, where not every one
    is asked for: the verb is covered by another one, or its points are many and alike. `tail`: only so many of the last points. `mends`: the
    state has damage, which the verb takes away."""

    def __init__(self, name, base, arguments, repeats=True, stride=1, tail=0, again=(DONE,), mends=False):
        self.name, self.base, self.arguments, self.repeats, self.stride = name, base, arguments, repeats, stride
        self.tail, self.again, self.mends = tail, again, mends


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
    found, seen, todo = {}, {}, [(path, "")]
    while todo:
        folder, prefix = todo.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name, info = prefix + entry.name, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    todo.append((entry.path, name + "/"))
                if name not in skip:
                    found[name] = stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode), content_of(entry.path, info, seen)
    return found


def content_of(path, info, seen):
    """`seen`: of the inodes that have been read already."""
    if stat.S_ISLNK(info.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(info.st_mode):
        return ""
    if info.st_ino not in seen:
        with open(path, "rb", buffering=0) as file:
            seen[info.st_ino] = hashlib.sha256(file.read()).hexdigest()
    return seen[info.st_ino]


def fingerprint(path):
    """Of all that a program can see below `path` but times and numbers of inodes: of equal ones the same is true."""
    sha, seen, numbers = hashlib.sha256(), {}, {}

    def take(path, name, info):
        xattrs = [(key, os.getxattr(path, key, follow_symlinks=False)) for key in sorted(os.listxattr(path, follow_symlinks=False))]
        number = numbers.setdefault(info.st_ino, len(numbers))
        sha.update(repr((name, number, info.st_mode, info.st_uid, info.st_gid, content_of(path, info, seen), xattrs)).encode())
        if stat.S_ISDIR(info.st_mode):
            with os.scandir(path) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    take(entry.path, os.path.join(name, entry.name), entry.stat(follow_symlinks=False))
    if os.path.lexists(path):
        take(path, "", os.lstat(path))
    return sha.hexdigest()


def damage(root):
    """Of an object, a composefs image and a boot set's file one byte each, and the ref of an image; nothing of the default before."""
    objects = [path for path in glob.glob(root + "/ostree/repo/objects/*/*.file") if not os.path.islink(path)]
    with open(root + "/hostapp/deployments/2/deployment.json", encoding="utf-8") as file:
        boot_set = json.load(file)["boot_set"]
    for path in (max(objects, key=os.path.getsize), root + "/hostapp/deployments/2/root.cfs", f"{root}/boot/hostapp/{boot_set}/initrd"):
        os.chmod(path, 0o644)
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
    os.remove(max(glob.glob(root + "/ostree/repo/refs/heads/hostapp/image/*"), key=os.path.getmtime))


class Harness:
    loader = None

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
        base("pinned", "two", ["pin", "1"])
        base("damaged", "two")
        damage(self.bases["damaged"])
        # From here on `upgrade` finds something new.
        self.image("stable", "2", "initramfs two")
        v2 = f"oci:{self.images}:v2"
        return [
            Verb("init", "nothing", ["init"], stride=5),
            # Once it is the default, the same deploy makes a trial beside it.
            Verb("deploy (first)", "empty", ["deploy", v2], repeats=False),
            Verb("deploy", "one", ["deploy", v2]),
            Verb("deploy (checkout)", "checkout", ["deploy", v2], stride=5),
            Verb("upgrade", "one", ["upgrade"], stride=5),
            Verb("mark-good", "waiting", ["mark-good"], repeats=False),
            Verb("mark-failed", "waiting", ["mark-failed", "--reason", "a test"], repeats=False),
            Verb("rollback (trial)", "waiting", ["rollback"], repeats=False),
            Verb("rollback", "two", ["rollback"], repeats=False),
            Verb("rollback --to", "two", ["rollback", "--to", "1"]),
            Verb("gc", "garbage", ["gc"]),
            Verb("pull", "one", ["pull", v2], stride=5),
            Verb("pin", "two", ["pin", "1"]),
            Verb("unpin", "pinned", ["unpin", "1"]),
            Verb("remove", "garbage", ["remove", "3"], again=(DONE, NOT_IN_THAT_STATE)),
            Verb("fsck --repair", "damaged", ["fsck", "--repair"], stride=3, mends=True),
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

        def ostree():
            done = run(["ostree", f"--repo={repo}", "fsck", "--quiet"])
            return "" if done.returncode == 0 else (done.stdout + done.stderr).decode()
        return self.once("fsck", fingerprint(repo), ostree)

    def good(self, root):
        """The deployment that was the default before, and its boot set."""
        path = os.path.join(root, "hostapp/deployments/1")
        if not os.path.exists(path):
            return ""
        with open(os.path.join(path, "deployment.json"), encoding="utf-8") as file:
            boot_set = json.load(file)["boot_set"]
        # Marks come and go with the verbs; etc/ is forgotten when a trial is armed again.
        return digest_of_tree(path, skip=("good", ".good.new", "pinned", ".pinned.new", "etc")) + digest_of_tree(
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
        if not verb.mends and (problem := self.fsck(root)):
            yield "fsck", problem
        try:
            if good and self.good(root) != good:
                yield "good", "the known good deployment or its boot set has changed"
        except (OSError, ValueError) as error:
            yield "good", str(error)
        if repeat and (verb.repeats or not done):
            again = run(self.hostapp(root, *verb.arguments))
            if again.returncode not in verb.again:
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

    def then(self, verb, root, words):
        """Yields (invariant, what is wrong) when another verb comes next."""
        done = run(self.hostapp(root, *(word.format(images=self.images) for word in words)))
        ends = {DONE, NOT_IN_THAT_STATE} | ({IN_USE} if words[0] == "remove" else set())
        if done.returncode not in ends | ({DAMAGED} if verb.mends or verb.base == "nothing" else set()):
            yield "then", f"{' '.join(words)}: exit {done.returncode}: {done.stderr.decode().strip()}"
        for own in (["init"], ["fsck", "--repair"] if verb.mends else ["reconcile"], ["gc"], ["fsck"]):
            done = run(self.hostapp(root, *own))
            if done.returncode != 0:
                yield "then", f"{' '.join(words)}, {' '.join(own)}: exit {done.returncode}: {(done.stdout + done.stderr).decode().strip()}"
        left = json.loads(run(self.hostapp(root, "--json", "gc", "--dry-run")).stdout)
        if any(left.get(name) for name in ("objects", "refs", "deployments", "boot_sets", "leftovers")):
            yield "then", f"{' '.join(words)}, gc leaves {left}"
        if verb.base != "nothing":
            yield from (("then", f"{' '.join(words)}: {line}") for line in checking.check(root))

    def ended(self, verb, root, fault, status, text, after):
        """Yields what is wrong with how the verb ended."""
        if fault.ends is None:
            return
        if verb.mends and status == DAMAGED:  # what could not be mended is still there, and it is said why
            if not re.search("^(hostapp|warning|deployment|damaged-[a-z-]+|missing-ref): ", text, re.M):
                yield "exit", f"not repaired, and nobody says why: {text}"
            return
        # A run that a thread's timing made a call shorter ends undisturbed: that is a result too.
        if status not in fault.ends:
            yield "exit", f"exit {status}: {text}"
        if status == OTHER and ("No space left" in text or "quota exceeded" in text):
            yield "exit", f"no space, but exit {OTHER}, not {NO_SPACE}: {text}"
        if status == 0 and self.status(root)[0] != after:
            yield "exit", f"exit 0, but nothing was done: {text}"
        if status != 0 and sum(line.startswith("hostapp: ") for line in text.splitlines()) != 1:
            yield "exit", f"not one line of error: {text}"

    def point(self, verb, number, reference, fault=KILL, thens=()):
        _, before, after, good, expected = reference
        folder, root = self.fresh(verb.base)
        where = f"{verb.name} at call {number}, {fault.name}"
        try:
            done = run([self.options.killat, *fault.at(number), *self.hostapp(root, *verb.arguments)])
            text = (done.stdout * verb.mends + done.stderr).decode(errors="replace").strip()
            violations = list(self.ended(verb, root, fault, done.returncode, text, after))
            left = fingerprint(root)
            for words in thens:
                violations += self.once([verb.name, words], left, lambda words=words: list(self.then_beside(verb, folder, root, words)))
            violations += self.once(verb.name, left, lambda: list(self.check(verb, root, before, after, good, expected, repeat=True)))
            return [(where, *violation, text) for violation in violations], left
        except Exception as error_met:  # pylint: disable=broad-except
            return [(where, "harness", repr(error_met), "")], None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def once(self, what, left, judge):
        """judge()'s answer, or the one that another point was given about the same disk."""
        name = hashlib.sha256(repr((self.loader, what, left)).encode()).hexdigest()
        known = os.path.join(self.options.work, "judged-" + name)
        if not os.path.exists(known):
            answer = judge()
            with tempfile.NamedTemporaryFile("w", dir=self.options.work, delete=False) as file:
                json.dump(answer, file)
            os.rename(file.name, known)
        with open(known, encoding="ascii") as file:
            return json.load(file)

    def then_beside(self, verb, folder, root, words):
        """then() on a copy."""
        other = folder + "/then"
        if os.path.exists(root):
            copy_tree(root, other)
        yield from self.then(verb, other, words)
        shutil.rmtree(other, ignore_errors=True)

    def points(self, verb, points, reference):
        """(violations, different disks) of these [(number, fault, thens)]."""
        cases = [(verb, number, reference, *rest) for number, *rest in points]
        found = lanes.each(self.point, cases, self.options.jobs, together=max(1, min(8, len(cases) // (4 * self.options.jobs))))
        return [violation for violations, _ in found for violation in violations], len({left for _, left in found})

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

        def point(number):
            folder, root = self.fresh(base)
            run([self.options.killat, "-n", str(number), self.options.careless, root, kind])
            found = {violation[0] for violation in self.check(verb, root, before, before, good, expected, repeat=False)}
            shutil.rmtree(folder)
            return found
        broken = set().union(*lanes.each(point, [(number,) for number in range(1, calls + 1)], self.options.jobs))
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


def arguments(*programs):
    os.environ["HOSTAPP_JOBS"] = "1"  # The n-th call is the same one in each run.
    made = parser(__doc__, ("hostapp", "killat", "make-tiny-image", *programs), ("work", "jobs", "stride", "rows"))
    made.set_defaults(stride=int(os.environ.get("HOSTAPP_FAULT_STRIDE", "1")))
    made.add_argument("--verb", action="append", help="only this one")
    made.add_argument("--every", action="store_true", help="every call of every verb; without, of some verbs a sample")
    made.add_argument("--full", action="store_true", help="the same; and after a kill each other verb, not one of them in turn")
    made.add_argument("--point", type=int, help="only this one")
    made.add_argument("mode", choices=["crash", "errno"], default="crash", nargs="?")
    return made.parse_args()


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
    print(f"{'verb':<20}{'fault':<22}{'points':>8}{'disks':>8}{'violations':>12}{'seconds':>9}", flush=True)
    for kind, (expected, base) in CONTROLS.items():
        started = time.monotonic()
        calls, broken = harness.control(kind, expected, base)
        print(f"{'(careless ' + kind + ')':<42}{calls:>8}{'':>8}{'found':>12}{time.monotonic() - started:>9.1f}", flush=True)
        rows.add("careless: " + kind, "kill points", calls, len(broken), time.monotonic() - started, control=True)
    violations = []
    if options.mode == "errno" and not options.full:
        verbs = [verb for verb in verbs if verb.name == "deploy"]
    if options.verb:
        verbs = [verb for verb in verbs if verb.name in options.verb]
    for verb in verbs:
        reference = harness.reference(verb)
        for fault in FAILURES if options.mode == "errno" else [KILL]:
            started = time.monotonic()
            stride = 1 if options.every or options.full or options.point else options.stride * verb.stride * fault.quick
            numbers = [options.point] if options.point else fault.points(reference[0], stride)
            thens = list(THEN.values())
            found, disks = harness.points(verb, [(n, fault, () if fault is not KILL else thens if options.full else [thens[n % len(thens)]])
                                                 for n in numbers], reference)
            points, seconds = len({violation[0] for violation in found}), time.monotonic() - started
            print(f"{verb.name:<20}{fault.name:<22}{len(numbers):>8}{disks:>8}{points:>12}{seconds:>9.1f}", flush=True)
            rows.add(verb.name, "kill points" if fault is KILL else "failing calls: " + fault.name, len(numbers), points, seconds)
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
