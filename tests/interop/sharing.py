#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is the same is kept once, and an upgrade that finds nothing new asks the registry once.

usage: sharing.py HOSTAPP HOSTAPP_IMAGE
"""
import hashlib
import http.client
import http.server
import json
import os
import sys
import threading

sys.dont_write_bytecode = True  # Tests leave the source tree as it is.
import support  # noqa: E402
from support import fail, run, step

HOSTAPP, HOSTAPP_IMAGE = (os.path.abspath(path) for path in sys.argv[1:3])
FILES, FILE_BYTES = 300, 100000
PAGE = 4096


class Counting(http.server.BaseHTTPRequestHandler):
    """Hands every request on to the registry and notes it."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append("%s %s" % (self.command, self.path))
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=20)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection")}
        upstream.request(self.command, self.path, headers={**headers, "Host": self.headers["Host"]})
        answer = upstream.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(key, value)
        self.send_header("Content-Length", answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        upstream.close()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Proxy:
    def __init__(self, upstream):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
        self.server.daemon_threads = True
        self.server.upstream, self.server.seen = upstream, []
        self.host = "127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def requests(self):
        """Those since the last time."""
        seen, self.server.seen = self.server.seen, []
        return seen


def make_release(root, version):
    """About 30 MB that do not compress; the releases differ in one file of a hundred."""
    support.make_base(root, shell=False)
    for number in range(FILES):
        changed = version if number % 100 == 0 else 1
        seed = b"%d %d" % (number, changed)
        content = expand(seed, FILE_BYTES)
        support.write("%s/usr/share/data/%d/%d" % (root, number // 20, number), content)
    support.write(root + "/usr/lib/os-release", b"VERSION_ID=%d\n" % version)
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            os.utime(os.path.join(folder, name), (1600000000, 1600000000), follow_symlinks=False)


def expand(seed, size):
    """The same noise for the same seed."""
    return hashlib.shake_256(seed).digest(size)


class Sharing:
    def __init__(self):
        self.work = support.work_folder("sharing", on_disk=True)  # du of a folder in memory is nothing
        self.device = support.Device(HOSTAPP, self.work + "/sysroot")
        for version in (1, 2):
            make_release("%s/v%d" % (self.work, version), version)

    def pack(self, version, destination):
        run(HOSTAPP_IMAGE, "pack", "%s/v%d" % (self.work, version), destination, "--version", str(version), timeout=100)

    def measure(self, what, verb, *argv):
        """Runs a verb: its document, and how many objects and bytes the sysroot gained."""
        objects, used = self.device.objects(), self.device.disk_use()
        document = self.device.json(verb, *argv)
        objects, used = self.device.objects() - objects, self.device.disk_use() - used
        print("    %s: %d objects, %d KiB more; %s" % (what, objects, used // 1024, json.dumps(document.get("bytes"))), flush=True)
        return document, objects, used

    def same_again(self, reference):
        step("the same release deployed twice")
        first, objects, used = self.measure("the first", "deploy", reference)
        if used < FILES * FILE_BYTES or objects < FILES:
            fail("the first deployment brought %d objects, %d bytes: less than the release holds" % (objects, used))
        second, objects, used = self.measure("the second", "deploy", reference)
        if second["serial"] == first["serial"]:
            fail("no second deployment was made")
        if objects != 0:
            fail("the second deployment of the same release cost %d objects" % objects)
        # Folders of the checkout, deployment.json, a slot of the ledger: not one file's content.
        if used >= FILE_BYTES * 3:
            fail("the second deployment of the same release takes %d bytes more" % used)
        if second["bytes"]["downloaded"] != 0 or second["bytes"]["written"] != 0:
            fail("the second deployment says %s" % second["bytes"])
        return second

    def change_only(self, what, deploy):
        """v2 differs in FILES / 100 files and in the version."""
        document, objects, used = self.measure(what, *deploy)
        change = FILES // 100 * FILE_BYTES
        # Changed files, their folders up to the root in the layer and in the image, commits, indexes of the layer.
        if not FILES // 100 <= objects <= 40:
            fail("%s: %d objects more for %d changed files" % (what, objects, FILES // 100))
        # Bytes: the change, and per deployment what a checkout's folders and the layer's index (a hundred bytes a path) take.
        if not change <= used <= change + 100 * PAGE + 200 * (FILES + 100):
            fail("%s: %d bytes more on disk for a change of %d" % (what, used, change))
        return document

    def nothing_new(self, proxy):
        step("an upgrade with nothing new")
        before = self.device.json("status")
        proxy.requests()
        for argv in (("upgrade",), ("upgrade", "--check")):
            document, objects, used = self.measure(" ".join(argv), *argv)
            seen = proxy.requests()
            if len(seen) != 1:
                fail("%s with nothing new: %d requests, not one: %s" % (argv, len(seen), seen))
            if document["changed"] is not False or objects or used:
                fail("%s with nothing new: %s, %d objects, %d bytes more" % (argv, document, objects, used))
            print("    one request: " + seen[0])
        if self.device.json("status") != before:
            fail("status is another: %s, was %s" % (self.device.json("status"), before))


def main():
    support.need("docker-registry", "ostree", "busybox", "unshare", "du")
    test = Sharing()
    with support.Registry(test.work) as registry, Proxy(registry.host) as proxy:
        tag = "/os/release:stable"
        test.pack(1, "docker://" + registry.host + tag)
        test.same_again("docker://" + proxy.host + tag)
        test.device.json("mark-good")
        test.nothing_new(proxy)
        step("two releases with 99 % in common")
        test.pack(2, "docker://" + registry.host + tag)
        proxy.requests()
        upgraded = test.change_only("an upgrade", ("upgrade",))
        if not upgraded["changed"]:
            fail("the upgrade changed nothing: %s" % upgraded)
        print("    with %d requests" % len(proxy.requests()))
        test.device.json("mark-good")
        test.nothing_new(proxy)
    test.device.fsck()


main()
