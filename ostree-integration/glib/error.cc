// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/glib/error.h"

#include "hostapp/base/strings.h"

namespace hostapp::glib {

Errc CodeOf(const GError& error, Errc fallback) {
  if (error.domain != G_IO_ERROR) return fallback;
  switch (error.code) {
    case G_IO_ERROR_NOT_FOUND:
      return Errc::kNotFound;
    case G_IO_ERROR_NO_SPACE:
      return Errc::kNoSpace;
    case G_IO_ERROR_CANCELLED:
      return Errc::kCancelled;
    case G_IO_ERROR_WOULD_BLOCK:
    case G_IO_ERROR_TIMED_OUT:
    case G_IO_ERROR_BUSY:
      return Errc::kBusy;
    default:
      return fallback;
  }
}

Error ErrorSlot::Take(Errc fallback) {
  if (error_ == nullptr) return Error(Errc::kInternal, "a library call said no without saying why");
  Error error(CodeOf(*error_, fallback), Escape(error_->message));
  g_clear_error(&error_);
  return error;
}

}  // namespace hostapp::glib
