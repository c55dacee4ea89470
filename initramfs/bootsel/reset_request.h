// SPDX-License-Identifier: Apache-2.0
// hostapp/factory-reset: what a factory reset that waits for the next boot keeps. docs/formats-ledger.md has the
// format.
//
// Ledger::pending_action says that a reset waits; this file, on disk before it, says what it keeps. Whoever cannot read
// all of it resets nothing: what was to be kept would be lost.
//
// Freestanding, as the rest of this folder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace hostapp::bootsel {

inline constexpr uint32_t kFactoryReset = 1;                       // in Ledger::pending_action
inline constexpr const char* kResetRequestName = "factory-reset";  // in hostapp/
inline constexpr std::string_view kResetRequestHeader = "hostapp factory-reset 1\n";
inline constexpr size_t kMaxKeptPaths = 64;
inline constexpr size_t kMaxKeptPathBytes = 255;
inline constexpr size_t kMaxResetRequestBytes = kResetRequestHeader.size() + kMaxKeptPaths * (kMaxKeptPathBytes + 1);

// The rule that `path` breaks, for a message ("is not below /var or /etc"), or nothing.
std::string_view WhyNotKeepable(std::string_view path);

// True for what lies in `folder`, and not for `folder` itself.
bool IsBelow(std::string_view path, std::string_view folder);

struct ResetRequest {
  std::array<std::string_view, kMaxKeptPaths> paths{};  // views of the text; none is below another one
  size_t count = 0;
  std::span<const std::string_view> Keep() const { return std::span(paths).first(count); }
};

// False for anything that no writer makes: too long, cut short, another header, a path that breaks a rule.
bool ParseResetRequest(std::string_view text, ResetRequest& out);

}  // namespace hostapp::bootsel
