# SPDX-License-Identifier: Apache-2.0
"""The initramfs that each generator makes of this machine's programs, the tests' kernel, and our device package as it
installs itself: our own mkinitramfs, initramfs-tools and dracut."""

import os
import shutil

from device import SBIN, Skipped, newest_in, run, write

# The package's files and the kernel's modules in their places, in a namespace of mounts of its own; nothing here changes.
IN_PLACE = r"""
set -e
lay() { mount -t overlay overlay -o "ro,lowerdir=$1:$2" "$2"; }
lay "$STAGE/usr/lib:$KERNEL/lib" /usr/lib
lay "$STAGE/usr/share" /usr/share
lay "$KERNEL/boot" /boot
exec "$@"
"""

INITRAMFS_TOOLS_CONF = "MODULES=most\nBUSYBOX=auto\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n"

# dracut's own choice of modules, but for what takes seconds under emulation: bash (dash is /bin/sh here anyway), and the
# kinds of storage that the machine has not got.
DRACUT_OMITS = "bash crypt dm nvdimm btrfs lunmask resume virtiofs "
DRACUT = ["dracut", "--force", "--no-hostonly", "--no-hostonly-cmdline", "--no-early-microcode", "--compress", "zstd -1",
          "--add", "dash"]


class Generators:
    def __init__(self, tools):
        self.tools = tools
        self.stage = os.path.join(tools.work, "stage")
        self.sources = newest_in(os.path.join(tools.source, "initramfs"))

    def need(self, program, package):
        if shutil.which(program, path=SBIN + os.environ["PATH"]) is None:
            raise Skipped("no %s here (package %s); tools/install-build-deps installs it" % (program, package))

    def run_in_place(self, command):
        shutil.rmtree(self.stage, ignore_errors=True)
        run(["cmake", "--install", self.tools.build, "--component", "device", "--prefix", self.stage + "/usr"])
        environment = ["STAGE=" + self.stage, "KERNEL=" + os.path.join(self.tools.kernel, "root")]
        run(["env", *environment, "unshare", "--mount", "sh", "-c", IN_PLACE, "in-place", *command])

    def dracut(self, name, without):
        self.need("dracut", "dracut-core")
        kernel = ["--kver", self.tools.version, "--kernel-image", os.path.join(self.tools.kernel, "vmlinuz")]
        return self.tools.made(name, self.sources, lambda path: self.run_in_place(
            [*DRACUT, *kernel, "--omit", DRACUT_OMITS + without, path]))

    def dracut_with_systemd(self):
        self.need("systemctl", "systemd")
        return self.dracut("dracut-systemd", "")

    def dracut_without_systemd(self):
        return self.dracut("dracut-shell", "systemd systemd-initrd dracut-systemd")

    def initramfs_tools(self):
        self.need("mkinitramfs", "initramfs-tools-core")
        conf = os.path.join(self.tools.work, "initramfs-tools")
        for folder in ("conf.d", "hooks", "scripts"):
            os.makedirs(os.path.join(conf, folder), exist_ok=True)
        write(os.path.join(conf, "initramfs.conf"), INITRAMFS_TOOLS_CONF)
        write(os.path.join(conf, "modules"), "")
        return self.tools.made("initramfs-tools", self.sources, lambda path: self.run_in_place(
            ["mkinitramfs", "-d", conf, "-o", path, self.tools.version]))

    def tiny(self):
        """With the checker that this machine has."""
        return self.tools.made("tiny-of-this-machine", self.sources, lambda path: self.run_in_place(
            ["/usr/lib/hostapp/mkinitramfs", "--kernel", self.tools.version, "--compress", "none", "--output", path]))

    def files_in(self, image):
        """The names of the files of an image, without their folders."""
        return {os.path.basename(line) for line in run(["lsinitramfs", image]).splitlines()}
