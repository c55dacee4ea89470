// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

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

Status MountTree(const std::string& deployment, const std::string& dir) {
  TRY(BindReadOnly(deployment + "/root", dir));
  if (!Exists(AT_FDCWD, deployment + "/root/usr/etc")) return Ok();
  // A real copy where the device has no overlayfs; the image's own where the deployment has never booted.
  if (Exists(AT_FDCWD, deployment + "/etc/tree")) return BindReadOnly(deployment + "/etc/tree", dir + "/etc");
  if (!Exists(AT_FDCWD, deployment + "/etc/upper")) return BindReadOnly(deployment + "/root/usr/etc", dir + "/etc");
  // Two lower layers and no upper one: the deployment's /etc as it is, and nothing can change it.
  const std::string options = StrCat("lowerdir=", deployment, "/etc/upper:", deployment, "/root/usr/etc");
  return Mount("overlay", dir + "/etc", "overlay", MS_RDONLY | MS_NODEV, options, "mounting /etc");
}

// Whether the mount on top of `dir` is the tree of a deployment: /proc/self/mountinfo names, for each mount, the folder
// of its file system that it shows (fourth field) and where (fifth), white space as \040 and the like.
Result<bool> IsDeploymentMount(const std::string& dir) {
  constexpr uint64_t kMaxMountinfo = 16 << 20;
  ASSIGN_OR_RETURN(const std::string mounts, ReadFile(AT_FDCWD, "/proc/self/mountinfo", kMaxMountinfo));
  bool ours = false;
  for (const std::string_view line : Split(mounts, '\n')) {
    const std::vector<std::string_view> fields = Split(line, ' ');
    if (fields.size() < 5 || fields[4] != MountinfoText(dir)) continue;
    const std::vector<std::string_view> parts = Split(fields[3], '/');  // the last line is the topmost mount
    const size_t n = parts.size();
    ours = n >= 4 && parts[n - 1] == "root" && ParseUint64(parts[n - 2]).has_value() && parts[n - 3] == "deployments" &&
           parts[n - 4] == "hostapp";
  }
  return ours;
}

}  // namespace

Status MountDeployment(const Device& device, DeploymentSerial serial, const std::string& dir, OpContext& /*ctx*/) {
  TRY(LoadDeployment(device.sysroot, serial).status());
  ASSIGN_OR_RETURN(const std::string target, RealPath(dir));
  ASSIGN_OR_RETURN(const std::string deployment,
                   RealPath(StrCat(device.sysroot.paths().root, "/", kDeploymentsDir, "/", serial)));
  ASSIGN_OR_RETURN(const bool taken, IsMountPoint(target));
  if (taken) return Error(Errc::kBusy, StrCat(Escape(dir), ": something is mounted there already"));
  if (!FitsOverlayOptions(deployment)) {
    return Error(Errc::kInvalid,
                 StrCat(Escape(deployment), ": overlayfs takes no comma, colon or backslash in a path"));
  }
  Status mounted = MountTree(deployment, target);
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
