#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the real `hostapp` on devices with a boot loader, and looks at what that loader would start.

What crash_points.py asks, and for each of GRUB, systemd-boot and U-Boot:

  starts   right after the cut, whatever the loader would start next is staged, its boot set is whole, its deployment is there
  follows  after `reconcile`, which every boot runs, loader and ledger agree on default, trial and tries

The loader's state is read by its adapter (loader_tool); boot sets are checked with their own sums. Two careless writers must be
found wrong first.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from crash_points import Harness, Verb, arguments, report, run
from faults import KILL
from results import Rows

LOADERS = ("grub", "systemd-boot", "uboot")
# What the adapters write. Names there have counters and serial numbers in them; `state` says what they mean.
OWN = re.compile(r"boot/(loader|hostapp/(grub|uboot|systemd-boot))(/|$)")


class LoaderHarness(Harness):
    def __init__(self, options, loader):
        super().__init__(options)
        self.loader = loader
        self.images = os.path.join(options.work, "images")

    def tool(self, root, *words):
        done = run([self.options.loader_tool, os.path.join(root, "boot"), self.loader, *words])
        if done.returncode != 0:
            raise OSError(f"loader_tool {' '.join(words)}: {done.stderr.decode().strip()}")
        return done.stdout.decode()

    def state(self, root):
        """The adapter's answer: {"default": [1], "trial": [2, 3], "entries": […], "proven": […]}."""
        lines = [line.split() for line in self.tool(root, "read").splitlines()]
        return {line[0]: [int(word) for word in line[1:]] for line in lines}

    def prepare(self):
        for number, word in enumerate(("one", "two", "three"), 1):
            self.image(f"v{number}", str(number), "initramfs " + word)
        base = os.path.join(self.options.work, f"{self.loader}-empty")
        self.must(base, "init")
        with open(os.path.join(base, "hostapp/loader.json"), "w", encoding="ascii") as file:
            json.dump({"loader": self.loader}, file)
        self.tool(base, "install")
        self.bases = {"empty": base}
        for name, before, steps in (("one", "empty", [["deploy", f"oci:{self.images}:v1"]]),
                                    ("waiting", "one", [["deploy", f"oci:{self.images}:v2"]]),
                                    ("two", "waiting", [["mark-good"]]),
                                    ("garbage", "two", [["deploy", f"oci:{self.images}:v3"], ["rollback"]])):
            root = os.path.join(self.options.work, f"{self.loader}-{name}")
            subprocess.run(["cp", "-a", self.bases[before], root], check=True)
            for step in steps:
                self.must(root, *step)
            self.bases[name] = root
        return [
            # What comes before the entry is staged, crash_points.py has killed.
            Verb("deploy", "one", ["deploy", f"oci:{self.images}:v2"], tail=70, stride=2),
            Verb("mark-good", "waiting", ["mark-good"], repeats=False),
            Verb("mark-failed", "waiting", ["mark-failed", "--reason", "a test"], repeats=False),
            Verb("rollback", "two", ["rollback"], repeats=False),
            Verb("rollback --to", "two", ["rollback", "--to", "1"]),
            Verb("gc", "garbage", ["gc"], stride=4),
        ]

    # -- looking

    def starts(self, root):
        state = self.state(root)
        trial = state["trial"]
        wanted = [trial[0]] if trial and trial[1] > 0 else []
        wanted += state["default"] if state["default"] != [0] else []
        for serial in wanted:
            if serial not in state["entries"]:
                return f"would start {serial}, which has no entry: {state}"
            record = os.path.join(root, f"hostapp/deployments/{serial}/deployment.json")
            if not os.path.exists(record):
                return f"would start {serial}, which is no deployment: {state}"
            with open(record, encoding="utf-8") as file:
                boot_set = json.load(file)["boot_set"]
            folder = os.path.join(root, "boot/hostapp", boot_set)
            if not os.path.isdir(folder) or run(["sha256sum", "--status", "-c", "SHA256SUMS"], cwd=folder).returncode:
                return f"would start {serial}, whose boot set is not whole: {state}"
        return "" if wanted else f"would start nothing: {state}"

    def follows(self, root):
        done = run(self.hostapp(root, "reconcile"))
        if done.returncode != 0:
            return f"reconcile: exit {done.returncode}: {done.stderr.decode().strip()}"
        ledger = json.loads(run(self.hostapp(root, "--json", "status")).stdout)
        state = self.state(root)
        trial = [ledger["trial"]["serial"], ledger["trial"]["tries_left"]] if ledger["trial"] else []
        if [ledger["default"]] != state["default"] or trial != state["trial"]:
            return f"the ledger has default {ledger['default']}, trial {trial}; the loader has {state}"
        return ""

    def outcome(self, root):
        found = {path: value for path, value in super().outcome(root).items() if not OWN.match(path)}
        serials = sorted(int(name) for name in os.listdir(os.path.join(root, "hostapp/deployments")) if name.isdigit())
        state = self.state(root)
        tries = state["trial"][1:]
        for name, numbers in {**state, "trial": state["trial"][:1]}.items():
            found["loader " + name] = [serials.index(number) if number in serials else -1 for number in numbers]
        found["loader tries"] = tries
        return found

    def check(self, verb, root, before, after, good, expected, repeat):
        try:
            if problem := self.starts(root):
                yield "starts", problem
            if problem := self.follows(root):
                yield "follows", problem
        except (OSError, ValueError) as error:
            yield "starts", str(error)
        yield from super().check(verb, root, before, after, good, expected, repeat)

    # -- controls

    def control(self, kind, expected_kinds):
        """A device that somebody careless has left behind."""
        folder, root = self.fresh("two")
        try:
            if kind == "boot-set":
                with open(os.path.join(root, "hostapp/deployments/2/deployment.json"), encoding="utf-8") as file:
                    boot_set = json.load(file)["boot_set"]
                with open(os.path.join(root, "boot/hostapp", boot_set, "initrd"), "ab") as file:
                    file.write(b"x")
            else:  # the ledger does not know
                shutil.copy(os.path.join(self.bases["one"], "hostapp/boot-ledger"), os.path.join(root, "hostapp/boot-ledger"))
                os.rename(os.path.join(root, "hostapp/deployments/2"), os.path.join(root, "hostapp/deployments/away"))
            seen = "starts" if self.starts(root) else ""
            if seen not in expected_kinds:
                raise SystemExit(f"the harness is blind to the careless writer \"{kind}\" with {self.loader}")
        finally:
            shutil.rmtree(folder)


