// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/image_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/enable_verity.h"
#include "ostree-integration/composefs/tree.h"
#include "ostree-integration/store/store_config.h"
#include "ostree-integration/store/store_impl.h"

namespace hostapp {
namespace {

constexpr std::string_view kTmpPath = "hostapp/tmp";

Status MakeObjectFolders(int objects, OpContext& ctx) {
  std::array<char, 3> name{};
  for (int i = 0; i < 256; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    name[0] = kDigits[i >> 4];
    name[1] = kDigits[i & 15];
    const int made = ctx.sys.MkdirAt(objects, name.data(), 0775);
    if (made < 0 && made != -EEXIST) return SysError(-made, "making the store's object folders");
  }
  return Ok();
}

Result<UniqueFd> OpenBelow(int dir, std::string_view path, OpContext& ctx) { return OpenDir(dir, path, ctx.sys); }

Status CheckConfig(int repo_dir) {
  const Result<std::string> mode = ReadMode(repo_dir);
  if (mode.ok()) return CheckMode(*mode);
  return Error(mode.error().code(),
               StrCat("opening the store ostree/repo: ", mode.error().message(), "; run: hostapp fsck --repair"));
}

// Whether the file system does. What is no answer to that must not decide it for ever.
Result<bool> KeepsVerity(int dir, OpContext& ctx) {
  const int tried = TryVerity(dir, ctx.sys);
  constexpr std::array kNoAnswer = {-EIO, -EINTR, -ENOSPC, -EDQUOT, -EROFS};
  if (std::find(kNoAnswer.begin(), kNoAnswer.end(), tried) == kNoAnswer.end()) return tried == 0;
  return SysError(-tried, "trying whether the file system keeps fs-verity");
}

// Whether the store's files have fs-verity: the first one that is to have it says so.
Result<bool> ObjectsHaveVerity(int repo_dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> folders, ListDir(repo_dir, "objects"));
  for (const std::string& folder : folders) {
    if (folder.size() != 2) continue;
    const std::string path = StrCat("objects/", folder);
    ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(repo_dir, path));
    for (const std::string& name : names) {
      if (!name.ends_with(".file")) continue;
      const Result<UniqueFd> file = OpenRegular(repo_dir, StrCat(path, "/", name));
      struct stat info {};
      if (!file.ok() || ::fstat(file->get(), &info) != 0) continue;
      if (static_cast<uint64_t>(info.st_size) > composefs::kSmallContentBytes) return HasVerity(file->get());
    }
  }
  return false;
}

}  // namespace

ImageStore::ImageStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ImageStore::ImageStore(ImageStore&&) noexcept = default;
ImageStore& ImageStore::operator=(ImageStore&&) noexcept = default;
ImageStore::~ImageStore() = default;

int ImageStore::sysroot_fd() const { return impl_->sysroot.get(); }
int ImageStore::tmp_fd() const { return impl_->tmp.get(); }
bool ImageStore::has_verity() const { return impl_->verity; }

Status ImageStore::GiveVerity(int dir, const std::string& name, Syscalls& sys) const {
  if (!has_verity()) return Ok();
  const int result = EnableVerity(dir, name.c_str(), sys);
  if (result >= 0) return Ok();
  if (result != -EOPNOTSUPP && result != -ENOTTY) return SysError(-result, "enabling fs-verity");
  return Error(Errc::kIo,
               StrCat("this file system does not keep fs-verity as the store's did when it was made; to go on ",
                      "without: ostree config --repo=ostree/repo set ", kOurGroup, ".", kVerityKey, " false"));
}

Result<ImageStore> ImageStore::Create(int sysroot_fd, OpContext& ctx) {
  {
    ASSIGN_OR_RETURN(const UniqueFd repo_dir, MakeDirs(sysroot_fd, kRepoPath, 0755, ctx.sys));
    ASSIGN_OR_RETURN(const UniqueFd tmp, MakeDirs(sysroot_fd, kTmpPath, 0700, ctx.sys));
    // Made last: without it there is no store yet, and nobody's config.
    if (Exists(repo_dir.get(), "objects")) {
      TRY(CheckConfig(repo_dir.get()));
    } else {
      ASSIGN_OR_RETURN(const bool verity, KeepsVerity(tmp.get(), ctx));
      TRY(ReplaceConfig(repo_dir.get(), verity, ctx).While("writing the store's config"));
    }
    glib::ErrorSlot error;
    // Idempotent: makes what is missing.
    const auto repo =
        glib::Adopt(ostree_repo_create_at(repo_dir.get(), ".", OSTREE_REPO_MODE_BARE, nullptr, nullptr, error));
    if (!repo) return error.Take().Prefix("making the store in ostree/repo");
    TRY(CheckConfig(repo_dir.get()));
    TRY(SetConfig(repo.get()).While("writing the store's config"));
    TRY(RemoveUnfinishedConfig(repo_dir.get(), ctx));
    ASSIGN_OR_RETURN(const UniqueFd objects, OpenDir(repo_dir.get(), "objects", ctx.sys));
    TRY(MakeObjectFolders(objects.get(), ctx));
    TRY(SyncFilesystem(repo_dir.get(), ctx.sys).While("making the store durable"));
  }
  return Open(sysroot_fd, ctx);
}

Result<ImageStore> ImageStore::Open(int sysroot_fd, OpContext& ctx) {
  auto impl = std::make_unique<Impl>();
  ASSIGN_OR_RETURN(impl->sysroot, OpenBelow(sysroot_fd, ".", ctx));
  ASSIGN_OR_RETURN(impl->tmp, OpenBelow(sysroot_fd, kTmpPath, ctx).While("opening the store"));
  ASSIGN_OR_RETURN(const UniqueFd repo_dir, OpenBelow(sysroot_fd, kRepoPath, ctx).While("opening the store"));
  TRY(CheckConfig(repo_dir.get()));
  glib::ErrorSlot error;
  impl->repo = glib::Adopt(ostree_repo_open_at(sysroot_fd, std::string(kRepoPath).c_str(), nullptr, error));
  if (!impl->repo) return error.Take(Errc::kCorrupt).Prefix("opening the store ostree/repo");
  impl->verity =
      g_key_file_get_boolean(ostree_repo_get_config(impl->repo.get()), kOurGroup, kVerityKey, nullptr) != FALSE;
  ASSIGN_OR_RETURN(impl->objects, OpenBelow(sysroot_fd, StrCat(kRepoPath, "/objects"), ctx));
  return ImageStore(std::move(impl));
}

Result<std::optional<std::string>> ImageStore::RepairConfig(int sysroot_fd, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd repo_dir, OpenBelow(sysroot_fd, kRepoPath, ctx).While("opening the store"));
  const Result<std::string> mode = ReadMode(repo_dir.get());
  if (mode.ok()) return std::optional<std::string>();
  if (mode.error().code() != Errc::kCorrupt) return mode.error();
  ASSIGN_OR_RETURN(const bool verity, ObjectsHaveVerity(repo_dir.get()));
  TRY(ReplaceConfig(repo_dir.get(), verity, ctx).While("writing the store's config"));
  return std::optional(StrCat("the store ostree/repo: ", mode.error().message()));
}

}  // namespace hostapp
