# SPDX-License-Identifier: Apache-2.0
"""What the benches share: a real root file system, images of it, a program's wall time, processor time and peak memory."""
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# What deploys, and as much beside it as a device's larger images have: about 900 MB and 25,000 files.
INCLUDE = ("systemd-sysv,udev,dbus,openssh-server,linux-image-cloud-amd64,initramfs-tools,python3,python3-pip,python3-venv,perl,vim,git,"
           "build-essential,cmake,curl,locales,man-db,manpages-dev,libssl-doc")


def say(text):
    print(text, file=sys.stderr, flush=True)


def rootfs(folder, given):
    """A Debian as a plain tar: the one given, or made once with mmdebstrap and kept in `folder`."""
    if given:
        return os.path.abspath(given)
    path = folder + "/rootfs.tar"
    if not os.path.exists(path):
        say("making %s with mmdebstrap (once)" % path)
        subprocess.run(["mmdebstrap", "--variant=minbase", "--skip=output/dev", "--include=" + INCLUDE, "bookworm", path + ".new.tar"], check=True,
                       timeout=900, stdout=sys.stderr)
        os.rename(path + ".new.tar", path)
    return path


def hash_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return "sha256:" + digest.hexdigest()


def put(layout, data):
    digest = hashlib.sha256(data).hexdigest()
    with open("%s/blobs/sha256/%s" % (layout, digest), "wb") as file:
        file.write(data)
    return "sha256:" + digest, len(data)


def image(folder, tar, kind):
    """An OCI layout of one layer, `gzip -6` or `zstd -3`, kept in `folder` as long as the tar is the same."""
    info = os.stat(tar)
    layout = "%s/image-%s-%d-%d" % (folder, kind, info.st_size, info.st_mtime)
    if os.path.exists(layout + "/index.json"):
        return layout
    shutil.rmtree(layout, ignore_errors=True)
    os.makedirs(layout + "/blobs/sha256")
    say("making the %s image" % kind)
    blob = layout + "/layer"
    with open(blob, "wb") as out:
        subprocess.run(["gzip", "-6", "-n", "-c", tar] if kind == "gzip" else ["zstd", "-3", "-q", "-c", tar], stdout=out, check=True,
                       timeout=600)
    layer, size = hash_of(blob), os.path.getsize(blob)
    os.rename(blob, "%s/blobs/sha256/%s" % (layout, layer.removeprefix("sha256:")))
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    config, config_size = put(layout, json.dumps({"architecture": machine, "os": "linux", "config": {},
                                                  "rootfs": {"type": "layers", "diff_ids": [hash_of(tar)]}}).encode())
    types = "application/vnd.oci.image."
    manifest, manifest_size = put(layout, json.dumps({
        "schemaVersion": 2, "mediaType": types + "manifest.v1+json",
        "config": {"mediaType": types + "config.v1+json", "digest": config, "size": config_size},
        "layers": [{"mediaType": types + "layer.v1.tar+" + kind, "digest": layer, "size": size}]}).encode())
    with open(layout + "/oci-layout", "w", encoding="utf-8") as file:
        file.write('{"imageLayoutVersion":"1.0.0"}')
    with open(layout + "/index.json", "w", encoding="utf-8") as file:
        json.dump({"schemaVersion": 2, "manifests": [{"mediaType": types + "manifest.v1+json", "digest": manifest, "size": manifest_size,
                                                      "annotations": {"org.opencontainers.image.ref.name": "x"}}]}, file)
    return layout


def layer(layout):
    """Its one layer, the largest blob."""
    blobs = layout + "/blobs/sha256/"
    return max((blobs + name for name in os.listdir(blobs)), key=os.path.getsize)


def measure(argv, cwd=None):
    """(wall seconds, user and system seconds, peak resident MiB) of the program and what it waited for."""
    with tempfile.NamedTemporaryFile("r") as peak, open(os.devnull, "r+b") as null:
        start = time.monotonic()
        # The peak is time(1)'s: that of a child of ours would begin with what this interpreter has.
        process = subprocess.Popen(["/usr/bin/time", "-q", "-o", peak.name, "-f", "%M", *argv], cwd=cwd, stdin=null, stdout=null,
                                   stderr=subprocess.PIPE)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        memory = int(peak.read() or 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit("%s: exit status %d\n%s" % (" ".join(argv), process.returncode, errors.decode(errors="replace")))
    return wall, usage.ru_utime + usage.ru_stime, memory / 1024


def medians(samples):
    return tuple(statistics.median(column) for column in zip(*samples))


def machine():
    with open("/proc/loadavg", encoding="ascii") as file:
        load = file.read().split()[0]
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return "%d cores (%s), Linux %s, load %s" % (os.cpu_count(), model, platform.release(), load)


def describe(tar, layouts):
    """One line on the input."""
    sizes = ["%s %.0f MB" % (kind, os.path.getsize(layer(layout)) / 1e6) for kind, layout in layouts.items()]
    return "a root file system of %.0f MB as a tar, one layer: %s" % (os.path.getsize(tar) / 1e6, ", ".join(sizes))
