#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The life of one device: update after update on one small disk, and something goes wrong in most of them.

Each update has a new release in a registry, `upgrade`, boots of the helper (boot_once: it composes the deployment for real), the verdict of the
release's check, and gc. Meanwhile a process is killed, system calls fail, the disk is full, the network is cut, the clock jumps, the release is
bad or damaged in the registry, or the device restarts in the middle of anything. After each update

  the helper boots the default or the trial, never nothing; check_disk finds nothing; `status` answers
  the new release is the default, whatever went wrong on the way; a bad one never is

and at the end there is no more on the disk than after the first ones, and every fault has happened. Prints the bytes that an update writes.
With --home a life goes on where an earlier run has left it, at another registry. Two controls come first, which must be found: something that no gc removes, and a changed block of a deployment.
"""
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "checker"))
import disk_log  # noqa: E402
from deployments import Sysroot  # noqa: E402
from disk_log import do  # noqa: E402
from files import Folder  # noqa: E402
from judge import violations  # noqa: E402
from options import parser  # noqa: E402
from results import Rows  # noqa: E402
from small_registry import Registry  # noqa: E402

DISK_MIB = 64
KILLED = (137, -9)
CLOCKS = ("-56y", "+30y", "+400d", "-3h", "@1970-01-01 00:00:10")
# What an operation may end with when something went wrong in it (docs/cli: 1 I/O, 4 damaged, 5 no network, 6 busy, 7 no space).
ENDS = {"kill": {0, *KILLED}, "fail": {0, 1, 7}, "fail from here on": {0, 1, 7}, "full disk": {0, 7}, "restart": {0, *KILLED}}
FAULTS = (None, "kill", "fail", "fail from here on", "full disk", "network cut", "clock", "bad release", "damaged release", "restart")
SETTLED = 10  # updates, after which the disk has what it always will
LEAK = 256 << 10  # bytes: more than two releases may differ


class Violation(Exception):
    pass


# What is kept of a life beside its disk.
KEPT = ("release_number", "happened", "written", "used", "floor")


class Life:
    """In the folder `work`. `home`: a folder that has what was kept of it earlier, or None."""

    def __init__(self, options, work, home):
        self.options = options
        self.disk, self.root, self.images = work + "/disk", work + "/sysroot", work + "/images"
        self.environment = dict(os.environ, HOSTAPP_JOBS="1")
        self.release_number, self.happened, self.written, self.used, self.floor = 0, {}, [], [], 0
        self.registry = Registry(self.images)
        begins = not home or not os.path.exists(home + "/life.json")
        if begins:
            with open(self.disk, "wb") as file:
                file.truncate(DISK_MIB << 20)
            do("mkfs.ext4", "-q", "-F", "-E", "nodiscard", self.disk)
        else:
            disk_log.copy(home + "/disk", self.disk)
            with open(home + "/life.json", encoding="ascii") as file:
                vars(self).update(json.load(file))
        self.before = len(self.written)  # updates of earlier runs
        os.makedirs(self.root)
        self.loop = do("losetup", "-f", "--show", self.disk)
        do("mount", self.loop, self.root)
        self.release("stable")
        if begins:
            self.must("init")
        self.must("deploy", self.registry.reference("stable"))
        self.boot()
        if not begins:
            self.must("mark-good")

    def end(self):
        for command in (["umount", self.root], ["losetup", "-d", self.loop]):
            subprocess.run(command, check=False, timeout=60)

    def keep(self, home):
        """After end(), and only of a life in which nothing was wrong."""
        disk_log.copy(self.disk, home + "/disk.new")
        with open(home + "/life.json.new", "w", encoding="ascii") as file:
            json.dump({name: getattr(self, name) for name in KEPT}, file)
        for name in ("disk", "life.json"):
            os.rename("%s/%s.new" % (home, name), "%s/%s" % (home, name))

    # -- the programs

    def release(self, tag):
        """Each has an initramfs, and thus a boot set, of its own every third time."""
        self.release_number += 1
        do(self.options.make_tiny_image, self.images, tag, str(self.release_number), "initramfs %d" % (self.release_number // 3))

    def run(self, *words, before=()):
        command = [*before, self.options.hostapp, "--sysroot", self.root, "--progress", "none", "--quiet", *words]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False, env=self.environment)

    def must(self, *words):
        done = self.run(*words)
        if done.returncode != 0:
            raise Violation("%s: exit status %d: %s" % (words[0], done.returncode, done.stderr.strip()[-400:]))
        return done

    def status(self):
        return json.loads(self.must("--json", "status").stdout)

    def default_version(self):
        said = self.status()
        return next(entry["version"] for entry in said["deployments"] if entry["serial"] == said["default"])

    def boot(self, before=()):
        """What the helper says it did; {}: it was killed."""
        done = subprocess.run([*before, self.options.boot_once, self.root], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False, env=self.environment)
        if done.returncode in KILLED and before:
            return {}
        if done.returncode != 0:
            raise Violation("the helper: exit status %d: %s" % (done.returncode, done.stderr[-600:]))
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def killat(self, *more):
        return [self.options.killat, "-n", str(self.chance.choice([self.chance.randint(1, 40), self.chance.randint(1, 400)])), *more]

    # -- faults: each does its part around one operation, which it is given, and says what may be wrong with how it ended

    def faulty(self, fault, operation):
        """Runs operation(before), a program's prefix, with a fault. True: it ended well."""
        before, allowed, ballast = (), ENDS.get(fault, {0}), self.root + "/ballast"
        if fault == "kill":
            before = self.killat()
        elif fault == "fail":
            before = self.killat("-e", str(self.chance.choice([28, 5, 30])))
        elif fault == "fail from here on":
            before = self.killat("-s", "-e", str(self.chance.choice([28, 5, 30])))
        elif fault == "full disk":
            free = os.statvfs(self.root)
            do("fallocate", "-l", str(max(1, free.f_bavail * free.f_frsize - self.chance.randrange(200 << 10))), ballast)
        elif fault == "network cut":
            self.registry.refuse, self.registry.cut = self.chance.randrange(3), self.chance.randrange(4)
        elif fault == "clock":
            before = ["faketime", "-f", self.chance.choice(CLOCKS)]
        try:
            done = operation(before)
        finally:
            if os.path.exists(ballast):
                os.remove(ballast)
            self.registry.refuse = self.registry.cut = 0
        if done.returncode not in allowed:
            raise Violation("%s, %s: exit status %d: %s" % (" ".join(done.args[-4:]), fault, done.returncode, done.stderr.strip()[-400:]))
        return done.returncode == 0

    def restart(self):
        """The power comes back: what was not synced is not there. (What a cut leaves of it is the other programs' question.)"""
        do("umount", self.root)
        do("mount", self.loop, self.root)

    # -- one update

    def update(self, faults):
        self.chance = random.Random("%d: %d" % (self.options.seed, len(self.written)))
        fault = self.chance.choice(faults)
        self.happened[fault or "none"] = self.happened.get(fault or "none", 0) + 1
        wrote = self.sectors()
        self.release("stable")
        if fault == "damaged release":
            self.damaged_release()
            self.release("stable")
        where = self.chance.choice(["upgrade", "boot", "verdict", "gc"]) if fault not in ("network cut", "full disk") else "upgrade"
        if fault in (None, "bad release", "damaged release"):
            where = None
        ended = self.step(where == "upgrade" and fault, "upgrade")
        if not ended or fault == "restart":
            self.restart()
        if not ended:
            self.look()
            self.must("upgrade")
        trial = self.status()["trial"]
        if where == "boot" and fault == "kill":
            self.boot(self.killat())
        booted = self.boot(["faketime", "-f", self.chance.choice(CLOCKS)] if where == "boot" and fault == "clock" else ())
        self.look()
        if trial and (booted["trial"], int(booted["serial"])) == ("yes", trial["serial"]):
            if fault == "bad release":
                self.fail_trial()
            elif not self.step(where == "verdict" and fault, "mark-good"):
                if self.status()["trial"]:
                    self.must("mark-good")
        if not self.step(where == "gc" and fault, "gc"):
            self.must("gc")
        self.look()
        default = self.default_version()
        if (default == str(self.release_number)) != (fault != "bad release"):
            raise Violation("after %s in %s the default has version %s, the release was %d" % (fault or "no fault", where, default, self.release_number))
        self.written.append((self.sectors() - wrote) * 512)
        self.used.append(self.bytes_used())

    def step(self, fault, *words):
        if not fault:
            return self.must(*words).returncode == 0
        return self.faulty(fault, lambda before: self.run(*words, before=before))

    def damaged_release(self):
        """A layer of it is not what its digest says: exit status 4, and nothing has changed."""
        manifest = json.loads(self.registry.blob(self.registry.digest_of("stable")))
        digest = manifest["layers"][-1]["digest"]
        path = self.images + "/blobs/" + digest.replace(":", "/")
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            file.write(b"\xff\x00\xff")
        before, done = self.status(), self.run("upgrade")
        os.remove(path)
        if done.returncode != 4 or self.status()["default"] != before["default"]:
            raise Violation("a damaged layer: exit status %d: %s" % (done.returncode, done.stderr[-300:]))

    def fail_trial(self):
        """Its check fails, or it never comes to it."""
        default = self.status()["default"]
        if self.chance.random() < 0.5:
            self.must("mark-failed", "--reason", "its check")
        for _ in range(5):
            booted = self.boot()
            if booted["trial"] == "no":
                break
        if booted["trial"] == "yes" or int(booted["serial"]) != default:
            raise Violation("after a bad release deployment %s boots, not %d" % (booted["serial"], default))
        self.must("reconcile")

    # -- what must hold

    def look(self):
        root = Folder(self.root)
        found = violations(root, root.below("boot"), None, {"floor": self.floor, "known": {}})
        if found:
            raise Violation("; ".join("%s: %s" % violation for violation in found[:5]))
        self.floor = Sysroot(root, root.below("boot")).facts()["floor"]

    def sectors(self):
        do("sync", "-f", self.root)  # and no other file system
        with open("/sys/block/%s/stat" % os.path.basename(self.loop), encoding="ascii") as file:
            return int(file.read().split()[6])

    def bytes_used(self):
        info = os.statvfs(self.root)
        return (info.f_blocks - info.f_bfree) * info.f_frsize


