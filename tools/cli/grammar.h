// SPDX-License-Identifier: Apache-2.0
// The grammar of a tool's command line: its verbs, their arguments and flags. The library that takes words apart is
// known to grammar.cc alone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hostapp/base/result.h"
#include "tools/cli/arguments.h"

namespace CLI {
class App;
}

namespace hostapp::cli {

// What one verb takes. The values are written when a command line is parsed, and must live until then; what is not
// given keeps the value that it has. `type` is what help calls the value.
class VerbGrammar {
 public:
  VerbGrammar& Argument(const std::string& name, std::string& value, const std::string& description,
                        const std::string& type);
  VerbGrammar& Argument(const std::string& name, std::optional<std::string>& value, const std::string& description,
                        const std::string& type);
  VerbGrammar& Flag(const std::string& flag, bool& value, const std::string& description);
  VerbGrammar& Option(const std::string& flag, std::string& value, const std::string& description,
                      const std::string& type);
  VerbGrammar& Option(const std::string& flag, std::optional<std::string>& value, const std::string& description,
                      const std::string& type);
  VerbGrammar& RequiredOption(const std::string& flag, std::string& value, const std::string& description,
                              const std::string& type);
  // May be given again and again, with one value each time.
  VerbGrammar& Repeated(const std::string& flag, std::vector<std::string>& values, const std::string& description,
                        const std::string& type);
  // Read, and not shown: a flag that the documentation of a later version names, for the verb to refuse in words.
  VerbGrammar& Hidden(const std::string& flag, std::optional<std::string>& value);

 private:
  friend class ProgramGrammar;
  explicit VerbGrammar(CLI::App& app) : app_(app) {}

  CLI::App& app_;
};

// --help or --version: to be printed, and nothing else done.
struct HelpText {
  std::string text;
};

struct ParsedVerb {
  std::string words;  // as they were added: "pull", "etc diff"
  CommonOptions common;
};

// A tool with its verbs. --help, --version and the flags of CommonFlags are in every one.
class ProgramGrammar {
 public:
  // `later`: verbs that a later version has, for the error to say so.
  ProgramGrammar(const std::string& name, const std::string& description, std::vector<std::string> later);
  ~ProgramGrammar();

  // An option of all verbs, which may stand before or behind the verb.
  void Global(const std::string& flag, std::optional<std::string>& value, const std::string& description,
              const std::string& type);

  // `words`: one, or two for a verb of a group that Group() has made.
  VerbGrammar Verb(const std::string& words, const std::string& description);
  void Group(const std::string& name, const std::string& description);

  // `arguments`: without the program's name. kInvalid, in words that name the argument.
  Result<std::variant<ParsedVerb, HelpText>> Parse(std::vector<std::string> arguments);

 private:
  std::string name_;
  std::vector<std::string> later_;
  std::vector<std::string> valued_globals_;
  CommonFlags flags_;
  std::unique_ptr<CLI::App> app_;
};

}  // namespace hostapp::cli
