# SPDX-License-Identifier: Apache-2.0
"""A folder as the checker reads it. The simulated disk has the same methods for what a power cut has left there."""
import hashlib
import os
import stat


class Folder:
    """Names are relative to the folder. OSError where there is nothing to read."""

    def __init__(self, path):
        self.path = path

    def at(self, name):
        return os.path.join(self.path, name)

    def below(self, name):
        return Folder(self.at(name))

    def read(self, name):
        with open(self.at(name), "rb") as file:
            return file.read()

    def names(self, name):
        """Sorted; none where there is no such folder."""
        return sorted(os.listdir(self.at(name))) if os.path.isdir(self.at(name)) else []

    def exists(self, name):
        """Links are not followed."""
        return os.path.lexists(self.at(name))

    def is_folder(self, name):
        return os.path.isdir(self.at(name))

    def facts(self, name):
        """(number of the inode, mode, owner, group) of a file, folder or link."""
        info = os.lstat(self.at(name))
        return info.st_ino, info.st_mode, info.st_uid, info.st_gid

    def target(self, name):
        """Of a symbolic link, bytes."""
        return os.readlink(os.fsencode(self.at(name)))

    def xattrs(self, name):
        path = self.at(name)
        return {key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)}

    def once(self, function, name):
        """function(self, name), which looks at nothing but this one file: asked again of the same one, it need not run again."""
        return function(self, name)


def sha256(files, name):
    """For once()."""
    return hashlib.sha256(files.read(name)).hexdigest()


def tree_of(files, top):
    """{name below `top`: (kind and mode, digest or target)}."""
    found, folders = {}, [""]
    while folders:
        folder = folders.pop()
        for name in files.names(os.path.join(top, folder)):
            short = os.path.join(folder, name)
            full = os.path.join(top, short)
            mode = files.facts(full)[1]
            content = ""
            if stat.S_ISDIR(mode):
                folders.append(short)
            elif stat.S_ISLNK(mode):
                content = files.target(full)
            elif stat.S_ISREG(mode):
                content = files.once(sha256, full)
            found[short] = (mode, content)
    return found
