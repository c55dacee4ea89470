// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/glib/error.h"

#include <cerrno>
#include <string_view>

#include "hostapp/base/strings.h"

namespace hostapp::glib {

namespace {

// What GLib's own functions say; the fallback is about the data, and these are not.
Errc CodeOfFileError(int code, Errc fallback) {
  switch (code) {
    case G_FILE_ERROR_NOSPC:
      return Errc::kNoSpace;
    case G_FILE_ERROR_ACCES:
    case G_FILE_ERROR_PERM:
    case G_FILE_ERROR_ROFS:
    case G_FILE_ERROR_MFILE:
    case G_FILE_ERROR_NFILE:
    case G_FILE_ERROR_NOMEM:
    case G_FILE_ERROR_IO:
      return Errc::kIo;
    default:
      return fallback;
  }
}

// GIO has no code for some errors of the system; what libostree says of them ends with the system's text.
Errc CodeOfText(std::string_view text, Errc fallback) {
  if (text.ends_with(g_strerror(EDQUOT))) return Errc::kNoSpace;
  if (text.ends_with(g_strerror(EIO)) || text.ends_with(g_strerror(EINTR))) return Errc::kIo;
  return fallback;
}

}  // namespace

Errc CodeOf(const GError& error, Errc fallback) {
  if (error.domain == G_FILE_ERROR) return CodeOfFileError(error.code, fallback);
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
    case G_IO_ERROR_TOO_MANY_OPEN_FILES:
    case G_IO_ERROR_PERMISSION_DENIED:
    case G_IO_ERROR_READ_ONLY:
      return Errc::kIo;
    case G_IO_ERROR_FAILED:
      return CodeOfText(error.message, fallback);
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
