# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The story, chapter by chapter. Every claim that it prints is asserted on what the programs say themselves (--json).

registry=127.0.0.1:$registry_port        # for this machine
device_registry=10.0.2.2:$registry_port  # the same for the device: this machine's loopback, from inside QEMU's user network
packages=$top/build/release/packages
tools=$work/tools/usr/bin                # the programs, out of the packages that were built

# What an earlier run left, apart from the cache.
begin_run() {
  run_begin=$SECONDS
  [ ! -f "$work/times" ] || mv -f "$work/times" "$work/times.before"
  rm -rf "$logs" "$work/boot-times" "$work/registry" "$work/layout" "$work/sysroot" "$work/json" "$device" "$work"/app.*
  mkdir -p "$logs" "$work/json" "$device"
  [ "$fresh" = no ] || rm -rf "$cache"
  mkdir -p "$cache"
  : >"$work/times"
}

get_ready() {
  chapter 'Getting ready'
  local groups=(quickstart)
  [ "$mode" = no-boot ] || groups+=(device)
  if [ -n "$given_packages" ]; then
    packages=$given_packages
    step 'Debian packages that this needs' "$here/install-build-deps" "${groups[@]}"
  else
    begin_base
    step 'Debian packages that compiling needs' "$here/install-build-deps" build
    begin_beside packages 'Debian packages that the rest needs' "$here/install-build-deps" package "${groups[@]}"
    build
  fi
  device_deb=$(one_file "$packages"/hostapp_*.deb)
  rm -rf "$work/tools"
  dpkg-deb -x "$device_deb" "$work/tools"
}

# The programs of the build machine, as late as they are needed.
get_image_tools() {
  finish_beside image-package
  dpkg-deb -x "$(one_file "$packages"/hostapp-image_*.deb)" "$work/tools"
}

# Downloading and unpacking Debian leave the processors free that installing packages and compiling use.
begin_base() {
  step 'Debian package mmdebstrap' "$here/install-build-deps" bootstrap
  have_package_lists
  base_depends=$(expected_depends)
  base=$(base_key)
  [ -d "$cache/base-$base" ] || begin_beside base "bootstrapping Debian ($suite)" make_base "$cache/base-$base"
}

# What goes into the releases is packaged first, what packs them beside the making of v1.
build() {
  # The same commit, the same packages, bit for bit.
  epoch=$(git -c safe.directory='*' -C "$top" log -1 --format=%ct 2>/dev/null || stat -c %Y "$top/CMakeLists.txt")
  mkdir -p "$top/build/release"
  ! caller >/dev/null || chown -R "$(caller)" "$top/build/release"
  rm -rf "$packages"
  step 'building hostapp' build_programs
  finish_beside packages
  step 'making its Debian package' make_package device
  begin_beside image-package 'making the package of hostapp-image' make_package image
}

# Debian's bootstrap goes first where both want a processor: it must not be the last to end.
build_programs() {
  cd "$top"
  export SOURCE_DATE_EPOCH=$epoch
  # A cache of compilations is used where its owner has one; none is begun in somebody's home.
  as_caller sh -c '[ -d "${CCACHE_DIR:-$HOME/.cache/ccache}" ]' || export CCACHE_DISABLE=1
  as_caller cmake --preset release
  as_caller nice -n 5 cmake --build --preset release --target hostapp hostapp-init hostapp-image
}

make_package() {
  cd "$top/build/release"
  SOURCE_DATE_EPOCH=$epoch as_caller cpack -G DEB -D "CPACK_COMPONENTS_ALL=$1"
}

have_package_lists() { [ -n "$(apt_sources)" ] || step 'package lists' apt-get -q update; }

