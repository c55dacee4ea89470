# SPDX-License-Identifier: Apache-2.0
"""The rows of `compare`: what is prepared, what is measured, beside whom."""
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Callable

sys.dont_write_bytecode = True
import measure  # noqa: E402

sys.path.insert(0, measure.ROOT + "/tests/interop")
import support  # pylint: disable=wrong-import-position # noqa: E402

LAYERS = 40
DISK_BYTES = 12 << 30


def do(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=900, **options)
    if done.returncode != 0:
        sys.exit("%s: exit status %d\n%s" % (" ".join(command), done.returncode, (done.stdout + done.stderr).decode(errors="replace")))
    return done.stdout.decode()


class Disk:
    """A new ext4, mounted as long as the block runs: no file of a run before decides where this one's go."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.file, self.mount = self.folder + "/disk", self.folder + "/mnt"
        with open(self.file, "wb") as file:
            file.truncate(DISK_BYTES)
        do("mkfs.ext4", "-q", "-F", self.file)
        os.makedirs(self.mount, exist_ok=True)
        do("mount", "-o", "loop,noinit_itable", self.file, self.mount)
        return self.mount

    def __exit__(self, *_):
        do("umount", self.mount)
        os.remove(self.file)


@dataclass
class Way:
    """`prepare` is not measured; `command` is run by sh in the disk's folder."""
    command: str
    prepare: str = ""


@dataclass
class Row:
    title: str
    goal: str
    ways: Callable
    note: str = ""


