// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program that is right, makes of it one that is wrong about the disk, for the suite to find:
//
//   LAZY_SYNC=no sync    nothing is synced, and no file system is frozen
//   LAZY_SYNC=late sync  what was to be synced before a rename is synced after it
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int waiting[64];
static int waits;

static int Put(int fd) {
  const char* mode = getenv("LAZY_SYNC");
  if (mode != NULL && strcmp(mode, "late sync") == 0 && waits < 64) waiting[waits++] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return 0;
}

static void SyncWhatWaits(void) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  while (waits > 0) {
    const int fd = waiting[--waits];
    (void)real(fd);
    close(fd);
  }
}

int fsync(int fd) { return Put(fd); }
int fdatasync(int fd) { return Put(fd); }
int syncfs(int fd) { return Put(fd); }
void sync(void) {}

int ioctl(int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  void* argument = va_arg(list, void*);
  va_end(list);
  if (request == FIFREEZE || request == FITHAW) return 0;
  int (*real)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
  return real(fd, request, argument);
}

int renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  int (*real)(int, const char*, int, const char*, unsigned) =
      (int (*)(int, const char*, int, const char*, unsigned))dlsym(RTLD_NEXT, "renameat2");
  const int result = real(from_dir, from, to_dir, to, flags);
  const int error = errno;
  SyncWhatWaits();
  errno = error;
  return result;
}

int renameat(int from_dir, const char* from, int to_dir, const char* to) {
  return renameat2(from_dir, from, to_dir, to, 0);
}

int rename(const char* from, const char* to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
