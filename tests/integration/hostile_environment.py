#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whoever starts `hostapp` hands it an environment: limits, masks, variables, missing descriptors. And whatever wrote to the disk
before may have left its own files damaged. (Rows 121, 123 and 124 of the list of bad input.)

usage: hostile_environment.py HOSTAPP MAKE_TINY_IMAGE [unittest arguments]

Each case deploys a release under one such circumstance and asserts: it either works, or ends with its documented exit status and
one line that says why; the default is what it was, `hostapp fsck` finds nothing, and the same deploy works afterwards.
"""
import fcntl
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unittest

HOSTAPP, MAKE_TINY_IMAGE = (os.path.abspath(path) for path in sys.argv[1:3])
IO, INVALID, NOT_FOUND, CORRUPT, NO_SPACE, BUSY = 1, 2, 3, 4, 7, 8


class Device(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = tempfile.mkdtemp(prefix="hostapp-hostile-")
        cls.addClassCleanup(shutil.rmtree, cls.base, ignore_errors=True)
        cls.images = cls.base + "/images"
        for number in ("1", "2"):
            subprocess.run([MAKE_TINY_IMAGE, cls.images, "v" + number, number, "initramfs " + number * 20000], check=True,
                           stdout=subprocess.DEVNULL)
        cls.prepared = cls.base + "/prepared"
        for words in (["init"], ["deploy", "oci:%s:v1" % cls.images]):
            subprocess.run([HOSTAPP, "--sysroot", cls.prepared, "--quiet", *words], check=True, capture_output=True)

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="device-", dir=self.base) + "/root"
        subprocess.run(["cp", "-a", self.prepared, self.root], check=True)

    def argv(self, *words):
        return [HOSTAPP, "--sysroot", self.root, "--progress", "none", *words]

    def deploy_words(self):
        return self.argv("deploy", "oci:%s:v2" % self.images)

    def run_with(self, argv, **circumstances):
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              **circumstances)

    def status(self):
        done = self.run_with(self.argv("--json", "status"))
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def assert_error(self, done, codes):
        text = done.stderr.decode()
        self.assertIn(done.returncode, codes, text)  # a signal would be negative
        self.assertEqual(len([line for line in text.splitlines() if line.startswith("hostapp: ")]), 1, text)

    def assert_whole(self):
        fsck = self.run_with(self.argv("fsck"))
        self.assertEqual(fsck.returncode, 0, fsck.stdout + fsck.stderr)

    def assert_deployed(self):
        status = self.status()
        self.assertEqual((status["default"], status["trial"] and status["trial"]["serial"]), (1, status["next_boot"]))
        self.assertNotEqual(status["next_boot"], 1)
        self.assert_whole()

    def deploys(self, **circumstances):
        done = self.run_with(self.deploy_words(), **circumstances)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_deployed()
        return done

    def refuses(self, codes, **circumstances):
        done = self.run_with(self.deploy_words(), **circumstances)
        self.assert_error(done, codes)
        status = self.status()
        self.assertEqual((status["default"], status["trial"], status["next_boot"]), (1, None, 1))
        self.assert_whole()
        self.deploys()
        return done


class Environment(Device):
    def modes(self, root):
        found = {}
        for folder, folders, files in os.walk(root):
            for name in folders + files:
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, root)
                # Objects are named by their content; the modes of loose ones are OSTree's.
                if not relative.startswith("ostree/repo/tmp"):
                    found[relative] = stat.S_IMODE(os.lstat(path).st_mode)
        return found

    def test_masks_change_no_mode(self):
        found = []
        for mask in (0o022, 0, 0o077, 0o777):
            self.setUp()
            self.deploys(preexec_fn=lambda mask=mask: os.umask(mask))
            found.append(self.modes(self.root))
        for other in found[1:]:
            self.assertEqual({p: (oct(m), oct(other.get(p, 0))) for p, m in found[0].items() if other.get(p) != m}, {})

    def test_variables_of_proxies_folders_and_debuggers(self):
        variables = {"HTTP_PROXY": "http://127.0.0.1:1", "https_proxy": "::", "ALL_PROXY": "socks5://nowhere:0", "TMPDIR": "/nowhere",
                     "HOME": "/nowhere", "XDG_CONFIG_HOME": "\x01", "XDG_RUNTIME_DIR": "", "LANG": "xx_YY.nothing", "LC_ALL": "tr_TR.UTF-8",
                     "OSTREE_REPO": "/nowhere", "OSTREE_SYSROOT": "/nowhere", "G_MESSAGES_DEBUG": "all", "GIO_MODULE_DIR": "/nowhere",
                     "TZ": "/nowhere", "TERM": "x" * 5000, "COLUMNS": "-1", "MALLOC_PERTURB_": "165", "POSIXLY_CORRECT": "1"}
        self.deploys(env={"PATH": os.environ["PATH"], **variables})

    def test_no_variables_at_all(self):
        self.deploys(env={})

    def test_no_descriptors_to_write_to(self):
        # What is opened first must not become standard output, or a message lands in the ledger.
        for closed in ([0], [1], [2], [0, 1, 2]):
            self.setUp()
            done = subprocess.Popen(["/bin/sh", "-c", "exec \"$@\"" + "".join(" %d>&-" % number for number in closed), "sh",
                                     *self.deploy_words()])
            self.assertEqual(done.wait(120), 0, closed)
            self.assert_deployed()

    def test_nobody_reads_the_answer(self):
        for words in (["--json", "status"], ["deploy", "oci:%s:v2" % self.images]):
            reading, writing = os.pipe()
            os.close(reading)
            done = subprocess.run(self.argv(*words), stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.PIPE, timeout=120)
            os.close(writing)
            self.assertGreaterEqual(done.returncode, 0, done.stderr)  # no death by SIGPIPE in the middle of something
        self.assert_deployed()

    def test_signals_that_were_ignored_or_blocked(self):
        def ignore():
            for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD})
        self.deploys(preexec_fn=ignore)


class Limits(Device):
    def limited(self, what, number):
        return lambda: resource.setrlimit(what, (number, number))

    def test_files_may_not_grow(self):
        for number in (0, 4096, 15000):
            with self.subTest(number):
                self.setUp()
                self.refuses({IO, NO_SPACE}, preexec_fn=self.limited(resource.RLIMIT_FSIZE, number))

    def test_few_descriptors(self):
        done = self.run_with(self.deploy_words(), preexec_fn=self.limited(resource.RLIMIT_NOFILE, 12))
        if done.returncode == 0:
            self.assert_deployed()
        else:
            self.setUp()
            self.refuses({IO}, preexec_fn=self.limited(resource.RLIMIT_NOFILE, 12))

    def test_little_address_space_is_enough(self):
        self.deploys(preexec_fn=self.limited(resource.RLIMIT_AS, 512 << 20))

    def test_no_core_no_locked_memory_low_priority(self):
        def limits():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
            os.nice(19)
        self.deploys(preexec_fn=limits)


class Locks(Device):
    def test_a_lock_is_a_kernel_lock_not_a_file(self):
        with open(self.root + "/hostapp/store.lock", "a+b") as file:
            file.write(b"1\n")  # somebody's process id says nothing
            file.flush()
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # POSIX's and OSTree's own are others
            holder = subprocess.Popen(["flock", "-x", self.root + "/hostapp/store.lock", "sh", "-c", "echo held; exec sleep 60"],
                                      stdout=subprocess.PIPE)
            self.assertEqual(holder.stdout.readline(), b"held\n")
        done = self.run_with(self.deploy_words())
        holder.kill()  # no trap, no tidying up
        holder.wait()
        holder.stdout.close()
        # flock(2) and open file description locks do not see each other: either it did not matter, or it is busy; never stale.
        self.assertIn(done.returncode, (0, BUSY), done.stderr)
        if done.returncode == BUSY:
            self.deploys()
        self.assert_deployed()


class OwnFiles(Device):
    """Each of our own records empty, half, garbage, from the future, huge, a folder: said by name, never a crash, never unbootable."""

    DAMAGE = {
        "empty": lambda text: b"",
        "half": lambda text: text[:len(text) // 2],
        "garbage": lambda text: bytes((byte * 7 + 13) % 256 for byte in text) or b"\x00\xff",
        "another type": lambda text: b"[1, 2]",
        "huge": lambda text: b"{" + b" " * (64 << 20) + b"}",
        "deep": lambda text: b"[" * 100000,
    }

    def damaged(self, relative, damage):
        path = os.path.join(self.root, relative)
        text = b"{}"
        if os.path.exists(path):
            with open(path, "rb") as file:
                text = file.read()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)  # may be a link to what another device has
        with open(path, "wb") as file:
            file.write(self.DAMAGE[damage](text))

    def each(self, relative, verbs):
        for damage in self.DAMAGE:
            with self.subTest(file=relative, damage=damage):
                self.setUp()
                self.damaged(relative, damage)
                for words in verbs:
                    done = self.run_with(self.argv(*words))
                    if words == ["fsck"]:
                        self.assertIn(done.returncode, (0, CORRUPT))  # its report is its answer
                    elif done.returncode != 0:
                        self.assert_error(done, {IO, INVALID, NOT_FOUND, CORRUPT})
                        self.assertLess(len(done.stderr), 2000)
                yield

    def test_record_of_a_deployment(self):
        for _ in self.each("hostapp/deployments/1/deployment.json", [["status"], ["rollback"], ["mark-good"], ["gc"], ["fsck"]]):
            self.assertTrue(os.path.isfile(self.root + "/hostapp/deployments/1/root.cfs"), "a damaged record is no reason to collect it")
            fsck = self.run_with(self.argv("fsck"))
            self.assertEqual(fsck.returncode, CORRUPT, fsck.stdout)
            self.assertIn(b"deployment 1", fsck.stdout)

    def test_history(self):
        for _ in self.each("hostapp/history.json", [["log"], ["status"], ["log"]]):
            self.deploys()

    def test_which_loader(self):
        for _ in self.each("hostapp/loader.json", [["status"], ["fsck"], ["reconcile"]]):
            done = self.run_with(self.deploy_words())
            self.assert_error(done, {CORRUPT})
            self.assertIn(b"loader.json", done.stderr)
            os.unlink(self.root + "/hostapp/loader.json")
            self.deploys()

    def test_request_for_a_factory_reset(self):
        for _ in self.each("hostapp/factory-reset", [["status"], ["factory-reset", "--cancel"]]):
            self.deploys()

    def test_ledger(self):
        for _ in self.each("hostapp/boot-ledger", [["status"], ["mark-good"], ["rollback"]]):
            # What the helper does at the next boot, on the device itself: the ledger is made again from what is proven.
            done = self.run_with(self.argv("reconcile"))
            self.assertIn(done.returncode, (0, NOT_FOUND, CORRUPT), done.stderr)
            self.assertTrue(os.path.isfile(self.root + "/hostapp/deployments/1/root.cfs"))


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("hostile_environment: a sysroot's files have owners, which only root can give them")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
