// SPDX-License-Identifier: Apache-2.0
// Counts the system calls of a program that change something durable, kills it before the n-th, or makes the n-th fail.
//
//   killat CMD…                counts ("killat: 301 mutating system calls, status 0" on standard error)
//   killat -l FILE CMD…        and writes the number of each such system call to FILE, one a line
//   killat -n N CMD…           SIGKILL before call N, to the whole process group; exit status 137 when all has ended,
//                              what has left the group (the guard of a frozen file system) too
//   killat -n N -e ERRNO CMD…  call N fails with ERRNO (28: ENOSPC); -s: and every call after it
//   killat -n N -w CMD…        call N, if it is a write, takes half of the bytes it was given
//
// One counter over all threads and children, static programs too: seccomp stops at each such call, ptrace decides.
// x86-64 only. Writes to standard output and error, sockets, pipes and eventfds are not counted: nothing of them
// outlives the process.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kCreates = O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY) };

static const int kMutating[] = {
    SYS_write,           SYS_pwrite64,  SYS_writev,         SYS_pwritev,     SYS_pwritev2,     SYS_sendfile,
    SYS_copy_file_range, SYS_splice,    SYS_fsync,          SYS_fdatasync,   SYS_syncfs,       SYS_sync,
    SYS_sync_file_range, SYS_msync,     SYS_rename,         SYS_renameat,    SYS_renameat2,    SYS_link,
    SYS_linkat,          SYS_unlink,    SYS_unlinkat,       SYS_mkdir,       SYS_mkdirat,      SYS_rmdir,
    SYS_symlink,         SYS_symlinkat, SYS_mknod,          SYS_mknodat,     SYS_chmod,        SYS_fchmod,
    SYS_fchmodat,        SYS_chown,     SYS_fchown,         SYS_lchown,      SYS_fchownat,     SYS_utimensat,
    SYS_setxattr,        SYS_lsetxattr, SYS_fsetxattr,      SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
    SYS_truncate,        SYS_ftruncate, SYS_fallocate,      SYS_creat,       SYS_open,         SYS_openat2,
    SYS_mount,           SYS_umount2,   SYS_pivot_root,     SYS_move_mount,  SYS_fsmount,      SYS_fsconfig,
    SYS_mount_setattr,   SYS_reboot,    SYS_io_uring_enter, SYS_ioctl};
enum { kMutatingCount = sizeof kMutating / sizeof *kMutating };

// In the child: stop at every call of the table, and at openat() with flags that create.
static void InstallFilter(void) {
  struct sock_filter code[kMutatingCount * 2 + 8];
  unsigned short n = 0;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (int i = 0; i < kMutatingCount; i++) {
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)kMutating[i], 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
  }
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]));
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kCreates, 0, 1);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {n, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("killat: seccomp");
    _exit(125);
  }
}

static int IsTransient(pid_t thread, int fd) {
  char link[64];
  char target[64] = {0};
  snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, fd);
  if (fd == STDOUT_FILENO || fd == STDERR_FILENO) return 1;
  if (readlink(link, target, sizeof target - 1) <= 0) return 0;
  return !strncmp(target, "socket:", 7) || !strncmp(target, "pipe:", 5) || !strncmp(target, "anon_inode:[eventfd", 19);
}

static int Mutates(pid_t thread, const struct user_regs_struct* regs) {
  switch (regs->orig_rax) {
    case SYS_open:
      return (regs->rsi & kCreates) != 0;
    case SYS_openat2: {
      unsigned long long flags = 0;
      struct iovec local = {&flags, sizeof flags};
      struct iovec remote = {(void*)regs->rdx, sizeof flags};
      return process_vm_readv(thread, &local, 1, &remote, 1, 0) != sizeof flags || (flags & kCreates) != 0;
    }
    case SYS_ioctl:
      return (regs->rsi & 0xff00) != 0x5400;  // terminal requests
    case SYS_write:
    case SYS_writev:
      return !IsTransient(thread, (int)regs->rdi);
    default:
      return 1;
  }
}

