# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the other parts use: saying what happens, steps with a clock, and an end to everything that was started.
# Expects $work (the quickstart's own folder) and $logs in it.

[ -t 1 ] && terminal=yes || terminal=no
steps=0
step_pid=''     # the process group of the step that runs now
step_log=''
declare -A beside_text beside_begin beside_pid beside_log # of what runs beside the steps, by its name
said_why=''     # an end without a reason is a bug of ours, and must look like one
service_pids=() # what runs beside the story: registry, virtual machine

say() { printf '%s\n' "$*"; }
chapter() { printf '\n== %s\n' "$*"; }

# One clear line, and the end. The trap tidies up.
die() {
  said_why=yes
  printf 'quickstart: %s\n' "$*" >&2
  exit 1
}

# step TEXT COMMAND…: runs the command (a program or a function, with -e) with its output in a log of its own, a clock on the
# terminal while it lasts, and the end of the log where it fails. What it sets is lost: it is a process of its own.
step() {
  local begin=$SECONDS
  launch "$@"
  [ "$terminal" = yes ] || printf '   %s …\n' "$1"
  await "$1" "$begin"
}

# begin_beside NAME TEXT COMMAND…: a step that runs beside the ones that follow; finish_beside NAME waits for its end.
begin_beside() {
  local name=$1
  shift
  launch "$@"
  beside_text[$name]=$1 beside_begin[$name]=$SECONDS beside_pid[$name]=$step_pid beside_log[$name]=$step_log
  step_pid=''
  printf '   %s, beside what follows\n' "$1"
}

# Nothing to wait for where none of that name was begun.
finish_beside() {
  [ -n "${beside_pid[$1]-}" ] || return 0
  local text=${beside_text[$1]} begin=${beside_begin[$1]}
  step_pid=${beside_pid[$1]}
  step_log=${beside_log[$1]}
  unset "beside_pid[$1]"
  await "$text" "$begin"
}

# launch TEXT COMMAND…: sets step_pid, which is a process group, and step_log.
launch() {
  local text=$1
  shift
  steps=$((steps + 1))
  step_log=$(printf '%s/%02d-%s.log' "$logs" "$steps" "$(tr -cs 'a-zA-Z0-9' '-' <<<"$text" | cut -c1-40 | sed 's/-$//')")
  : >"$step_log" # there before the clock looks at it
  set -m # a process group, so that an interrupt ends all of it
  (
    trap 'echo "$SECONDS" >"$step_log.end"' EXIT # a step that ran beside others ended before anybody waited for it
    set -e
    "$@"
  ) >"$step_log" 2>&1 </dev/null &
  step_pid=$!
  set +m
}

# await TEXT BEGIN: the end of what was launched.
await() {
  local text=$1 begin=$2 status=0
  [ "$terminal" = no ] || show_clock "$text" "$step_log" "$begin"
  wait "$step_pid" || status=$?
  step_pid=''
  local took=$(($(cat "$step_log.end" 2>/dev/null || echo "$SECONDS") - begin))
  printf '%s\t%s\n' "$took" "$text" >>"$work/times"
  if [ "$status" -ne 0 ]; then
    [ "$terminal" = no ] || printf '\r\033[K'
    printf ' ✗ %s (%s s)\n' "$text" "$took"
    tail -n 25 "$step_log" | sed 's/^/     | /' >&2
    die "$text: exit status $status; all of its output is in ${step_log#"$top/"}"
  fi
  if [ "$terminal" = yes ]; then printf '\r\033[K'; fi
  printf ' ✓ %s (%s s)\n' "$text" "$took"
}

