# SPDX-License-Identifier: Apache-2.0
"""The store: every object has the checksum that is its name, every ref a commit, every commit all that it needs."""
import hashlib
import os
import stat

from gvariant import Damaged, array, make_array, make_pair, members, with_offsets

KINDS = ("commit", "dirtree", "dirmeta", "file")


def text(data):
    if not data.endswith(b"\0"):
        raise Damaged("a name without its end")
    return data[:-1].decode()


def checksum(data):
    if len(data) != 32:
        raise Damaged("a checksum of %d bytes" % len(data))
    return data.hex()


def xattrs_of(path):
    names = sorted(name.encode() for name in os.listxattr(path, follow_symlinks=False))
    return make_array([make_pair(name + b"\0", os.getxattr(path, name, follow_symlinks=False)) for name in names])


def checksum_of_file(path):
    """Of a file or link in a bare repository: a header of owner, mode, target and attributes, then the content."""
    info = os.lstat(path)
    target, content = b"", b""
    if stat.S_ISLNK(info.st_mode):
        target = os.readlink(os.fsencode(path))
    else:
        with open(path, "rb") as file:
            content = file.read()
    fixed = b"".join(number.to_bytes(4, "big") for number in (info.st_uid, info.st_gid, info.st_mode, 0))
    header = with_offsets(fixed + target + b"\0" + xattrs_of(path), [len(fixed) + len(target) + 1], reverse=True)
    return hashlib.sha256(len(header).to_bytes(4, "big") + bytes(4) + header + content).hexdigest()


class Store:
    def __init__(self, repo):
        self.repo = repo
        self.trees, self.bad = {}, {}

    def path(self, name, kind):
        return os.path.join(self.repo, "objects", name[:2], name[2:] + "." + kind)

    def objects(self):
        folder = os.path.join(self.repo, "objects")
        for short in sorted(os.listdir(folder)):
            for name in sorted(os.listdir(os.path.join(folder, short))):
                yield short + name.partition(".")[0], name.partition(".")[2]

    def check_objects(self):
        """I4, and names that are no objects."""
        for name, kind in self.objects():
            where = "object %s.%s" % (name, kind)
            if kind not in KINDS or len(name) != 64:
                yield "I5", where + ": no object has such a name"
                continue
            path = self.path(name, kind)
            if kind == "file":
                found = checksum_of_file(path)
            else:
                with open(path, "rb") as file:
                    found = hashlib.sha256(file.read()).hexdigest()
            if found != name:
                self.bad[name] = found
                yield "I4", "%s: its checksum is %s" % (where, found)

    def read(self, name, kind):
        with open(self.path(name, kind), "rb") as file:
            return file.read()

    def missing(self, name, kind):
        """What a tree or commit needs and the store has not, or has damaged."""
        if (name, kind) not in self.trees:
            self.trees[name, kind] = []  # no tree is below itself
            self.trees[name, kind] = list(self.look(name, kind))
        return self.trees[name, kind]

    def look(self, name, kind):
        where = "%s.%s" % (name, kind)
        if name in self.bad:
            yield where + " is damaged"
            return
        if not os.path.lexists(self.path(name, kind)):
            yield where + " is missing"
            return
        try:
            if kind == "commit":
                parts = members(self.read(name, kind), "vvvvvtvv")
                yield from self.missing(checksum(parts[6]), "dirtree")
                yield from self.missing(checksum(parts[7]), "dirmeta")
            elif kind == "dirtree":
                files, folders = members(self.read(name, kind), "vv")
                for entry in array(files):
                    _, content = members(entry, "vv")
                    yield from self.missing(checksum(content), "file")
                for entry in array(folders):
                    _, tree, meta = members(entry, "vvv")
                    yield from self.missing(checksum(tree), "dirtree")
                    yield from self.missing(checksum(meta), "dirmeta")
        except Damaged as error:
            yield "%s: %s" % (where, error)

    def refs(self):
        top = os.path.join(self.repo, "refs/heads")
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, encoding="ascii", errors="replace") as file:
                    yield os.path.relpath(path, top), file.read()

    def check_refs(self):
        """I5: what has a name is whole. Every commit too: it is looked at with a ref or without."""
        for ref, commit in self.refs():
            if ".hostapp-new" in ref or ref.rpartition("/")[2].startswith("."):
                continue  # under a private name
            if len(commit.strip()) != 64:
                yield "I5", "ref %s: no checksum in it: %r" % (ref, commit[:80])
                continue
            for what in self.missing(commit.strip(), "commit"):
                yield "I5", "ref %s: %s" % (ref, what)
        for name, kind in self.objects():
            if kind == "commit" and name not in self.bad:
                for what in self.missing(name, kind):
                    yield "I5", "commit %s: %s" % (name, what)
