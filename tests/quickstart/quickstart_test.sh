#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests of the shell parts of tools/: quickstart_test.sh test_NAME runs one. The story itself is tools/quickstart, which asserts what
# it says; here is what it stands on: that a failed step is a failure, that nothing is left running, that the releases are what they claim.
set -euo pipefail

TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() { echo "FAIL: $*" >&2; exit 1; }
contains() { grep -qF -- "$2" <<<"$1" || fail "expected '$2' in: $1"; }

# A script that stands where tools/quickstart does: the same variables, the same parts, the same traps.
story() {
  cat - <<EOF
set -euo pipefail
top=$TOP here=$TOP/tools work=$scratch/work logs=$scratch/work/log cache=$scratch/work/cache registry_port=1
. "$TOP/tools/quickstart.d/common.sh"
. "$TOP/tools/quickstart.d/releases.sh"
. "$TOP/tools/quickstart.d/device.sh"
trap tidy_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
$1
EOF
}

run_story() {
  mkdir -p "$scratch/work/log"
  story "$1" >"$scratch/story.sh"
  bash "$scratch/story.sh"
}

test_a_step_that_fails_ends_the_story_with_the_end_of_its_output() {
  local output status=0
  output=$(run_story 'breaks() { echo first; false; echo second; }
    step "breaking it" breaks
    echo after' </dev/null 2>&1) || status=$?
  [ "$status" -eq 1 ] || fail "exit status $status"
  contains "$output" 'breaking it: exit status 1'
  contains "$output" '| first'
  ! grep -q -e second -e after <<<"$output" || fail "it went on: $output"
}

# The first run has no times of an earlier one; on a terminal, that once ended it.
test_a_step_on_a_terminal_shows_its_clock_from_the_first_run_on() {
  local output status=0
  mkdir -p "$scratch/work/log"
  story 'step "taking its time" sleep 0.6; echo after' >"$scratch/story.sh"
  output=$(TERM=xterm script -qec "bash '$scratch/story.sh'" /dev/null </dev/null 2>&1) || status=$?
  [ "$status" -eq 0 ] || fail "exit status $status: $output"
  contains "$output" 'taking its time ['
  contains "$output" '✓ taking its time'
  contains "$output" after
}

test_a_step_beside_others_took_until_its_end_and_not_until_it_was_waited_for() {
  local output
  output=$(run_story 'begin_beside quick "being quick" true; sleep 2.1; finish_beside quick' </dev/null 2>&1)
  contains "$output" '✓ being quick (0 s)'
}

test_an_expectation_that_fails_names_the_claim_and_shows_the_document() {
  local output status=0
  echo '{"booted": 3}' >"$scratch/status.json"
  output=$(run_story "expect '$scratch/status.json' '.booted == 2' 'the device is back on v2'; echo after" </dev/null 2>&1) || status=$?
  [ "$status" -eq 1 ] || fail "exit status $status"
  contains "$output" 'the device is back on v2: expected .booted == 2'
  contains "$output" '{"booted":3}'
  ! grep -q after <<<"$output" || fail "it went on: $output"
}

test_an_expectation_on_no_document_fails() {
  : >"$scratch/empty.json"
  ! run_story "expect '$scratch/empty.json' '.trial == null' 'no trial'" </dev/null >/dev/null 2>&1 || fail 'an empty document was believed'
}

test_what_runs_beside_the_story_ends_with_it() {
  local pid
  pid=$(run_story 'sleep 300 >/dev/null 2>&1 & service_pids+=($!); echo $!; exit 3' </dev/null) || true
  [ -n "$pid" ] || fail 'nothing was started'
  ! kill -0 "$pid" 2>/dev/null || { kill "$pid"; fail "process $pid is left running"; }
}

test_an_interrupt_ends_the_running_step_and_all_that_it_started() {
  local story child
  mkfifo "$scratch/started"
  run_story 'echo $$ >"$work/pid"
    deep() { (sleep 300 & echo $! >"$work/../started"; wait); }
    step "taking long" deep' </dev/null >/dev/null 2>&1 &
  story=$!
  read -r child <"$scratch/started"
  kill -TERM "$(cat "$scratch/work/pid")"
  wait "$story" || true
  timeout 20 tail -f --pid="$child" /dev/null || { kill "$child"; fail "process $child of the step is left running"; }
}

test_waiting_has_an_end() {
  local output status=0
  output=$(run_story 'wait_until 1 "the device" false' </dev/null 2>&1) || status=$?
  [ "$status" -eq 1 ] || fail "exit status $status"
  contains "$output" 'the device: not within the time given'
}

test_the_application_is_the_same_package_bit_for_bit() {
  run_story 'make_app 2.0 "$work/a.deb"; make_app 2.0 "$work/b.deb"' </dev/null
  cmp "$scratch/work/a.deb" "$scratch/work/b.deb"
}

test_the_application_of_v2_passes_its_check_and_that_of_v3_does_not() {
  local output
  run_story 'for v in 1.0 2.0 3.0; do make_app $v "$work/$v.deb"; done' </dev/null
  for version in 1.0 2.0 3.0; do
    dpkg-deb -x "$scratch/work/$version.deb" "$scratch/$version"
    [ -x "$scratch/$version/usr/lib/hostapp/health.d/required/50-device-app" ] || fail "$version has no check"
    sed -i "s|/usr/share|$scratch/$version/usr/share|g" "$scratch/$version/usr/bin/device-app"
  done
  output=$(sh "$scratch/2.0/usr/bin/device-app" --self-test) || fail "2.0: $output"
  output=$(sh "$scratch/3.0/usr/bin/device-app" --self-test) && fail "3.0 passes: $output"
  contains "$output" 'sensors.conf is missing'
  [ -e "$scratch/2.0/usr/share/device-app/NEWS" ] && [ ! -e "$scratch/1.0/usr/share/device-app/NEWS" ] || fail 'NEWS is not what 2.0 adds'
}

test_a_changed_device_package_makes_other_releases_of_the_same_base() {
  local keys
  mkdir -p "$scratch/tree/DEBIAN"
  for version in 1 2; do
    printf 'Package: hostapp\nVersion: %s\nArchitecture: all\nMaintainer: x <x@example.org>\nDepends: libc6 (>= 2.34), libzstd1 | other\nDescription: x\n' $version \
      >"$scratch/tree/DEBIAN/control"
    dpkg-deb --build "$scratch/tree" "$scratch/$version.deb" >/dev/null
  done
  keys=$(run_story "apt_sources() { echo sources; }
    for device_deb in '$scratch/1.deb' '$scratch/2.deb'; do base_key; releases_key; package_depends | paste -sd,; done" </dev/null)
  [ "$(sed -n 1p <<<"$keys")" = "$(sed -n 4p <<<"$keys")" ] || fail "the base differs: $keys"
  [ "$(sed -n 2p <<<"$keys")" != "$(sed -n 5p <<<"$keys")" ] || fail "the releases are the same: $keys"
  [ "$(sed -n 3p <<<"$keys")" = libc6,libzstd1 ] || fail "what it depends on: $keys"
}

test_without_root_and_without_sudo_it_says_what_to_do() {
  local status=0 output tool
  mkdir "$scratch/bin"
  for tool in bash env dirname; do ln -s "$(command -v $tool)" "$scratch/bin/"; done
  printf '#!/bin/sh\necho 1000\n' >"$scratch/bin/id"
  chmod 755 "$scratch/bin/id"
  output=$(PATH=$scratch/bin "$TOP/tools/quickstart" --no-boot 2>&1) || status=$?
  [ "$status" -eq 1 ] || fail "exit status $status: $output"
  contains "$output" 'run this as root, or install sudo'
}

test_an_interrupt_waits_until_what_ran_has_ended() {
  local story ended
  mkfifo "$scratch/started"
  run_story 'echo $$ >"$work/pid"
    careful() { trap "sleep 0.5; echo cleaned >$work/cleaned; exit 1" TERM; echo >"$work/../started"; sleep 300 & wait; }
    step "taking care" careful' </dev/null >/dev/null 2>&1 &
  story=$!
  read -r ended <"$scratch/started"
  kill -TERM "$(cat "$scratch/work/pid")"
  wait "$story" || true
  [ -s "$scratch/work/cleaned" ] || fail 'it was left before its step had cleaned up'
}

test_an_unknown_argument_is_a_usage_error() {
  local status=0 output
  output=$("$TOP/tools/quickstart" --no-bot 2>&1) || status=$?
  [ "$status" -eq 2 ] || fail "exit status $status"
  contains "$output" "unknown argument '--no-bot'"
}

test_an_unknown_group_of_packages_is_a_usage_error() {
  local status=0 output
  output=$("$TOP/tools/install-build-deps" --list build tests 2>&1) || status=$?
  [ "$status" -eq 2 ] || fail "exit status $status"
  contains "$output" "no group 'tests'"
}

test_the_units_are_what_systemd_understands() {
  command -v systemd-analyze >/dev/null || fail 'systemd-analyze (package systemd) is missing'
  local output
  cp "$TOP"/tools/systemd/hostapp-* "$scratch"
  # Only the names of programs and pages that need not be on this machine.
  sed -i -e 's|^\(Exec[A-Za-z]*=-\?\)/usr/bin/hostapp.*|\1/bin/true|' -e '/^Documentation=/d' "$scratch"/hostapp-*.service "$scratch"/hostapp-*.timer
  output=$(systemd-analyze verify --man=no "$scratch"/hostapp-*.service "$scratch"/hostapp-*.timer 2>&1) || fail "$output"
  [ -z "$output" ] || fail "$output"
}

test_the_shell_scripts_have_no_findings() {
  command -v shellcheck >/dev/null || fail 'shellcheck is missing: tools/install-build-deps lint'
  cd "$TOP"
  # 2034, 2154: the parts of the quickstart share variables. 2016: dollars for another shell. 2015, 2020, 2164, 2163, 2183: meant so.
  shellcheck -s bash -e SC2034,SC2154,SC2016,SC2015,SC2164,SC2163,SC2183 tools/quickstart tools/quickstart.d/*.sh tests/run .ci/run "${BASH_SOURCE[0]}"
  shellcheck -s sh -e SC2016,SC2020 tools/install-build-deps tools/quickstart.d/base-hook tools/quickstart.d/app/device-app tools/quickstart.d/app/50-device-app
}

[ $# -eq 1 ] && declare -F "$1" >/dev/null || { echo 'usage: quickstart_test.sh test_NAME' >&2; exit 2; }
"$1"
