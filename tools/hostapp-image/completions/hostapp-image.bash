# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of hostapp-image for bash.

_hostapp_image() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb='' i words=''
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --progress) i=$((i + 1)) ;;
      -*) ;;
      *) verb=${COMP_WORDS[i]}; break ;;
    esac
  done
  case $previous in
    --progress) mapfile -t COMPREPLY < <(compgen -W 'auto bar plain json none' -- "$current"); return ;;
    --compression) mapfile -t COMPREPLY < <(compgen -W 'zstd gzip' -- "$current"); return ;;
    --loader) mapfile -t COMPREPLY < <(compgen -W 'grub systemd-boot uboot none' -- "$current"); return ;;
    --root) mapfile -t COMPREPLY < <(compgen -W 'composefs checkout' -- "$current"); return ;;
    --fs) mapfile -t COMPREPLY < <(compgen -W 'ext4' -- "$current"); return ;;
    --from-image | --layers | --level | --label | --size | --karg | --hostname) return ;;
    --format) mapfile -t COMPREPLY < <(compgen -W '0 1' -- "$current"); return ;;
    --ssh-key | --password-hash | --from-dump) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  local global='--json --progress --quiet --verbose --help --version'
  case $verb in
    '') words="pack copy push inspect disk composefs-digest $global" ;;
    pack) words="--version --from-image --layers --compression --level --label $global" ;;
    disk) words="--size --loader --fs --karg --root --hostname --ssh-key --password-hash $global" ;;
    composefs-digest) words="--from-dump --format $global" ;;
    *) words=$global ;;
  esac
  if [[ $verb = pack || $verb = disk ]] && [[ $current != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [ -z "$verb" ] || [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}
complete -F _hostapp_image hostapp-image
