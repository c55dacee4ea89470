// SPDX-License-Identifier: Apache-2.0
// OSTree's tree objects, read. For this module, and for who holds a whole checkout against them.
#pragma once

#include <string>
#include <vector>

#include "ostree-integration/store/store_impl.h"

namespace hostapp {

struct TreeFile {
  std::string name;
  Sha256 object{};
};
struct TreeFolder {
  std::string name;
  Sha256 tree{};
  Sha256 meta{};
};
struct TreeContents {
  std::vector<TreeFile> files;
  std::vector<TreeFolder> folders;
};
// kNotFound; kCorrupt: damaged, or a name in it that no folder can have.
Result<TreeContents> LoadTree(const ImageStore& store, const Sha256& tree);

// A folder's owner, mode (07777) and extended attributes. kNotFound, kCorrupt.
Result<Inode> LoadDirMeta(const ImageStore& store, const Sha256& meta);

struct CommitRoot {
  Sha256 tree{};
  Sha256 meta{};
  std::optional<Sha256> parent;
};
Result<CommitRoot> LoadCommitRoot(const ImageStore& store, const Sha256& commit);

// What Checkout() does for one file or link: a new name in the folder `dir`, a hard link of the object, or a copy where
// the object has all the names it may have. Not yet durable. kNotFound, kNoSpace, kIo.
Status CheckoutFile(const ImageStore& store, const TreeFile& file, int dir, OpContext& ctx);

}  // namespace hostapp
