// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/probe_features.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "hostapp/base/durable.h"
#include "hostapp/base/enable_verity.h"
#include "hostapp/base/sinks.h"
#include "hostapp/base/strings.h"
#include "initramfs/rootfs/loop_device.h"
#include "ostree-integration/composefs/erofs_writer.h"

namespace hostapp {
namespace {

// Of the probe's own namespace: a file system in memory, on a folder that every system has.
constexpr const char* kPlace = "/tmp";
constexpr const char* kImageMount = "/tmp/image";
constexpr const char* kObjects = "/tmp/objects";
constexpr const char* kMerged = "/tmp/merged";
constexpr const char* kFile = "file";

constexpr std::string_view kContent = "what the store has of a file";

std::string OfDescriptor(int fd) { return StrCat("/proc/self/fd/", fd); }

Feature Named(std::string_view name, std::string_view meaning) {
  return {.name = std::string(name), .meaning = std::string(meaning), .answer = Feature::Answer::kNo, .detail = {}};
}

bool IsForbidden(int error) { return error == EPERM || error == EACCES; }

Feature Answered(Feature feature, int error) {
  feature.answer = error == 0           ? Feature::Answer::kYes
                   : IsForbidden(error) ? Feature::Answer::kNeedsRoot
                                        : Feature::Answer::kNo;
  if (feature.answer == Feature::Answer::kNo) feature.detail = initramfs::ErrnoText(error);
  return feature;
}

// What deployments have, on the store's file system as there: a file whose content lies in the store. For reading.
Result<UniqueFd> MakeImage(const std::string& store, OpContext& ctx) {
  composefs::FsVerityHasher hasher;
  hasher.Update(AsBytes(kContent));
  ASSIGN_OR_RETURN(composefs::Tree tree, composefs::Tree::Create({.mode = 0755}));
  TRY(tree.AddFile(composefs::Tree::kRoot, kFile, {.mode = 0644},
                   {.size = kContent.size(), .path = kFile, .verity = hasher.Finish()})
          .status());
  const UniqueFd written(ctx.sys.OpenAt(AT_FDCWD, store.c_str(), O_WRONLY | O_TMPFILE, 0600));
  if (!written.valid()) return SysError(-written.get(), "creating an image");
  FileSink sink(written.get(), ctx.sys);
  TRY(composefs::WriteImage(tree, composefs::OldestFormat(tree), sink).status());
  UniqueFd image(ctx.sys.OpenAt(AT_FDCWD, OfDescriptor(written.get()).c_str(), O_RDONLY, 0));
  if (!image.valid()) return SysError(-image.get(), "opening an image");
  return image;
}

// The places for what is mounted, seen by this thread alone.
Status EnterOwnNamespace(OpContext& ctx) {
  if (::unshare(CLONE_NEWNS) != 0) return SysError(errno, "making a mount namespace");
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return SysError(errno, "making it private");
  if (::mount("hostapp", kPlace, "tmpfs", 0, "mode=0700") != 0) return SysError(errno, StrCat("mounting ", kPlace));
  for (const char* folder : {kImageMount, kObjects, kMerged}) {
    if (::mkdir(folder, 0700) != 0) return SysError(errno, StrCat("making ", folder));
  }
  ASSIGN_OR_RETURN(const UniqueFd objects, OpenDir(AT_FDCWD, kObjects, ctx.sys));
  return ReplaceFile(objects.get(), kFile, AsBytes(kContent), 0600, ctx.sys);
}

// 0 or an errno, as of all below. What is mounted stays, for what stands on it.
int MountErofs(const std::string& source) {
  return ::mount(source.c_str(), kImageMount, "erofs", MS_RDONLY, nullptr) == 0 ? 0 : errno;
}

// Mounts an overlay of these, reads the file through it when it has one, and ends it.
int TryOverlay(const std::string& options, std::string_view content) {
  if (::mount("hostapp", kMerged, "overlay", MS_RDONLY, options.c_str()) != 0) return errno;
  const Result<std::string> read = ReadFile(AT_FDCWD, StrCat(kMerged, "/", kFile), kContent.size());
  ::umount2(kMerged, MNT_DETACH);
  if (!read.ok()) return read.error().sys_errno() != 0 ? read.error().sys_errno() : EIO;
  return *read == content ? 0 : EIO;
}

// Mounts of EROFS and overlayfs, tried in a namespace of their own.
class Mounts {
 public:
  Result<std::vector<Feature>> Probe(const std::string& store, OpContext& ctx);

 private:
  void ProbeImage(int image);
  void ProbeOverlays();