class Bench:
    def __init__(self, options):
        self.options = options
        self.tar = measure.rootfs(options.dir, options.rootfs)
        self.hostapp = os.path.abspath(options.build + "/tools/hostapp/hostapp")
        self.hostapp_image = os.path.abspath(options.build + "/tools/hostapp-image/hostapp-image")
        self.zstd = measure.image(options.dir, self.tar, "zstd")

    def describe(self):
        return measure.describe(self.tar, {"zstd": self.zstd})

    def __enter__(self):
        self.work = tempfile.mkdtemp(dir=self.options.dir, prefix="compare-")
        self.registry = support.Registry(self.work, seconds=7200)
        self.registry.__enter__()
        return self

    def __exit__(self, *error):
        self.registry.__exit__(*error)
        shutil.rmtree(self.work, ignore_errors=True)

    def many_layers(self):
        """Two images of LAYERS layers each in the registry and in a layout, gzip for those who read nothing else; one layer differs."""
        layout = self.work + "/many"
        if not os.path.exists(layout):
            first = self.work + "/first"
            os.mkdir(first)
            do("tar", "-xpf", self.tar, "-C", first, "--exclude=./dev/*", "--exclude=dev/*")
            for tag in ("v1", "v2"):
                if tag == "v2":
                    with open(first + "/usr/share/new-in-v2", "w", encoding="ascii") as file:
                        file.write("new\n" * 5000)
                do(self.hostapp_image, "pack", first, "oci:%s:%s" % (layout, tag), "--layers", str(LAYERS), "--compression", "gzip", "--version", tag)
                do("skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "oci:%s:%s" % (layout, tag), self.remote(tag))
            shutil.rmtree(first)
        return layout

    def remote(self, tag):
        return "docker://%s/os/many:%s" % (self.registry.host, tag)

    def run(self, name, row):
        ways = row.ways(self)
        samples, calls = {way: [] for way in ways}, {}
        for turn in range(self.options.runs + 1):
            for label, way in ways.items():
                counting = turn == self.options.runs
                with Disk(self.work) as disk:
                    if way.prepare:
                        do("sh", "-ec", way.prepare, cwd=disk)
                    os.sync()
                    if counting:
                        calls[label] = self.count(way.command, disk)
                        continue
                    sample = measure.measure(["sh", "-ec", way.command], cwd=disk)
                samples[label].append(sample)
                measure.say("%s, run %d: %s: %.3f s, %.3f s of processor, %.0f MiB" % (name, turn + 1, label, *sample))
        return samples, calls

    def count(self, command, disk):
        trace = self.work + "/trace"
        do("strace", "-f", "-c", "-o", trace, "sh", "-ec", command, cwd=disk)
        with open(trace, encoding="utf-8") as file:
            total = next(line.split() for line in file if line.rstrip().endswith(" total"))
        return int(total[3])  # % time, seconds, microseconds a call, calls


def hostapp(bench, *words):
    return shlex.join([bench.hostapp, "--sysroot", "s", "--quiet", *words])


def podman(*words):
    return shlex.join(["podman", "--root", "storage", "--runroot", "/run/hostapp-bench", "--storage-driver", "overlay", *words])


def import_one(bench):
    return {
        "hostapp pull": Way(hostapp(bench, "pull", "oci:%s:x" % bench.zstd), hostapp(bench, "init")),
        "ostree commit --tree=tar, of the plain tar": Way(
            "ostree --repo=r commit --branch=x --tree=tar=%s --tar-autocreate-parents" % bench.tar, "ostree --repo=r init --mode=bare"),
    }


def peers_pull(bench, tag, before):
    """Ways to bring `tag` from the registry to the disk, with the image `before` there already or nothing."""
    bench.many_layers()
    there = "docker://%s/os/many:%s" % (bench.registry.host, before) if before else ""
    here = bench.remote(tag)

    def ours(reference):
        return hostapp(bench, "pull", reference)

    def by_podman(reference):
        return podman("pull", "--quiet", "--tls-verify=false", reference)

    def by_umoci(reference, name):
        return "skopeo copy --quiet --insecure-policy --src-tls-verify=false %s oci:layout:%s; umoci unpack --image layout:%s tree-%s" % (
            reference, name, name, name)

    def by_ostree(reference, name):
        # What ostree-based importers do: every layer a commit, by ostree, of the layer as it is.
        return ("skopeo copy --quiet --insecure-policy --src-tls-verify=false %s dir:blobs-%s; "
                "for blob in $(jq -r '.layers[].digest[7:]' blobs-%s/manifest.json); do ostree --repo=r rev-parse layer/$blob >/dev/null 2>&1 || "
                "ostree --repo=r commit --branch=layer/$blob --tree=tar=blobs-%s/$blob --tar-autocreate-parents; done" % (reference, name, name, name))
    return {
        "hostapp pull": Way(ours(here), hostapp(bench, "init") + ("; " + ours(there) if there else "")),
        "podman pull": Way(by_podman(here) + "; sync -f .", by_podman(there) if there else ""),
        "skopeo copy, umoci unpack": Way(by_umoci(here, tag) + "; sync -f .", by_umoci(there, before) if there else ""),
        "skopeo copy, ostree commit of each layer": Way(
            by_ostree(here, tag), "ostree --repo=r init --mode=bare" + ("; " + by_ostree(there, before) if there else "")),
    }


def deploy(bench):
    pull = hostapp(bench, "init") + "; " + hostapp(bench, "pull", "oci:%s:x" % bench.zstd)
    tree = "mkdir tree; tar -xpf %s -C tree --exclude='dev/*' --exclude='./dev/*'" % bench.tar
    return {
        "hostapp deploy": Way(hostapp(bench, "deploy", "oci:%s:x" % bench.zstd), pull),
        "hostapp deploy --root checkout": Way(hostapp(bench, "deploy", "oci:%s:x" % bench.zstd, "--root", "checkout"), pull),
        "ostree checkout --require-hardlinks": Way(
            "ostree --repo=r checkout --require-hardlinks x tree; sync -f .",
            "ostree --repo=r init --mode=bare; ostree --repo=r commit --branch=x --tree=tar=%s --tar-autocreate-parents" % bench.tar),
        "cp -al": Way("cp -al tree copy; sync -f .", tree),
    }


def nothing_new(bench):
    bench.many_layers()
    return {
        "hostapp upgrade --check": Way(hostapp(bench, "upgrade", "--check"), hostapp(bench, "init") + "; " + hostapp(bench, "deploy", bench.remote("v1"))),
        "skopeo inspect": Way("skopeo inspect --tls-verify=false --no-tags %s >/dev/null" % bench.remote("v1")),
    }


def fsck(bench):
    return {
        "hostapp fsck": Way(hostapp(bench, "fsck"), hostapp(bench, "init") + "; " + hostapp(bench, "pull", "oci:%s:x" % bench.zstd)),
        "ostree fsck": Way("ostree --repo=s/ostree/repo fsck --quiet", hostapp(bench, "init") + "; " + hostapp(bench, "pull", "oci:%s:x" % bench.zstd)),
    }


def floor(bench):
    blob = measure.layer(bench.zstd)
    return {
        "hostapp pull": Way(hostapp(bench, "pull", "oci:%s:x" % bench.zstd), hostapp(bench, "init")),
        "curl | zstd -d | sha256sum, and one cp": Way("curl -s file://%s | zstd -dc | sha256sum >/dev/null; cp %s copy; sync -f ." % (blob, bench.tar)),
    }


def status(bench):
    prepare = hostapp(bench, "init") + "; " + "; ".join([hostapp(bench, "deploy", "oci:%s:x" % bench.zstd)] * 3)
    return {"hostapp status": Way(shlex.join([bench.hostapp, "--sysroot", "s", "status"]), prepare)}


ROWS = {
    "import": Row("Import of one layer, zstd, into an empty store", "wall ≥ 3 ×, CPU ≥ 1.5 ×", import_one,
                  "ostree reads the uncompressed tar, verifies no digest and keeps no layer."),
    "pull": Row("Pull of %d layers from a registry on loopback" % LAYERS, "≥ 3 × each", lambda bench: peers_pull(bench, "v1", None)),
    "pull-again": Row("The same with one of %d layers changed" % LAYERS, "≥ 10 × less than the first pull", lambda bench: peers_pull(bench, "v2", "v1")),
    "deploy": Row("Deploy, everything in the store", "≥ 5 ×, and under 1 s", deploy, "The peers make a tree alone, without boot files."),
    "nothing-new": Row("Upgrade, nothing new", "one request; less wall", nothing_new),
    "fsck": Row("Verify the store", "≥ 4 ×", fsck),
    "status": Row("status, three deployments", "under 20 ms and 200 system calls", status),
    "floor": Row("The floor", "ours ≤ 1.5 ×", floor),
}
