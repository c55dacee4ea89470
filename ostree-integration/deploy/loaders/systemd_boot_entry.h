// SPDX-License-Identifier: Apache-2.0
// Entries of the Boot Loader Specification, type 1, as hostapp writes them, and the order in which systemd-boot takes
// them. Pure.
//
//   loader/entries/hostapp-<serial>-<sequence>[+<left>[-<done>]].conf
//
// systemd-boot starts the first entry in an order of its own; a counter in the name gives no precedence. So every entry
// has a `sort-key` made of a sequence number that only grows, turned round: what was decided last comes first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ostree-integration/deploy/loaders/boot_entry.h"

namespace hostapp {

inline constexpr uint64_t kMaxSystemdBootSequence = 9'999'999'999;

struct SystemdBootName {
  uint64_t serial = 0;
  uint64_t sequence = 0;
  std::optional<int> tries_left;  // none: started for ever
  uint64_t tries_done = 0;
  bool operator==(const SystemdBootName&) const = default;
};

// What we name a file; systemd-boot then renames it while it counts, and loses leading zeros.
std::string EncodeSystemdBootName(const SystemdBootName& name);
// Either's names; counters in any width. Nothing for what is not ours.
std::optional<SystemdBootName> ParseSystemdBootName(std::string_view file);

// The text of an entry. Its first line is the SHA-256 of the rest; `linux` stands in its last, so that systemd-boot,
// which checks no sums, does not start one whose end is lost: an entry without a kernel that exists is none.
std::string SystemdBootText(const BootEntry& entry, uint64_t sequence);
// Whether a text is whole.
bool IsWholeSystemdBootText(std::string_view text);

// What decides systemd-boot's order, of any entry.
struct SystemdBootSortable {
  std::string id;  // the name of the file
  std::optional<std::string> sort_key;
  std::string machine_id;
  std::string version;
  std::optional<uint64_t> tries_left;
  uint64_t tries_done = 0;
};

// Whether systemd-boot (252) takes `a` before `b`: no tries left: last; with a sort-key before without; sort-key and
// machine-id ascending; version, then name, descending; more tries left; fewer done.
bool SystemdBootTakesFirst(const SystemdBootSortable& a, const SystemdBootSortable& b);

// Of two versions, as systemd-boot compares them, which is numeric where there are digits: below 0, 0, above 0.
int CompareBootVersions(std::string_view a, std::string_view b);

std::string SystemdBootSortKey(uint64_t sequence);

// loader/loader.conf of a device, for the installer. Its `default` is a pattern: a full name there would pin that entry
// and switch its counting off, and without one another system's entries could come before ours.
std::string SystemdBootConfig();

}  // namespace hostapp