  Feature loop_ = Named("loop", "loop devices");
  Feature erofs_ = Named("erofs", "EROFS, for composefs roots");
  Feature from_file_ = Named("erofs-from-file", "EROFS without a loop device");
  Feature overlay_ = Named("overlayfs", "overlayfs, for /etc and composefs roots");
  Feature metacopy_ = Named("overlayfs-metacopy", "files' contents from another layer (metacopy, redirect_dir)");
  Feature data_only_ = Named("overlayfs-data-only", "a layer of which only contents are seen");
  Feature verity_ = Named("overlayfs-verity", "contents only with the digest that the image says (verity=require)");
};

void Mounts::ProbeImage(int image) {
  from_file_ = Answered(std::move(from_file_), MountErofs(OfDescriptor(image)));
  if (from_file_.answer == Feature::Answer::kYes) ::umount2(kImageMount, MNT_DETACH);
  initramfs::LoopDevice device;
  initramfs::Problem why;
  if (initramfs::AttachLoop(image, "hostapp-features", device, why)) {
    loop_.answer = Feature::Answer::kYes;
    erofs_ = Answered(std::move(erofs_), MountErofs(device.path.c_str()));
  } else {
    loop_.detail = why.text();
    erofs_ = Answered(std::move(erofs_), MountErofs(OfDescriptor(image)));
  }
}

void Mounts::ProbeOverlays() {
  overlay_ = Answered(std::move(overlay_), TryOverlay(StrCat("lowerdir=", kObjects, ":", kImageMount), kContent));
  if (erofs_.answer != Feature::Answer::kYes) {
    for (Feature* feature : {&metacopy_, &data_only_, &verity_}) feature->detail = "not tried: there is no EROFS";
    return;
  }
  const std::string options = StrCat("metacopy=on,redirect_dir=on,lowerdir=", kImageMount);
  metacopy_ = Answered(std::move(metacopy_), TryOverlay(StrCat(options, ":", kObjects), kContent));
  data_only_ = Answered(std::move(data_only_), TryOverlay(StrCat(options, "::", kObjects), kContent));
  // The file in memory has no fs-verity: a kernel that asks for it must refuse to open it.
  const int refused = TryOverlay(StrCat("verity=require,", options, "::", kObjects), kContent);
  verity_ = Answered(std::move(verity_), refused == EIO ? 0 : refused == 0 ? ENOTSUP : refused);
}

Result<std::vector<Feature>> Mounts::Probe(const std::string& store, OpContext& ctx) {
  const Result<UniqueFd> image = MakeImage(store, ctx);  // before anything hides the store
  const Status entered = image.ok() ? EnterOwnNamespace(ctx) : Status(image.error());
  if (!entered.ok() && !IsForbidden(entered.error().sys_errno())) return entered.error();
  if (entered.ok()) {
    ProbeImage(image->get());
    ProbeOverlays();
  }
  std::vector<Feature> features = {loop_, erofs_, from_file_, overlay_, metacopy_, data_only_, verity_};
  for (Feature& feature : features) {
    if (!entered.ok()) feature.answer = Feature::Answer::kNeedsRoot;
  }
  return features;
}

// A thread may have a namespace of its own, which ends with it.
Result<std::vector<Feature>> ProbeMounts(const std::string& store, OpContext& ctx) {
  Result<std::vector<Feature>> features = std::vector<Feature>();
  std::thread([&] { features = Mounts().Probe(store, ctx).While("probing mounts"); }).join();
  return features;
}

int TryReflink(const std::string& store, OpContext& ctx) {
  const UniqueFd from(ctx.sys.OpenAt(AT_FDCWD, store.c_str(), O_RDWR | O_TMPFILE, 0600));
  const UniqueFd to(ctx.sys.OpenAt(AT_FDCWD, store.c_str(), O_RDWR | O_TMPFILE, 0600));
  if (!from.valid() || !to.valid()) return from.valid() ? -to.get() : -from.get();
  if (!WriteAll(from.get(), AsBytes(kContent), ctx.sys).ok()) return EIO;
  return ::ioctl(to.get(), FICLONE, from.get()) == 0 ? 0 : errno;
}

}  // namespace

Result<std::vector<Feature>> ProbeFeatures(const std::string& store, OpContext& ctx) {
  if (!Exists(AT_FDCWD, store)) return Error(Errc::kNotFound, StrCat(Escape(store), ": there is no such folder"));
  ASSIGN_OR_RETURN(std::vector<Feature> features, ProbeMounts(store, ctx));
  // What cannot be opened here is answered like the mounts.
  const UniqueFd folder(ctx.sys.OpenAt(AT_FDCWD, store.c_str(), O_RDONLY | O_DIRECTORY, 0));
  features.push_back(Answered(Named("fs-verity", "fs-verity on the store's file system"),
                              folder.valid() ? -TryVerity(folder.get(), ctx.sys) : -folder.get()));
  features.push_back(Answered(Named("reflink", "reflinks on the store's file system"), TryReflink(store, ctx)));
  return features;
}

}  // namespace hostapp
