// SPDX-License-Identifier: Apache-2.0
// Decisions, with their inputs. Errors are returned, not logged.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hostapp {

enum class LogLevel { kDebug, kInfo, kWarning };

// Thread-safe. Text from outside is escaped by whoever puts the line together.
class Log {
 public:
  virtual ~Log() = default;
  virtual void Write(LogLevel level, std::string_view line) = 0;

  void Debug(std::string_view line) { Write(LogLevel::kDebug, line); }
  void Info(std::string_view line) { Write(LogLevel::kInfo, line); }
  void Warning(std::string_view line) { Write(LogLevel::kWarning, line); }
};

// For tests and for callers who do not want to know.
class NullLog : public Log {
 public:
  void Write(LogLevel, std::string_view) override {}
};

// Lines of at least `least` to standard error, warnings with "warning: " in front.
class StderrLog : public Log {
 public:
  explicit StderrLog(LogLevel least) : least_(least) {}
  void Write(LogLevel level, std::string_view line) override;

 private:
  LogLevel least_;
};

}  // namespace hostapp
