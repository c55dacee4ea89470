// SPDX-License-Identifier: Apache-2.0
// The only file that knows the command-line library:.
#include "tools/cli/grammar.h"

#include <CLI/CLI.hpp>

#include "hostapp/base/strings.h"

namespace hostapp::cli {
namespace {

CLI::Option* AddText(CLI::App& app, const std::string& name, std::string& value, const std::string& description,
                     const std::string& type) {
  return app.add_option(name, value, description)->type_name(type);
}

CLI::Option* AddText(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                     const std::string& description, const std::string& type) {
  const std::function<void(const std::string&)> set = [&value](const std::string& text) { value = text; };
  return app.add_option_function(name, set, description)->type_name(type);
}

// The words of the verb that was given, innermost last.
std::string WordsOf(const CLI::App& app) {
  std::string words;
  for (const CLI::App* verb = &app; !verb->get_subcommands().empty();) {
    verb = verb->get_subcommands().front();
    words += StrCat(words.empty() ? "" : " ", verb->get_name());
  }
  return words;
}

}  // namespace

VerbGrammar& VerbGrammar::Argument(const std::string& name, std::string& value, const std::string& description,
                                   const std::string& type) {
  AddText(app_, name, value, description, type)->required();
  return *this;
}

VerbGrammar& VerbGrammar::Argument(const std::string& name, std::optional<std::string>& value,
                                   const std::string& description, const std::string& type) {
  AddText(app_, name, value, description, type);
  return *this;
}

VerbGrammar& VerbGrammar::Flag(const std::string& flag, bool& value, const std::string& description) {
  app_.add_flag(flag, value, description);
  return *this;
}

VerbGrammar& VerbGrammar::Option(const std::string& flag, std::string& value, const std::string& description,
                                 const std::string& type) {
  AddText(app_, flag, value, description, type);
  return *this;
}

VerbGrammar& VerbGrammar::Option(const std::string& flag, std::optional<std::string>& value,
                                 const std::string& description, const std::string& type) {
  AddText(app_, flag, value, description, type);
  return *this;
}

VerbGrammar& VerbGrammar::RequiredOption(const std::string& flag, std::string& value, const std::string& description,
                                         const std::string& type) {
  AddText(app_, flag, value, description, type)->required();
  return *this;
}

VerbGrammar& VerbGrammar::Repeated(const std::string& flag, std::vector<std::string>& values,
                                   const std::string& description, const std::string& type) {
  app_.add_option(flag, values, description)
      ->type_name(type)
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return *this;
}

VerbGrammar& VerbGrammar::Hidden(const std::string& flag, std::optional<std::string>& value) {
  AddText(app_, flag, value, "", "TEXT")->group("");
  return *this;
}

ProgramGrammar::ProgramGrammar(const std::string& name, const std::string& description, std::vector<std::string> later)
    : name_(name),
      later_(std::move(later)),
      valued_globals_({"--progress"}),
      app_(std::make_unique<CLI::App>(description, name)) {
  app_->require_subcommand(1);
  // Global flags may stand behind the verb too.
  app_->fallthrough();
  app_->get_formatter()->column_width(34);
  app_->set_help_flag("-h,--help", "Print this help and exit");
  app_->set_version_flag("--version", StrCat(name, " ", HOSTAPP_VERSION));
  app_->add_flag("--json", flags_.json, "One JSON document on standard output");
  AddText(*app_, "--progress", flags_.progress, "auto, bar, plain, json or none, on standard error", "KIND");
  app_->add_flag("--quiet", flags_.quiet, "Only errors, warnings and what was asked for");
  app_->add_flag("--verbose", flags_.verbose, "Also what is decided, and why");
}

ProgramGrammar::~ProgramGrammar() = default;

void ProgramGrammar::Global(const std::string& flag, std::optional<std::string>& value, const std::string& description,
                            const std::string& type) {
  valued_globals_.push_back(flag);
  AddText(*app_, flag, value, description, type);
}

VerbGrammar ProgramGrammar::Verb(const std::string& words, const std::string& description) {
  const size_t space = words.find(' ');
  if (space == std::string::npos) return VerbGrammar(*app_->add_subcommand(words, description));
  return VerbGrammar(
      *app_->get_subcommand(words.substr(0, space))->add_subcommand(words.substr(space + 1), description));
}

void ProgramGrammar::Group(const std::string& name, const std::string& description) {
  app_->add_subcommand(name, description)->require_subcommand(1);
}

Result<std::variant<ParsedVerb, HelpText>> ProgramGrammar::Parse(std::vector<std::string> arguments) {
  using Parsed = std::variant<ParsedVerb, HelpText>;
  const std::string word = FirstWord(arguments, valued_globals_);
  try {
    std::reverse(arguments.begin(), arguments.end());  // as the library wants them
    app_->parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return Parsed(HelpText{app_->help()});
  } catch (const CLI::CallForVersion& version) {
    return Parsed(HelpText{StrCat(version.what(), "\n")});
  } catch (const CLI::ParseError& error) {
    std::vector<std::string> names;
    for (const CLI::App* verb : app_->get_subcommands({})) names.push_back(verb->get_name());
    return UsageError(name_, word, names, later_, error.what());
  }
  ASSIGN_OR_RETURN(const CommonOptions common, CommonOptionsFrom(flags_));
  return Parsed(ParsedVerb{WordsOf(*app_), common});
}

}  // namespace hostapp::cli
