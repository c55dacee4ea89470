# SPDX-License-Identifier: Apache-2.0
"""Boot sets, and what each boot loader would start: read as the loader reads it, from its files alone (`boot`: a files.Folder)."""
import hashlib
import os
import re
import zlib

from files import sha256

DIGEST = re.compile(r"[0-9a-f]{64}$")
BLS = re.compile(r"hostapp-(\d{10})-(\d{10})(?:\+(\d+)(?:-(\d+))?)?\.conf$")


def sums(data):
    """{name: sha256} of a SHA256SUMS; {} when it is none."""
    found = {}
    for line in data.decode(errors="replace").splitlines():
        digest, gap, name = line.partition("  ")
        if not DIGEST.match(digest) or not gap or not name:
            return {}
        found[name] = digest
    return found


def set_problem(boot, name):
    """Why the boot set cannot be started, or "": its name is the digest of the list, the list has the digests of its files."""
    folder = "hostapp/%s/" % name
    try:
        if boot.once(sha256, folder + "SHA256SUMS") != name:
            return "the list of its files is not the one that it is named for"
        files = boot.once(sums_of, folder + "SHA256SUMS")
        if not {"linux", "initrd"} <= set(files):
            return "no linux and initrd in its list"
        for file, digest in files.items():
            if boot.once(sha256, folder + file) != digest:
                return file + " is not what the list says"
    except OSError as error:
        return why(error)
    return ""


def sums_of(boot, name):
    return sums(boot.read(name))


def why(error):
    return "%s: %s" % (os.path.basename(error.filename or ""), error.strerror)


def check_sets(boot):
    """I5: a folder with the list that it is named for is whole. The list is written last, and the first that goes when a set is removed."""
    for name in boot.names("hostapp"):
        if DIGEST.match(name) and has_list(boot, name):
            problem = set_problem(boot, name)
            if problem:
                yield "I5", "boot set %s: %s" % (name, problem)


def has_list(boot, name):
    try:
        return boot.once(sha256, "hostapp/%s/SHA256SUMS" % name) == name
    except OSError:
        return False


def arguments(line):
    """(serial, boot set) that a command line asks for."""
    asked = {}
    for word in line.split():
        key, _, value = word.strip("'\"").partition("=")
        if key in ("hostapp.deployment", "hostapp.boot-set"):
            asked.setdefault(key, []).append(value)
    if sorted(map(len, asked.values())) != [1, 1]:
        return None
    return int(asked["hostapp.deployment"][0]), asked["hostapp.boot-set"][0]


class Grub:
    """What the script of grub.cfg would do: env, then entries whose sums are right."""
    def __init__(self, boot):
        self.boot, self.top = boot, "hostapp/grub"

    def env(self):
        try:
            data = self.boot.read(self.top + "/env")
        except OSError:
            return {}
        if len(data) != 1024 or not data.startswith(b"# GRUB Environment Block\n"):
            return {}
        return dict(line.split("=", 1) for line in data.decode(errors="replace").splitlines() if "=" in line)

    def entries(self):
        """Without their list, which is written last, they are none, unless GRUB was told to start them."""
        folder, env = self.top + "/entries", self.env()
        named = {env.get("hostapp_default", ""), env.get("hostapp_trial", "")}
        for name in self.boot.names(folder):
            good = self.boot.exists("%s/%s/good" % (folder, name))
            if name.isdigit() and (self.has_list(name) or self.boot.exists("%s/%s/SHA256SUMS" % (folder, name)) and (
                    good or name.lstrip("0") in named)):
                yield int(name), self.problem(name), good

    def has_list(self, name):
        try:
            return bool(sums(self.boot.read("%s/entries/%s/SHA256SUMS" % (self.top, name))))
        except OSError:
            return False

    def problem(self, name):
        try:
            folder = "%s/entries/%s" % (self.top, name)
            listed = sums(self.boot.read(folder + "/SHA256SUMS"))
            text = self.boot.read(folder + "/entry.cfg")
            if not listed or hashlib.sha256(text).hexdigest() not in listed.values():
                return "entry.cfg is not what its list says"
            boot_set = re.search(r"boot_set=['\"]?([0-9a-f]{64})", text.decode())
            return set_problem(self.boot, boot_set[1]) if boot_set else "it names no boot set"
        except OSError as error:
            return why(error)

    def starts(self):
        """Serials in the order in which they would be tried."""
        env, entries = self.env(), dict((serial, (problem, good)) for serial, problem, good in self.entries())
        order = []
        trial, tries = env.get("hostapp_trial", "0"), env.get("hostapp_tries", "00")
        if trial.isdigit() and int(trial) and tries.isdigit() and int(tries):
            order.append(int(trial))
        default = env.get("hostapp_default", "0")
        if default.isdigit() and int(default):
            order.append(int(default))
        order += sorted((serial for serial, (_, good) in entries.items() if good), reverse=True)
        return [serial for serial in order if serial in entries and not entries[serial][0]]

    def counters(self):
        tries = self.env().get("hostapp_tries")
        if tries is not None and not re.fullmatch(r"\d{2}", tries):
            yield "hostapp_tries=%s" % tries


