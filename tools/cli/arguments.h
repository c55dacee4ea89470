// SPDX-License-Identifier: Apache-2.0
// What is the same in the command lines of both tools, apart from the library that takes them apart.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/result.h"
#include "tools/cli/options.h"

namespace hostapp::cli {

// The global flags as text, as they stood.
struct CommonFlags {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  std::string progress = "auto";
};

// kInvalid: --quiet and --verbose together, an unknown kind of progress.
Result<CommonOptions> CommonOptionsFrom(const CommonFlags& flags);

// Whether errors in the command line itself are wanted as a document too: looks at the words only.
CommonOptions OptionsForUsageErrors(const std::vector<std::string>& arguments);

// A whole number with nothing around it, from `least` to `most`. kInvalid, naming `what`.
Result<uint64_t> NumberArgument(std::string_view what, std::string_view text, uint64_t least, uint64_t most);

// A size in bytes: "536870912", "512M", "8G" (K, M, G, T: powers of 1024). kInvalid, naming `what`.
Result<uint64_t> SizeArgument(std::string_view what, std::string_view text);

// The first word that is neither a flag nor the value of one of `valued_flags`: the verb, known or not. Empty: none.
std::string FirstWord(const std::vector<std::string>& arguments, const std::vector<std::string>& valued_flags);

// What is wrong with a command line that could not be taken apart. `reason`: what the library said. `later`: verbs that
// a later version has.
Error UsageError(std::string_view tool, std::string_view word, const std::vector<std::string>& verbs,
                 const std::vector<std::string>& later, std::string_view reason);

}  // namespace hostapp::cli
