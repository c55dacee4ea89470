# SPDX-License-Identifier: Apache-2.0
"""What the tests here share: programs bounded in time, a base tree that deploys, trees described and compared, a device."""
import hashlib
import http.client
import json
import os
import secrets
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time

SKIP = 77
TRANSIENT = ("dev", "proc", "run", "sys", "tmp")  # What is below them in an image is listed as dropped.
MOUNT_POINTS = {name: "0o40755" for name in ("boot", "dev", "home", "media", "mnt", "opt", "proc", "run", "srv", "sys", "sysroot",
                                             "usr/local", "var")} | {"root": "0o40700", "tmp": "0o41777"}
# modules.builtin of a kernel that can mount a composefs root.
COMPOSEFS_MODULES = b"kernel/fs/erofs/erofs.ko\nkernel/fs/overlayfs/overlay.ko\nkernel/drivers/block/loop.ko\n"
CAP_NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


def need(*programs):
    """Skips, and says so, unless this is root and the programs are there."""
    missing = [program for program in programs if not shutil.which(program)]
    if os.geteuid() != 0:
        missing.append("the rights of root")
    if missing:
        print("SKIPPED: not here: " + ", ".join(missing))
        sys.exit(SKIP)


def fail(text):
    print("FAILED: " + text, flush=True)
    sys.exit(1)


def step(text):
    print("--- %s" % text, flush=True)


def run(*command, status=0, env=None, timeout=60, **options):
    """Runs to the end, in bounded time; its standard output. Another exit status than wanted ends the test."""
    done = subprocess.run(command, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False,
                          env={**os.environ, **(env or {})}, **options)
    if done.returncode != status:
        fail("exit status %d instead of %d: %s\n%s%s" % (done.returncode, status, " ".join(map(str, command)),
                                                         done.stdout.decode(errors="replace"),
                                                         done.stderr.decode(errors="replace")))
    return done.stdout.decode()


