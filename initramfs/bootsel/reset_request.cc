// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/reset_request.h"

namespace hostapp::bootsel {
namespace {

bool IsNormal(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view name = path.substr(0, path.find('/'));
    if (name.empty() || name == "." || name == "..") return false;
    path.remove_prefix(name.size());
  }
  return true;
}

}  // namespace

std::string_view WhyNotKeepable(std::string_view path) {
  if (path.size() > kMaxKeptPathBytes) return "is longer than 255 bytes";
  if (!IsBelow(path, "/var") && !IsBelow(path, "/etc")) return "is not below /var or /etc";
  if (path.find('\n') != std::string_view::npos || path.find('\0') != std::string_view::npos)
    return "has a newline or NUL in it";
  return IsNormal(path) ? "" : "is not in normal form (no //, no . or .., no slash at the end)";
}

bool IsBelow(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() + 1 && path.starts_with(folder) && path[folder.size()] == '/';
}

bool ParseResetRequest(std::string_view text, ResetRequest& out) {
  out = ResetRequest{};
  if (text.size() > kMaxResetRequestBytes || !text.starts_with(kResetRequestHeader)) return false;
  text.remove_prefix(kResetRequestHeader.size());
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos || out.count == kMaxKeptPaths) return false;
    const std::string_view path = text.substr(0, end);
    if (!WhyNotKeepable(path).empty()) return false;
    for (const std::string_view other : out.Keep()) {
      if (path == other || IsBelow(path, other) || IsBelow(other, path)) return false;
    }
    out.paths[out.count++] = path;
    text.remove_prefix(end + 1);
  }
  return true;
}

}  // namespace hostapp::bootsel
