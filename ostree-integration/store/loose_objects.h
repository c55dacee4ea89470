// SPDX-License-Identifier: Apache-2.0
// What lies in the repository's folders, whoever needs it. Private to this module.
#pragma once

#include <functional>
#include <string>

#include "ostree-integration/store/store_impl.h"

namespace hostapp {

struct LooseObject {
  Sha256 id{};
  std::string extension;  // "file", "dirtree", "commit", "commitmeta", …
  std::string path;       // below `objects`
  uint64_t inode = 0;
};

// Each object, by the bytes of its path; nothing is opened or looked at but the folders. Names of another form are not
// ours to judge and are left out. kIo, or the first error of `use`.
Status ForEachLooseObject(const ImageStore& store, const std::function<Status(const LooseObject&)>& use);

}  // namespace hostapp
