// SPDX-License-Identifier: Apache-2.0
// What an image says of its kernel: arguments in kargs.d (TOML), lists of modules, the first bytes of the kernel.
#include <string>

#include "hostapp/base/strings.h"
#include "hostapp/base/toml.h"
#include "hostapp/layer/boot_files.h"
#include "initramfs/bootsel/cmdline.h"
#include "ostree-integration/deploy/kargs.h"
#include "ostree-integration/deploy/kernel_image.h"
#include "ostree-integration/deploy/loaders/boot_entry.h"
#include "ostree-integration/deploy/module_list.h"
#include "tests/fuzz/selected.h"

namespace hostapp {
namespace {

using fuzz::Require;

// Whatever the image writes, the boot ledger decides what boots, and one argument stays one.
void CheckArguments(std::string_view text) {
  const auto arguments = ParseKernelArguments(text, "x.toml");
  if (!arguments.ok()) {
    Require(arguments.error().code() == Errc::kCorrupt);
    return;
  }
  const BootEntry entry{.serial = 7, .boot_set = HashOf(AsBytes("set")), .arguments = *arguments, .version = {}};
  const std::string cmdline = Join(EntryArguments(entry), " ");
  Require(bootsel::ParseAsked(cmdline).serial == 7);
  bootsel::ArgumentReader reader(cmdline);
  size_t count = 0;
  for (bootsel::Argument argument; reader.Next(argument);) ++count;
  Require(count == EntryArguments(entry).size());
}

void CheckOneArgument(std::string_view text) {
  const Status checked = CheckKernelArgument(text);
  if (!checked.ok()) Require(checked.error().code() == Errc::kInvalid);
  if (checked.ok()) Require(Escape(text).size() < 2 * text.size() + 1 && !text.empty() && text.size() <= 1024);
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += StrCat("\\u00", HexEncode(AsBytes({&c, 1})));
    } else {
      out += c == '"' || c == '\\' ? StrCat('\\', c) : std::string(1, c);
    }
  }
  return out + '"';
}

std::string Value(const Json& json) {
  if (const bool* value = json.AsBool()) return *value ? "true" : "false";
  if (const int64_t* value = json.AsInt()) return StrCat(*value);
  if (const std::string* value = json.AsString()) return Quoted(*value);
  std::string out = "[";
  for (const Json& element : *json.AsArray()) out += Value(element) + ",\n";
  return out + "]";
}

// A list whose elements are tables can only have been written as [[…]].
bool IsTables(const Json& json) {
  return json.AsArray() != nullptr && !json.AsArray()->empty() && json.AsArray()->front().AsObject() != nullptr;
}

void WriteTable(const Json& json, const std::string& path, std::string& out) {
  for (const auto& [key, value] : *json.AsObject()) {
    if (value.AsObject() == nullptr && !IsTables(value)) out += StrCat(Quoted(key), " = ", Value(value), "\n");
  }
  for (const auto& [key, value] : *json.AsObject()) {
    const std::string name = StrCat(path, path.empty() ? "" : ".", Quoted(key));
    if (value.AsObject() != nullptr) {
      out += StrCat("[", name, "]\n");
      WriteTable(value, name, out);
    } else if (IsTables(value)) {
      for (const Json& element : *value.AsArray()) {
        out += StrCat("[[", name, "]]\n");
        WriteTable(element, name, out);
      }
    }
  }
}

size_t DepthOf(const Json& json) {
  size_t depth = 0;
  if (json.AsObject() != nullptr) {
    for (const auto& [key, value] : *json.AsObject()) depth = std::max(depth, DepthOf(value) + 1);
  } else if (json.AsArray() != nullptr) {
    for (const Json& value : *json.AsArray()) depth = std::max(depth, DepthOf(value) + 1);
  }
  return depth;
}

// What is read is written plainly, and read back the same.
void CheckToml(std::string_view text) {
  const auto json = ParseToml(text, "x.toml");
  if (!json.ok()) {
    Require(json.error().code() == Errc::kCorrupt);
    return;
  }
  // A header's keys and a line's together go deeper than one header may.
  if (DepthOf(*json) > 30) return;
  std::string written;
  WriteTable(*json, "", written);
  const auto again = ParseToml(written, "x.toml");
  Require(again.ok() && *again == *json);
}

void CheckModules(std::string_view text) {
  const std::string_view path = ModulePathIn(text, "erofs");
  if (path.empty()) return;
  Require(path.data() >= text.data() && path.data() + path.size() <= text.data() + text.size());
  Require(path.find('\n') == path.npos && path.find(':') == path.npos && path.find("/erofs.ko") != path.npos);
}

void CheckKernel(std::string_view text) {
  const ByteSpan head = AsBytes(text).first(std::min(text.size(), kKernelHeaderBytes));
  for (const char* const architecture : {"amd64", "arm64", "riscv64"}) {
    const Status fits = KernelImageFits(head, architecture);
    if (!fits.ok()) Require(fits.error().code() == Errc::kCorrupt);
  }
  Require(KernelImageFits(head, "riscv64").ok());
  // No PE image is for both; what begins as either's own format may be a PE image too.
  const bool own = text.substr(0, kKernelHeaderBytes).find("HdrS") != text.npos || text.find("ARM\x64") != text.npos;
  if (!own) Require(!KernelImageFits(head, "amd64").ok() || !KernelImageFits(head, "arm64").ok());
}

void CheckPath(std::string_view text) {
  const auto version = KernelVersionOf(text);
  if (version) Require(IsBootFile(text) && text.find(*version) != text.npos);
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  constexpr void (*kChecks[])(std::string_view) = {CheckArguments, CheckOneArgument, CheckToml,
                                                   CheckModules,   CheckKernel,      CheckPath};
  fuzz::RunSelected(data, size, kChecks);
  return 0;
}