class SystemdBoot:
    def __init__(self, boot):
        self.boot, self.top = boot, "loader/entries"

    def found(self):
        """Two may have lost their content to fsck.fat, upon which systemd-boot lists them no more: the newest, when two names had the same
        clusters (nothing depends on it yet), and one that was being removed, when the table of clusters was on the disk before its folder."""
        matches = {name: match for name in self.boot.names(self.top) if (match := BLS.match(name))}
        newest = max(matches, key=lambda name: int(matches[name][2]), default=None)
        for name, match in matches.items():
            if self.has_kernel(name) or name != newest and not (self.may_go(match, matches[newest]) and self.has_kernel(newest)):
                yield name, match

    def may_go(self, match, newest):
        """Those with tries go when a newer one is there; those of deployments that never proved themselves when that one is the default's."""
        return match[3] is not None or newest[3] is None and not self.boot.exists("hostapp/systemd-boot/good/%d" % int(match[1]))

    def has_kernel(self, name):
        """Without one systemd-boot does not list it, nor one that it cannot read."""
        try:
            return re.search(rb"^(linux|efi)[ \t]", self.boot.read(os.path.join(self.top, name)), re.M) is not None
        except OSError:
            return False

    def entries(self):
        for name, match in self.found():
            yield int(match[1]), self.problem(name), not match[3]

    def problem(self, name):
        try:
            text = self.boot.read(os.path.join(self.top, name)).decode(errors="replace")
            first, _, rest = text.partition("\n")
            if first != "# sha256 " + hashlib.sha256(rest.encode()).hexdigest():
                return "it is not what its first line says"
            asked = arguments(" ".join(line[8:] for line in rest.splitlines() if line.startswith("options ")))
            return set_problem(self.boot, asked[1]) if asked else "it asks for nothing"
        except OSError as error:
            return why(error)

    def starts(self):
        # systemd-boot itself looks at no sum: an entry that it would start and that is not whole is a violation.
        order = []
        for name, match in self.found():
            left = int(match[3]) if match[3] else None
            order.append((left != 0, int(match[2]), int(match[1])))
        return [serial for _, _, serial in sorted(order, reverse=True)]

    def counters(self):
        return ()  # the loader renames its own


class Uboot:
    def __init__(self, boot):
        self.boot, self.top = boot, "hostapp/uboot"

    def env(self, name):
        try:
            data = self.boot.read(os.path.join(self.top, name))
        except OSError:
            return None
        if len(data) < 4 or zlib.crc32(data[4:]) != int.from_bytes(data[:4], "little"):
            return None
        return dict(pair.split("=", 1) for pair in data[4:].split(b"\0\0")[0].decode(errors="replace").split("\0") if "=" in pair)

    def entries(self):
        """Half written, with a wrong checksum, they are none, unless U-Boot was told to start them."""
        folder, states = os.path.join(self.top, "entries"), [self.env("state-0") or {}, self.env("state-1") or {}]
        proven = (self.env("proven") or {}).get("hostapp_proven", "").split()
        named = {state.get(key, "") for state in states for key in ("hostapp_default", "hostapp_trial")} | set(proven)
        for name in self.boot.names(folder):
            if name.endswith(".env") and (name[:-4] in named or self.env("entries/" + name) is not None):
                yield int(name[:-4]), self.problem("entries/" + name), name[:-4] in proven

    def problem(self, name):
        entry = self.env(name)
        if entry is None:
            return "its checksum is wrong"
        return set_problem(self.boot, entry.get("hostapp_set", ""))

    def starts(self):
        whole = {serial: good for serial, problem, good in self.entries() if not problem}
        state = self.env("state-0") or self.env("state-1") or {}
        order = []
        if state.get("hostapp_tries", "0") != "0":
            order.append(int(state.get("hostapp_trial", "0")))
        order.append(int(state.get("hostapp_default", "0")))
        order += sorted((serial for serial, good in whole.items() if good), reverse=True)
        return [serial for serial in order if serial in whole]

    def counters(self):
        for name in ("state-0", "state-1"):
            tries = (self.env(name) or {}).get("hostapp_tries")
            if tries is not None and len(tries) != 1:
                yield "%s: hostapp_tries=%s" % (name, tries)


LOADERS = {"grub": Grub, "systemd-boot": SystemdBoot, "uboot": Uboot}
