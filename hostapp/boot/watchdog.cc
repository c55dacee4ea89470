// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/watchdog.h"

#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr const char* kClass = "/sys/class/watchdog";
constexpr size_t kMaxStateBytes = 8192;

// "active" or "inactive"; nothing where the kernel does not tell.
std::optional<bool> IsActive(const std::string& device) {
  const Result<std::string> state = ReadFile(AT_FDCWD, StrCat(device, "/state"), kMaxStateBytes);
  if (!state.ok()) return std::nullopt;
  return Trim(*state) == "active";
}

}  // namespace

std::optional<std::string> WatchdogWarning(const std::string& root) {
  const std::string folder = StrCat(root, kClass);
  const Result<std::vector<std::string>> names = ListDir(AT_FDCWD, folder);
  if (!names.ok() || names->empty()) {
    return "this machine has no watchdog, or its driver is not loaded: a release that hangs stays until somebody "
           "resets "
           "the machine";
  }
  const auto runs_or_unknown = [&](const std::string& name) {
    return IsActive(StrCat(folder, "/", name)).value_or(true);
  };
  if (std::any_of(names->begin(), names->end(), runs_or_unknown)) return std::nullopt;
  return "no watchdog runs: a release that hangs stays until somebody resets the machine; the kernel arguments "
         "hostapp.watchdog=60 systemd.watchdog_sec=60 start it";
}

}  // namespace hostapp