def in_own_mounts(work):
    """Enters a mount namespace of its own, where what container programs keep outside `work` is empty and forgotten."""
    if os.environ.get("HOSTAPP_OWN_MOUNTS") != "1":
        os.environ["HOSTAPP_OWN_MOUNTS"] = "1"
        os.environ["HOSTAPP_WORK"] = work
        done = subprocess.run(["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv], timeout=600,
                              check=False)
        shutil.rmtree(work, ignore_errors=True)
        sys.exit(done.returncode)
    for folder in ("/var/lib/containers", "/run"):
        os.makedirs(folder, exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", folder)
    os.environ["TMPDIR"] = os.environ["HOSTAPP_WORK"]
    os.environ["HOME"] = os.environ["XDG_CONFIG_HOME"] = os.environ["HOSTAPP_WORK"]
    return os.environ["HOSTAPP_WORK"]


def work_folder(name, on_disk=False):
    """A folder of this test, removed at its end whatever happens; from here on in a mount namespace of its own."""
    work = os.environ.get("HOSTAPP_WORK")
    if not work:
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) and not on_disk else tempfile.gettempdir()
        # No name of mkdtemp: podman takes a path for a reference, in which two underscores may not follow each other, and takes none of over 50 characters.
        work = "%s/hostapp-%s-%s" % (base, name, secrets.token_hex(4))
        os.mkdir(work, 0o700)
    return in_own_mounts(work)


def write(path, content, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def make_base(root, shell=True):
    """The least that deploys, with a shell for RUN: usr merged, a kernel with a boot header, an initramfs, an init."""
    kernel = bytearray(8192)
    kernel[0x202:0x206] = b"HdrS"
    write(root + "/usr/lib/modules/1.0/vmlinuz", bytes(kernel))
    write(root + "/usr/lib/modules/1.0/initramfs.img", b"initramfs" * 100)
    write(root + "/usr/lib/modules/1.0/modules.builtin", COMPOSEFS_MODULES)
    write(root + "/usr/sbin/init", b"#!/bin/sh\n", 0o755)
    write(root + "/etc/hostname", b"device\n")
    os.makedirs(root + "/usr/bin", exist_ok=True)
    for name in ("bin", "sbin", "lib"):
        os.symlink("usr/" + name, root + "/" + name)
    for name in ("var", "tmp", "run", "proc", "sys", "dev", "boot", "opt"):
        os.makedirs(root + "/" + name, exist_ok=True)
    os.chmod(root + "/tmp", 0o1777)
    if shell:
        shutil.copy(shutil.which("busybox"), root + "/usr/bin/busybox")
        os.symlink("busybox", root + "/usr/bin/sh")


def describe(path):
    """Type, mode, owner, content, extended attributes of one file."""
    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    xattrs = {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}
    names = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
    what = {"kind": names.get(kind, "device"), "mode": oct(info.st_mode), "owner": (info.st_uid, info.st_gid), "xattrs": xattrs}
    if stat.S_ISREG(kind):
        with open(path, "rb") as file:
            what["content"] = hashlib.sha256(file.read()).hexdigest()
        what["mtime"] = int(info.st_mtime)
    elif stat.S_ISLNK(kind):
        what["content"] = os.readlink(path)
    return what


def tree(root):
    """{path: description} of all below `root`, without what is under transient folders; and the sets of hard links."""
    out, links = {}, {}
    for folder, folders, files in os.walk(root, onerror=raise_it):
        for name in folders + files:
            full = os.path.join(folder, name)
            path = os.path.relpath(full, root)
            if path.split("/")[0] in TRANSIENT and "/" in path:
                continue
            out[path] = describe(full)
            info = os.lstat(full)
            if stat.S_ISREG(info.st_mode) and info.st_nlink > 1:
                links.setdefault(info.st_ino, set()).add(path)
    return out, sorted(sorted(group) for group in links.values() if len(group) > 1)


def raise_it(error):
    raise error


def differences(name_a, a, name_b, b, without=()):
    """Lines that say which path differs, in what, and what each side has."""
    lines = []
    for path in sorted(set(a) | set(b)):
        if path not in a or path not in b:
            lines.append("%r is only in %s" % (path, name_a if path in a else name_b))
            continue
        for field in sorted(set(a[path]) | set(b[path])):
            if field not in without and a[path].get(field) != b[path].get(field):
                lines.append("%r: %s: %s has %s, %s has %s" % (path, field, name_a, a[path].get(field), name_b, b[path].get(field)))
    return lines


class Device:
    """A sysroot in a folder, through the command line."""

    def __init__(self, program, sysroot):
        self.program, self.sysroot = program, sysroot
        self.json("init")

    def run(self, *argv, status=0):
        return run(self.program, "--sysroot", self.sysroot, *argv, status=status, timeout=120)

    def json(self, *argv, status=0):
        return json.loads(self.run(*argv, "--json", status=status))

    def objects(self):
        """How many objects the store holds."""
        return sum(len(files) for _, _, files in os.walk(self.sysroot + "/ostree/repo/objects"))

    def disk_use(self):
        """What du counts, in bytes."""
        return 1024 * int(run("du", "-sk", self.sysroot).split()[0])

    def fsck(self):
        if not self.json("fsck")["ok"]:
            fail("hostapp fsck finds problems")
        run("ostree", "--repo=" + self.sysroot + "/ostree/repo", "fsck", "--quiet", timeout=120)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Registry:
    """docker-registry on loopback, ended with the block, bounded in time whatever happens."""

    def __init__(self, work, seconds=200):
        self.work, self.port, self.seconds = work, free_port(), seconds

    def __enter__(self):
        config = self.work + "/registry.yml"
        write(config, ("version: 0.1\nlog: {level: error, accesslog: {disabled: false}}\nstorage: {filesystem: {rootdirectory: %s}}\n"
                       "http: {addr: 127.0.0.1:%d}\n" % (self.work + "/registry-data", self.port)).encode())
        self.log = open(self.work + "/registry.log", "wb")
        self.process = subprocess.Popen(["timeout", str(self.seconds), "docker-registry", "serve", config], stdout=self.log,
                                        stderr=subprocess.STDOUT)
        self.host = "127.0.0.1:%d" % self.port
        for _ in range(200):
            try:
                connection = http.client.HTTPConnection(self.host, timeout=5)
                connection.request("GET", "/v2/")
                connection.getresponse().read()
                return self
            except OSError:
                time.sleep(0.05)  # Until it listens: nothing tells us.
        fail("docker-registry does not answer")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
