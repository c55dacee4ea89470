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
}

# Before the other pre-pivot hooks: they look into the root that we put there.
install() {
  inst_simple /usr/lib/hostapp/hostapp-init
  inst_hook pre-pivot 10 "$moddir/hostapp.sh"
}
