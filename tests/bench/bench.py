# SPDX-License-Identifier: Apache-2.0
"""What runs the rows of `compare`: ways that take turns, each on a file system of its own."""
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from typing import Callable

sys.dont_write_bytecode = True
import measure  # noqa: E402

sys.path.insert(0, measure.ROOT + "/tests/interop")
import support  # pylint: disable=wrong-import-position # noqa: E402

DISK_BYTES = 16 << 30
PODMAN_RUN = "/run/hostapp-bench"
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # so that what is mounted does not stay


def do(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=1800, **options)
    if done.returncode != 0:
        sys.exit("%s: exit status %d\n%s" % (" ".join(command), done.returncode, (done.stdout + done.stderr).decode(errors="replace")))
    return done.stdout.decode()


def kind_of(path):
    """What a file of a sysroot is."""
    if "/objects/" not in path:
        return "other"
    kind = path.rpartition(".")[2]
    if kind == "file":
        with open(path, "rb") as file:
            return "index" if file.read(8) == b"hostappI" else "file"
    return kind


class Disk:
    """A new ext4, mounted as long as the block runs: no file of a run before decides where this one's go."""

    def __init__(self, folder, *mkfs):
        self.file, self.folder, self.mkfs = folder + "/disk", folder + "/mnt", mkfs

    def __enter__(self):
        with open(self.file, "wb") as file:
            file.truncate(DISK_BYTES)
        do("mkfs.ext4", "-q", "-F", *self.mkfs, self.file)
        os.makedirs(self.folder, exist_ok=True)
        self.mount()
        return self

    def mount(self):
        do("mount", "-o", "loop,noinit_itable", self.file, self.folder)

    def forget(self):
        """All that the kernel knows of it: the next who reads a file of it reads the disk."""
        do("umount", self.folder)
        self.mount()

    def __exit__(self, error, *_):
        do("umount", *["--lazy"] * bool(error), self.folder)  # what was interrupted may still be ending
        os.remove(self.file)


@dataclass
class Way:
    """`command`: for sh, or the words of one program. `prepare`, for sh, is not measured. Both run in the disk's folder."""
    command: str | list
    prepare: str = ""
    cold: bool = False  # nothing of the disk is in memory

    def argv(self):
        return self.command if isinstance(self.command, list) else ["sh", "-ec", self.command]


@dataclass
class Row:
    """`ways` gives what is measured by label, ours first; a row without them has `lines`, which gives what is printed under the
    title, a summary in one line, and what goes into the JSON."""
    title: str
    goal: str
    ways: Callable = None
    note: str = ""
    lines: Callable = None
    opens: bool = False       # what it opens is counted
    verdict: Callable = None  # of a Taken: how it stands to the goal; otherwise the peers' times to ours


@dataclass
class Taken:
    """What a row's runs gave, by the label of the way."""
    samples: dict = field(default_factory=dict)   # label: list of (wall, cpu, MiB)
    calls: dict = field(default_factory=dict)     # label: system calls
    opened: dict = field(default_factory=dict)    # label: files of the disk opened to be read, by kind
    requests: dict = field(default_factory=dict)  # label: of the registry

    def median(self, label):
        return measure.medians(self.samples[label])


class Bench:
    """The inputs, a registry on loopback, and a folder for the work."""

    def __init__(self, options):
        self.options, self.taken = options, {}
        self.tar = measure.rootfs(options.dir, options.rootfs)
        self.hostapp_program = os.path.abspath(options.build + "/tools/hostapp/hostapp")
        self.hostapp_image = os.path.abspath(options.build + "/tools/hostapp-image/hostapp-image")
        self.zstd = measure.image(options.dir, self.tar, "zstd")

    def describe(self):
        return measure.describe(self.tar, {"zstd": self.zstd})

    def __enter__(self):
        self.work = tempfile.mkdtemp(dir=self.options.dir, prefix="compare-")
        self.registry = support.Registry(self.work, seconds=6 * 3600)
        self.registry.__enter__()
        return self

    def __exit__(self, *error):
        self.registry.__exit__(*error)
        for folder in (self.work, PODMAN_RUN):
            shutil.rmtree(folder, ignore_errors=True)

    def words(self, *words):
        return [self.hostapp_program, "--sysroot", "s", "--quiet", *words]

    def hostapp(self, *words):
        return shlex.join(self.words(*words))

    def remote(self, name):
        return "docker://%s/os/%s" % (self.registry.host, name)

    def serve(self, layout, tag, name):
        """An image of a layout in the registry; its reference."""
        if not os.path.exists("%s/registry-data/docker/registry/v2/repositories/os/%s/_manifests/tags/%s" % (self.work, name, tag)):
            do("skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "oci:%s:%s" % (layout, tag), self.remote(name + ":" + tag))
        return self.remote(name + ":" + tag)

    def requests(self):
        """How many the registry has answered so far."""
        with open(self.work + "/registry.log", encoding="utf-8", errors="replace") as file:
            return sum('"GET /v2/' in line or '"HEAD /v2/' in line for line in file)

    def run(self, name, row):
        """All of a row's runs, the ways in turn, and one under strace."""
        ways, taken = row.ways(self), Taken()
        for turn in range(self.options.runs):
            for label, way in ways.items():
                with Disk(self.work) as disk:
                    self.prepare(way, disk)
                    sample = measure.measure(way.argv(), cwd=disk.folder)
                taken.samples.setdefault(label, []).append(sample)
                measure.say("%s, run %d: %s: %.3f s, %.3f s of processor, %.0f MiB" % (name, turn + 1, label, *sample))
        for label, way in ways.items():
            with Disk(self.work) as disk:
                self.prepare(way, disk)
                before = self.requests()
                taken.calls[label] = self.count(way, disk.folder)
                taken.requests[label] = self.requests() - before
            if row.opens:
                with Disk(self.work) as disk:
                    self.prepare(way, disk)
                    taken.opened[label] = self.opened(way, disk.folder)
        self.taken[name] = taken
        return taken

    def prepare(self, way, disk):
        if way.prepare:
            do("sh", "-ec", way.prepare, cwd=disk.folder)
        os.sync()
        if way.cold:
            disk.forget()

    def count(self, way, folder):
        """System calls, those of what it starts, too."""
        trace = self.work + "/trace"
        do("strace", "-f", "-c", "-o", trace, *way.argv(), cwd=folder)
        with open(trace, encoding="utf-8") as file:
            total = next(line.split() for line in file if line.rstrip().endswith(" total"))
        return int(total[3])  # % time, seconds, microseconds a call, calls

    def opened(self, way, folder):
        """How many different files of the disk it opens to read them, by kind; `index` is a layer's, `file` another file's content."""
        trace = self.work + "/trace"
        do("strace", "-f", "-y", "-e", "trace=open,openat,openat2", "-o", trace, *way.argv(), cwd=folder)
        with open(trace, encoding="utf-8", errors="replace") as file:
            calls = [line.rpartition(" = ") for line in file if "O_RDONLY" in line and "O_DIRECTORY" not in line]
        kinds = {}
        for path in {result.strip().rstrip(">").partition("<")[2] for _, _, result in calls}:
            if path.startswith(folder + "/") and os.path.isfile(path):
                kind = kind_of(path)
                kinds[kind] = kinds.get(kind, 0) + 1
        return kinds