# The line of a running step: a bar, since when, and the last thing that it said. The bar is what the step says of itself ([3/80] or
# 40%), or else the time it took the last time; a step that nothing is known of has a pointer that goes round.
show_clock() {
  local text=$1 log=$2 begin=$3 i=0 last room before percent
  before=''
  [ ! -f "$work/times.before" ] || before=$(awk -F '\t' -v text="$text" '$2 == text {print $1}' "$work/times.before" | tail -n 1)
  while kill -0 "$step_pid" 2>/dev/null; do
    last=$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | tr -dc '[:print:]\n' | { grep -v '^[[:space:]]*$' || true; } | tail -n 1)
    percent=''
    if [[ $last =~ \[([0-9]+)/([1-9][0-9]*)\] ]]; then
      percent=$((BASH_REMATCH[1] * 100 / BASH_REMATCH[2]))
    elif [[ $last =~ ([0-9]{1,3})(\.[0-9]+)?\ ?% ]]; then
      percent=${BASH_REMATCH[1]}
    elif [ -n "$before" ] && [ "$before" -gt 0 ]; then
      percent=$(((SECONDS - begin) * 100 / before))
    fi
    room=$((${COLUMNS:-$(tput cols 2>/dev/null || echo 100)} - ${#text} - 36))
    [ "$room" -gt 10 ] && last=${last:0:room} || last=''
    printf '\r\033[K   %s %s  %3d s  \033[2m%s\033[0m' "$text" "$(bar "$percent" $((i++)))" $((SECONDS - begin)) "$last"
    sleep 0.25
  done
}

# bar PERCENT TURN: twenty places.
bar() {
  local full i line=''
  if [ -n "$1" ]; then
    full=$(($1 > 99 ? 19 : $1 / 5))
    for ((i = 0; i < 20; i++)); do [ "$i" -le "$full" ] && line+='=' || line+='-'; done
  else
    for ((i = 0; i < 20; i++)); do [ "$i" -eq $(($2 % 20)) ] && line+='=' || line+='-'; done
  fi
  printf '[%s]' "$line"
}

# Ends what was started, by its process id, whatever the reason that we leave. A second interrupt must not cut this short.
tidy_up() {
  local status=$? pid
  trap - EXIT
  trap '' INT TERM HUP
  case $status in
    0) ;;
    130 | 143) printf '\nquickstart: interrupted\n' >&2 ;;
    *) [ -n "$said_why" ] || printf '\nquickstart: a command failed with exit status %s where none was expected to (bash -x tools/quickstart says which)\n' "$status" >&2 ;;
  esac
  # Packages that are being installed are installed to their end.
  [ -z "$step_pid" ] || end_process "-$step_pid" 180
  for pid in "${beside_pid[@]}"; do end_process "-$pid" 180; done
  for pid in "${service_pids[@]}"; do end_process "$pid" 5; done
  give_back
  return "$status"
}

# end_process PID SECONDS: TERM, that long, KILL. A process group where PID is negative.
end_process() {
  local pid=$1 seconds=$2 i
  kill -TERM -- "$pid" 2>/dev/null || return 0
  for ((i = 0; i < seconds * 10; i++)); do
    kill -0 -- "$pid" 2>/dev/null || return 0
    [ "$i" -ne 20 ] || echo 'quickstart: waiting for what runs to come to an end' >&2
    sleep 0.1
  done
  kill -KILL -- "$pid" 2>/dev/null || true
}

# Who called sudo, if anybody did: what they build must be theirs to build on, and theirs to read and take away.
caller() { [ "${SUDO_UID:-0}" -ne 0 ] && echo "$SUDO_UID:${SUDO_GID:-$SUDO_UID}"; }

# as_caller PROGRAM ARGUMENT…
as_caller() {
  caller >/dev/null || { "$@"; return; }
  HOME=$(getent passwd "$SUDO_UID" | cut -d : -f 6) setpriv --reuid "$SUDO_UID" --regid "${SUDO_GID:-$SUDO_UID}" --clear-groups -- "$@"
}

# Hands over what needs no root: not the releases and not a device's disk in a folder, whose files belong to root as they should.
give_back() {
  caller >/dev/null || return 0
  chown "$(caller)" "$top/build" "$work" 2>/dev/null || true
  chown -R "$(caller)" "$logs" "$work/json" "$work/tools" "$device" 2>/dev/null || true
}

# wait_until SECONDS WHAT COMMAND…: asks the command until it says yes. The deadline is against the worst; nothing waits for it in
# the ordinary case.
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "$what: not within the time given"; return 1; }
    sleep 0.5
  done
}

# expect DOCUMENT JQ-CONDITION WHAT: the story's assertions, on what the programs themselves say.
expect() {
  # One document, exactly: jq by itself finds nothing wrong with an empty file.
  jq -es "length == 1 and (.[0] | $2)" "$1" >/dev/null || die "$3: expected $2 in ${1#"$top/"}, which has: $(jq -c . "$1" 2>&1 | cut -c1-600)"
  printf ' ✓ %s\n' "$3"
}

human() { numfmt --to=iec --suffix=B --format='%.1f' -- "$1" 2>/dev/null || echo "$1 B"; }
