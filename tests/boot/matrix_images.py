# SPDX-License-Identifier: Apache-2.0
"""The releases of the boot matrix: a small user land with the real hostapp in it, good or broken in one way each."""

import glob
import os
import re
import shutil
import subprocess

from device import COMPOSEFS_MODULES, run, write

# What systemd's units do on a device, in their order; a task on the second disk says what else this boot is for.
INIT = r"""#!/bin/sh
export PATH=/bin:/usr/bin
say() { echo "user-space: $*"; }
clean_restart() { systemctl reboot; }
tell_status() { say "status $(hostapp --quiet status --json 2>&1 | tr -d '\n')"; }
before() { :; }
at_end() { :; }
say "up $(cat /usr/lib/release)"
if [ -e /dev/watchdog0 ]; then
  for word in $(cat /proc/cmdline); do
    [ "${word%=*}" != hostapp.watchdog ] || [ -e /usr/lib/starves ] || watchdog -t 1 -T "${word#*=}" /dev/watchdog0
  done
fi
for module in nls_cp437 nls_ascii vfat efivarfs; do modprobe $module 2>/dev/null; done
[ ! -d /sys/firmware/efi/efivars ] || mount -t efivarfs efivarfs /sys/firmware/efi/efivars 2>/dev/null
[ ! -b /dev/vdb ] || { tr -d '\0' < /dev/vdb > /run/task; . /run/task; }
[ ! -b /dev/vdc ] || mount -o ro -t ext4 /dev/vdc /mnt
hostapp --quiet reconcile || say "reconcile: exit $?"
[ ! -e /usr/lib/fault ] || . /usr/lib/fault
before
hostapp --quiet health prove || say "prove: exit $?"
at_end
tell_status
sync
say off
poweroff -f
"""

# The only parts of systemd that hostapp asks for: no unit has failed; a restart stops hostapp-give-back.service first.
SYSTEMCTL = r"""#!/bin/sh
case "$*" in *reboot*) ;; *) exit 0 ;; esac
hostapp --quiet reconcile --shutdown
sync
reboot -f
"""

HANGS_IN_INITRAMFS = r"""#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs run /run
/bin/busybox cat /etc/hostapp/modules /etc/hostapp/modules.ext4 | while read -r module; do /bin/busybox insmod $module; done
/bin/busybox mkdir -p /root
/bin/busybox mount -t ext4 -o ro /dev/vda4 /root || /bin/busybox mount -t ext4 -o ro /dev/vda2 /root
/hostapp-init --root /root
echo "user-space: the initramfs hangs"
while :; do /bin/busybox sleep 60; done
"""

# As of a distribution that knows nothing of deployments: it looks for /sbin/init on the physical root.
KNOWS_NO_HELPER = r"""#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox cat /etc/hostapp/modules /etc/hostapp/modules.ext4 | while read -r module; do /bin/busybox insmod $module; done
/bin/busybox mkdir -p /root
/bin/busybox mount -t ext4 -o ro /dev/vda4 /root || /bin/busybox mount -t ext4 -o ro /dev/vda2 /root
echo "user-space: no helper here"
exec /bin/busybox switch_root /root /sbin/init
"""

SYSTEMD_BOOT = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
WATCHDOG = ("hostapp.watchdog=8", "systemd.watchdog_sec=8")
MODULES = ("vfat", "nls_cp437", "nls_ascii", "efivarfs")


