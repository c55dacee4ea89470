// SPDX-License-Identifier: Apache-2.0
// What can go wrong, as a value.
//
// An Error is a code (one per decision a caller takes), a chain of context and the errno behind it, if any. The chain
// is one line of text, outermost first: "importing layer 3 of 7: sha256:ab…: expected 812 bytes, got 790".
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace hostapp {

enum class Errc {
  kNotFound,      // no such thing, or it is not in the state that the verb needs
  kCorrupt,       // bytes from outside, or our own on disk, break a rule
  kUntrusted,     // verified wrongly or not vouched for
  kUnauthorized,  // the other side wants other credentials
  kUnavailable,   // worth another try later
  kNoSpace,       // bytes or inodes
  kBusy,          // somebody else holds it, or a trial is running
  kCancelled,     // asked to stop
  kInvalid,       // an argument breaks a rule
  kIo,            // the operating system said no
  kInternal,      // a bug
};

// The code in scripts' words: "not-found", "no-space", …
std::string_view ErrcName(Errc code);

// The exit status documented for the code (docs: exit codes).
int ExitCode(Errc code);

class [[nodiscard]] Error {
 public:
  Error(Errc code, std::string message, int sys_errno = 0)
      : code_(code), sys_errno_(sys_errno), message_(std::move(message)) {}

  Errc code() const { return code_; }
  int sys_errno() const { return sys_errno_; }
  const std::string& message() const { return message_; }

  // Adds what the caller was doing, in front.
  Error& Prefix(std::string_view doing);

 private:
  Errc code_;
  int sys_errno_;
  std::string message_;
};

// The error for a failed system call: its code follows from the errno (ENOSPC, EDQUOT: kNoSpace; ENOENT: kNotFound;
// everything else: kIo).
Error SysError(int sys_errno, std::string_view doing);

}  // namespace hostapp
