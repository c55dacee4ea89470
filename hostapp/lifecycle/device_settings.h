// SPDX-License-Identifier: Apache-2.0
// What a device is given before its first boot: changes to its /etc, as if it had made them itself. So they stay when
// an update brings another file of that name, and a factory reset takes them away.
//
//   hostname     /etc/hostname
//   ssh_keys     /etc/tmpfiles.d/hostapp-ssh-keys.conf: systemd-tmpfiles makes /root/.ssh/authorized_keys of it at a
//                boot where there is none. (/root is in /var, which the helper fills at the first boot; and a key that
//                was removed on the device must not come back with the next one.)
//   password     root's line of the image's /etc/shadow, with this hash
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hostapp/base/hostname.h"
#include "hostapp/boot/device.h"
#include "hostapp/lifecycle/settings_text.h"

namespace hostapp {

struct DeviceSettings {
  std::optional<std::string> hostname;
  std::vector<std::string> ssh_keys;         // of ParseSshKeys()
  std::optional<std::string> password_hash;  // root's, of ParsePasswordHash()

  // Everything that a disk follows from, as text; empty without keys and password. The hostname is the caller's.
  std::string Secrets() const;
};

// Where settings are read from; "-" is standard input.
struct SettingsFiles {
  std::optional<std::string> hostname;
  std::vector<std::string> ssh_keys;
  std::optional<std::string> password_hash;
};
// kNotFound, kIo; kInvalid as above, with the file's name.
Result<DeviceSettings> ReadSettings(const SettingsFiles& files);

// Into etc/upper of a deployment that has never booted. Errors: kInvalid: the
// image has no systemd-tmpfiles for the keys, or brings root's keys itself; kCorrupt: it has no line for root in
// /etc/shadow; kIo.
Status WriteSettings(const Device& device, DeploymentSerial serial, const DeviceSettings& settings, OpContext& ctx);

}  // namespace hostapp