class Images:
    """An OCI layout with every release that a cell has asked for; made again when what it is made of has changed."""

    def __init__(self, tools):
        self.tools = tools
        self.dir = os.path.join(tools.work, "matrix-images")
        self.layout = os.path.join(self.dir, "layout")
        stamp = os.path.join(self.dir, "made-of")
        made_of = "".join("%s %d\n" % (path, os.path.getmtime(path))
                          for path in (tools.hostapp, tools.hostapp_store, tools.hostapp_image, tools.helper, os.path.abspath(__file__)))
        if not os.path.exists(stamp) or open(stamp).read() != made_of:
            shutil.rmtree(self.dir, ignore_errors=True)
            for old in glob.glob(os.path.join(tools.work, "matrix-*.img")):
                os.unlink(old)
            self.make_tree(os.path.join(self.dir, "tree"))
            run([tools.hostapp_image, "pack", "--quiet", "--version", "v1", os.path.join(self.dir, "tree"), self.place("v1")])
            write(stamp, made_of)

    def place(self, tag):
        return "oci:%s:%s" % (self.layout, tag)

    def need(self, tag):
        """Makes the release of that name unless it is there."""
        mark = os.path.join(self.dir, "has-" + tag)
        if tag == "v1" or os.path.exists(mark):
            return
        tree = os.path.join(self.dir, "tree-" + tag)
        shutil.rmtree(tree, ignore_errors=True)
        run(["cp", "-al", os.path.join(self.dir, "tree"), tree])
        release = Release(self.tools, tree)
        release.replace("usr/lib/release", "v2\n")
        RELEASES[tag](release)
        version = open(os.path.join(tree, "usr/lib/release")).read().strip()
        run([self.tools.hostapp_image, "pack", "--quiet", "--version", version, "--from-image", self.place("v1"), tree,
             self.place(tag)])
        shutil.rmtree(tree)
        write(mark, "")

    def make_tree(self, tree):
        for folder in ("dev proc sys run tmp mnt etc var/lib home root srv opt usr/local usr/bin bin sbin sysroot usr/lib "
                       "usr/lib64 usr/lib/hostapp/health.d/required usr/lib/modules/" + self.tools.version).split():
            os.makedirs(os.path.join(tree, folder))
        os.symlink("usr/lib", os.path.join(tree, "lib"))
        os.symlink("usr/lib64", os.path.join(tree, "lib64"))
        shutil.copy("/bin/busybox", os.path.join(tree, "bin/busybox"))
        for name in run(["busybox", "--list"]).split():
            if name not in ("busybox", "init", "linuxrc"):
                os.symlink("busybox", os.path.join(tree, "bin", name))
        os.symlink("../bin/modprobe", os.path.join(tree, "sbin/modprobe"))
        self.add_hostapp(tree)
        self.add_modules(tree)
        if os.path.exists(SYSTEMD_BOOT):
            target = tree + SYSTEMD_BOOT
            os.makedirs(os.path.dirname(target))
            shutil.copy(SYSTEMD_BOOT, target)
        write(os.path.join(tree, "usr/lib/release"), "v1\n")
        write(os.path.join(tree, "etc/hostname"), "matrix\n")
        write(os.path.join(tree, "usr/lib/hostapp/health.toml"), "timeout-seconds = 10\nstability-seconds = 0\n")
        write(os.path.join(tree, "usr/lib/hostapp/health.d/required/10-check"), "#!/bin/sh\nexit 0\n", 0o755)
        write(os.path.join(tree, "bin/systemctl"), SYSTEMCTL, 0o755)
        write(os.path.join(tree, "sbin/init"), INIT, 0o755)
        modules = os.path.join(tree, "usr/lib/modules", self.tools.version)
        shutil.copy(os.path.join(self.tools.kernel, "vmlinuz"), modules)
        shutil.copy(self.tools.initramfs("tiny"), os.path.join(modules, "initramfs.img"))

    def add_hostapp(self, tree):
        """The programs under test, with the libraries that they name."""
        for place, program in (("usr/bin", self.tools.hostapp), ("usr/libexec/hostapp", self.tools.hostapp_store)):
            os.makedirs(os.path.join(tree, place), exist_ok=True)
            run(["strip", "-o", os.path.join(tree, place, os.path.basename(program)), program])
            for library in re.findall(r"(/\S+) \(0x", run(["ldd", program])):
                target = tree + re.sub(r"^/(usr/)?", "/usr/", library)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(library, target)

    def add_modules(self, tree):
        """Those that the user land loads by itself, and those that make its root a composefs one."""
        self.tools.add_modules(tree, (*MODULES, *COMPOSEFS_MODULES))
        run(["depmod", "-b", tree, self.tools.version])


RELEASES = {}


def release_named(tag):
    def add(function):
        RELEASES[tag] = function
        return function
    return add


