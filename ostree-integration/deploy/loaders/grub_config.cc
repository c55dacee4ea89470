// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/grub_config.h"

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

// What GRUB 2.06 can and cannot do decides the form: no arithmetic (a count goes down by cases), no `&&`, no function
// inside of `if`, `source` never fails, variables keep their value when a load fails.
constexpr std::string_view kScript = R"(
# Starts the deployment of an entry, or comes back when it is damaged. An entry's SHA256SUMS holds the entry and its boot
# set's own SHA256SUMS, so every byte is checked before the kernel is touched: a damaged one may hang. To `hashsum --check`
# a list that is empty or cannot be read is one without a fault; read as any file, it fails.
function start_entry {
  set entry="$top/hostapp/grub/entries/$1"
  set boot_set=
  set readable=
  if [ -s "$entry/SHA256SUMS" ]; then
    if hashsum --hash sha256 "$entry/SHA256SUMS"; then
      set readable=yes
    fi
  fi
  if [ -n "$readable" ]; then
    if hashsum --hash sha256 --prefix "$top/hostapp" --check "$entry/SHA256SUMS"; then
      source "$entry/entry.cfg"
      set files="$top/hostapp/$boot_set"
      if [ -n "$boot_set" ]; then
        if hashsum --hash sha256 --prefix "$files" --check "$files/SHA256SUMS"; then
          echo "hostapp: starting deployment $1"
          if start_kernel; then
            if initrd "$files/initrd"; then
              boot
            fi
            # A second kernel in this boot would get a broken command line.
            echo "hostapp: deployment $1 could not be started; restarting"
            sleep 5
            reboot
          fi
        fi
      fi
    fi
  fi
  echo "hostapp: deployment $1 is damaged on the boot file system"
}

set hostapp_default=
set hostapp_trial=
set hostapp_tries=
if [ -s "$top/hostapp/grub/env" ]; then
  load_env --file "$top/hostapp/grub/env" hostapp_default hostapp_trial hostapp_tries
fi

# The trial: only with a try that is counted, on disk, before it is started.
if [ -n "$hostapp_trial" ]; then
  set less=
  set before=
  for count in 00 01 02 03 04 05 06 07 08 09; do
    if [ "$count" = "$hostapp_tries" ]; then
      set less="$before"
    fi
    set before="$count"
  done
  if [ -n "$less" ]; then
    set hostapp_tries="$less"
    if save_env --file "$top/hostapp/grub/env" hostapp_tries; then
      set hostapp_tries=
      load_env --file "$top/hostapp/grub/env" hostapp_tries
      if [ "$hostapp_tries" = "$less" ]; then
        start_entry "$hostapp_trial"
      fi
    fi
  fi
fi

if [ -n "$hostapp_default" ]; then
  start_entry "$hostapp_default"
fi

# The state is lost, or what it names is damaged: what was once marked good, the newest first.
set below=a
for round in 1 2 3 4 5 6 7 8 9; do
  set best=
  for file in $top/hostapp/grub/entries/*/good; do
    if regexp --set=1:name "/([0-9]+)/good\$" "$file"; then
      if [ "$name" '<' "$below" -a "$name" '>' "$best" ]; then
        set best="$name"
      fi
    fi
  done
  if [ -n "$best" ]; then
    set below="$best"
    start_entry "$best"
  fi
done

echo "hostapp: no deployment can be started; restarting in 30 seconds"
sleep 30
reboot
)";

}  // namespace

std::string GrubConfig(std::string_view top) {
  return StrCat("# Made by hostapp, never changed afterwards: what is started stands in hostapp/grub/env.\nset top=\"",
                top, "\"\n", kScript.substr(1));
}

std::string_view GrubModules() {
  return "part_gpt ext2 fat search search_fs_uuid normal configfile test regexp loadenv hashsum gcry_sha256 linux echo "
         "sleep reboot serial terminal";
}

}  // namespace hostapp
