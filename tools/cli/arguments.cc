// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/arguments.h"

#include <algorithm>

#include "hostapp/base/strings.h"

namespace hostapp::cli {
namespace {

bool Contains(const std::vector<std::string>& texts, std::string_view text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

// The library's sentences in our style: no capital, no full stop, on one line.
std::string Plain(std::string_view reason) {
  std::string text = Escape(Trim(reason));
  if (text == "A subcommand is required") return "a verb is required";
  if (text.size() > 1 && text[1] >= 'a' && text[1] <= 'z') text[0] = ToLower(text.substr(0, 1))[0];
  while (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

Result<CommonOptions> CommonOptionsFrom(const CommonFlags& flags) {
  CommonOptions options;
  if (flags.json) options.format = OutputFormat::kJson;
  if (flags.quiet && flags.verbose) return Error(Errc::kInvalid, "--quiet and --verbose exclude each other");
  if (flags.quiet) options.verbosity = Verbosity::kQuiet;
  if (flags.verbose) options.verbosity = Verbosity::kVerbose;
  const std::optional<ProgressMode> mode = ParseProgressMode(flags.progress);
  if (!mode) {
    return Error(Errc::kInvalid,
                 StrCat("--progress ", Escape(flags.progress), ": it is one of auto, bar, plain, json and none"));
  }
  options.progress = *mode;
  return options;
}

CommonOptions OptionsForUsageErrors(const std::vector<std::string>& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  const bool json = std::find(arguments.begin(), end, "--json") != end;
  return {.format = json ? OutputFormat::kJson : OutputFormat::kText, .progress = ProgressMode::kNone};
}

Result<uint64_t> NumberArgument(std::string_view what, std::string_view text, uint64_t least, uint64_t most) {
  const std::optional<uint64_t> number = ParseUint64(text);
  if (number && *number >= least && *number <= most) return *number;
  if (most == UINT64_MAX) {
    return Error(Errc::kInvalid, StrCat(what, " ", Escape(text), ": it is a whole number from ", least, " on"));
  }
  return Error(Errc::kInvalid, StrCat(what, " ", Escape(text), ": it is a whole number from ", least, " to ", most));
}

Result<uint64_t> SizeArgument(std::string_view what, std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  const size_t unit = text.empty() ? std::string_view::npos : kUnits.find(text.back());
  const size_t shift = unit == std::string_view::npos ? 0 : 10 * (unit + 1);
  const std::optional<uint64_t> number = ParseUint64(text.substr(0, text.size() - (shift > 0 ? 1 : 0)));
  if (number && *number <= (uint64_t{INT64_MAX} >> shift)) return *number << shift;
  return Error(Errc::kInvalid, StrCat(what, " ", Escape(text), ": it is a number of bytes, or one with K, M, G or T"));
}

std::string FirstWord(const std::vector<std::string>& arguments, const std::vector<std::string>& valued_flags) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (Contains(valued_flags, arguments[i])) {
      ++i;
    } else if (!arguments[i].starts_with('-')) {
      return arguments[i];
    }
  }
  return {};
}

Error UsageError(std::string_view tool, std::string_view word, const std::vector<std::string>& verbs,
                 const std::vector<std::string>& later, std::string_view reason) {
  if (word.empty()) return Error(Errc::kInvalid, StrCat(Plain(reason), "; see: ", tool, " --help"));
  if (Contains(later, word)) {
    return Error(Errc::kInvalid, StrCat("'", word, "' is not in this version (", HOSTAPP_VERSION, ")"));
  }
  if (!Contains(verbs, word)) {
    return Error(Errc::kInvalid, StrCat("there is no verb '", Escape(word), "'; see: ", tool, " --help"));
  }
  return Error(Errc::kInvalid, StrCat(word, ": ", Plain(reason), "; see: ", tool, " ", word, " --help"));
}

}  // namespace hostapp::cli
