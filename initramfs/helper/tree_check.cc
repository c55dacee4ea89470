// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/tree_check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "initramfs/rootfs/files.h"

namespace hostapp::initramfs {
namespace {

// As the path would resolve after the pivot: absolute links start at the tree.
Fd OpenInside(int tree, const char* path, int flags) {
  struct open_how how = {};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(syscall(SYS_openat2, tree, path, &how, sizeof how)));
}

bool StartsLikeAProgram(int fd) {
  std::array<char, 4> head{};
  const ssize_t got = pread(fd, head.data(), head.size(), 0);
  const std::string_view text(head.data(), got > 0 ? static_cast<size_t>(got) : 0);
  return text ==
             "\x7f"
             "ELF" ||
         text.starts_with("#!");
}

}  // namespace

bool CheckInit(int tree, const char* init, Problem& why) {
  const Fd fd = OpenInside(tree, init, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) return why.IsErrno(errno, init);
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0) return why.IsErrno(errno, init);
  if (!S_ISREG(info.st_mode)) return why.Is(init, ": not a file");
  if ((info.st_mode & 0111) == 0) return why.Is(init, ": not executable");
  return StartsLikeAProgram(fd.get()) || why.Is(init, ": not a program (neither ELF nor #!)");
}

bool CheckModules(int tree, Problem& why) {
  if (!ExistsAt(AT_FDCWD, "/proc/modules")) return true;
  struct utsname kernel = {};
  if (uname(&kernel) != 0) return why.IsErrno(errno, "asking for the kernel's release");
  const Path path = PathOf("usr/lib/modules/", kernel.release);
  return OpenInside(tree, path.c_str(), O_PATH | O_DIRECTORY).ok() || why.IsErrno(errno, "/", path);
}

}  // namespace hostapp::initramfs
