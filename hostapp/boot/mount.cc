// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "initramfs/rootfs/composefs_root.h"
#include "initramfs/rootfs/fs_verity.h"
#include "ostree-integration/sysroot/ledger_file.h"

namespace hostapp {
namespace {

Status Mount(const std::string& source, const std::string& target, const char* type, unsigned long flags,
             const std::string& data, std::string_view doing) {
  if (::mount(source.c_str(), target.c_str(), type, flags, data.empty() ? nullptr : data.c_str()) == 0) return Ok();
  return SysError(errno, doing);
}

Result<std::string> RealPath(const std::string& path) {
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) return SysError(errno, StrCat("looking for ", Escape(path)));
  return std::string(resolved);
}

Result<bool> IsMountPoint(const std::string& dir) {
  struct statx info {};
  if (::statx(-1, dir.c_str(), AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &info) != 0) {
    return SysError(errno, StrCat("looking at ", Escape(dir)));
  }
  return (info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 && (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// What overlayfs takes in its options unescaped. A sysroot with a comma or colon in its path is refused by name.
bool FitsOverlayOptions(const std::string& path) { return path.find_first_of(",:\\") == std::string::npos; }

Status BindReadOnly(const std::string& source, const std::string& dir) {
  TRY(Mount(source, dir, nullptr, MS_BIND, "", StrCat("binding ", Escape(source))));
  return Mount("none", dir, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NODEV, "",
               StrCat("making ", Escape(dir), " read-only"));
}

std::string MountinfoText(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == ' ')
      out += "\\040";
    else if (c == '\t')
      out += "\\011";
    else if (c == '\n')
      out += "\\012";
    else if (c == '\\')
      out += "\\134";
    else
      out += c;
  }
  return out;
}

// A folder of our own, for as long as it is needed.
class MountPlace {
 public:
  static Result<MountPlace> Make() {
    MountPlace folder;
    if (::mkdtemp(folder.path_.data()) == nullptr) return SysError(errno, "making a folder in /tmp");
    folder.made_ = true;
    return folder;
  }
  MountPlace(MountPlace&& other) noexcept : path_(std::move(other.path_)), made_(std::exchange(other.made_, false)) {}
  MountPlace& operator=(MountPlace&&) = delete;
  ~MountPlace() {
    if (made_) ::rmdir(path_.c_str());
  }
  const char* path() const { return path_.c_str(); }

 private:
  MountPlace() = default;
  std::string path_ = "/tmp/hostapp-mount-XXXXXX";
  bool made_ = false;
};

// What mountinfo has as the source of the overlay, with the deployment's serial between.
constexpr std::string_view kBeforeSerial = "hostapp/deployments/", kAfterSerial = "/root.cfs";

Status MountImage(const Deployment& deployment, const std::string& folder, const std::string& objects,
                  const std::string& dir) {
  const std::string path = StrCat(folder, "/root.cfs"), name = StrCat(kBeforeSerial, deployment.serial, kAfterSerial);
  const UniqueFd image(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!image.valid()) return SysError(errno, StrCat("opening ", Escape(path)));
  initramfs::Problem why;
  if (!initramfs::CheckFsVerity(image.get(), LedgerDigest(*deployment.composefs), "root.cfs", why)) {
    return Error(Errc::kCorrupt, StrCat(why.text(), "; run: hostapp fsck --repair"));
  }
  ASSIGN_OR_RETURN(const MountPlace place, MountPlace::Make());
  initramfs::ComposefsWay way;
  const initramfs::ComposefsMount mount{.image = image.get(),
                                        .name = name.c_str(),
                                        .objects = objects.c_str(),
                                        .place = place.path(),
                                        .target = dir.c_str()};
  if (!initramfs::MountComposefs(mount, way, why)) return Error(Errc::kIo, std::string(why.text()));
  return Ok();
}

// `folder` is the deployment's. Its /etc stands on the tree as it is mounted at `dir`.
Status MountEtc(const std::string& folder, const std::string& dir) {
  const std::string image = dir + "/usr/etc";
  if (!Exists(AT_FDCWD, image)) return Ok();
  // A real copy where the device has no overlayfs; the image's own where the deployment has never booted.
  if (Exists(AT_FDCWD, folder + "/etc/tree")) return BindReadOnly(folder + "/etc/tree", dir + "/etc");
  if (!Exists(AT_FDCWD, folder + "/etc/upper")) return BindReadOnly(image, dir + "/etc");
  // Two lower layers and no upper one: the deployment's /etc as it is, and nothing can change it.
  const std::string options = StrCat("lowerdir=", folder, "/etc/upper:", image);
  return Mount("overlay", dir + "/etc", "overlay", MS_RDONLY | MS_NODEV, options, "mounting /etc");
}

Status MountTree(const Deployment& deployment, const std::string& folder, const std::string& objects,
                 const std::string& dir) {
  if (deployment.composefs) {
    TRY(MountImage(deployment, folder, objects, dir));
  } else {
    TRY(BindReadOnly(folder + "/root", dir));
  }
  return MountEtc(folder, dir);
}

// "/hostapp/deployments/5/root", of a checkout that is bound.
bool IsCheckout(std::string_view root) {
  const std::vector<std::string_view> parts = Split(root, '/');
  const size_t n = parts.size();
  return n >= 4 && parts[n - 1] == "root" && ParseUint64(parts[n - 2]).has_value() && parts[n - 3] == "deployments" &&
         parts[n - 4] == "hostapp";
}

bool IsImage(std::string_view source) {
  if (!source.starts_with(kBeforeSerial) || !source.ends_with(kAfterSerial)) return false;
  source.remove_prefix(kBeforeSerial.size());
  return ParseUint64(source.substr(0, source.size() - kAfterSerial.size())).has_value();
}

// Whether the mount on top of `dir` is the tree of a deployment: /proc/self/mountinfo names, for each mount, the folder
// of its file system that it shows (fourth field), where (fifth, white space as \040 and the like), and behind a "-"
// and the file system's name its source.
Result<bool> IsDeploymentMount(const std::string& dir) {
  constexpr uint64_t kMaxMountinfo = 16 << 20;
  ASSIGN_OR_RETURN(const std::string mounts, ReadFile(AT_FDCWD, "/proc/self/mountinfo", kMaxMountinfo));
  bool ours = false;
  for (const std::string_view line : Split(mounts, '\n')) {
    const std::vector<std::string_view> fields = Split(line, ' ');
    if (fields.size() < 5 || fields[4] != MountinfoText(dir)) continue;
    const auto dash = std::find(fields.begin() + 5, fields.end(), "-");
    const bool is_image = fields.end() - dash > 2 && dash[1] == "overlay" && IsImage(dash[2]);
    ours = is_image || IsCheckout(fields[3]);  // the last line is the topmost mount
  }
  return ours;
}

}  // namespace

Status MountDeployment(const Device& device, DeploymentSerial serial, const std::string& dir, OpContext& /*ctx*/) {
  ASSIGN_OR_RETURN(const Deployment deployment, LoadDeployment(device.sysroot, serial));
  ASSIGN_OR_RETURN(const std::string target, RealPath(dir));
  const std::string& root = device.sysroot.paths().root;
  ASSIGN_OR_RETURN(const std::string folder, RealPath(StrCat(root, "/", kDeploymentsDir, "/", serial)));
  ASSIGN_OR_RETURN(const std::string objects, RealPath(StrCat(root, "/ostree/repo/objects")));
  ASSIGN_OR_RETURN(const bool taken, IsMountPoint(target));
  if (taken) return Error(Errc::kBusy, StrCat(Escape(dir), ": something is mounted there already"));
  for (const std::string& path : {folder, objects, target}) {
    if (FitsOverlayOptions(path)) continue;
    return Error(Errc::kInvalid, StrCat(Escape(path), ": overlayfs takes no comma, colon or backslash in a path"));
  }
  Status mounted = MountTree(deployment, folder, objects, target);
  if (!mounted.ok())
    ::umount2(target.c_str(), MNT_DETACH);  // with what was mounted below; a mere EINVAL if nothing was
  return std::move(mounted).While("mounting deployment ", serial, " on ", Escape(dir));
}

Status UnmountDeployment(const std::string& dir, OpContext& /*ctx*/) {
  ASSIGN_OR_RETURN(const std::string target, RealPath(dir));
  ASSIGN_OR_RETURN(const bool ours, IsDeploymentMount(target));
  if (!ours) return Error(Errc::kNotFound, StrCat(Escape(dir), ": no deployment is mounted there"));
  const std::string etc = target + "/etc";
  const auto busy = [&](int error) {
    return error == EBUSY ? Error(Errc::kBusy, StrCat("unmounting ", Escape(dir), ": it is in use"), EBUSY)
                          : SysError(error, StrCat("unmounting ", Escape(dir)));
  };
  // An image without /etc has only the tree.
  if (::umount2(etc.c_str(), 0) != 0 && errno != EINVAL && errno != ENOENT) return busy(errno);
  if (::umount2(target.c_str(), 0) != 0) return busy(errno);
  return Ok();
}

}  // namespace hostapp
