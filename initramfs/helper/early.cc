// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/early.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hostapp::initramfs {
namespace {

struct KernelFileSystem {
  const char* type;
  const char* target;
  unsigned long flags;
  const char* options;
};

constexpr KernelFileSystem kFileSystems[] = {
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr},
    {"devtmpfs", "/dev", MS_NOSUID, "mode=0755"},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755"},
};

bool LoadModule(const char* path) {
  const Fd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return false;
  if (syscall(SYS_finit_module, fd.get(), "", 0) == 0) return true;
  return errno == EEXIST || errno == ENODEV;  // there already; or made for hardware that this machine has not got
}

// Deleting is only for a root that lives in memory; anything else would be somebody's disk.
bool IsInMemory(int fd) {
  struct statfs info = {};
  return fstatfs(fd, &info) == 0 && (info.f_type == RAMFS_MAGIC || info.f_type == TMPFS_MAGIC);
}

}  // namespace

bool MountKernelFileSystems(Console& console, Problem& why) {
  for (const KernelFileSystem& fs : kFileSystems) {
    mkdir(fs.target, 0755);
    if (mount(fs.type, fs.target, fs.type, fs.flags, fs.options) == 0 || errno == EBUSY) continue;
    return why.IsErrno(errno, "mounting ", fs.type, " on ", fs.target);
  }
  console.Open();
  return true;
}

void LoadModules(const char* list, Console& console) {
  std::array<char, 16384> buffer{};
  std::string_view rest;
  if (!ReadFileAt(AT_FDCWD, list, buffer, rest)) return;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string_view line(rest.data(), end == std::string_view::npos ? rest.size() : end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    const Path path = PathOf(line);
    if (!LoadModule(path.c_str())) {
      Problem why;
      why.IsErrno(errno, "loading ", path);
      console.Complain(why.text());
    }
  }
}

bool SwitchRoot(const char* new_root, const char* init, char** argv, Problem& why) {
  const Fd old_root = OpenDirectory(AT_FDCWD, "/");
  for (const KernelFileSystem& fs : kFileSystems) {
    const Path target = PathOf(new_root, fs.target);
    if (mount(fs.target, target.c_str(), nullptr, MS_MOVE, nullptr) == 0) continue;
    return why.IsErrno(errno, "moving ", fs.target, " to ", target);
  }
  if (chdir(new_root) != 0) return why.IsErrno(errno, "entering ", new_root);
  if (IsInMemory(old_root.get())) RemoveContents(old_root.get());
  if (mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) return why.IsErrno(errno, "making ", new_root, " the root");
  if (chroot(".") != 0 || chdir("/") != 0) return why.IsErrno(errno, "changing the root");
  // Arguments that the kernel did not know are init's.
  Path name(init);
  argv[0] = const_cast<char*>(name.c_str());
  execv(init, argv);
  return why.IsErrno(errno, "starting ", init);
}

}  // namespace hostapp::initramfs
