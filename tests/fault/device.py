# SPDX-License-Identifier: Apache-2.0
"""The verbs that are cut off, run by the real program on a folder, and whether it comes right afterwards."""
import json
import os
import subprocess

import checking
from disk_log import do

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_disk")
# name: (what was done before, what is interrupted, whether it can be asked again once it is done)
VERBS = {
    "deploy": (["deploy v1"], "deploy v2", True),
    "mark-good": (["deploy v1", "deploy v2"], "mark-good", False),
    "rollback": (["deploy v1", "deploy v2", "mark-good"], "rollback", False),
    "gc": (["deploy v1", "deploy v2", "mark-good", "deploy v3", "rollback"], "gc", True),
    "pull": (["deploy v1"], "pull v2", True),
    "upgrade": (["image stable 1", "deploy stable", "image stable 2"], "upgrade", True),
    "mark-failed": (["deploy v1", "deploy v2"], "mark-failed --reason late", False),
    "pin": (["deploy v1", "deploy v2", "mark-good"], "pin 1", True),
}
# Of these the others have parts.
MAIN_VERBS = ("deploy", "mark-good", "rollback", "gc")


class Device:
    """The verbs of one boot loader, on a folder."""
    kernel = None  # the file of one that starts; without, the images have nothing but a header

    def __init__(self, options, work, loader):
        self.options, self.work, self.loader = options, work, loader
        self.images = os.path.join(work, "images")
        for number in (1, 2, 3):
            self.image("v%d" % number, number)

    def image(self, tag, number):
        do(self.options.make_tiny_image, self.images, tag, str(number), "initramfs %s" % number, *filter(None, [self.kernel]))

    def argv(self, root, verb):
        words = verb.split()
        if words[0] in ("deploy", "pull") and ":" not in words[1]:  # one of its own images
            words[1] = "oci:%s:%s" % (self.images, words[1])
        return [self.options.hostapp, "--sysroot", root, "--progress", "none", "--quiet", *words]

    def run(self, root, verb, **more):
        return subprocess.run(self.argv(root, verb), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False, **more)

    def must(self, root, verb, **more):
        done = self.run(root, verb, **more)
        if done.returncode != 0:
            raise RuntimeError("%s: exit status %d: %s" % (verb, done.returncode, done.stderr))

    def prepare(self, root, verbs):
        self.must(root, "init")
        if self.loader:
            with open(root + "/hostapp/loader.json", "w", encoding="ascii") as file:
                json.dump({"loader": self.loader}, file)
            do(self.options.loader_tool, root + "/boot", self.loader, "install")
        for verb in verbs:
            if verb.startswith("image "):
                self.image(*verb.split()[1:])
            else:
                self.must(root, verb)

    def status(self, root):
        done = self.run(root, "--json status")
        if done.returncode != 0:
            return "exit status %d: %s" % (done.returncode, done.stderr.strip())
        return self.meaning(done.stdout)

    @staticmethod
    def meaning(status):
        """What `status` says of the state, without serial numbers."""
        said = json.loads(status)
        # Serials are not used twice: a try that failed takes one.
        versions = {entry["serial"]: entry["version"] for entry in said["deployments"]}
        trial = said["trial"]
        return repr([versions.get(said[name]) for name in ("default", "previous", "next_boot")] +
                    [trial and (versions.get(trial["serial"]), trial["tries_left"])])

    def check(self, root, *words):
        return checking.check(root, *(["--loader", self.loader] if self.loader else []), *words)

    def go_on(self, root, name, before, after, whole=True):
        """What is wrong when the verb VERBS[name] runs again, and gc after it, where the first was cut off. `before`, `after`: what
        status() said then. `whole`: the disk is read, too."""
        found = []

        def truthful():
            said = self.status(root)
            if said not in (before, after):
                found.append("I7: status says %s, before it was %s, after it %s" % (said, before, after))
            return said

        def then(verb):
            done = self.run(root, verb)
            if done.returncode != 0:
                found.append("I8: then %s: exit status %d: %s" % (verb, done.returncode, done.stderr.strip()))
        said = truthful()
        if self.loader:
            then("reconcile")  # which may end what was begun
            said = truthful()
        if VERBS[name][2] or said == before:
            then(VERBS[name][1])
        then("gc")
        if (said := self.status(root)) != after:
            found.append("I8: run again, status says %s, not %s" % (said, after))
        left = json.loads(self.run(root, "--json gc --dry-run").stdout or "{}")
        if any(left.get(name) for name in ("objects", "refs", "deployments", "boot_sets", "leftovers")):
            found.append("I9: gc leaves %s" % left)
        return found + ["then " + text for text in (self.check(root) if whole else ())]
