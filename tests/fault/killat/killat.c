// SPDX-License-Identifier: Apache-2.0
// killat: count / kill-at-Nth / fail-Nth mutating syscall over a whole process tree (seccomp RET_TRACE + ptrace; x86-64).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/audit.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
static const int S[]={SYS_write,SYS_pwrite64,SYS_writev,SYS_pwritev,SYS_pwritev2,SYS_sendfile,SYS_copy_file_range,SYS_splice,
 SYS_fsync,SYS_fdatasync,SYS_syncfs,SYS_sync,SYS_sync_file_range,SYS_msync,
 SYS_rename,SYS_renameat,SYS_renameat2,SYS_link,SYS_linkat,SYS_unlink,SYS_unlinkat,SYS_mkdir,SYS_mkdirat,SYS_rmdir,SYS_symlink,SYS_symlinkat,SYS_mknod,SYS_mknodat,
 SYS_chmod,SYS_fchmod,SYS_fchmodat,SYS_chown,SYS_fchown,SYS_lchown,SYS_fchownat,SYS_utimensat,
 SYS_setxattr,SYS_lsetxattr,SYS_fsetxattr,SYS_removexattr,SYS_lremovexattr,SYS_fremovexattr,
 SYS_truncate,SYS_ftruncate,SYS_fallocate,SYS_creat,SYS_open,SYS_openat2,SYS_mount,SYS_umount2,SYS_pivot_root,SYS_move_mount,SYS_fsmount,SYS_fsconfig,
 SYS_mount_setattr,SYS_reboot,SYS_io_uring_enter,SYS_ioctl};
#define NS (sizeof S/sizeof*S)
static void filter(void){
 struct sock_filter f[NS*2+16]; int n=0;
 f[n++]=(struct sock_filter)BPF_STMT(BPF_LD|BPF_W|BPF_ABS,offsetof(struct seccomp_data,nr));
 for(unsigned i=0;i<NS;i++){ f[n++]=(struct sock_filter)BPF_JUMP(BPF_JMP|BPF_JEQ|BPF_K,S[i],0,1); f[n++]=(struct sock_filter)BPF_STMT(BPF_RET|BPF_K,SECCOMP_RET_TRACE);}
 f[n++]=(struct sock_filter)BPF_JUMP(BPF_JMP|BPF_JEQ|BPF_K,SYS_openat,0,3);
 f[n++]=(struct sock_filter)BPF_STMT(BPF_LD|BPF_W|BPF_ABS,offsetof(struct seccomp_data,args[2]));
 f[n++]=(struct sock_filter)BPF_JUMP(BPF_JMP|BPF_JSET|BPF_K,O_CREAT|O_TRUNC|(O_TMPFILE&~O_DIRECTORY),0,1);
 f[n++]=(struct sock_filter)BPF_STMT(BPF_RET|BPF_K,SECCOMP_RET_TRACE);
 f[n++]=(struct sock_filter)BPF_STMT(BPF_RET|BPF_K,SECCOMP_RET_ALLOW);
 struct sock_fprog p={n,f}; if(prctl(PR_SET_NO_NEW_PRIVS,1,0,0,0)||prctl(PR_SET_SECCOMP,SECCOMP_MODE_FILTER,&p)){perror("seccomp");_exit(125);} }
#define CREATES (O_CREAT|O_TRUNC|(O_TMPFILE&~O_DIRECTORY))
// What a traced call touches that outlives the process: not the terminal, not another thread's wake-up, not an open for reading.
static int mutates(pid_t t,const struct user_regs_struct*r){
 long nr=r->orig_rax;
 if(nr==SYS_open) return !!(r->rsi&CREATES);
 if(nr==SYS_openat2){ unsigned long long flags=0; struct iovec l={&flags,8},m={(void*)r->rdx,8}; return process_vm_readv(t,&l,1,&m,1,0)!=8||(flags&CREATES); }
 if(nr==SYS_ioctl) return (r->rsi&0xff00)!=0x5400; // terminal requests
 if(nr==SYS_write||nr==SYS_writev){ char p[64],b[64]={0}; snprintf(p,sizeof p,"/proc/%d/fd/%d",t,(int)r->rdi);
  if(r->rdi==1||r->rdi==2) return 0;
  if(readlink(p,b,sizeof b-1)>0&&(!strncmp(b,"socket:",7)||!strncmp(b,"pipe:",5)||!strncmp(b,"anon_inode:[eventfd",19))) return 0; }
 return 1; }
int main(int c,char**v){
 long n=0,cnt=0; int err=0,o,sticky=0,list=0; 
 while((o=getopt(c,v,"+n:e:sl"))!=-1){ if(o=='n')n=atol(optarg); else if(o=='e')err=atoi(optarg); else if(o=='l')list=1; else sticky=1; }
 pid_t p=fork();
 if(!p){ setpgid(0,0); raise(SIGSTOP); filter(); execvp(v[optind],v+optind); perror("exec"); _exit(127);} 
 int st; waitpid(p,&st,WUNTRACED);
 if(ptrace(PTRACE_SEIZE,p,0,PTRACE_O_TRACESECCOMP|PTRACE_O_TRACECLONE|PTRACE_O_TRACEFORK|PTRACE_O_TRACEVFORK|PTRACE_O_TRACEEXEC|PTRACE_O_EXITKILL)){perror("seize");return 125;}
 kill(p,SIGCONT); int rc=0;
 for(;;){ pid_t t=waitpid(-1,&st,__WALL); if(t<0)break;
  if(WIFEXITED(st)||WIFSIGNALED(st)){ if(t==p) rc=WIFEXITED(st)?WEXITSTATUS(st):128+WTERMSIG(st); continue; }
  if(!WIFSTOPPED(st))continue;
  int ev=st>>16,sig=WSTOPSIG(st);
  if(ev==PTRACE_EVENT_SECCOMP){
   struct user_regs_struct r; ptrace(PTRACE_GETREGS,t,0,&r);
   if(mutates(t,&r)){
    cnt++; if(list) fprintf(stderr,"killat: call %ld is syscall %lld\n",cnt,(long long)r.orig_rax); // -l
    if(n&&(cnt==n||(sticky&&cnt>n))){ 
      if(!err){ kill(-p,SIGKILL); fprintf(stderr,"killat: killed at %ld (syscall %lld)\n",cnt,(long long)r.orig_rax); _exit(137);} // EXITKILL finishes the rest
      r.orig_rax=-1; r.rax=-err; ptrace(PTRACE_SETREGS,t,0,&r); } }
   ptrace(PTRACE_CONT,t,0,0);
  } else if(ev==PTRACE_EVENT_STOP){ if(sig==SIGSTOP||sig==SIGTSTP||sig==SIGTTIN||sig==SIGTTOU) ptrace(PTRACE_LISTEN,t,0,0); else ptrace(PTRACE_CONT,t,0,0);
  } else if(ev) ptrace(PTRACE_CONT,t,0,0); else ptrace(PTRACE_CONT,t,0,sig);
 }
 fprintf(stderr,"killat: %ld mutating syscalls, rc=%d\n",cnt,rc); return rc; }
