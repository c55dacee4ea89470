# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of hostapp for bash. Serial numbers come from `hostapp status`.

_hostapp_serials() {
  "${COMP_WORDS[0]}" "$@" status --json 2>/dev/null | sed 's|[,{]|\n|g' | sed -n 's/^"serial":\([0-9]*\).*/\1/p' | sort -un
}

_hostapp() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb='' second='' i words=''
  local -a where=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --sysroot | --boot) where+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]-}"); i=$((i + 1)) ;;
      --progress | --tries | --karg | --root | --to | --reason | --keep | --loader | --fs | --hostname | --ssh-key | --password-hash) i=$((i + 1)) ;;
      -*) ;;
      *) if [ -z "$verb" ]; then verb=${COMP_WORDS[i]}; elif [ -z "$second" ]; then second=${COMP_WORDS[i]}; fi ;;
    esac
  done
  case $previous in
    --sysroot | --boot) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --progress) mapfile -t COMPREPLY < <(compgen -W 'auto bar plain json none' -- "$current"); return ;;
    --keep) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --loader) mapfile -t COMPREPLY < <(compgen -W 'grub systemd-boot uboot none' -- "$current"); return ;;
    --fs) mapfile -t COMPREPLY < <(compgen -W 'ext4 xfs btrfs' -- "$current"); return ;;
    --ssh-key | --password-hash) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --root) mapfile -t COMPREPLY < <(compgen -W 'composefs checkout' -- "$current"); return ;;
    --to) mapfile -t COMPREPLY < <(compgen -W "$(_hostapp_serials "${where[@]}")" -- "$current"); return ;;
    --tries | --karg | --hostname | --append | --delete | --reason) return ;;
  esac
  local global='--sysroot --boot --json --progress --quiet --verbose --help --version'
  case $verb in
    '') words="init install pull deploy upgrade status rollback mark-good mark-failed reconcile factory-reset pin unpin remove gc fsck grow etc mount unmount log kargs loader health $global" ;;
    install)
      if [[ $current != -* ]]; then mapfile -t COMPREPLY < <(compgen -f -- "${current:-/dev/}"); return; fi
      words='--erase --loader --fs --karg --root --hostname --ssh-key --password-hash'
      ;;
    deploy) words='--tries --karg --root --dry-run --reboot' ;;
    upgrade) words='--check --reboot --retry' ;;
    rollback) words='--to --reboot' ;;
    mark-failed) words='--reason' ;;
    reconcile) words='--shutdown' ;;
    kargs) words='--append --delete --tries --reboot' ;;
    factory-reset) words='--keep --reboot --yes --cancel' ;;
    gc) words='--dry-run --give-up-previous' ;;
    fsck) words='--repair --features' ;;
    health) [ -n "$second" ] || words='run prove' ;;
    loader) [ -n "$second" ] || words='update' ;;
    etc) if [ -z "$second" ]; then words='diff'; else words=$(_hostapp_serials "${where[@]}"); fi ;;
    pin | unpin | remove) [ -n "$second" ] || words=$(_hostapp_serials "${where[@]}") ;;
    mount)
      if [ -z "$second" ]; then words=$(_hostapp_serials "${where[@]}"); else mapfile -t COMPREPLY < <(compgen -d -- "$current"); return; fi
      ;;
    unmount) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
  esac
  [ -z "$verb" ] || [[ $current != -* ]] || words="$words $global"
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _hostapp hostapp
