// SPDX-License-Identifier: Apache-2.0
// Which entries to add and which to remove so that systemd-boot does as was decided. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hostapp/base/result.h"
#include "ostree-integration/deploy/loaders/systemd_boot_entry.h"

namespace hostapp {

// A file in loader/entries whose name is ours.
struct SystemdBootFile {
  std::string file;
  SystemdBootName name;
  std::string text;
  bool whole = false;   // the text is
  bool marked = false;  // its deployment has a mark of goodness
};

struct SystemdBootWanted {
  BootEntry entry;
  std::optional<int> tries;  // none: without a counter
};

struct SystemdBootPlan {
  struct Added {
    std::string file;
    std::string text;
    bool operator==(const Added&) const = default;
  };
  std::vector<Added> added;          // in this order: the last one sorts first
  std::vector<std::string> removed;  // after that
  bool operator==(const SystemdBootPlan&) const = default;
};

// Makes `wanted` the first entries, in its order. What is there already is kept, as are those without a counter of
// other marked deployments. kCorrupt when a file has the last sequence number there is.
Result<SystemdBootPlan> PlanSystemdBoot(const std::vector<SystemdBootFile>& files,
                                        const std::vector<SystemdBootWanted>& wanted);

// The files that systemd-boot could start, in its order.
std::vector<SystemdBootFile> InSystemdBootOrder(std::vector<SystemdBootFile> files);

}  // namespace hostapp
