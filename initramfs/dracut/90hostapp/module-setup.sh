#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dracut: takes hostapp-init and the modules it needs into the initramfs.

check() {
  [ -x "$dracutsysrootdir/usr/lib/hostapp/hostapp-init" ] || return 1
  return 0
}

depends() {
  echo base
}

# Without overlayfs /etc becomes a real copy; loop and erofs are for composefs roots.
installkernel() {
  hostonly='' instmods overlay loop erofs
  # For hostapp.watchdog=: udev loads the driver of what the machine has.
  hostonly='' instmods i6300esb iTCO_wdt wdat_wdt sp5100_tco
}

# Not in pre-pivot: by then dracut without systemd has refused a physical root, which has no /proc, /sys and /dev, and
# systemd has read the fstab of a root that has none.
install() {
  inst_simple /usr/lib/hostapp/hostapp-init
  if dracut_module_included systemd; then
    inst_simple "$moddir/hostapp-init.service" "$systemdsystemunitdir/hostapp-init.service"
    $SYSTEMCTL -q --root "$initdir" add-requires initrd-root-fs.target hostapp-init.service
  else
    inst_hook mount 01 "$moddir/mount-deployment.sh"
  fi
}
