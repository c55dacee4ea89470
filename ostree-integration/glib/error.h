// SPDX-License-Identifier: Apache-2.0
// GError at the border: what GLib says went wrong, as an Error of ours.
#pragma once

#include <gio/gio.h>

#include "hostapp/base/error.h"
#include "hostapp/base/result.h"

namespace hostapp::glib {

// Receives a GError and owns it.
//   ErrorSlot error;
//   if (!ostree_repo_open(repo, nullptr, error)) return error.Take();
class ErrorSlot {
 public:
  ErrorSlot() = default;
  ~ErrorSlot() { g_clear_error(&error_); }
  ErrorSlot(const ErrorSlot&) = delete;
  ErrorSlot& operator=(const ErrorSlot&) = delete;

  operator GError**() { return &error_; }  // NOLINT: it is an out parameter
  bool set() const { return error_ != nullptr; }
  // The error, with `fallback` for a code that no caller decides on; the slot is empty after. A call that said no
  // without saying why is kInternal.
  Error Take(Errc fallback = Errc::kIo);

 private:
  GError* error_ = nullptr;
};

// The code that a GError means to us.
Errc CodeOf(const GError& error, Errc fallback);

}  // namespace hostapp::glib
