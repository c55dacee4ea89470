// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/log.h"

#include <unistd.h>

#include "hostapp/base/strings.h"

namespace hostapp {

void StderrLog::Write(LogLevel level, std::string_view line) {
  if (level < least_) return;
  // One write a line: lines of several threads do not mix. A closed standard error is nobody's failure.
  const std::string text = StrCat(level == LogLevel::kWarning ? "warning: " : "", line, "\n");
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace hostapp
