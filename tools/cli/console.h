// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "hostapp/base/log.h"

namespace hostapp::cli {

// Standard error, shared by lines and a bar that stays below them. Thread-safe. Does not own the descriptor.
class Console {
 public:
  explicit Console(int fd);
  // Takes the bar away.
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  bool is_terminal() const { return is_terminal_; }
  // Columns now: a window may change its size. 80 when nobody knows.
  size_t width() const;

  // A whole line, in one write; a bar is drawn again below it.
  void Line(std::string_view text);
  // Draws the bar, in place of the one before; empty: takes it away.
  void SetBar(std::string_view text);

 private:
  void Write(std::string_view bytes);

  int fd_;
  bool is_terminal_;
  std::mutex mutex_;
  std::string bar_;
};

// Log lines of at least `least` on the console, warnings with "warning: " in front.
class ConsoleLog : public Log {
 public:
  ConsoleLog(Console& console, LogLevel least) : console_(console), least_(least) {}
  void Write(LogLevel level, std::string_view line) override;

 private:
  Console& console_;
  LogLevel least_;
};

}  // namespace hostapp::cli
