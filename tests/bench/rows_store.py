# SPDX-License-Identifier: Apache-2.0
"""Rows of `compare`: what is kept in the store, and what it takes."""
import sys

sys.dont_write_bytecode = True
from bench import Disk, Row, Way, do  # noqa: E402
import inputs  # noqa: E402
from rows_device import in_store  # noqa: E402
from rows_image import SKOPEO, first  # noqa: E402
import verdicts  # noqa: E402

MIB = 1 << 20


def fsck(bench):
    return {
        "hostapp fsck": Way(bench.words("fsck"), in_store(bench)),
        "ostree fsck": Way(["ostree", "--repo=s/ostree/repo", "fsck", "--quiet"], in_store(bench)),
    }


def garbage(bench):
    """Ten releases, of which the last two are deployed."""
    layout, _ = inputs.releases(bench)
    tags = ["oci:%s:v%d" % (layout, number) for number in range(1, inputs.RELEASES + 1)]
    prepare = first(bench.hostapp("init"), *[bench.hostapp("pull", tag) for tag in tags[:-2]], *[bench.hostapp("deploy", tag) for tag in tags[-2:]])
    # The same store, without the refs that gc would remove: what gc kept says which.
    theirs = ("; cp -al s/ostree/repo r; ostree --repo=r refs | sort >before; %s; ostree --repo=s/ostree/repo refs | sort >after; "
              "rm -r s; comm -23 before after | xargs ostree --repo=r refs --delete" % bench.hostapp("gc"))
    return {
        "hostapp gc": Way(bench.words("gc"), prepare),
        "ostree prune --refs-only": Way("ostree --repo=r prune --refs-only; sync -f .", prepare + theirs),
    }


def disk(bench):
    """What the sysroot takes after each release, beside what its files take."""
    layout, changed = inputs.releases(bench)
    lines = ["| release | changed files, MB | all so far, MB | sysroot, MB | × | on the disk, MB | × |", "|---:|---:|---:|---:|---:|---:|---:|"]
    taken, ratio = [], 0
    with Disk(bench.work) as at:
        do(*bench.words("init"), cwd=at.folder)
        for number, size in enumerate(changed, 1):
            do(*bench.words("pull", "oci:%s:v%d" % (layout, number)), cwd=at.folder)
            do("sync", "-f", at.folder)
            apparent, blocks = (int(do("du", "-s", *flags, "s", cwd=at.folder).split()[0]) for flags in (("--apparent-size", "-B1"), ("-B1",)))
            files, ratio = sum(changed[:number]), apparent / sum(changed[:number])
            taken.append({"changed": size, "files": files, "apparent": apparent, "on_disk": blocks})
            lines.append("| %d | %.1f | %.1f | %.1f | %.3f | %.1f | %.3f |" % (
                number, size / 1e6, files / 1e6, apparent / 1e6, ratio, blocks / 1e6, blocks / files))
    grown = (taken[-1]["apparent"] - taken[0]["apparent"]) / sum(changed[1:])
    return lines + [""], "%.3f × (what nine updates add alone: %.3f ×)" % (ratio, grown), taken


def memory(bench):
    """What the other rows do not have: an upgrade that finds something, and files of any size."""
    many = inputs.many_layers(bench)
    references = [bench.serve(many, tag, "many") for tag in ("v1", "v2")]
    moving = bench.remote("moving:stable")
    move = SKOPEO + " --dest-tls-verify=false %s " + moving
    text = inputs.one_file(bench, "text", 2048 * MIB, "seq 1 1000000000")
    noise = inputs.one_file(bench, "noise", 512 * MIB, "openssl enc -aes-128-ctr -K 1 -iv 1 -in /dev/zero 2>/dev/null")
    init = bench.hostapp("init")
    return {
        "hostapp upgrade, one layer new": Way(
            bench.words("upgrade"), first(init, move % references[0], bench.hostapp("deploy", moving), move % references[1])),
        "hostapp pull, one file of 2 GiB, text": Way(bench.words("pull", "oci:%s:x" % text), init),
        "hostapp pull, one file of 512 MiB, noise": Way(bench.words("pull", "oci:%s:x" % noise), init),
        "hostapp pull, 2 GiB, text, HOSTAPP_JOBS=1": Way(["env", "HOSTAPP_JOBS=1", *bench.words("pull", "oci:%s:x" % text)], init),
    }


ROWS = {
    "fsck": Row("Verify the store", "≥ 4 ×", fsck),
    "gc": Row("gc after %d releases" % inputs.RELEASES, "≥ 2 ×", garbage,
              "Each release changes packages with a twentieth of the bytes; the last two stay. ostree has the same store without the same refs."),
    "disk": Row("Disk after %d releases" % inputs.RELEASES, "≤ 1.03 ×", lines=disk,
                note="Beside the bytes of the first release's files and of each later one's changed files; names, modes and layer indexes come on top, "
                     "files with the same content are one."),
    "memory": Row("Peak memory of any verb", "≤ 64 MiB", memory, "The rest of the verbs is in the other rows.", verdict=verdicts.memory),
}
