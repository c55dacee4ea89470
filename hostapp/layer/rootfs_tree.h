// SPDX-License-Identifier: Apache-2.0
// A root file system on its way into an image: every path, sorted by bytes, with the inode it names.
//
// Where it came from (a folder, a tar) is in its ContentReader only, so that the same tree makes the same image.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hostapp/base/op_context.h"
#include "hostapp/base/unique_fd.h"
#include "hostapp/layer/tar_reader.h"

namespace hostapp {

struct RootfsInode {
  TarEntry entry;              // `path` and hard links do not count here: an inode has no name
  uint64_t content_place = 0;  // of a file, for the ContentReader
  std::string content_path;    // the same, where content is found by name
};

// Opens a file's content. Thread-safe.
class ContentReader {
 public:
  virtual ~ContentReader() = default;
  virtual Result<std::unique_ptr<ByteSource>> Open(const RootfsInode& inode) = 0;
};

struct RootfsTree {
  // Sorted by the bytes of the path; "" is the root. Two names of one inode are hard links.
  std::map<std::string, std::shared_ptr<RootfsInode>, std::less<>> paths;
  // What is not taken in, with the reason: "dev/null: below a folder that is mounted over".
  std::vector<std::string> dropped;
  std::unique_ptr<ContentReader> content;
};

// Adds a member as unpacking it would: the last of several wins, a folder stays a folder; what ReasonToDrop() names
// goes to `dropped`, extended attributes are filtered by FilterXattrs(). kCorrupt: a member below what is no folder, a
// forbidden attribute, a whiteout.
Status AddToTree(RootfsTree& tree, const std::string& path, RootfsInode inode);
// Gives what is at `target` the name `path` too. kCorrupt if it is not there or a folder.
Status AddHardlink(RootfsTree& tree, const std::string& path, const std::string& target);
// Adds the folders that nothing brought, root:root 0755, time 0.
void AddMissingFolders(RootfsTree& tree);

// Reads the folder `path`, never leaving it through a link. Needs the right to read everything in it; owners are those
// of its files (fakeroot's are believed). Other file systems mounted below it are kIo: a root file system is one.
Result<RootfsTree> ReadRootfsDir(const std::string& path, OpContext& ctx);

// Reads a tar of any kind that libarchive knows (GNU sparse files and old formats too), plain or packed with gzip, zstd
// or xz. Content goes to an unnamed file in `temp_dir`. Needs no privilege.
Result<RootfsTree> ReadRootfsTar(const std::string& path, const std::string& temp_dir, OpContext& ctx);

}  // namespace hostapp
