// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "hostapp/base/strings.h"

namespace hostapp::cli {
namespace {

constexpr std::string_view kClearLine = "\r\x1b[K";

}  // namespace

Console::Console(int fd) : fd_(fd), is_terminal_(::isatty(fd) == 1) {}

Console::~Console() { SetBar({}); }

size_t Console::width() const {
  struct winsize size {};
  if (::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void Console::Line(std::string_view text) {
  const std::lock_guard lock(mutex_);
  Write(bar_.empty() ? StrCat(text, "\n") : StrCat(kClearLine, text, "\n", bar_));
}

void Console::SetBar(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (text == bar_) return;
  bar_ = text;
  Write(StrCat(kClearLine, bar_));
}

// One write a line: lines of several processes do not mix. A closed standard error is nobody's failure.
void Console::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void ConsoleLog::Write(LogLevel level, std::string_view line) {
  if (level < least_) return;
  console_.Line(StrCat(level == LogLevel::kWarning ? "warning: " : "", line));
}

}  // namespace hostapp::cli
