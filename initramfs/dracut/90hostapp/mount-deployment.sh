#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# dracut without systemd: has the physical root mounted, and puts the selected deployment in its place.
#
# It is the first of the mount hooks and runs the others itself. Right after any of them dracut looks for a root at
# $NEWROOT (proc, sys, dev), and unmounts what is none, as the physical root is: what it finds there is the deployment.
# A root without /hostapp is left as it is. Where no deployment boots, hostapp-init restarts the machine itself.
#
# Sourced in a loop of dracut's: it must not exit, and the loop's variables are not its own.
for hostapp_hook in "$hookdir"/mount/*.sh; do
  ismounted "$NEWROOT" && break
  case $hostapp_hook in *-mount-deployment.sh) continue ;; esac
  # shellcheck disable=SC1090  # dracut's own
  [ ! -f "$hostapp_hook" ] || . "$hostapp_hook"
done
unset hostapp_hook
if ismounted "$NEWROOT" && [ -d "$NEWROOT/hostapp" ]; then
  modprobe -qa overlay loop erofs
  /usr/lib/hostapp/hostapp-init --root "$NEWROOT"
fi
