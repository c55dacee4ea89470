#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills each change of the store before every mutating system call that comes after one that changed something.

After each kill `ostree fsck` is clean, the same change again succeeds with the same outcome, and after a collection the
store is, name by name, what it is without the kill. HOSTAPP_FAULT_STRIDE=7 tries every seventh call only.

A call that only syncs leaves what a killed process leaves as it was (what it does for a power cut is another test's
business): the call after it is not tried.
"""
import os
import shutil
import subprocess
import sys
import tempfile

KILLAT, STEPS = sys.argv[1:3]
STRIDE = int(os.environ.get("HOSTAPP_FAULT_STRIDE", "1"))


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def step(sysroot, verb):
    code, out, err = run(STEPS, sysroot, verb)
    if code != 0:
        raise AssertionError(f"{verb}: exit {code}: {err}")
    return out


def fsck(sysroot):
    code, out, err = run("ostree", "fsck", "--quiet", f"--repo={sysroot}/ostree/repo")
    if code != 0:
        raise AssertionError(f"ostree fsck: {out}{err}")


def listing(sysroot):
    """Every name with its type, mode and size; locks and time stamps of their own kind apart."""
    out = []
    for folder, folders, files in os.walk(sysroot):
        for name in folders + files:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            if name in (".lock", "import.lock"):
                continue
            size = info.st_size if name in files else 0
            out.append((os.path.relpath(path, sysroot), info.st_mode, size))
    return sorted(out)


SYNCS = {"74", "75", "162", "277", "306"}  # fsync, fdatasync, sync, sync_file_range, syncfs on x86-64


def calls_to_try(verb, template, work):
    sysroot = os.path.join(work, "counted")
    subprocess.run(["cp", "-a", template, sysroot], check=True)
    calls = os.path.join(work, "calls")
    run(KILLAT, "-l", calls, STEPS, sysroot, verb)
    shutil.rmtree(sysroot)
    with open(calls, encoding="ascii") as file:
        numbers = file.read().split()
    tried = [i + 1 for i in range(len(numbers)) if i == 0 or numbers[i - 1] not in SYNCS]
    # One beyond the end, for a run that happens to make a few more calls, and ends by itself otherwise.
    return tried[::STRIDE] + [len(numbers) + 1]


def kill_everywhere(verb, template, work, repo_exists):
    """Returns how many kills there were."""
    reference = os.path.join(work, "reference")
    shutil.copytree(template, reference, symlinks=True)
    outcome = step(reference, verb)
    step(reference, "clean")
    expected = listing(reference)
    kills = 0
    for call in calls_to_try(verb, template, work):
        sysroot = os.path.join(work, "sysroot")
        subprocess.run(["cp", "-a", template, sysroot], check=True)
        _, _, err = run(KILLAT, "-n", str(call), STEPS, sysroot, verb)
        killed = "killat: killed before call" in err
        try:
            if repo_exists:
                fsck(sysroot)
            again = step(sysroot, verb)
            if again != outcome:
                raise AssertionError(f"another outcome: {again!r}, not {outcome!r}")
            fsck(sysroot)
            step(sysroot, "clean")
            found = listing(sysroot)
            if found != expected:
                raise AssertionError(f"left over or missing: {sorted(set(found) ^ set(expected))[:5]}")
        except AssertionError as error:
            raise SystemExit(f"FAILED: {verb} killed before call {call}: {error}\n{err}")
        shutil.rmtree(sysroot)
        kills += killed
    shutil.rmtree(reference)
    return kills


def main():
    if os.geteuid() != 0:
        print("needs root: objects have the owners that images say")
        sys.exit(77)
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base, prefix="hostapp-fault-") as work:
        if "mutating system calls" not in run(KILLAT, "true")[2]:
            print("no process can be traced here")
            sys.exit(77)
        empty = os.path.join(work, "empty")
        created = os.path.join(work, "created")
        full = os.path.join(work, "full")
        os.mkdir(empty)
        os.mkdir(created)
        step(created, "create")
        subprocess.run(["cp", "-a", created, full], check=True)
        step(full, "import")
        for verb, template, repo_exists in (("create", empty, False), ("import", created, True), ("prune", full, True)):
            kills = kill_everywhere(verb, template, work, repo_exists)
            print(f"{verb}: {kills} kills", flush=True)
            if kills == 0:
                sys.exit(f"FAILED: {verb} was never killed: the test proves nothing")


main()
