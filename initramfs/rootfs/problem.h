// SPDX-License-Identifier: Apache-2.0
// Why something could not be done: one line, for the console and for the ledger.
#pragma once

#include <string.h>

#include "initramfs/rootfs/text.h"

namespace hostapp::initramfs {

// glibc's strerror() brings in translations and may allocate; musl's does neither.
inline std::string_view ErrnoText(int error) {
#ifdef __GLIBC__
  const char* text = strerrordesc_np(error);
#else
  const char* text = strerror(error);
#endif
  return text != nullptr ? text : "unknown error";
}

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
    text_.Append(": ").Append(ErrnoText(error));
    return false;
  }
  std::string_view text() const { return text_.view(); }

 private:
  Text<512> text_;
};

}  // namespace hostapp::initramfs
