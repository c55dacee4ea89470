// SPDX-License-Identifier: Apache-2.0
// Writers that do it wrong, each in its own way, and leave everything as it was when they are not interrupted. The
// crash-point test must find every one of them: a harness that never fails proves nothing.
//
//   careless SYSROOT ledger    empties the boot ledger before writing it again
//   careless SYSROOT object    rewrites an object of the store in place: a checkout's files are links of it
//   careless SYSROOT good      replaces a file of the known good deployment by removing it first
//   careless SYSROOT leftover  makes a file that nobody collects, and removes it
//   careless SYSROOT boot-set  rewrites the kernel of a boot set in place
//   careless SYSROOT root-image  rewrites the composefs image of the known good deployment in place
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char bytes[1 << 20];

static size_t ReadWhole(const char* path) {
  const int fd = open(path, O_RDONLY);
  const ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
  if (got <= 0) {
    perror(path);
    exit(2);
  }
  close(fd);
  return (size_t)got;
}

static void WriteWhole(const char* path, int flags, mode_t mode, size_t size) {
  const int fd = open(path, O_WRONLY | flags, mode);
  // In two pieces, so that there is a moment between them.
  if (fd < 0 || write(fd, bytes, size / 2) < 0 || write(fd, bytes + size / 2, size - size / 2) < 0 || fsync(fd) != 0) {
    perror(path);
    exit(2);
  }
  close(fd);
}

static const char* First(const char* root, const char* pattern) {
  static char path[4096];
  glob_t found;
  snprintf(path, sizeof path, "%s/%s", root, pattern);
  if (glob(path, 0, NULL, &found) != 0) {
    fprintf(stderr, "careless: nothing is named %s\n", path);
    exit(2);
  }
  snprintf(path, sizeof path, "%s", found.gl_pathv[0]);
  globfree(&found);
  return path;
}

static void RewriteInPlace(const char* path) {
  const size_t size = ReadWhole(path);
  WriteWhole(path, O_TRUNC, 0, size);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const char* root = argv[1];
  if (strcmp(argv[2], "ledger") == 0) {
    RewriteInPlace(First(root, "hostapp/boot-ledger"));
  } else if (strcmp(argv[2], "object") == 0) {
    RewriteInPlace(First(root, "hostapp/deployments/1/root/usr/share/large"));
  } else if (strcmp(argv[2], "boot-set") == 0) {
    RewriteInPlace(First(root, "boot/hostapp/*/linux"));
  } else if (strcmp(argv[2], "root-image") == 0) {
    RewriteInPlace(First(root, "hostapp/deployments/1/root.cfs"));
  } else if (strcmp(argv[2], "good") == 0) {
    const char* path = First(root, "hostapp/deployments/1/root/etc");
    char moved[4200];
    snprintf(moved, sizeof moved, "%s-moved", path);
    if (rename(path, moved) != 0 || rename(moved, path) != 0) return 2;
  } else if (strcmp(argv[2], "leftover") == 0) {
    char path[4200];
    snprintf(path, sizeof path, "%s/hostapp/deployments/1/.careless", root);
    bytes[0] = 'x';
    WriteWhole(path, O_CREAT, 0644, 1);
    if (unlink(path) != 0) return 2;
  } else {
    return 2;
  }
  return 0;
}
