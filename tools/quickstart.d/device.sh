# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The registry and the device: what runs beside the story. Expects $work, $logs, $registry_port.

device=$work/device # disk.img, id_ed25519, serial.log
ssh_port=''         # on this machine's loopback, to the device's ssh

# start_registry: a real one, on loopback, with its data in our folder.
start_registry() {
  mkdir -p "$work/registry"
  ! port_taken "$registry_port" || die "port $registry_port on loopback is taken: set HOSTAPP_QUICKSTART_PORT to a free one"
  cat >"$work/registry.yml" <<EOF
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: $work/registry}
  delete: {enabled: true}
http: {addr: 127.0.0.1:$registry_port}
EOF
  env -i PATH="$PATH" OTEL_TRACES_EXPORTER=none docker-registry serve "$work/registry.yml" >"$logs/registry.log" 2>&1 </dev/null &
  registry_pid=$!
  service_pids+=("$registry_pid")
  wait_until 20 'the registry' registry_answers || die "the registry does not answer; its output is in ${logs#"$top/"}/registry.log"
  say " ✓ registry on 127.0.0.1:$registry_port"
}

registry_answers() {
  kill -0 "$registry_pid" 2>/dev/null || return 1
  curl -fsS --noproxy '*' -o /dev/null --max-time 5 "http://127.0.0.1:$registry_port/v2/" 2>/dev/null
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local port
  for ((port = 22022; port < 22322; port++)); do
    port_taken "$port" || { echo "$port"; return; }
  done
  return 1
}

make_ssh_key() {
  [ -s "$device/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C device -f "$device/id_ed25519"
}

# How to reach the device, for our own ssh and for one that a person types. Every run makes another device: its key is not kept.
write_ssh_config() {
  cat >"$device/ssh_config" <<EOF
Host device
  HostName 127.0.0.1
  Port $ssh_port
  User root
  IdentityFile "$device/id_ed25519"
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ServerAliveInterval 5
  ServerAliveCountMax 6
EOF
}

# start_device: a machine of 2 CPUs and 1 GiB with our disk, and BIOS.
# The key that may log in reaches it as a systemd credential: no image carries one.
start_device() {
  ssh_port=$(free_port) || die 'no free port on loopback for ssh to the device'
  write_ssh_config
  : >"$device/serial.log"
  qemu-system-x86_64 -name hostapp-quickstart -machine pc -accel tcg -cpu qemu64 -smp 2 -m 1024 \
    -nodefaults -no-user-config -display none \
    -smbios "type=11,value=io.systemd.credential.binary:ssh.authorized_keys.root=$(base64 -w0 <"$device/id_ed25519.pub")" \
    -drive "file=$device/disk.img,format=raw,if=virtio,cache=writeback,discard=unmap" \
    -netdev "user,id=net,restrict=off,hostfwd=tcp:127.0.0.1:$ssh_port-:22" -device virtio-net-pci,netdev=net,romfile= \
    -device virtio-rng-pci \
    -chardev "socket,id=serial,path=$device/serial.sock,server=on,wait=off,logfile=$device/serial.log" -serial chardev:serial \
    >"$logs/qemu.log" 2>&1 </dev/null &
  device_pid=$!
  service_pids+=("$device_pid")
}

# on_device COMMAND: its output; 255 where the device cannot be reached.
on_device() {
  ssh -q -F "$device/ssh_config" -o BatchMode=yes -o ConnectTimeout=10 device "$@" </dev/null
}

# booted_since BOOT: the device answers in a boot other than that one.
booted_since() {
  local id
  kill -0 "$device_pid" 2>/dev/null || { echo 'the virtual machine has ended'; exit 1; }
  id=$(on_device cat /proc/sys/kernel/random/boot_id 2>/dev/null) && [ -n "$id" ] && [ "$id" != "$1" ]
}

boot_id() { on_device cat /proc/sys/kernel/random/boot_id; }
