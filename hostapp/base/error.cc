// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/error.h"

#include <cerrno>
#include <system_error>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

Errc CodeOf(int sys_errno) {
  switch (sys_errno) {
    case ENOENT:
      return Errc::kNotFound;
    case ENOSPC:
    case EDQUOT:
      return Errc::kNoSpace;
    default:
      return Errc::kIo;
  }
}

}  // namespace

std::string_view ErrcName(Errc code) {
  switch (code) {
    case Errc::kNotFound:
      return "not-found";
    case Errc::kCorrupt:
      return "corrupt";
    case Errc::kUntrusted:
      return "untrusted";
    case Errc::kUnauthorized:
      return "unauthorized";
    case Errc::kUnavailable:
      return "unavailable";
    case Errc::kNoSpace:
      return "no-space";
    case Errc::kBusy:
      return "busy";
    case Errc::kCancelled:
      return "cancelled";
    case Errc::kInvalid:
      return "invalid";
    case Errc::kIo:
      return "io";
    case Errc::kInternal:
      return "internal";
  }
  return "internal";
}

int ExitCode(Errc code) {
  switch (code) {
    case Errc::kIo:
      return 1;
    case Errc::kInvalid:
      return 2;
    case Errc::kNotFound:
      return 3;
    case Errc::kCorrupt:
    case Errc::kUntrusted:
      return 4;
    case Errc::kUnauthorized:
      return 5;
    case Errc::kUnavailable:
      return 6;
    case Errc::kNoSpace:
      return 7;
    case Errc::kBusy:
      return 8;
    case Errc::kCancelled:
      return 9;
    case Errc::kInternal:
      return 70;
  }
  return 70;
}

Error& Error::Prefix(std::string_view doing) {
  message_ = StrCat(doing, ": ", message_);
  return *this;
}

Error SysError(int sys_errno, std::string_view doing) {
  return Error(CodeOf(sys_errno), StrCat(doing, ": ", std::generic_category().message(sys_errno)), sys_errno);
}

}  // namespace hostapp