def main():
    options = arguments("loader-tool")
    parent = options.work or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    options.work = tempfile.mkdtemp(prefix="hostapp-loader-fault-", dir=parent)
    violations = []
    try:
        print(f"{'loader':<14}{'verb':<16}{'points':>8}{'disks':>8}{'violations':>12}{'seconds':>9}", flush=True)
        for loader in LOADERS:
            harness = LoaderHarness(options, loader)
            verbs = harness.prepare()
            for kind in ("boot-set", "ledger"):
                harness.control(kind, {"starts"})
            for verb in verbs:
                if options.verb and verb.name not in options.verb:
                    continue
                started = time.monotonic()
                reference = harness.reference(verb)
                numbers = KILL.points(reference[0], options.stride)[-verb.tail if verb.tail else 0::verb.stride]
                numbers = [options.point] if options.point else numbers
                found, disks = harness.points(verb, [(number, KILL, ()) for number in numbers], reference)
                found = [(f"{loader}: {where}", *rest) for where, *rest in found]
                points, seconds = len({violation[0] for violation in found}), time.monotonic() - started
                print(f"{loader:<14}{verb.name:<16}{len(numbers):>8}{disks:>8}{points:>12}{seconds:>9.1f}", flush=True)
                Rows(options.rows).add(f"{verb.name}, {loader}", "kill points", len(numbers), points, seconds)
                violations += found
    finally:
        shutil.rmtree(options.work, ignore_errors=True)
    return report(violations)


if __name__ == "__main__":
    sys.exit(main())
