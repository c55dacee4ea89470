// SPDX-License-Identifier: Apache-2.0
// Why something could not be done: one line, for the console and for the ledger.
#pragma once

#include <string.h>

#include "initramfs/helper/text.h"

namespace hostapp::initramfs {

class Problem {
 public:
  // Both return false, so that `return why.Is(…)` reads as the refusal it is.
  template <typename... Parts>
  bool Is(const Parts&... parts) {
    text_.Clear();
    (text_.Append(parts), ...);
    return false;
  }
  // "mounting /etc of deployment 5: no such device". `error` is an errno.
  template <typename... Parts>
  bool IsErrno(int error, const Parts&... parts) {
    Is(parts...);
    text_.Append(": ").Append(strerrordesc_np(error) != nullptr ? strerrordesc_np(error) : "unknown error");
    return false;
  }
  std::string_view text() const { return text_.view(); }

 private:
  Text<512> text_;
};

}  // namespace hostapp::initramfs
