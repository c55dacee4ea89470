# SPDX-License-Identifier: Apache-2.0
"""Rows of `compare`: deployments, and what boots them."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from bench import Row, Way  # noqa: E402
import dump  # noqa: E402
import measure  # noqa: E402
from rows_image import first  # noqa: E402
import verdicts  # noqa: E402

# An ordinary OSTree sysroot with the same tree: kernel and initramfs where libostree looks for them, no empty /etc beside usr/etc.
OSTREE_SYSROOT = """
mkdir o; ostree admin init-fs o; ostree admin os-init --sysroot=o os
commit=$(ostree --repo=s/ostree/repo rev-parse $(ostree --repo=s/ostree/repo refs --list hostapp/image))
ostree --repo=o/ostree/repo pull-local s/ostree/repo $commit
ostree --repo=o/ostree/repo checkout --require-hardlinks $commit t
rm -r s
rmdir t/etc; version=$(ls t/usr/lib/modules)
cp t/boot/vmlinuz-$version t/usr/lib/modules/$version/vmlinuz
cp t/boot/initrd.img-$version t/usr/lib/modules/$version/initramfs.img
ostree --repo=o/ostree/repo commit --branch=os --tree=dir=t --link-checkout-speedup
rm -r t
"""


def in_store(bench):
    return first(bench.hostapp("init"), bench.hostapp("pull", "oci:%s:x" % bench.zstd))


def deploy(bench):
    tree = "mkdir tree; tar -xpf %s -C tree --exclude='dev/*' --exclude='./dev/*'" % bench.tar
    return {
        "hostapp deploy --root composefs": Way(bench.words("deploy", "oci:%s:x" % bench.zstd, "--root", "composefs"), in_store(bench)),
        "hostapp deploy --root checkout": Way(bench.words("deploy", "oci:%s:x" % bench.zstd, "--root", "checkout"), in_store(bench)),
        "ostree admin deploy": Way("unshare --mount ostree admin deploy --sysroot=o --os=os os", in_store(bench) + OSTREE_SYSROOT),
        "cp -al": Way("cp -al tree copy; sync -f .", tree),
    }


def status(bench):
    prepare = first(bench.hostapp("init"), *[bench.hostapp("deploy", "oci:%s:x" % bench.zstd)] * 3)
    return {"hostapp status, cold": Way(bench.words("status"), prepare, cold=True), "hostapp status, again": Way(bench.words("status"), prepare)}


def composefs(bench):
    tree = dump.of_tree(bench.options.dir + "/tree-25000.dump", 25000, "")
    theirs = dump.mkcomposefs(None, bench.options.dir)
    ways = {"hostapp's writer": Way([bench.options.tests + "/interop/composefs_image", "v1", tree])}
    if theirs:
        ways["mkcomposefs"] = Way([theirs, "--from-file", "--print-digest-only", "--min-version=1", tree])
    return ways


def program(bench, name, *words):
    """The tables that another bench prints; nothing if it could not run."""
    done = subprocess.run([os.path.join(measure.ROOT, "tests/bench", name), bench.options.build, "--dir", bench.options.dir, *words],
                          stdout=subprocess.PIPE, check=False, timeout=7200)
    if done.returncode != 0:
        return []
    return [line for line in done.stdout.decode().splitlines() if line.startswith("|") or not line]


def helper(bench):
    lines = program(bench, "helper", "--runs", str(bench.options.runs))
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")][1:]
    if not cells:
        return ["`tests/bench/helper` could not run.", ""], "not measured", None
    ours, theirs = [row for row in cells if row[0].startswith("hostapp")], cells[-1]
    verdict = "%s to %s ms beside %s ms; at most %d system calls" % (
        min(float(row[3]) for row in ours), max(float(row[3]) for row in ours), theirs[3], max(int(row[5]) for row in ours))
    return [*lines, ""], verdict, cells


def each_more(results):
    """What one more of what is counted costs, by verb, between the fewest and the most."""
    fewest, most = min(results, key=int), max(results, key=int)
    step = int(most) - int(fewest)
    return ", ".join("%s %.3f ms and %.1f system calls" % (verb, *((results[most][verb][what] - low[what]) * times / step
                                                                 for what, times in (("wall", 1000), ("calls", 1))))
                     for verb, low in results[fewest].items())


def growth(bench):
    results = bench.work + "/growth.json"
    lines = program(bench, "growth", "--json", results)
    if not lines:
        return ["`tests/bench/growth` could not run.", ""], "not measured", None
    with open(results, encoding="ascii") as file:
        found = json.load(file)
    verdict = "a deployment more: %s; a file more: %s" % (each_more(found["deployments"]), each_more(found["files"]))
    return [*lines, "![How it grows](growth.svg)", ""], verdict, found


ROWS = {
    "deploy": Row("Deploy, everything in the store", "≥ 5 ×, and < 1 s", deploy,
                  "Both programs copy kernel and initramfs; `cp -al` makes a tree alone, and a `sync -f` is in its time.", verdict=verdicts.deploy),
    "composefs": Row("composefs image of 25,000 files", "≥ 2 ×; memory ≤ its", composefs,
                     "Whole programs from the same dump, the reading of it, which the product does not do, included.", verdict=verdicts.with_memory),
    "status": Row("status, three deployments", "< 20 ms, and under 200 system calls", status, verdict=verdicts.status),
    "helper": Row("Helper, from exec to pivot", "less; fewer than 150 system calls", lines=helper,
                  note="QEMU's software emulation; the same virtual machine for all."),
    "growth": Row("How it grows", "deploy, status and gc linear in the change", lines=growth,
                  note="Each deployment is a tiny release of its own and pinned; gc removes one beside them. The files have 200 bytes each, no two the same."),
}
