// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/loose_objects.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "hostapp/base/durable.h"

namespace hostapp {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// "cdef….dirtree" in the folder "ab".
std::optional<LooseObject> ParseName(const std::string& folder, const dirent& entry) {
  const std::string_view name = entry.d_name;
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto id = ParseSha256(StrCat(folder, name.substr(0, dot)));
  if (!id) return std::nullopt;
  return LooseObject{.id = *id,
                     .extension = std::string(name.substr(dot + 1)),
                     .path = StrCat(folder, '/', name),
                     .inode = entry.d_ino};
}

Result<std::vector<LooseObject>> ReadFolder(int objects, const std::string& folder) {
  UniqueFd fd(::openat(objects, folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return SysError(errno, StrCat("opening the store's folder ", folder));
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd.get()));
  if (dir == nullptr) return SysError(errno, StrCat("opening the store's folder ", folder));
  (void)fd.Release();  // the stream's
  std::vector<LooseObject> out;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    if (std::optional<LooseObject> object = ParseName(folder, *entry)) out.push_back(std::move(*object));
  }
  if (errno != 0) return SysError(errno, StrCat("reading the store's folder ", folder));
  std::ranges::sort(out, {}, &LooseObject::path);
  return out;
}

}  // namespace

Status ForEachLooseObject(const ImageStore& store, const std::function<Status(const LooseObject&)>& use) {
  const int objects = store.impl().objects.get();
  ASSIGN_OR_RETURN(const std::vector<std::string> folders, ListDir(objects, "."));
  for (const std::string& folder : folders) {
    if (folder.size() != 2) continue;
    ASSIGN_OR_RETURN(const std::vector<LooseObject> found, ReadFolder(objects, folder));
    for (const LooseObject& object : found) TRY(use(object));
  }
  return Ok();
}

}  // namespace hostapp
