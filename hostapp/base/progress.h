// SPDX-License-Identifier: Apache-2.0
// What an operation is doing, as typed events: a bar on a terminal, JSON lines for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hostapp {

struct ProgressEvent {
  std::string_view stage;         // "fetch", "import", "merge", "checkout", "push", "pack", …
  std::string_view item;          // a blob's digest, a path; may be empty
  uint64_t done = 0;              // of the stage as a whole, in `unit`s
  std::optional<uint64_t> total;  // when it is known
  enum class Unit { kBytes, kItems } unit = Unit::kBytes;
};

// Thread-safe. Called often (each chunk of a transfer): it must be quick, and drops what is too much to show.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void Report(const ProgressEvent& event) = 0;
};

class NullProgress : public ProgressSink {
 public:
  void Report(const ProgressEvent&) override {}
};

}  // namespace hostapp
