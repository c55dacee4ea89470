// SPDX-License-Identifier: Apache-2.0
// CHECK(condition): an impossible state is a bug; say where and stop, exit status 70.
#pragma once

namespace hostapp {

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace hostapp

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) ::hostapp::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)
