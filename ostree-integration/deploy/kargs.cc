// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/kargs.h"

#include <algorithm>
#include <optional>

#include "hostapp/base/strings.h"
#include "hostapp/base/toml.h"
#include "hostapp/oci/descriptor.h"
#include "ostree-integration/deploy/read_file.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxFileBytes = 64 << 10;
constexpr size_t kMaxArgumentBytes = 1024;

// bootc writes machines as `uname -m` does.
std::string_view MachineName() {
  const std::string architecture = HostPlatform().architecture;
  if (architecture == "amd64") return "x86_64";
  if (architecture == "arm64") return "aarch64";
  return "";
}

Result<std::vector<std::string>> Strings(const JsonCursor& list) {
  std::vector<std::string> out;
  ASSIGN_OR_RETURN(const std::vector<JsonCursor> elements, list.Elements());
  for (const JsonCursor& element : elements) {
    ASSIGN_OR_RETURN(out.emplace_back(), element.String());
  }
  return out;
}

Result<bool> IsForThisMachine(const JsonCursor& top) {
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> list, top.OptionalMember("match-architectures"));
  if (!list) return true;
  ASSIGN_OR_RETURN(const std::vector<std::string> machines, Strings(*list));
  return std::find(machines.begin(), machines.end(), MachineName()) != machines.end();
}

Status AppendFolder(const ImageStore& store, const std::string& commit, const std::string& dir,
                    std::vector<std::string>& arguments) {
  const Result<std::vector<TreeEntry>> entries = ListTree(store, commit, dir);
  if (!entries.ok() && entries.error().code() == Errc::kNotFound) return Ok();
  if (!entries.ok()) return entries.error();
  for (const TreeEntry& entry : *entries) {
    if (entry.type != TreeEntry::Type::kFile || !entry.name.ends_with(".toml")) continue;
    const std::string path = StrCat(dir, "/", entry.name);
    ASSIGN_OR_RETURN(const std::string toml, ReadImageFile(store, commit, path, kMaxFileBytes));
    ASSIGN_OR_RETURN(const std::vector<std::string> found, ParseKernelArguments(toml, Escape(path)));
    arguments.insert(arguments.end(), found.begin(), found.end());
  }
  return Ok();
}

bool NamesWhatBoots(std::string_view argument) {
  // The kernel takes a quote around the whole argument away.
  if (argument.starts_with('"')) argument.remove_prefix(1);
  const std::string_view name = argument.substr(0, argument.find_first_of("=\""));
  return name == "hostapp.deployment" || name == "hostapp.boot-set";
}

}  // namespace

Result<std::vector<std::string>> ParseKernelArguments(std::string_view toml, std::string_view what) {
  ASSIGN_OR_RETURN(const Json json, ParseToml(toml, what));
  const JsonCursor top(json, what);
  ASSIGN_OR_RETURN(const bool ours, IsForThisMachine(top));
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> list, top.OptionalMember("kargs"));
  if (!ours || !list) return std::vector<std::string>();
  ASSIGN_OR_RETURN(std::vector<std::string> found, Strings(*list));
  for (const std::string& argument : found) {
    // From the image, so it is the image that breaks the rule.
    if (const Status fits = CheckKernelArgument(argument); !fits.ok()) {
      return Error(Errc::kCorrupt, StrCat(what, ": ", fits.error().message()));
    }
  }
  return found;
}

Result<std::vector<std::string>> ImageKernelArguments(const ImageStore& store, const std::string& commit) {
  std::vector<std::string> arguments;
  TRY(AppendFolder(store, commit, "usr/lib/bootc/kargs.d", arguments));
  TRY(AppendFolder(store, commit, "usr/lib/hostapp/kargs.d", arguments));
  return arguments;
}

Status CheckKernelArgument(std::string_view argument) {
  const auto wrong = [&](std::string_view rule) {
    return Error(Errc::kInvalid, StrCat("kernel argument \"", Escape(argument.substr(0, 80)), "\": ", rule));
  };
  if (argument.empty() || argument.size() > kMaxArgumentBytes) {
    return wrong(StrCat("must have 1 to ", kMaxArgumentBytes, " bytes"));
  }
  if (argument == "--") return wrong("would end the kernel's arguments");
  if (NamesWhatBoots(argument)) return wrong("says what boots, which the boot ledger decides");
  bool quoted = false;
  for (const char c : argument) {
    if (c < 0x20 || c > 0x7e) return wrong("must be printable ASCII");
    if (c == '"') quoted = !quoted;
    if (c == ' ' && !quoted) return wrong("has a space outside of double quotes");
  }
  if (quoted) return wrong("has an odd number of double quotes");
  return Ok();
}

}  // namespace hostapp
