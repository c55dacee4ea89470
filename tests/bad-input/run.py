#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gives each broken or hostile image of the table to the command line and looks at what it leaves.

usage: run.py [--only WORDS] [--verbose] HOSTAPP

What every case asserts: the documented exit status; one line on standard error that names object and rule, and no
control character in it; memory and processor time within bounds; the device exactly as before where the image is
refused (after `gc`, where layers that were right had come in already); a whole store (`hostapp fsck`, `ostree fsck`)
where it is taken. README.md in this folder has a line for each row; this program checks that too.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import os
import queue
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import traceback

from builders import Layout, BASE, Layer
from cases import CASES
from known_wrong import KNOWN_WRONG

WORKERS = 4
SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))
CODES = {1: "io", 2: "invalid", 3: "not-found", 4: "corrupt", 6: "unavailable", 7: "no-space"}
CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

Outcome = collections.namedtuple("Outcome", "status out err rss cpu")


class Runner:
    """Runs programs and measures them."""

    def __init__(self, folder):
        self.out, self.err = folder + "/out", folder + "/err"
        self.process = subprocess.Popen([sys.executable, "-I", "-S", HERE + "/measure.py"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def run(self, *argv):
        self.process.stdin.write(json.dumps([argv, self.out, self.err]).encode() + b"\n")
        self.process.stdin.flush()
        status, peak, seconds = json.loads(self.process.stdout.readline())
        with open(self.out, "rb") as out, open(self.err, "rb") as err:
            return Outcome(status, out.read(), err.read(), peak * 1024, seconds)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def content_of(path, info):
    """What a file outside the object store says; an object's name says it for the others."""
    if not stat.S_ISREG(info.st_mode) or "/repo/objects/" in path:
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def tree_of(root):
    """Every path below `root`: type, mode, owner, size; links' targets; content where names do not stand for it."""
    out = {}
    for folder, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            link = os.readlink(path) if stat.S_ISLNK(info.st_mode) else ""
            size = 0 if stat.S_ISDIR(info.st_mode) else info.st_size
            out[os.path.relpath(path, root)] = (oct(info.st_mode), info.st_uid, info.st_gid, size, link, content_of(path, info))
    return out


class Device:
    """A sysroot with one proven deployment, and what checks ask of it. `path()` is in the newest deployment's tree."""

    def __init__(self, runner, hostapp, sysroot):
        self.runner, self.hostapp, self.sysroot, self.reference, self.dropped = runner, hostapp, sysroot, None, None

    def run(self, *argv):
        return self.runner.run(self.hostapp, "--sysroot", self.sysroot, *argv)

    def run_hostapp(self, *argv):
        result = self.run(*argv)
        assert result.status == 0, (argv, result)
        return result.out

    def json(self, *argv):
        return json.loads(self.run_hostapp(*argv, "--json"))

    def fsck(self):
        self.run_hostapp("fsck")
        result = self.runner.run("ostree", "--repo=" + self.sysroot + "/ostree/repo", "fsck", "-q")
        assert result.status == 0, result

    @property
    def newest(self):
        folder = self.sysroot + "/hostapp/deployments"
        return "%s/%d" % (folder, max(int(name) for name in os.listdir(folder)))

    @property
    def record(self):
        with open(self.newest + "/deployment.json", encoding="utf-8") as file:
            return json.load(file)

    def path(self, name):
        return os.fsencode(self.newest + "/root/") + (name if isinstance(name, bytes) else name.encode())

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def stat(self, name):
        return os.lstat(self.path(name))

    def mode(self, name):
        return oct(self.stat(name).st_mode)

    def names(self, folder):
        return sorted(os.listdir(self.path(folder)))

    def exists(self, name):
        return os.path.lexists(self.path(name))

    def same_commit_again(self):
        before = self.record["commit"]
        self.run_hostapp("deploy", self.reference)
        self.equal(self.record["commit"], before)

    @staticmethod
    def equal(got, expected):
        assert got == expected, "%r instead of %r" % (got, expected)


class Worker:
    """Two devices: one that must never change, one that takes what is right."""

    def __init__(self, hostapp, work, template):
        self.hostapp, self.work, self.template = hostapp, work, template
        self.runner = Runner(tempfile.mkdtemp(dir=work))
        self.refusing = self.taking = None
        self.worst = {"rss": (0, ""), "cpu": (0.0, "")}

    def fresh(self):
        path = tempfile.mkdtemp(dir=self.work) + "/sysroot"
        subprocess.run(["cp", "-a", self.template, path], check=True)
        return Device(self.runner, self.hostapp, path)

    def run(self, case):
        folder = tempfile.mkdtemp(dir=self.work)
        layout = Layout(folder + "/layout")
        case.build(layout)
        if case.exit and not self.refusing:
            self.refusing = self.fresh()
        if not case.exit and not self.taking:
            self.taking = self.fresh()
        device = self.refusing if case.exit else self.taking
        device.reference = "oci:%s/layout:bad" % folder
        try:
            with case.serve(layout, device) if case.serve else contextlib.nullcontext():
                self.judge(case, device)
        except BaseException:
            # The next one begins with a device that nothing has happened to.
            self.refusing = self.taking = None
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def judge(self, case, device):
        before = tree_of(device.sysroot) if case.exit else None
        result = device.run("pull" if case.pull else "deploy", device.reference, "--json")
        problems = list(self.problems_of(case, result))
        assert not problems, "\n".join(problems + [result.err.decode(errors="replace")])
        if case.exit:
            self.check_unchanged(device, before)
        if case.pull:
            device.dropped = json.loads(result.out)["dropped"]["paths"]
            device.run_hostapp("deploy", device.reference)
        if case.check:
            case.check(device)

    def problems_of(self, case, result):
        lines = result.err.decode().split("\n")
        if lines.pop() != "":
            yield "standard error does not end in a newline"
        if result.status != case.exit:
            yield "exit status %d instead of %d" % (result.status, case.exit)
        for line in lines:
            if CONTROL.search(line):
                yield "a control character in %r" % line
        said = [line for line in lines if not line.startswith("warning: ")]
        if len(said) != (1 if case.exit else 0):
            yield "%d lines on standard error instead of %d" % (len(said), 1 if case.exit else 0)
        if case.exit and result.status == case.exit and len(said) == 1:
            yield from self.problems_of_message(case, said[0], result.out)
        self.worst["rss"] = max(self.worst["rss"], (result.rss, case.name))
        self.worst["cpu"] = max(self.worst["cpu"], (result.cpu, case.name))
        if result.rss > case.rss:
            yield "%.1f MiB resident, more than %.1f" % (result.rss / 2**20, case.rss / 2**20)
        if result.cpu > case.cpu:
            yield "%.2f s of processor time, more than %.1f" % (result.cpu, case.cpu)

    @staticmethod
    def problems_of_message(case, line, out):
        for words in case.says:
            if words not in line:
                yield "%r is not in the message" % words
        if len(line) > 4000:
            yield "a message of %d characters" % len(line)
        error = json.loads(out)["error"]
        if line != "hostapp: " + error["message"] or error["code"] != CODES[case.exit]:
            yield "the document on standard output says %r" % error

    @staticmethod
    def check_unchanged(device, before):
        if tree_of(device.sysroot) != before:
            device.run_hostapp("gc")
        new = sorted(set(tree_of(device.sysroot).items()) ^ set(before.items()))
        assert not new, "the device is not as before: %r" % new[:10]

    def finish(self):
        """All that was taken and refused has left whole stores, and `status` where it was."""
        template = Device(self.runner, self.hostapp, self.template)
        if self.refusing:
            Device.equal(self.refusing.json("status"), template.json("status"))
        for device in (self.refusing, self.taking):
            if device:
                device.fsck()
        self.runner.close()


def make_template(runner, hostapp, work):
    good = Layout(work + "/good")
    good.top(good.manifest([Layer(BASE)]))
    device = Device(runner, hostapp, work + "/template")
    device.run_hostapp("init")
    device.run_hostapp("deploy", "oci:%s/good:bad" % work)
    device.run_hostapp("gc")
    runner.close()
    return device.sysroot


def unit_test_problems(row, cell):
    """Each test that the table names is there: "a_test: Name, Name; b_test"."""
    for part in cell.split(";"):
        name, _, tests = part.strip().partition(": ")
        if name.startswith("none"):
            continue
        found = [os.path.join(folder, name + ".cc") for folder, _, files in os.walk(HERE + "/../unit") if name + ".cc" in files]
        if not found:
            yield "row %d names %s, and there is no such file" % (row, name)
            continue
        with open(found[0], encoding="utf-8") as file:
            text = file.read()
        for test in re.findall(r"[A-Z]\w+", tests):
            wanted = r"Bad\{%s\b" % test[3:] if re.fullmatch(r"Row\d+", test) else r"\b%s\b" % test
            if not re.search(wanted, text):
                yield "row %d names %s in %s, and there is no such test" % (row, test, name)


def table_problems(path):
    """The table has a line for each row, names only cases there are, and all of them."""
    rows, named = set(), set()
    with open(path, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) != 7 or not cells[1].isdigit():
                continue
            row = int(cells[1])
            rows.add(row)
            mine = set(re.findall(r"`(\d\d_\w+)`", cells[4]))
            named |= mine
            for name in mine - set(CASES):
                yield "row %d names %s, and there is no such case" % (row, name)
            yield from unit_test_problems(row, cells[3])
            if not all(cells[2:6]):
                yield "row %d has an empty cell" % row
            if not mine and len(cells[4]) < 20:
                yield "row %d has neither a case nor a sentence" % row
    for row in sorted(set(range(1, 84)) - rows):
        yield "row %d is missing" % row
    for name in sorted(set(CASES) - named):
        yield "%s is in no row" % name


def work_folder():
    """In memory where that is possible: the cases are many small files."""
    for parent in ("/dev/shm", None):
        try:
            return tempfile.mkdtemp(prefix="hostapp-bad-input-", dir=parent)
        except OSError:
            continue
    raise SystemExit("no place for temporary files")


def problem_of(workers, name):
    """Runs the case with whichever worker is free; nothing when it is as it must be."""
    worker = workers.get()
    try:
        worker.run(CASES[name])
        return ""
    except Exception as error:  # pylint: disable=broad-except
        return str(error) if isinstance(error, AssertionError) and str(error) else traceback.format_exc()
    finally:
        workers.put(worker)


def verdict(name, problem, verbose):
    """Prints it; true for what must not be."""
    indented = problem.replace("\n", "\n    ")
    if name in KNOWN_WRONG and problem:
        print("KNOWN WRONG  %s: %s\n    %s" % (name, KNOWN_WRONG[name], indented))
    elif name in KNOWN_WRONG:
        print("FIXED        %s: it passes; take it out of known_wrong.py" % name)
        return True
    elif problem:
        print("FAILED       %s\n    %s" % (name, indented))
        return True
    elif verbose:
        print("ok           %s" % name)
    sys.stdout.flush()
    return False


def run_all(workers, names, verbose):
    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        free = queue.Queue()
        for worker in workers:
            free.put(worker)
        problems = pool.map(lambda name: problem_of(free, name), names)
        failures = sum(verdict(name, problem, verbose) for name, problem in zip(names, problems))
        list(pool.map(Worker.finish, workers))
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("hostapp")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: the store keeps owners, which needs root")
        return SKIPPED
    names = [name for name in sorted(CASES) if options.only in name]
    problems = list(table_problems(HERE + "/README.md")) + ["no such case: " + n for n in KNOWN_WRONG if n not in CASES]
    for problem in problems:
        print("TABLE        " + problem)
    work = work_folder()
    start = time.monotonic()
    try:
        hostapp = os.path.abspath(options.hostapp)
        template = make_template(Runner(work), hostapp, work)
        workers = [Worker(hostapp, work, template) for _ in range(WORKERS)]
        failures = run_all(workers, names, options.verbose)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    rss, cpu = (max(worker.worst[what] for worker in workers) for what in ("rss", "cpu"))
    print("%d cases, %d failed, %d known to be wrong, %.0f s" %
          (len(names), failures, len(set(names) & set(KNOWN_WRONG)), time.monotonic() - start))
    print("most memory %.1f MiB (%s), most processor time %.2f s (%s)" % (rss[0] / 2**20, rss[1], *cpu))
    return 1 if failures or problems else 0


if __name__ == "__main__":
    sys.exit(main())
