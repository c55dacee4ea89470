// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/image_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>

#include "hostapp/base/durable.h"
#include "hostapp/base/enable_verity.h"
#include "ostree-integration/store/store_impl.h"

namespace hostapp {
namespace {

constexpr std::string_view kRepoPath = "ostree/repo";
constexpr std::string_view kTmpPath = "hostapp/tmp";

struct ConfigKey {
  const char* name;
  const char* value;
};
// min-free-space: libostree's own check (3 % by default) refuses in the middle of an import; here all space is planned
// before the first byte, with the numbers in the error.
// lock-timeout-secs: an `ostree prune` by hand is waited for, but not five minutes.
constexpr ConfigKey kConfig[] = {
    {"min-free-space-percent", "0"}, {"locking", "true"}, {"lock-timeout-secs", "30"}, {"fsync", "true"}};

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

// Ours, in the repository's config; libostree keeps groups that it doesn't know.
constexpr const char* kOurGroup = "hostapp";
constexpr const char* kVerityKey = "fs-verity";

Status SetConfig(OstreeRepo* repo, bool verity) {
  const glib::KeyFilePtr config(ostree_repo_copy_config(repo));
  bool changed = verity;
  if (verity) g_key_file_set_boolean(config.get(), kOurGroup, kVerityKey, TRUE);
  for (const ConfigKey& key : kConfig) {
    const glib::StringPtr old(g_key_file_get_string(config.get(), "core", key.name, nullptr));
    if (old && std::string_view(old.get()) == key.value) continue;
    g_key_file_set_string(config.get(), "core", key.name, key.value);
    changed = true;
  }
  if (!changed) return Ok();
  glib::ErrorSlot error;
  if (!ostree_repo_write_config(repo, config.get(), error)) return error.Take();
  return Ok();
}

Status CheckMode(OstreeRepo* repo) {
  if (ostree_repo_get_mode(repo) == OSTREE_REPO_MODE_BARE) return Ok();
  return Error(Errc::kCorrupt, "ostree/repo is a repository of another mode than bare; deployments need bare");
}

// libostree replaces its config through a file "tmp.XXXXXX" beside it, which a crash in between leaves for ever.
Status RemoveUnfinishedConfig(int repo_dir, OpContext& ctx) {
  constexpr std::string_view kPattern = "tmp.XXXXXX";
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(repo_dir, "."));
  for (const std::string& name : names) {
    if (name.starts_with("tmp.") && name.size() == kPattern.size()) TRY(RemoveFile(repo_dir, name, ctx.sys));
  }
  return Ok();
}

Result<UniqueFd> OpenBelow(int dir, std::string_view path, OpContext& ctx) { return OpenDir(dir, path, ctx.sys); }

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
    // A store that is there already may have files without.
    const bool verity = !Exists(repo_dir.get(), "config") && TryVerity(tmp.get(), ctx.sys) == 0;
    glib::ErrorSlot error;
    // Idempotent: makes what is missing, writes the config only when there is none.
    const auto repo =
        glib::Adopt(ostree_repo_create_at(repo_dir.get(), ".", OSTREE_REPO_MODE_BARE, nullptr, nullptr, error));
    if (!repo) return error.Take().Prefix("making the store in ostree/repo");
    TRY(CheckMode(repo.get()));
    TRY(SetConfig(repo.get(), verity).While("writing the store's config"));
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
  glib::ErrorSlot error;
  impl->repo = glib::Adopt(ostree_repo_open_at(sysroot_fd, std::string(kRepoPath).c_str(), nullptr, error));
  if (!impl->repo) return error.Take(Errc::kCorrupt).Prefix("opening the store ostree/repo");
  TRY(CheckMode(impl->repo.get()));
  impl->verity =
      g_key_file_get_boolean(ostree_repo_get_config(impl->repo.get()), kOurGroup, kVerityKey, nullptr) != FALSE;
  ASSIGN_OR_RETURN(impl->objects, OpenBelow(sysroot_fd, StrCat(kRepoPath, "/objects"), ctx));
  return ImageStore(std::move(impl));
}

}  // namespace hostapp
