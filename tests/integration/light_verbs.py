#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hostapp is two programs: one that starts at once, and hostapp-store, which it becomes for what needs the store. Which verb is
whose, that nobody notices, and what happens where the second one is missing.

usage: light_verbs.py HOSTAPP MAKE_TINY_IMAGE BUILD-DIR [unittest arguments]
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HOSTAPP, MAKE_TINY_IMAGE, BUILD = (os.path.abspath(path) for path in sys.argv[1:4])
STORE = os.path.join(os.path.dirname(HOSTAPP), "../libexec/hostapp/hostapp-store")
HEAVY = re.compile(r"lib(ostree|curl|glib|gobject|gio|archive|ext2fs)[-.]")
MOST_CALLS = 200

# Each verb with arguments that the command line takes.
LIGHT = ["status", "log", "kargs", "rollback", "mark-good", "mark-failed --reason x", "reconcile", "reconcile --shutdown", "pin 1",
         "unpin 1", "mount 99 /nowhere", "unmount /nowhere", "health run", "health prove"]
HEAVIES = ["init", "pull oci:x:y", "deploy oci:x:y --karg a=b", "upgrade --check", "remove 1", "gc", "fsck --repair", "etc diff 1",
           "kargs --append a", "kargs --delete a --tries 2", "factory-reset --yes", "grow", "loader update",
           "install /dev/none oci:x:y"]

# Says how it was started, and ends as nothing of ours does.
STANDS_IN = """#!/bin/sh
for word; do printf '%s\\n' "$word"; done
echo "stdin $(readlink /proc/$$/fd/0), umask $(umask), PROBE=$PROBE" >&2
exit 42
"""


def run(argv, **options):
    options = {"stdin": subprocess.DEVNULL, "timeout": 120, "text": True, **options}
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)


def verbs_of_help(*verb):
    """Verbs as the program's own help lists them, with the groups' inner ones."""
    section = run([HOSTAPP, *verb, "--help"]).stdout.partition("Subcommands:\n")[2]
    names = re.findall(r"^  ([a-z][a-z-]*)", section, re.MULTILINE)
    return [found for name in names for found in verbs_of_help(*verb, name)] if names else [" ".join(verb)]