struct Plan {
  long at;    // 0: count only
  int error;  // 0: kill
  int sticky;
  int shorten;
  FILE* list;  // NULL: nowhere
  int killed;
};

// Halves what a write is given. Of several pieces the last ones are left out; one piece alone stays whole.
static void Shorten(struct user_regs_struct* regs) {
  unsigned long long* size = NULL;
  switch (regs->orig_rax) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
      size = &regs->rdx;
      break;
    case SYS_sendfile:
      size = &regs->r10;
      break;
    case SYS_copy_file_range:
    case SYS_splice:
      size = &regs->r8;
      break;
    default:
      return;
  }
  if (*size > 1) *size /= 2;
}

static void AtCall(struct Plan* plan, pid_t child, pid_t thread, long* count) {
  struct user_regs_struct regs;
  ptrace(PTRACE_GETREGS, thread, 0, &regs);
  if (plan->killed || !Mutates(thread, &regs)) return;
  ++*count;
  if (plan->list != NULL) fprintf(plan->list, "%lld\n", (long long)regs.orig_rax);
  if (plan->at == 0 || !(*count == plan->at || (plan->sticky && *count > plan->at))) return;
  if (plan->shorten) {
    Shorten(&regs);
    ptrace(PTRACE_SETREGS, thread, 0, &regs);
    return;
  }
  if (plan->error == 0) {
    kill(-child, SIGKILL);
    fprintf(stderr, "killat: killed before call %ld (number %lld)\n", *count, (long long)regs.orig_rax);
    plan->killed = 1;
    return;
  }
  regs.orig_rax = (unsigned long long)-1;
  regs.rax = (unsigned long long)-plan->error;
  ptrace(PTRACE_SETREGS, thread, 0, &regs);
}

static int Trace(struct Plan* plan, pid_t child) {
  long count = 0;
  int result = 0;
  int status = 0;
  for (pid_t thread; (thread = waitpid(-1, &status, __WALL)) >= 0;) {
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (thread == child) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      continue;
    }
    if (!WIFSTOPPED(status)) continue;
    const int event = status >> 16;
    const int number = WSTOPSIG(status);
    const int stops = number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
    if (event == PTRACE_EVENT_SECCOMP) AtCall(plan, child, thread, &count);
    if (event == PTRACE_EVENT_STOP && stops) {
      ptrace(PTRACE_LISTEN, thread, 0, 0);
    } else {
      ptrace(PTRACE_CONT, thread, 0, event == 0 ? number : 0);
    }
  }
  if (plan->killed) return 137;
  fprintf(stderr, "killat: %ld mutating system calls, status %d\n", count, result);
  return result;
}

int main(int argc, char** argv) {
  struct Plan plan = {0, 0, 0, 0, NULL, 0};
  for (int option; (option = getopt(argc, argv, "+n:e:swl:")) != -1;) {
    if (option == 'n') plan.at = atol(optarg);
    if (option == 'e') plan.error = atoi(optarg);
    if (option == 's') plan.sticky = 1;
    if (option == 'w') plan.shorten = 1;
    if (option == 'l') plan.list = fopen(optarg, "we");
    if (option == '?' || (option == 'l' && plan.list == NULL)) return 125;
  }
  if (optind >= argc) return 125;
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    raise(SIGSTOP);
    InstallFilter();
    execvp(argv[optind], argv + optind);
    perror("killat: exec");
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, WUNTRACED);
  const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                       PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  if (child < 0 || ptrace(PTRACE_SEIZE, child, 0, options) != 0) {
    perror("killat: ptrace");
    return 125;
  }
  kill(child, SIGCONT);
  const int result = Trace(&plan, child);
  if (plan.list != NULL) fclose(plan.list);
  return result;
}