class Release:
    """A tree that becomes an image; its files are shared with v1's until they are replaced."""

    def __init__(self, tools, tree):
        self.tools = tools
        self.tree = tree
        self.modules = "usr/lib/modules/" + tools.version

    def replace(self, name, content, mode=0o644):
        path = os.path.join(self.tree, name)
        if os.path.lexists(path):
            os.unlink(path)
        if isinstance(content, str):
            content = content.encode()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)

    def check(self, script):
        self.replace("usr/lib/hostapp/health.d/required/10-check", "#!/bin/sh\n" + script, 0o755)

    def arguments(self, *words):
        self.replace("usr/lib/hostapp/kargs.d/50-matrix.toml", "kargs = [%s]\n" % ", ".join('"%s"' % word for word in words))

    def initramfs(self, path):
        self.replace(self.modules + "/initramfs.img", open(path, "rb").read())

    def own_boot_set(self):
        """The same kernel and programs, another initramfs: a file more, in a cpio behind the first."""
        first = open(os.path.join(self.tree, self.modules, "initramfs.img"), "rb").read()
        more = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "--reproducible"], input=b"usr/lib/release\n", cwd=self.tree,
                              capture_output=True, timeout=60, check=True).stdout
        self.replace(self.modules + "/initramfs.img", first + bytes(-len(first) % 512) + more)

    def init_of_initramfs(self, name, script, *modules):
        """Busybox beside the helper, and a script in front of it."""
        path = os.path.join(self.tools.work, "matrix-images", name)
        write(path, script, 0o755)
        options = [word for module in modules for word in ("--module", module)]
        self.initramfs(self.tools.initramfs("matrix-" + name, *options, "--add", "/bin/busybox=/bin/busybox", "--add",
                                            self.tools.helper + "=/hostapp-init", "--add", path + "=/" + name))
        self.arguments("rdinit=/" + name, *(WATCHDOG if modules else ()))


@release_named("fine")
def fine(release):
    pass


@release_named("fine-own")
def fine_with_its_own_boot_set(release):
    release.own_boot_set()


@release_named("v3")
def v3(release):
    release.replace("usr/lib/release", "v3\n")


@release_named("v4")
def v4(release):
    release.replace("usr/lib/release", "v4\n")


@release_named("kernel-rubbish")
def kernel_rubbish(release):
    release.replace(release.modules + "/vmlinuz", b"rubbish\n" * 100000)


@release_named("panics")
def panics(release):
    """The kernel starts, and finds neither an init in its initramfs nor, without modules, a root."""
    release.arguments("rdinit=/nothing")


@release_named("wrong-initramfs")
def wrong_initramfs(release):
    release.replace(release.modules + "/initramfs.img", b"this was to be an initramfs\n" * 10000)


@release_named("no-helper")
def no_helper(release):
    release.init_of_initramfs("knows-no-helper", KNOWS_NO_HELPER)


@release_named("initramfs-hangs")
def initramfs_hangs(release):
    release.init_of_initramfs("hangs-in-initramfs", HANGS_IN_INITRAMFS, "softdog")


@release_named("no-init")
def no_init(release):
    os.unlink(os.path.join(release.tree, "sbin/init"))


@release_named("init-exits")
def init_exits(release):
    release.replace("sbin/init", '#!/bin/sh\necho "user-space: init of v2 exits"\nexit 0\n', 0o755)


@release_named("hangs")
def hangs(release):
    release.initramfs(release.tools.initramfs("softdog", "--module", "softdog"))
    release.arguments(*WATCHDOG)
    release.replace("usr/lib/starves", "")
    release.replace("usr/lib/fault", 'say "v2 hangs"\nwhile :; do sleep 60; done\n')


@release_named("check-fails")
def check_fails(release):
    release.check("echo the service does not answer\nexit 1\n")


@release_named("check-hangs")
def check_hangs(release):
    release.check("echo waiting for the service\nsleep 1000\n")


@release_named("check-crashes")
def check_crashes(release):
    release.check("kill -SEGV $$\n")


@release_named("no-modules")
def no_modules(release):
    """Its kernel lies in /boot, as a distribution has it, and the modules were forgotten."""
    folder = os.path.join(release.tree, release.modules)
    for name, target in (("vmlinuz", "vmlinuz-"), ("initramfs.img", "initrd.img-")):
        os.makedirs(os.path.join(release.tree, "boot"), exist_ok=True)
        os.rename(os.path.join(folder, name), os.path.join(release.tree, "boot", target + release.tools.version))
    shutil.rmtree(folder)