class LightVerbs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = tempfile.mkdtemp(prefix="hostapp-light-")
        cls.addClassCleanup(shutil.rmtree, cls.base, ignore_errors=True)
        cls.images = cls.base + "/images"
        cls.prepared = cls.base + "/prepared"
        cls.check([HOSTAPP, "--sysroot", cls.prepared, "--quiet", "init"])
        for number in ("1", "2", "3"):
            cls.check([MAKE_TINY_IMAGE, cls.images, "v" + number, number])
            cls.check([HOSTAPP, "--sysroot", cls.prepared, "--quiet", "deploy", "oci:%s:v%s" % (cls.images, number)])

    @staticmethod
    def check(argv, **options):
        done = run(argv, **options)
        assert done.returncode == 0, "%s: %d\n%s%s" % (argv, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def setUp(self):
        self.dir = tempfile.mkdtemp(dir=self.base)
        self.root = self.dir + "/root"
        subprocess.run(["cp", "-a", self.prepared, self.root], check=True)

    def installed(self, store=None):
        """A tree with the light program and `store` (a script, or a program to copy; None: nothing) where it looks."""
        os.makedirs(self.dir + "/usr/bin")
        shutil.copy(HOSTAPP, self.dir + "/usr/bin")
        if store is not None:
            place = self.dir + "/usr/libexec/hostapp/hostapp-store"
            os.makedirs(os.path.dirname(place))
            if os.path.exists(store):
                shutil.copy(store, place)
            else:
                with open(place, "w", encoding="utf-8") as file:
                    file.write(store)
                os.chmod(place, 0o755)
        return self.dir + "/usr/bin/hostapp"

    def test_each_verb_stands_in_one_of_the_lists(self):
        words = {re.match(r"(etc |loader |health )?[a-z-]+", line).group() for line in LIGHT + HEAVIES}
        self.assertEqual(words, set(verbs_of_help()))

    @unittest.skipUnless(shutil.which("strace"), "no strace")
    def test_status_loads_nothing_of_the_store_and_makes_few_system_calls(self):
        self.assertEqual(len(json.loads(self.check([HOSTAPP, "--sysroot", self.root, "--json", "status"]))["deployments"]), 3)
        calls = self.dir + "/calls"
        self.check(["strace", "-f", "-o", calls, HOSTAPP, "--sysroot", self.root, "status"])
        with open(calls, encoding="utf-8") as file:
            lines = [line for line in file if re.match(r"\d+ +\w+\(", line)]
        opened = [line for line in lines if "open" in line and "ENOENT" not in line]
        self.assertTrue(any("/contents" in line for line in opened), "strace sees what is opened")
        self.assertEqual([line for line in opened if HEAVY.search(line)], [])
        self.assertLess(len(lines), MOST_CALLS)
        # And the second program does load them: the pattern knows their names.
        self.assertRegex(self.check(["ldd", STORE]), HEAVY)

    def test_light_verbs_do_without_the_second_program(self):
        program = self.installed()
        for line in LIGHT:
            with self.subTest(line):
                done = run([program, "--sysroot", self.root, *line.split()])
                self.assertNotIn("hostapp-store", done.stderr)
                self.assertIn(done.returncode, (0, 1, 2, 3), done.stderr)

    def test_every_other_verb_is_the_second_programs_with_the_same_words_and_exit_status(self):
        program = self.installed(STANDS_IN)
        for line in HEAVIES:
            with self.subTest(line):
                words = ([] if line.startswith("install") else ["--sysroot", self.root]) + ["--json", *line.split()]
                done = run([program, *words])
                self.assertEqual((done.returncode, done.stdout.splitlines()), (42, words), done.stderr)

    def test_the_second_program_is_found_through_a_link_and_begins_as_the_first_has_put_things_right(self):
        link = self.dir + "/link"
        os.symlink(self.installed(STANDS_IN), link)
        done = run(["sh", "-c", 'umask 077; PROBE=yes exec "$0" "$@" <&-', link, "--sysroot", self.root, "gc"])
        self.assertEqual((done.returncode, done.stderr), (42, "stdin /dev/null, umask 0022, PROBE=yes\n"))

    def test_a_missing_second_program_is_one_clear_error(self):
        program = self.installed()
        words = ["--sysroot", self.root, "deploy", "oci:%s:v1" % self.images]
        done = run([program, *words])
        path = self.dir + "/usr/libexec/hostapp/hostapp-store"
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "hostapp: starting %s, which this verb needs: No such file or directory; "
                                      "is hostapp installed as a whole?\n" % path)
        done = run([program, "--json", *words])
        self.assertEqual(done.returncode, 1)
        self.assertIn(path, json.loads(done.stdout)["error"]["message"])

    def test_what_is_wrong_with_the_words_is_said_without_the_second_program_and_as_that_says_it(self):
        program = self.installed()
        for line in ("--help", "--version", "deploy --help", "", "nonsense", "export 1 x", "deploy", "deploy ftp:x y", "--json pin x",
                     "--json deploy oci:x:y --tries 99", "kargs --reboot", "install /dev/x oci:x:y --hostname -", "gc --dry-run --nothing"):
            with self.subTest(line):
                light, store = run([program, *line.split()]), run([STORE, *line.split()])
                self.assertEqual((light.returncode, light.stdout, light.stderr), (store.returncode, store.stdout, store.stderr))
                self.assertEqual(light.returncode, 0 if "--help" in line or line == "--version" else 2, light.stderr)

    def test_exit_status_and_json_of_the_second_program_arrive(self):
        words = ["--sysroot", self.root, "--json", "remove", "99"]
        light, store = run([HOSTAPP, *words]), run([STORE, *words])
        self.assertEqual((light.returncode, light.stdout, light.stderr), (store.returncode, store.stdout, store.stderr))
        self.assertEqual((light.returncode, json.loads(light.stdout)["error"]["code"]), (3, "not-found"))
        # The second one has every verb.
        words = ["--sysroot", self.root, "--json", "status"]
        self.assertEqual(run([HOSTAPP, *words]).stdout, self.check([STORE, *words]))

    def test_what_is_installed_finds_its_second_program(self):
        self.check(["cmake", "--install", BUILD, "--component", "device", "--prefix", "/usr"],
                   env={**os.environ, "DESTDIR": self.dir + "/dest"})
        self.check([self.dir + "/dest/usr/bin/hostapp", "--sysroot", self.dir + "/new", "init"])
        self.assertTrue(os.path.isdir(self.dir + "/new/ostree/repo"))

    def prove(self, store):
        """`health prove` in a root folder that is a booted device's: 3 is on trial over 1, and nothing needs 2."""
        self.installed(store)
        top = self.dir + "/top"
        for folder in ("usr", "proc", "dev", "sysroot", "tmp", "opt"):
            os.makedirs("%s/%s" % (top, folder))
        for name in ("bin", "sbin", "lib", "lib64"):
            if os.path.islink("/" + name):
                os.symlink(os.readlink("/" + name), "%s/%s" % (top, name))
        for path, mode, text in (("etc/hostapp/health.toml", 0o644, "stability-seconds = 0\n"),
                                 ("fake/systemctl", 0o755, "#!/bin/sh\nexit 0\n"),
                                 ("run/hostapp/boot", 0o644, "format=1\nserial=3\nreason=trial\nkernel=own\nledger-writable=yes\n")):
            os.makedirs(os.path.dirname("%s/%s" % (top, path)), exist_ok=True)
            with open("%s/%s" % (top, path), "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod("%s/%s" % (top, path), mode)
        script = """cd "$1"; for folder in usr proc dev; do mount --rbind /$folder $folder; done
            mount --bind "$2" sysroot; mount --bind "$3" opt
            exec chroot . env PATH=/fake:/usr/bin:/bin /opt/bin/hostapp --json health prove"""
        return run(["unshare", "--mount", "sh", "-ec", script, "sh", top, self.root, self.dir + "/usr"])

    def deployments(self):
        return sorted(name for name in os.listdir(self.root + "/hostapp/deployments") if name.isdigit())

    @unittest.skipUnless(os.getuid() == 0, "it mounts")
    def test_what_has_proved_itself_has_the_second_program_collect_what_nothing_needs(self):
        done = self.prove(STORE)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual(json.loads(done.stdout)["verdict"], "good")
        self.assertEqual(self.deployments(), ["1", "3"])

    @unittest.skipUnless(os.getuid() == 0, "it mounts")
    def test_a_release_is_good_whatever_becomes_of_the_collection(self):
        for store, complaint in ((None, "starting /opt/libexec/hostapp/hostapp-store"),
                                 ("#!/bin/sh\necho 'hostapp: the store is gone' >&2; exit 4\n", "the store is gone")):
            with self.subTest(complaint):
                self.setUp()
                done = self.prove(store)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stderr, "^warning: old releases are still there: .*%s[^\n]*\n$" % complaint)
                self.assertEqual(json.loads(done.stdout)["verdict"], "good")
                self.assertEqual(self.deployments(), ["1", "2", "3"])
                status = json.loads(self.check([HOSTAPP, "--sysroot", self.root, "--json", "status"]))
                self.assertEqual((status["default"], status["previous"], status["trial"]), (3, 1, None))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
