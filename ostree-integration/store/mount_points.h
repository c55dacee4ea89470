// SPDX-License-Identifier: Apache-2.0
// The folders of a host image that something is mounted on.
#pragma once

#include <cstdint>
#include <string_view>

namespace hostapp {

// What an image has below these is never seen on a device.
inline constexpr std::string_view kTransientFolders[] = {"dev", "proc", "run", "sys", "tmp"};

struct MountPoint {
  std::string_view path;
  uint32_t mode;
};
// Added, owned by root, where the image has nothing of that name.
inline constexpr MountPoint kMountPoints[] = {
    {"boot", 0755},    {"dev", 0755},  {"etc", 0755},     {"home", 0755},      {"media", 0755}, {"mnt", 0755},
    {"opt", 0755},     {"proc", 0755}, {"root", 0700},    {"run", 0755},       {"srv", 0755},   {"sys", 0755},
    {"sysroot", 0755}, {"tmp", 01777}, {"usr/etc", 0755}, {"usr/local", 0755}, {"var", 0755}};

// Folders that a host image must have as folders, or not at all.
inline constexpr std::string_view kMustBeFolders[] = {"boot", "dev", "etc",     "ostree", "proc",
                                                      "run",  "sys", "sysroot", "usr",    "var"};
// The one exception, which bootc's images have.
inline constexpr std::string_view kOstreeLinkTarget = "sysroot/ostree";

}  // namespace hostapp
