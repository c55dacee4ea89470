// SPDX-License-Identifier: Apache-2.0
// The least that an initramfs of the same modules must do: what hostapp-init is compared with. It loads them, mounts
// the root that `plain=` on the command line names, and starts its /sbin/init.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static void load_modules(const char* list) {
  FILE* names = fopen(list, "re");
  char name[256];
  while (names && fgets(name, sizeof(name), names)) {
    name[strcspn(name, "\n")] = '\0';
    const int module = open(name, O_RDONLY | O_CLOEXEC);
    if (module >= 0) syscall(SYS_finit_module, module, "", 0);
    close(module);
  }
}

int main(void) {
  char line[4096] = "", device[64] = "";
  mount("proc", "/proc", "proc", 0, NULL);
  mount("dev", "/dev", "devtmpfs", 0, NULL);
  FILE* words = fopen("/proc/cmdline", "re");
  if (!words || !fgets(line, sizeof(line), words)) return 1;
  const char* word = strstr(line, "plain=");
  if (!word || sscanf(word, "plain=%63s", device) != 1) return 1;
  load_modules("/etc/hostapp/modules");
  load_modules("/etc/hostapp/modules.ext4");
  while (access(device, F_OK) != 0) usleep(10000);
  if (mount(device, "/sysroot", "ext4", 0, NULL) != 0) return 1;
  mount("/dev", "/sysroot/dev", NULL, MS_MOVE, NULL);
  mount("/proc", "/sysroot/proc", NULL, MS_MOVE, NULL);
  mount("run", "/sysroot/run", "tmpfs", 0, NULL);
  mount("sys", "/sysroot/sys", "sysfs", 0, NULL);
  if (chdir("/sysroot") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0) return 1;
  execl("/sbin/init", "/sbin/init", (char*)NULL);
  return 1;
}
