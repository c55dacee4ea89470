// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/tar_path.h"

#include "hostapp/base/strings.h"

namespace hostapp::tar {

Result<std::string> NormalisePath(std::string_view name, const PathLimits& limits) {
  const auto wrong = [](std::string_view rule) { return Error(Errc::kCorrupt, std::string(rule)); };
  if (name.empty()) return wrong("an empty name");
  if (name.size() > limits.max_path) return wrong(StrCat("a name longer than ", limits.max_path, " bytes"));
  if (name.find('\0') != std::string_view::npos) return wrong("a zero byte in a name");
  if (name[0] == '/') return wrong("an absolute name");
  std::string out;
  size_t depth = 0;
  for (const std::string_view component : Split(name, '/')) {
    if (component.empty() || component == ".") continue;
    if (component == "..") return wrong("\"..\" in a name");
    if (component.size() > limits.max_component) {
      return wrong(StrCat("a component longer than ", limits.max_component, " bytes"));
    }
    if (++depth > limits.max_depth) return wrong(StrCat("deeper than ", limits.max_depth, " folders"));
    if (!out.empty()) out += '/';
    out += component;
  }
  return out;
}

}  // namespace hostapp::tar
