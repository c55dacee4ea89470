// SPDX-License-Identifier: Apache-2.0
// The kernel command line, read the way the kernel reads it: arguments between white space, double quotes around a
// value or a whole argument keep spaces, and what follows ` -- ` is for init and not for us. Views point into the text
// given.
#pragma once

#include <string_view>

#include "initramfs/bootsel/choose.h"

namespace hostapp::bootsel {

struct Argument {
  std::string_view key;
  std::string_view value;
  bool has_value = false;  // `quiet` has none, `quiet=` has an empty one
};

class ArgumentReader {
 public:
  explicit ArgumentReader(std::string_view cmdline) : rest_(cmdline) {}

  // False at the end, or at `--`.
  bool Next(Argument& out);

 private:
  std::string_view rest_;
};

// What a boot entry asked for: `hostapp.deployment=SERIAL` and `hostapp.boot-set=DIGEST`, each exactly once and well
// formed. Anything else asks for nothing: a half-understood wish is none.
Asked ParseAsked(std::string_view cmdline);

// The last `key=value`, as the kernel takes the last of most; empty if there is none.
std::string_view LastValue(std::string_view cmdline, std::string_view key);
bool HasArgument(std::string_view cmdline, std::string_view key);

// Decimal digits without a leading zero, 1..kMaxSerial; kNoSerial for anything else.
Serial ParseSerial(std::string_view text);

}  // namespace hostapp::bootsel