def live(options, updates, faults, meddle=None, home=None):
    """(a life that has ended, what was wrong in it). `meddle(life)` is done after each update."""
    with tempfile.TemporaryDirectory(prefix="hostapp-life-", dir="/dev/shm") as work:
        life, found = Life(options, work, home), []
        try:
            while len(life.written) < updates:
                life.update(faults)
                if meddle:
                    meddle(life)
            life.must("gc")
        except Violation as violation:
            found.append("update %d: %s" % (len(life.written), violation))  # the device is not what the next one needs
        finally:
            life.end()
        if home and not found:
            life.keep(home)
    if len(life.used) > 2 * SETTLED and (grown := max(life.used[-SETTLED:]) - max(life.used[:SETTLED])) > LEAK:
        found.append("%d updates left %d bytes behind" % (updates, grown))
    if not meddle:
        found += ["%s never happened" % fault for fault in faults if (fault or "none") not in life.happened]
    return life, found


def leak(life):
    with open("%s/ostree/repo/leak-%d" % (life.root, life.release_number), "wb") as file:
        file.write(os.urandom(20 << 10))


def change_a_block(life):
    path = "%s/hostapp/deployments/%d/root.cfs" % (life.root, life.status()["default"])
    with open(path, "r+b") as file:
        file.seek(2048)
        file.write(bytes(byte ^ 1 for byte in file.read(16)))


