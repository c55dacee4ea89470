// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/module_list.h"

#include "hostapp/base/strings.h"

namespace hostapp {

std::string_view ModulePathIn(std::string_view list, std::string_view module) {
  const std::string file = StrCat("/", module, ".ko");
  for (const std::string_view line : Split(list, '\n')) {
    const std::string_view path = line.substr(0, line.find(':'));
    const size_t at = path.rfind('/');
    if (at == path.npos || !path.substr(at).starts_with(file)) continue;
    const std::string_view suffix = path.substr(at + file.size());
    if (suffix.empty() || suffix.starts_with('.')) return path;
  }
  return {};
}

}  // namespace hostapp
