// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/device_settings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/read_file.h"
#include "ostree-integration/store/image_tree.h"
#include "ostree-integration/store/inode.h"

namespace hostapp {
namespace {

constexpr uint64_t kMostShadowBytes = uint64_t{1} << 20;
constexpr size_t kMostFileBytes = size_t{64} << 10;
constexpr const char* kKeysFile = "hostapp-ssh-keys.conf";
constexpr const char* kShadow = "usr/etc/shadow";

// A file or a pipe.
Result<std::string> ReadInput(const std::string& name) {
  const UniqueFd file(::open(name == "-" ? "/dev/stdin" : name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return SysError(errno, "opening it");
  std::string text(kMostFileBytes + 1, '\0');
  size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SysError(errno, "reading it");
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  if (have > kMostFileBytes) return Error(Errc::kInvalid, StrCat("it is longer than ", kMostFileBytes, " bytes"));
  text.resize(have);
  return text;
}

Status Own(int fd, uint32_t uid, uint32_t gid, uint32_t mode, OpContext& ctx) {
  if (const int owned = ctx.sys.Fchown(fd, uid, gid); owned < 0) return SysError(-owned, "setting its owner");
  const int moded = ctx.sys.Fchmod(fd, mode);
  return moded < 0 ? SysError(-moded, "setting its mode") : Ok();
}

// A deployment's changes to /etc, and its image.
class Changes {
 public:
  static Result<Changes> Open(const Device& device, const ImageStore& store, const Deployment& deployment,
                              OpContext& ctx) {
    ASSIGN_OR_RETURN(UniqueFd dir, OpenDeploymentDir(device.sysroot, deployment.serial, ctx));
    ASSIGN_OR_RETURN(ImageTree tree, ImageTree::Load(store, deployment.manifest_digest, ctx));
    return Changes(std::move(dir), std::move(tree), ctx);
  }

  // A folder of /etc ("": /etc itself), with the image's owner and mode: an overlay shows the upper folder's.
  Result<UniqueFd> Folder(const std::string& name) const {
    ASSIGN_OR_RETURN(UniqueFd upper, MakeDirs(dir_.get(), "etc/upper", 0755, ctx_.sys));
    TRY(OwnAs(upper.get(), "usr/etc").While("/etc"));
    if (name.empty()) return upper;
    ASSIGN_OR_RETURN(UniqueFd folder, MakeDirs(upper.get(), name, 0755, ctx_.sys));
    TRY(OwnAs(folder.get(), StrCat("usr/etc/", name)).While("/etc/", name));
    return folder;
  }

  // What the image has at this path, no link followed; nullptr: nothing.
  const Inode* InImage(std::string_view path) const {
    const Node* node = Below(tree_.root(), path);
    return node == nullptr ? nullptr : node->inode.get();
  }

 private:
  Changes(UniqueFd dir, ImageTree tree, OpContext& ctx) : dir_(std::move(dir)), tree_(std::move(tree)), ctx_(ctx) {}

  Status OwnAs(int fd, const std::string& path) const {
    const Inode* image = InImage(path);
    return image == nullptr ? Own(fd, 0, 0, 0755, ctx_) : Own(fd, image->uid, image->gid, image->mode, ctx_);
  }

  UniqueFd dir_;
  ImageTree tree_;
  OpContext& ctx_;
};

Status WriteHostname(const Changes& changes, const std::string& hostname, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd etc, changes.Folder(""));
  return ReplaceFile(etc.get(), "hostname", AsBytes(hostname + "\n"), 0644, ctx.sys);
}

Status WriteSshKeys(const Changes& changes, const std::vector<std::string>& keys, OpContext& ctx) {
  if (changes.InImage("usr/bin/systemd-tmpfiles") == nullptr && changes.InImage("bin/systemd-tmpfiles") == nullptr) {
    return Error(Errc::kInvalid, "the image has no systemd-tmpfiles, which makes /root/.ssh/authorized_keys of them");
  }
  for (const char* own : {"root/.ssh/authorized_keys", "var/roothome/.ssh/authorized_keys"}) {
    if (changes.InImage(own) == nullptr) continue;
    return Error(Errc::kInvalid,
                 StrCat("the image brings /", own, " itself, which is not replaced; take it out there"));
  }
  std::string text;
  for (const std::string& key : keys) text += key + "\n";
  const std::string file =
      StrCat("# Given to the device with its disk. Made only where there is none: what is changed there stays.\n",
             "d /root/.ssh 0700 root root -\n",  //
             "f~ /root/.ssh/authorized_keys 0600 root root - ", Base64Encode(AsBytes(text)), "\n");
  ASSIGN_OR_RETURN(const UniqueFd folder, changes.Folder("tmpfiles.d"));
  return ReplaceFile(folder.get(), kKeysFile, AsBytes(file), 0644, ctx.sys);
}

// The store's own file, which a link of the image cannot lead away from.
Result<std::string> ReadShadow(const ImageStore& store, const Deployment& deployment) {
  Result<UniqueFd> file = OpenFile(store, deployment.commit, kShadow);
  if (!file.ok() && file.error().code() == Errc::kNotFound) {
    return Error(Errc::kCorrupt, "the image has no /etc/shadow that can be read");
  }
  if (!file.ok()) return file.error();
  std::string text;
  TRY(ForEachChunk(file->get(), [&](ByteSpan bytes) -> Status {
    text.append(AsText(bytes));
    if (text.size() <= kMostShadowBytes) return Ok();
    return Error(Errc::kCorrupt, StrCat("the image's /etc/shadow is longer than ", kMostShadowBytes, " bytes"));
  }));
  return text;
}

Status WritePassword(const Changes& changes, const std::string& shadow, const std::string& hash, OpContext& ctx) {
  const Inode* image = changes.InImage(kShadow);
  CHECK(image != nullptr);  // it has been read
  const std::optional<std::string> changed = WithRootPassword(shadow, hash);
  if (!changed) return Error(Errc::kCorrupt, "the image's /etc/shadow has no line for root");
  ASSIGN_OR_RETURN(const UniqueFd etc, changes.Folder(""));
  TRY(ReplaceFile(etc.get(), "shadow", AsBytes(*changed), 0600, ctx.sys));
  const UniqueFd file(ctx.sys.OpenAt(etc.get(), "shadow", O_RDONLY | O_NOFOLLOW, 0));
  if (!file.valid()) return SysError(-file.get(), "opening /etc/shadow");
  TRY(Own(file.get(), image->uid, image->gid, image->mode, ctx).While("/etc/shadow"));
  return SyncFile(file.get(), ctx.sys);
}

}  // namespace

std::string DeviceSettings::Secrets() const {
  std::string text;
  for (const std::string& key : ssh_keys) text += StrCat("ssh key ", key, "\n");
  if (password_hash) text += StrCat("password ", *password_hash, "\n");
  return text;
}

Result<DeviceSettings> ReadSettings(const SettingsFiles& files) {
  DeviceSettings settings{.hostname = files.hostname};
  for (const std::string& file : files.ssh_keys) {
    const std::string what = StrCat("the ssh keys in ", Escape(file));
    ASSIGN_OR_RETURN(const std::string text, ReadInput(file).While(what));
    ASSIGN_OR_RETURN(const std::vector<std::string> keys, ParseSshKeys(text).While(what));
    settings.ssh_keys.insert(settings.ssh_keys.end(), keys.begin(), keys.end());
  }
  if (files.password_hash) {
    const std::string what = StrCat("the password in ", Escape(*files.password_hash));
    ASSIGN_OR_RETURN(const std::string text, ReadInput(*files.password_hash).While(what));
    ASSIGN_OR_RETURN(settings.password_hash, ParsePasswordHash(text).While(what));
  }
  return settings;
}

Status WriteSettings(const Device& device, DeploymentSerial serial, const DeviceSettings& settings, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Deployment deployment, LoadDeployment(device.sysroot, serial));
  ASSIGN_OR_RETURN(const ImageStore store, ImageStore::Open(device.sysroot.root(), ctx));
  ASSIGN_OR_RETURN(const Changes changes, Changes::Open(device, store, deployment, ctx));
  if (settings.hostname) TRY(WriteHostname(changes, *settings.hostname, ctx).While("setting the hostname"));
  if (!settings.ssh_keys.empty()) TRY(WriteSshKeys(changes, settings.ssh_keys, ctx).While("setting root's ssh keys"));
  if (settings.password_hash) {
    ASSIGN_OR_RETURN(const std::string shadow, ReadShadow(store, deployment).While("setting root's password"));
    TRY(WritePassword(changes, shadow, *settings.password_hash, ctx).While("setting root's password"));
  }
  return Ok();
}

}  // namespace hostapp
