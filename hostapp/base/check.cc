// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/check.h"

#include <unistd.h>

#include <cstdio>

namespace hostapp {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "hostapp: bug at %s:%d: %s is not so; please report it\n", file, line, condition);
  _exit(70);
}

}  // namespace hostapp