one_file() {
  [ $# -eq 1 ] && [ -f "$1" ] || die "expected one file, got: $*"
  printf '%s' "$1"
}

# Three releases, as tars from the cache and as images in the registry.
release() {
  chapter 'Making three releases of Debian'
  have_package_lists
  finish_beside base
  base=$(base_key)
  [ -d "$cache/base-$base" ] || step "bootstrapping Debian ($suite)" make_base "$cache/base-$base"
  base_has_all "$cache/base-$base" || {
    base_depends=$(package_depends)
    base=$(base_key)
    step "bootstrapping Debian ($suite) with what hostapp depends on" make_base "$cache/base-$base"
  }
  releases=$cache/releases-$(releases_key)
  forget_old base "$base"
  forget_old releases "${releases##*/releases-}"
  if [ ! -f "$releases/v3.tar" ]; then
    step 'making v1 of it' make_first_release "$releases" "$cache/base-$base"
    begin_beside later-releases 'making v2 and v3' make_later_releases "$releases" "$cache/base-$base"
  fi
  say "   v1: Debian with $(wc -l <"$releases/v1.packages") packages, application 1.0"

  chapter 'Starting a registry and releasing v1'
  start_registry
  get_image_tools
  step 'packing v1' pack v1
  step 'pushing v1' push v1
  move_tag v1
  finish_beside later-releases
  say "   v2: $(changes_between v1 v2)"
  say "   v3: $(changes_between v2 v3); its self test fails"
  begin_beside later-images 'packing v2 and v3' pack_later
}

# Which packages changed, in words.
changes_between() {
  diff "$releases/$1.packages" "$releases/$2.packages" | awk '
    /^</ {old[$2] = $3} /^>/ {new[$2] = $3}
    END {for (p in new) out = out (out ? ", " : "") (p in old ? p " " old[p] " → " new[p] : p " " new[p] " added"); print out}'
}

# pack RELEASE: tar → image in an OCI layout; the later ones keep the layers of the one before.
pack() {
  local version=${1#v} from=()
  [ "$version" -eq 1 ] || from=(--from-image "oci:$work/layout:v$((version - 1))")
  "$tools/hostapp-image" pack "$releases/$1.tar" "oci:$work/layout:$1" --version "$version" "${from[@]}" --progress plain --json >"$work/json/pack-$1.json"
}

pack_later() {
  pack v2
  pack v3
}

push() { "$tools/hostapp-image" push "oci:$work/layout:$1" "docker://$registry/device:$1" --progress plain --json >"$work/json/push-$1.json"; }

# The tag that devices follow.
move_tag() {
  "$tools/hostapp-image" copy "docker://$registry/device:$1" "docker://$registry/device:stable" --quiet --json >"$work/json/tag-$1.json" ||
    die "moving the tag to $1"
  say " ✓ device:stable is $1 now"
}

release_next() {
  finish_beside later-images
  step "pushing $1" push "$1"
  move_tag "$1"
}

# make_sysroot: a device's disk as a folder, with v1 deployed in it.
make_sysroot() {
  on_sysroot init
  on_sysroot deploy "docker://$registry/device:stable" --progress plain --json >"$work/json/deploy-v1.json"
}

# make_disk FILE: a whole disk with GRUB, on which v1 is deployed. The device will reach the registry under another address than this
# machine does: a rule of registries.conf says where that is from here, so that it remembers the name that is right over there.
make_disk() {
  printf '[[registry]]\nprefix = "%s"\nlocation = "%s"\ninsecure = true\n' "$device_registry" "$registry" >"$work/registries.conf"
  CONTAINERS_REGISTRIES_CONF=$work/registries.conf "$tools/hostapp-image" disk "docker://$device_registry/device:stable" "$1" \
    --loader grub --size 4G --karg console=ttyS0 --hostname device --progress plain --json >"$work/json/disk.json"
}

on_sysroot() { "$tools/hostapp" --sysroot "$work/sysroot" "$@"; }

# ---- the device in a virtual machine

story_on_a_device() {
  chapter 'Making a device with v1'
  step 'making its disk, with GRUB and v1' make_disk "$device/disk.img"
  say "   $(du -h "$device/disk.img" | cut -f 1) of $(du -h --apparent-size "$device/disk.img" | cut -f 1); made without root, loop devices or mounts"
  make_ssh_key
  start_device
  step 'booting v1' wait_until 300 'the device answering over ssh' booted_since none
  device_status v1
  expect "$status" '.booted == 1 and .default == 1 and .trial == null' 'the device runs v1'

  chapter 'v2: an update'
  release_next v2
  upgrade_device v2
  step 'booting v2, proving it' wait_until 420 'the device running v2, marked good' device_is '.booted == 2 and .default == 2 and .trial == null'
  device_status v2
  expect "$status" '.booted == 2 and .default == 2 and .previous == 1 and .trial == null and .last_failure == null' 'v2 proved itself and is the default'
  device_says 'device-app --version' '2.0' 'the application is 2.0'
  device_says "dpkg-query -W -f '\${Version}' device-app" '2.0' 'dpkg on the device says the same'
  device_says 'test -s /usr/share/device-app/NEWS && echo there' 'there' 'the new file is there'

  chapter 'v3: broken on purpose'
  release_next v3
  upgrade_device v3
  step 'booting v3, and back' wait_until 600 'the device being back on v2' device_is '.booted == 2 and .trial == null and .last_failure.serial == 3'
  device_status v3
  expect "$status" '.booted == 2 and .default == 2 and .next_boot == 2' 'the device is back on v2, with no hand on it'
  expect "$status" '.last_failure.serial == 3 and .last_failure.cause == "check-failed"' 'status names the release that failed, and why'
  expect "$status" '.last_failure.text | contains("sensors.conf is missing")' '… in the words of the check'
  device_json upgrade-again 'hostapp upgrade --json'
  expect "$work/json/upgrade-again.json" '.changed == false and .skipped == "failed-before"' 'asked again, it leaves v3 alone'
  say
  on_device hostapp status | sed 's/^/   device# /'
  stop_device
}

# device_json NAME COMMAND: the command's document, from the device.
device_json() { on_device "$2" >"$work/json/$1.json" 2>"$logs/device-$1.log" || die "on the device: $2: $(tail -n 3 "$logs/device-$1.log")"; }

device_status() {
  status=$work/json/status-after-$1.json
  device_json "status-after-$1" 'hostapp status --json'
  printf '%s\t%s\n' "$1" "$(on_device systemd-analyze time 2>/dev/null | sed -n 's/.*= \([0-9.minsh ]*s\).*/\1/p' | head -n 1)" >>"$work/boot-times"
}

device_is() {
  local document
  document=$(on_device hostapp status --json 2>/dev/null) || { kill -0 "$device_pid" 2>/dev/null || { echo 'the virtual machine has ended'; exit 1; }; return 1; }
  jq -e "$1" >/dev/null 2>&1 <<<"$document"
}

device_says() {
  local got
  got=$(on_device "$1") || true
  [ "$got" = "$2" ] || die "$3: '$1' on the device says '$got', expected '$2'"
  say " ✓ $3"
}

# upgrade_device RELEASE: what an owner would type, or the timer run. The connection ends with the restart.
upgrade_device() {
  local before
  before=$(boot_id)
  step "hostapp upgrade --reboot, on the device, to $1" upgrade_over_ssh "$1"
  expect "$work/json/upgrade-$1.json" '.changed == true' "$1 is deployed beside the running one"
  step 'restarting' wait_until 300 'a boot after the upgrade' booted_since "$before"
}

upgrade_over_ssh() {
  on_device 'hostapp --progress plain upgrade --reboot --json' >"$work/json/upgrade-$1.json" || [ $? -eq 255 ]
  jq -e .serial "$work/json/upgrade-$1.json"
}

stop_device() {
  on_device systemctl poweroff 2>/dev/null || true
  wait_until 90 'the device switched off' device_is_off >/dev/null || say '   the device did not switch itself off in 90 s; ending it'
}

device_is_off() { ! kill -0 "$device_pid" 2>/dev/null; }

# ---- the same in a folder

story_in_a_folder() {
  local sysroot_json=$work/json
  chapter 'Making a device with v1'
  step 'deploying v1 in a folder' make_sysroot
  sysroot_status v1
  expect "$status" '.default == 1 and .next_boot == 1 and .trial == null' 'v1 is the default'

  chapter 'v2: an update'
  release_next v2
  step 'hostapp upgrade to v2' upgrade_sysroot v2
  expect "$sysroot_json/upgrade-v2.json" '.changed == true and .serial == 2' 'v2 is deployed beside v1'
  sysroot_status v2-trial
  expect "$status" '.next_boot == 2 and .trial.serial == 2 and .default == 1' 'v2 boots next, on trial'
  step 'hostapp mark-good' on_sysroot mark-good
  sysroot_status v2
  expect "$status" '.default == 2 and .previous == 1 and .trial == null and .last_failure == null' 'v2 is the default'

  chapter 'v3: broken on purpose'
  release_next v3
  step 'hostapp upgrade to v3' upgrade_sysroot v3
  sysroot_status v3-trial
  expect "$status" '.next_boot == 3 and .trial.serial == 3 and .default == 2' 'v3 boots next, on trial'
  step 'hostapp mark-failed' on_sysroot mark-failed --reason 'device-app 3.0: sensors.conf is missing'
  sysroot_status v3
  expect "$status" '.next_boot == 2 and .default == 2 and .trial == null' 'v2 boots next'
  expect "$status" '.last_failure.serial == 3 and .last_failure.cause == "marked-failed" and (.last_failure.text | contains("sensors.conf is missing"))' 'status names the release that failed, and why'
  step 'hostapp upgrade, asked again' upgrade_sysroot again
  expect "$sysroot_json/upgrade-again.json" '.changed == false and .skipped == "failed-before"' 'asked again, it leaves v3 alone'
  step 'ostree fsck of the store' ostree fsck --repo="$work/sysroot/ostree/repo"
  say
  on_sysroot status | sed 's/^/   /'
}

sysroot_status() {
  status=$work/json/status-after-$1.json
  on_sysroot status --json >"$status" || die 'hostapp status'
}

upgrade_sysroot() { on_sysroot --progress plain upgrade --json >"$work/json/upgrade-$1.json"; }

# ---- afterwards

summary() {
  local name file
  chapter 'What it took'
  printf '   %-34s %12s %12s %12s %8s\n' '' downloaded reused written seconds
  for name in deploy-v1 upgrade-v2 upgrade-v3 upgrade-again; do
    file=$work/json/$name.json
    [ -s "$file" ] || continue
    # shellcheck disable=SC2046  # four words
    printf '   %-34s %12s %12s %12s %8s\n' "$(step_name $name)" \
      $(for field in downloaded reused written; do human "$(jq ".bytes.$field // 0" "$file")" | tr -d ' '; done) \
      "$(jq '[.seconds[]?] | add // 0 | . * 10 | round / 10' "$file")"
  done
  if [ "$mode" = boot ]; then
    awk -F '\t' '{printf "   %-42s %s\n", ($1 == "v3" ? "boot of v2, back from v3" : "boot of " $1) ", kernel to login", $2}' "$work/boot-times" 2>/dev/null || true
  fi
  printf '   %-34s %d min %02d s\n' 'all of it' $(((SECONDS - run_begin) / 60)) $(((SECONDS - run_begin) % 60))
  chapter 'What to try next'
  if [ "$mode" = boot ]; then
    say '   tools/quickstart --play      this device again, with its registry, and a shell on it; there:'
    say '     hostapp status             what runs, what failed and why'
    say '     hostapp rollback --reboot  back to v1; forward again with hostapp rollback --to 2 --reboot'
    say '     hostapp upgrade --retry --reboot    v3 once more: it fails once more'
  else
    # The store's files belong to root, and some are for root alone.
    say "   $(! caller >/dev/null || echo 'sudo ')build/quickstart/tools/usr/bin/hostapp --sysroot build/quickstart/sysroot status"
    say "   ostree --repo=build/quickstart/sysroot/ostree/repo refs"
    say '   tools/quickstart             the same on a device that really boots, in QEMU'
  fi
  say '   tools/quickstart --clean     takes away build/quickstart'
}

step_name() {
  case $1 in
    deploy-v1) echo 'v1: first deployment' ;;
    upgrade-v2) echo 'v2: update' ;;
    upgrade-v3) echo 'v3: update' ;;
    upgrade-again) echo 'v3: asked again' ;;
  esac
}

# The last run's device and registry again; ends when the shell does.
play() {
  [ -s "$device/disk.img" ] && [ -s "$device/id_ed25519" ] || die 'there is no device yet: run tools/quickstart first'
  start_registry
  start_device
  step 'booting the device' wait_until 300 'the device answering over ssh' booted_since none
  give_back # the key, the serial line
  say "   from another terminal: ssh -F build/quickstart/device/ssh_config device"
  say "   its serial line:       socat -,raw,echo=0 unix-connect:build/quickstart/device/serial.sock"
  say '   this shell is on the device, again after a restart; when it ends, device and registry end too'
  shell_on_device
  device_is_off || stop_device
}

# A person's shell. A connection that is lost (255) is the device restarting, or switching itself off.
shell_on_device() {
  local boot status
  while true; do
    boot=$(boot_id) status=0
    ssh -q -t -F "$device/ssh_config" device || status=$?
    [ "$status" -eq 255 ] || return 0
    step 'the device restarts' wait_until 300 'the device answering again, or off' device_is_off_or_booted_since "$boot"
    ! device_is_off || { say '   the device is off'; return 0; }
  done
}

device_is_off_or_booted_since() { device_is_off || booted_since "$1"; }
