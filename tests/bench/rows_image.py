# SPDX-License-Identifier: Apache-2.0
"""Rows of `compare`: from an image to the store."""
import shlex
import sys

sys.dont_write_bytecode = True
from bench import PODMAN_RUN, Row, Way  # noqa: E402
import inputs  # noqa: E402
import measure  # noqa: E402
import verdicts  # noqa: E402

SKOPEO = "skopeo copy --quiet --insecure-policy --src-tls-verify=false"


def podman(*words):
    return shlex.join(["podman", "--root", "storage", "--runroot", PODMAN_RUN, "--storage-driver", "overlay", *words])


def first(*commands):
    """What is done before the measuring, in this order; none of them may be missing."""
    return "; ".join(command for command in commands if command)


def import_one(bench):
    return {
        "hostapp pull": Way(bench.words("pull", "oci:%s:x" % bench.zstd), bench.hostapp("init")),
        "ostree commit --tree=tar": Way(
            ["ostree", "--repo=r", "commit", "--branch=x", "--tree=tar=" + bench.tar, "--tar-autocreate-parents"], "ostree --repo=r init --mode=bare"),
    }


def pull(bench, tag, before):
    """Ways to bring the release `tag` from the registry to the disk, where the release `before` is already, or nothing."""
    layout = inputs.many_layers(bench)
    here, there = (bench.serve(layout, name, "many") if name else "" for name in (tag, before))

    def by_podman(reference):
        return reference and podman("pull", "--quiet", "--tls-verify=false", reference)

    def by_umoci(reference, name):
        return reference and "%s %s oci:layout:%s; umoci unpack --image layout:%s tree-%s" % (SKOPEO, reference, name, name, name)

    def by_ostree(reference):
        # What ostree-based importers do: every layer a commit, by ostree, of the layer as it is; those that are there are not fetched.
        return reference and (
            "skopeo inspect --raw --tls-verify=false %s >m; for blob in $(jq -r '.layers[].digest[7:]' m); do "
            "ostree --repo=r rev-parse layer/$blob >/dev/null 2>&1 || { curl -sfo blob http://%s/v2/os/many/blobs/sha256:$blob; "
            "ostree --repo=r commit --branch=layer/$blob --tree=tar=blob --tar-autocreate-parents; }; done" % (reference, bench.registry.host))
    return {
        "hostapp pull": Way(bench.words("pull", here), first(bench.hostapp("init"), there and bench.hostapp("pull", there))),
        "podman pull": Way(by_podman(here) + "; sync -f .", by_podman(there)),
        "skopeo copy, umoci unpack": Way(by_umoci(here, tag) + "; sync -f .", by_umoci(there, before)),
        "curl and ostree commit of each layer": Way(by_ostree(here), first("ostree --repo=r init --mode=bare", by_ostree(there))),
    }


def merge(bench):
    """The layers are there, and nothing of the merged tree."""
    reference = "oci:%s:v1" % inputs.many_layers(bench)
    repo = "ostree --repo=s/ostree/repo "
    forget = "%s refs --list hostapp/image | xargs %s refs --delete; %s prune --refs-only" % (repo, repo, repo)
    return {"hostapp pull, every layer there": Way(bench.words("pull", reference), first(bench.hostapp("init"), bench.hostapp("pull", reference), forget))}


def nothing_new(bench):
    reference = bench.serve(inputs.many_layers(bench), "v1", "many")
    return {
        "hostapp upgrade --check": Way(bench.words("upgrade", "--check"), first(bench.hostapp("init"), bench.hostapp("deploy", reference))),
        "skopeo inspect": Way(["skopeo", "inspect", "--tls-verify=false", "--no-tags", reference]),
    }


def floor(bench):
    blob = measure.layer(bench.zstd)
    return {
        "hostapp pull": Way(bench.words("pull", "oci:%s:x" % bench.zstd), bench.hostapp("init")),
        "curl to zstd -d to sha256sum, and one cp": Way("curl -s file://%s | zstd -dc | sha256sum >/dev/null; cp %s copy; sync -f ." % (blob, bench.tar)),
    }


ROWS = {
    "import": Row("Import of one layer, zstd, into an empty store", "wall ≥ 3 ×, CPU ≥ 1.5 ×", import_one,
                  "ostree reads the uncompressed tar, verifies no digest and keeps no layer."),
    "pull": Row("Pull of %d layers from a registry on loopback" % inputs.LAYERS, "≥ 3 × each", lambda bench: pull(bench, "v1", None),
                "Layers are gzip: umoci reads nothing else. podman and umoci make nothing durable themselves: a `sync -f` is in their time."),
    "pull-again": Row("The same with one of %d layers changed" % inputs.LAYERS, "≥ 10 × less than the first pull", lambda bench: pull(bench, "v2", "v1"),
                      verdict=verdicts.to_first_pull),
    "merge": Row("Merge of %d layers" % inputs.LAYERS, "< 150 ms for 25,000 paths; no file opened", merge,
                 "The whole of `hostapp pull` of an image whose layers are in the store, its tree and its ref not: start of the program, manifest "
                 "and config, merge, sync.", opens=True, verdict=verdicts.merge),
    "nothing-new": Row("Upgrade, nothing new", "one request; less wall", nothing_new, verdict=verdicts.requests),
    "floor": Row("The floor", "ours ≤ 1.5 ×", floor, verdict=verdicts.floor),
}