def parse():
    made = parser(__doc__, ("hostapp", "make-tiny-image", "killat", "boot-once"), ("seed", "rows"))
    made.add_argument("--updates", type=int, default=200, help="in the whole of its life")
    made.add_argument("--home", metavar="DIR", type=os.path.abspath, help="a life that a later run goes on with")
    return made.parse_args()


def main():
    options, blind = parse(), 0
    disk_log.alone()
    rows = Rows(options.rows)
    for name, meddle in (("something that no gc removes", leak), ("a changed block of a deployment", change_a_block)):
        begun = time.monotonic()
        life, found = live(options, 3 * SETTLED, (None,), meddle)
        print("control, %s: %s" % (name, "found: " + found[0][:160] if found else "NOT FOUND"), flush=True)
        rows.add(name, "long life", len(life.written), len(found), time.monotonic() - begun, control=True)
        blind += not found
    begun = time.monotonic()
    if options.home:
        os.makedirs(options.home, exist_ok=True)
    life, found = live(options, options.updates, FAULTS, home=options.home)
    seconds = time.monotonic() - begun
    print("%d updates in %.0f s, seed %d: %d violations" % (len(life.written), seconds, options.seed, len(found)))
    print("faults: " + ", ".join("%s %d" % (name, count) for name, count in sorted(life.happened.items())))
    wear = "Bytes written by an update of a tiny image: median %s, most %s; used on the disk: %s after %d updates, %s after %s." % (
        *(format(round(number), ",") for number in (statistics.median(life.written), max(life.written), max(life.used[:SETTLED]))), SETTLED,
        *(format(number, ",") for number in (life.used[-1], len(life.written))))
    print(wear)
    for text in found:
        print("\n" + text)
    rows.add("upgrade, boot, verdict, gc", "long life", len(life.written) - life.before, len(found), seconds, note=wear)
    return 1 if found or blind else 0


if __name__ == "__main__":
    sys.exit(main())
