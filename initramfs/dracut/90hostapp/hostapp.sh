#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# dracut: puts the selected deployment in the place of the physical root, which is checked and mounted at $NEWROOT.
# A root without /hostapp is left as it is. Where no deployment boots, hostapp-init restarts the machine itself.
if [ -d "${NEWROOT:-/sysroot}/hostapp" ]; then
  modprobe -q overlay
  /usr/lib/hostapp/hostapp-init --root "${NEWROOT:-/sysroot}"
fi
