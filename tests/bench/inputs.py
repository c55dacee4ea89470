# SPDX-License-Identifier: Apache-2.0
"""What the rows of `compare` read, made from the root file system once and kept beside it."""
import json
import os
import random
import shutil
import stat
import sys

sys.dont_write_bytecode = True
from bench import do  # noqa: E402
import measure  # noqa: E402

LAYERS = 40
RELEASES = 10
CHANGED = 0.05  # of a release's bytes


def kept(bench, name, make):
    """The folder `name` of this root file system, which make(folder) fills the first time."""
    info = os.stat(bench.tar)
    folder = "%s/%s-%d-%d" % (bench.options.dir, name, info.st_size, info.st_mtime)
    if not os.path.exists(folder):
        measure.say("making %s (once)" % folder)
        shutil.rmtree(folder + ".new", ignore_errors=True)
        os.mkdir(folder + ".new")
        make(folder + ".new")
        os.rename(folder + ".new", folder)
    return folder


def unpacked(bench, folder):
    os.mkdir(folder)
    do("tar", "-xpf", bench.tar, "-C", folder, "--exclude=./dev/*", "--exclude=dev/*")
    return folder


def pack(bench, tree, layout, tag, compression):
    do(bench.hostapp_image, "pack", tree, "oci:%s:%s" % (layout, tag), "--layers", str(LAYERS), "--compression", compression, "--version", tag)


def manifest(layout, tag):
    with open(layout + "/index.json", encoding="utf-8") as file:
        found = next(m for m in json.load(file)["manifests"] if m["annotations"]["org.opencontainers.image.ref.name"] == tag)
    with open("%s/blobs/sha256/%s" % (layout, found["digest"][7:]), encoding="utf-8") as file:
        return json.load(file)


def many_layers(bench):
    """A layout of two images of LAYERS layers each, v1 and v2, gzip for those who read nothing else; one layer differs."""
    def make(folder):
        tree = unpacked(bench, folder + "/tree")
        for tag in ("v1", "v2"):
            if tag == "v2":
                with open(tree + "/usr/share/new-in-v2", "w", encoding="ascii") as file:
                    file.write("new\n" * 5000)
            pack(bench, tree, folder + "/layout", tag, "gzip")
        shutil.rmtree(tree)
    layout = kept(bench, "many", make) + "/layout"
    one, two = ({layer["digest"] for layer in manifest(layout, tag)["layers"]} for tag in ("v1", "v2"))
    if len(one) != LAYERS or len(two - one) != 1:
        sys.exit("%s: %d layers, %d of them new in the second release; wanted: %d and 1" % (layout, len(one), len(two - one), LAYERS))
    return layout


def packages(tree):
    """For each package of a Debian: its regular files."""
    lists = tree + "/var/lib/dpkg/info/"
    for name in sorted(os.listdir(lists)):
        if name.endswith(".list"):
            with open(lists + name, encoding="utf-8") as file:
                paths = [tree + line.rstrip("\n") for line in file]
            yield [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]


def file_bytes(tree):
    """Of its regular files, each once."""
    sizes = {}
    for folder, _, files in os.walk(tree):
        for name in files:
            info = os.lstat(os.path.join(folder, name))
            if stat.S_ISREG(info.st_mode):
                sizes[info.st_dev, info.st_ino] = info.st_size
    return sum(sizes.values())


def update(tree, roll):
    """What a month brings: packages taken by lot, until CHANGED of the bytes are reached, get other files. Returns their bytes."""
    wanted, changed, seen = CHANGED * file_bytes(tree), 0, set()
    everything = list(packages(tree))
    roll.shuffle(everything)
    for files in everything:
        size = sum(os.path.getsize(path) for path in files)
        if changed + size > 1.2 * wanted:
            continue  # no single package is the whole month
        for path in files:
            if os.stat(path).st_ino not in seen:  # a hard link is one file
                seen.add(os.stat(path).st_ino)
                with open(path, "ab") as file:
                    file.write(b"\n")
                changed += os.path.getsize(path)
        if changed >= wanted:
            return changed
    return changed


def releases(bench):
    """(a layout of RELEASES releases, v1 and so on, [bytes of the first's files, of those that changed in the second, …])"""
    def make(folder):
        tree, roll = unpacked(bench, folder + "/tree"), random.Random(1)
        sizes = [file_bytes(tree)]
        for number in range(1, RELEASES + 1):
            if number > 1:
                sizes.append(update(tree, roll))
            pack(bench, tree, folder + "/layout", "v%d" % number, "zstd")
        shutil.rmtree(tree)
        with open(folder + "/bytes.json", "w", encoding="ascii") as file:
            json.dump(sizes, file)
    folder = kept(bench, "releases", make)
    with open(folder + "/bytes.json", encoding="ascii") as file:
        return folder + "/layout", json.load(file)


def one_file(bench, name, size, command):
    """A layout of one layer that holds one file, which `command` prints: what an import takes must not depend on its size."""
    def make(folder):
        do("sh", "-ec", "mkdir tree; %s | head -c %d > tree/file; tar -cf file.tar tree; rm -r tree" % (command, size), cwd=folder)
        os.rename(measure.image(folder, folder + "/file.tar", "zstd"), folder + "/layout")
        os.remove(folder + "/file.tar")
    return kept(bench, name, make) + "/layout"
