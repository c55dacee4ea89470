// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/output.h"

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp::cli {
namespace {

Status Write(int out, std::string_view text) {
  return WriteAll(out, AsBytes(text), RealSyscalls()).While("writing to standard output");
}

// The chain is one line whatever a library below put into it. (Who put text from outside into it has escaped that.)
std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += StrCat("\\x", HexEncode(AsBytes(std::string_view(&c, 1))));
    } else {
      line += c;
    }
  }
  return line;
}

Json ErrorDocument(const Error& error) {
  return Json::Object{{"error", Json::Object{{"code", ErrcName(error.code())}, {"message", error.message()}}}};
}

int PrintError(std::string_view tool, const Error& error, const CommonOptions& options, int out, Console& console) {
  console.Line(StrCat(tool, ": ", OneLine(error.message())));
  if (options.format == OutputFormat::kJson) {
    if (const Status written = Write(out, ErrorDocument(error).Dump() + "\n"); !written.ok())
      console.Line(StrCat(tool, ": ", written.error().message()));
  }
  return ExitCode(error.code());
}

}  // namespace

int Print(std::string_view tool, const Result<Outcome>& result, const CommonOptions& options, int out,
          Console& console) {
  if (!result.ok()) return PrintError(tool, result.error(), options, out, console);
  std::string text;
  if (options.format == OutputFormat::kJson) {
    text = result->document.Dump() + "\n";
  } else if (options.verbosity != Verbosity::kQuiet || result->kind == Outcome::Kind::kAnswer) {
    text = result->text;
  }
  if (const Status written = Write(out, text); !written.ok()) {
    // The verb has done its work; what is lost is the account of it.
    console.Line(StrCat(tool, ": ", written.error().message()));
    return ExitCode(Errc::kIo);
  }
  return result->exit_status;
}

}  // namespace hostapp::cli
