// SPDX-License-Identifier: Apache-2.0
// What the helper says: into the kernel's log, which the console shows and the journal keeps.
#pragma once

#include <string_view>

#include "initramfs/rootfs/files.h"
#include "initramfs/rootfs/text.h"

namespace hostapp::initramfs {

class Console {
 public:
  // Until Open() succeeds, and where there is no /dev/kmsg, messages go to standard error.
  void Open();

  template <typename... Parts>
  void Say(const Parts&... parts) {
    Line line;
    (line.Append(parts), ...);
    Write(kNotice, line.view());
  }
  // Shown on the console with `quiet` too.
  template <typename... Parts>
  void Complain(const Parts&... parts) {
    Line line;
    (line.Append(parts), ...);
    Write(kError, line.view());
  }

 private:
  using Line = Text<900>;  // the kernel cuts records longer than about a thousand bytes
  static constexpr std::string_view kError = "<3>";
  static constexpr std::string_view kNotice = "<5>";
  void Write(std::string_view priority, std::string_view line);

  Fd kmsg_;
};

}  // namespace hostapp::initramfs
