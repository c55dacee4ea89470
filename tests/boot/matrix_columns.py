# SPDX-License-Identifier: Apache-2.0
"""The columns of the boot matrix: how a device of each kind is made and started, and where its loader keeps things."""

import os
import shutil

from device import Skipped, run
from matrix_device import ARGUMENTS
from matrix_images import SYSTEMD_BOOT

OVMF = "/usr/share/ovmf/OVMF.fd"
OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
UBOOT = "/usr/lib/u-boot/qemu-x86/u-boot.rom"
DISK_MIB = 640
EPOCH = "1970-01-01"
# UEFI's firmware looks at two digits of the year and knows none before 1998: it makes 2070 of 1970, in the clock, too.
UEFI_EPOCH = "1998-01-01"


def needs(path, package):
    if not os.path.exists(path):
        raise Skipped("no %s (Debian's %s)" % (path, package))


def made_by_the_product(cell, *options):
    """As a user makes it. The device asks for its updates where its disk mounts the releases."""
    run(["unshare", "--mount", "sh", "-ec", "mount --bind '%s' /mnt; exec \"$@\"" % cell.layout, "sh", cell.tools.hostapp_image,
         "disk", "--quiet", "oci:/mnt:v1", cell.disk, "--size", "%dM" % DISK_MIB, *options])


class None_:
    """The kernel is started from outside, with always the same arguments."""
    name = "none"
    boot_partition = None
    on_fat = False
    has_loader = False
    entries = state = None
    dead_clock = EPOCH  # where a clock without a battery starts

    def make_disk(self, cell):
        made_by_the_product(cell, "--loader", "none")

    def machine(self, cell):
        return ["-kernel", os.path.join(cell.tools.kernel, "vmlinuz"), "-initrd", cell.initramfs or cell.tools.initramfs("tiny"),
                "-append", " ".join(("root=PARTUUID=" + cell.partitions()[-1][2], *ARGUMENTS, *cell.extra_arguments))]


class GrubBios:
    name = "grub-bios"
    boot_partition = 2
    on_fat = False
    has_loader = True
    entries = "hostapp/grub/entries/%010d"
    state = ("hostapp/grub/env",)
    dead_clock = EPOCH

    def make_disk(self, cell):
        made_by_the_product(cell, "--loader", "grub", *(word for argument in ARGUMENTS for word in ("--karg", argument)))

    def machine(self, cell):
        return []


class GrubUefi(GrubBios):
    name = "grub-uefi"
    dead_clock = UEFI_EPOCH

    def machine(self, cell):
        needs(OVMF, "ovmf")
        return ["-machine", "q35", "-bios", OVMF]


class OnFat:
    """The loader's FAT holds the boot sets, too."""
    boot_partition = 0
    on_fat = True
    has_loader = True

    # With mtools: the kernel of the machine that runs this need not know FAT. A tmpfs cannot be frozen either.
    def open_boot(self, disk, partition):
        return "mount -t tmpfs boot $BOOT; mcopy -s -n -Q -i '%s'@@%d '::*' $BOOT" % (disk, partition[0])

    def close_boot(self, disk, partition):
        return "mdeltree -i '%s'@@%d '::*'; mcopy -s -Q -i '%s'@@%d $BOOT/* ::" % ((disk, partition[0]) * 2)

    def make_disk(self, cell):
        made_by_the_product(cell, "--loader", self.name, *(word for argument in ARGUMENTS for word in ("--karg", argument)))


class SystemdBoot(OnFat):
    name = "systemd-boot"
    entries = "loader/entries/hostapp-%010d-*.conf"
    state = None  # the counters are in the names of the entries
    dead_clock = UEFI_EPOCH

    def make_disk(self, cell):
        needs(SYSTEMD_BOOT, "systemd-boot-efi")
        super().make_disk(cell)

    def machine(self, cell):
        needs(OVMF_CODE, "ovmf")
        if not os.path.exists(cell.variables):
            shutil.copy(OVMF_VARIABLES, cell.variables)
        return ["-machine", "q35", "-drive", "if=pflash,format=raw,readonly=on,file=" + OVMF_CODE, "-drive",
                "if=pflash,format=raw,file=" + cell.variables]


class Uboot(OnFat):
    name = "uboot"
    entries = "hostapp/uboot/entries/%d.env"
    state = ("hostapp/uboot/state-0", "hostapp/uboot/state-1")
    dead_clock = EPOCH

    def machine(self, cell):
        needs(UBOOT, "u-boot-qemu")
        return ["-M", "pc", "-bios", UBOOT]


COLUMNS = {column.name: column for column in (GrubBios(), GrubUefi(), SystemdBoot(), Uboot(), None_())}
