# SPDX-License-Identifier: Apache-2.0
"""The store: every object has the checksum that is its name, every ref a commit, every commit all that it needs."""
import hashlib
import os
import stat

from files import sha256
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


def checksum_of_file(files, name):
    """For once(). Of a file or link in a bare repository: a header of owner, mode, target and attributes, then the content."""
    _, mode, owner, group = files.facts(name)
    is_link = stat.S_ISLNK(mode)
    target, content = files.target(name) if is_link else b"", b"" if is_link else files.read(name)
    xattrs = make_array([make_pair(os.fsencode(key) + b"\0", value) for key, value in sorted(files.xattrs(name).items())])
    fixed = b"".join(number.to_bytes(4, "big") for number in (owner, group, mode, 0))
    header = with_offsets(fixed + target + b"\0" + xattrs, [len(fixed) + len(target) + 1], reverse=True)
    return hashlib.sha256(len(header).to_bytes(4, "big") + bytes(4) + header + content).hexdigest()


def children_of_commit(files, name):
    """For once()."""
    parts = members(files.read(name), "vvvvvtvv")
    return [(checksum(parts[6]), "dirtree"), (checksum(parts[7]), "dirmeta")]


def children_of_tree(files, name):
    """For once()."""
    contents, folders = members(files.read(name), "vv")
    found = [(checksum(members(entry, "vv")[1]), "file") for entry in array(contents)]
    for entry in array(folders):
        _, tree, meta = members(entry, "vvv")
        found += [(checksum(tree), "dirtree"), (checksum(meta), "dirmeta")]
    return found


CHILDREN = {"commit": children_of_commit, "dirtree": children_of_tree}


class Store:
    """`repo`: a files.Folder."""

    def __init__(self, repo):
        self.repo = repo
        self.trees, self.bad = {}, {}
        self.objects = list(self.list_objects())

    @staticmethod
    def path(name, kind):
        return "objects/%s/%s.%s" % (name[:2], name[2:], kind)

    def list_objects(self):
        for short in self.repo.names("objects"):
            for name in self.repo.names("objects/" + short):
                yield short + name.partition(".")[0], name.partition(".")[2]

    def check_objects(self):
        """I4, and names that are no objects."""
        for name, kind in self.objects:
            where = "object %s.%s" % (name, kind)
            if kind not in KINDS or len(name) != 64:
                yield "I5", where + ": no object has such a name"
                continue
            found = self.repo.once(checksum_of_file if kind == "file" else sha256, self.path(name, kind))
            if found != name:
                self.bad[name] = found
                yield "I4", "%s: its checksum is %s" % (where, found)

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
        if not self.repo.exists(self.path(name, kind)):
            yield where + " is missing"
            return
        try:
            if kind in CHILDREN:
                for child in self.repo.once(CHILDREN[kind], self.path(name, kind)):
                    yield from self.missing(*child)
        except Damaged as error:
            yield "%s: %s" % (where, error)

    def refs(self):
        folders = [""]
        while folders:
            folder = folders.pop()
            for name in self.repo.names("refs/heads/" + folder):
                ref = os.path.join(folder, name)
                if self.repo.is_folder("refs/heads/" + ref):
                    folders.append(ref)
                else:
                    yield ref, self.repo.read("refs/heads/" + ref).decode("ascii", "replace")

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
        for name, kind in self.objects:
            if kind == "commit" and name not in self.bad:
                for what in self.missing(name, kind):
                    yield "I5", "commit %s: %s" % (name, what)
