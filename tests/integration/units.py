#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the device's package brings for systemd, judged by systemd itself.

usage: units.py BUILD-DIR [unittest arguments]
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = os.path.abspath(sys.argv[1])
BLESS = "usr/lib/systemd/system/systemd-bless-boot.service.d/hostapp.conf"


class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="hostapp-units-")
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        subprocess.run(["cmake", "--install", BUILD, "--component", "device", "--prefix", "/usr"], check=True, timeout=50,
                       stdout=subprocess.DEVNULL, env={**os.environ, "DESTDIR": cls.dir})

    def test_systemd_does_not_bless_the_entry_of_a_deployment(self):
        """A counter taken off before our checks would make a trial the one that is always started."""
        with open(os.path.join(self.dir, BLESS), encoding="utf-8") as file:
            conditions = re.findall(r"^Condition.*$", file.read(), re.MULTILINE)
        for cmdline, met in (("root=LABEL=x quiet", 0), ("root=x hostapp.deployment=12 quiet", 1),
                             ("hostapp.deployment=1", 1), ("hostapp.deployments=1", 0)):
            done = subprocess.run(["systemd-analyze", "condition", *conditions], capture_output=True, text=True, timeout=20,
                                  env={**os.environ, "SYSTEMD_PROC_CMDLINE": cmdline})
            self.assertEqual(done.returncode, met, "%s\n%s" % (cmdline, done.stdout + done.stderr))


if __name__ == "__main__":
    if not shutil.which("systemd-analyze"):
        print("skipped: no systemd-analyze (Debian's systemd)")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
