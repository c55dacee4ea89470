#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`hostapp-image composefs-digest`: what a device compares, known where the release is made.

usage: composefs_digest.py HOSTAPP HOSTAPP_IMAGE MAKE_TINY_IMAGE
"""
import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

HOSTAPP, HOSTAPP_IMAGE, MAKE_TINY_IMAGE = (os.path.abspath(path) for path in sys.argv[1:4])
GOLDEN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/data/composefs-golden"


class ComposefsDigest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="hostapp-digest-test-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.tmp = self.dir + "/tmp"
        os.mkdir(self.tmp)
        os.chmod(self.dir, 0o755)
        os.chmod(self.tmp, 0o1777)

    def tool(self, *argv, status=0, text=None, before=()):
        done = subprocess.run([*before, HOSTAPP_IMAGE, "composefs-digest", *argv], input=text, capture_output=True, timeout=120, check=False,
                              env={**os.environ, "TMPDIR": self.tmp})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertEqual(os.listdir(self.tmp), [], "left in TMPDIR")
        return done.stdout.decode() if status == 0 else done.stderr.decode()

    def image(self):
        subprocess.run([MAKE_TINY_IMAGE, self.dir + "/images", "stable", "1"], check=True, stdout=subprocess.DEVNULL, timeout=60)
        return "oci:" + self.dir + "/images:stable"

    def test_of_an_image_is_that_of_its_deployments(self):
        image = self.image()
        sysroot = self.dir + "/sysroot"
        for verb in (["init"], ["deploy", "--json", image]):
            subprocess.run([HOSTAPP, "--sysroot", sysroot, *verb], check=True, capture_output=True, timeout=120)
        with open(sysroot + "/hostapp/deployments/1/deployment.json", encoding="utf-8") as file:
            deployment = json.load(file)
        size = os.path.getsize(sysroot + "/hostapp/deployments/1/root.cfs")
        self.assertEqual(json.loads(self.tool(image, "--json")), {
            "bytes": size, "composefs_digest": deployment["composefs_digest"], "format": 0,
            "manifest_digest": deployment["manifest_digest"]})
        self.assertEqual(self.tool(image), deployment["composefs_digest"] + "\n")
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        self.assertEqual(self.tool(image, before=nobody), deployment["composefs_digest"] + "\n", "by a user without privilege")

    def test_of_a_damaged_image_is_refused_and_leaves_nothing(self):
        image = self.image()
        largest = max(glob.glob(self.dir + "/images/blobs/sha256/*"), key=os.path.getsize)
        with open(largest, "r+b") as file:
            file.seek(100)
            file.write(b"damage")
        said = self.tool(image, status=4)
        self.assertRegex(said, "^hostapp-image: the composefs digest of .*: .*sha256:")

    def test_of_dumps_is_the_references(self):
        dumps = sorted(glob.glob(GOLDEN + "/*.dump"))
        self.assertEqual(len(dumps), 15)
        for dump in dumps:
            with open(dump + ".digests", encoding="ascii") as file:
                wanted = dict(line.split() for line in file)
            for version in "01":
                self.assertEqual(self.tool("--from-dump", dump, "--format", version), wanted["v" + version] + "\n", dump)
            self.assertIn(self.tool("--from-dump", dump).strip(), wanted.values())
        with open(dumps[0], "rb") as file:
            self.assertEqual(self.tool("--from-dump", "-", text=file.read()), self.tool("--from-dump", dumps[0]))

    def test_a_hostile_dump_is_one_error_with_its_line(self):
        said = self.tool("--from-dump", "-", text=b"/ 0 40755 2 0 0 0 0.0 - - -\n/../x 0 100644 1 0 0 0 0.0 - - -\n", status=4)
        self.assertEqual(said, "hostapp-image: the dump -: line 2: the folder of that path is not there yet\n")

    def test_what_does_not_go_together_is_a_usage_error(self):
        for argv in ([], ["oci:/x", "--from-dump", "x"], ["oci:/x", "--format", "1"], ["--from-dump", "x", "--format", "2"]):
            self.tool(*argv, status=2)
        self.tool("--from-dump", self.dir + "/none", status=3)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
