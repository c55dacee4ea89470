# SPDX-License-Identifier: Apache-2.0
# What systemd-boot takes for a Linux kernel, an EFI program: says the same as tiny_kernel.S, its command line and the first line of
# its initrd, to the first serial port, and powers the machine off. The initrd is asked for as Linux's own EFI stub does
# (LINUX_EFI_INITRD_MEDIA_GUID); where nobody offers one, nothing is said of it.
# One section, at the place in memory that it has in the file; all addresses are relative, so nothing is to be relocated.
.include "serial.S"
.set ALIGN, 0x200
base:
  .ascii "MZ"
.org 0x3c
  .long pe - base
pe:
  .ascii "PE\0\0"
  .word 0x8664               # x86-64
  .word 1                    # sections
  .long 0, 0, 0
  .word sections - optional
  .word 0x206                # executable, no line numbers, no debugging information
optional:
  .word 0x20b                # PE32+
  .byte 0, 0
  .long ALIGN, 0, 0
  .long start - base         # the entry
  .long code - base
  .quad 0
  .long ALIGN, ALIGN         # in memory, in the file
  .word 0, 0, 0, 0, 0, 0
  .long 0
  .long end - base           # in memory
  .long code - base          # of the headers
  .long 0
  .word 10                   # an EFI application
  .word 0
  .quad 0, 0, 0, 0
  .long 0
  .long 6                    # directories, all empty
  .quad 0, 0, 0, 0, 0, 0
sections:
  .ascii ".text\0\0\0"
  .long end - code, code - base
  .long file_end - code, code - base
  .long 0, 0
  .word 0, 0
  .long 0xe0000020           # code; read, written, executed

# Offsets in the UEFI specification's tables.
.set RUNTIME_SERVICES, 88
.set BOOT_SERVICES, 96
.set HANDLE_PROTOCOL, 152
.set LOCATE_DEVICE_PATH, 184
.set RESET_SYSTEM, 104
.set LOAD_OPTIONS, 56

.org 0x200
code:
start:                       # (image handle, system table)
  sub $40, %rsp              # aligned, with room for the five arguments of a call
  mov %rdx, %rbx
  mov BOOT_SERVICES(%rdx), %rbp
  lea loaded_image(%rip), %rdx
  lea found(%rip), %r8
  call *HANDLE_PROTOCOL(%rbp)
  lea kernel(%rip), %rsi
  call print
  mov found(%rip), %rax
  mov LOAD_OPTIONS(%rax), %rsi
  mov $2, %edi               # of UTF-16 the lower half
  call print_wide
  lea initrd(%rip), %rsi
  call print

  lea initrd_path(%rip), %rax
  mov %rax, path(%rip)
  lea load_file2(%rip), %rcx
  lea path(%rip), %rdx
  lea found(%rip), %r8
  call *LOCATE_DEVICE_PATH(%rbp)
  test %rax, %rax
  jnz power_off
  mov found(%rip), %rcx
  lea load_file2(%rip), %rdx
  lea found(%rip), %r8
  call *HANDLE_PROTOCOL(%rbp)
  mov found(%rip), %rcx
  mov path(%rip), %rdx
  xor %r8d, %r8d
  lea size(%rip), %r9
  lea buffer(%rip), %rax
  mov %rax, 32(%rsp)
  call *(%rcx)               # LoadFile
  test %rax, %rax
  jnz power_off
  lea buffer(%rip), %rsi
  call print

power_off:
  lea last(%rip), %rsi
  call print
  mov RUNTIME_SERVICES(%rbx), %rax
  mov $2, %ecx               # EfiResetShutdown
  xor %edx, %edx
  xor %r8d, %r8d
  xor %r9d, %r9d
  call *RESET_SYSTEM(%rax)
stay:
  jmp stay

print:
  mov $1, %edi
print_wide:
  print_text %rsi, %rdi
words
.balign 8
loaded_image:
  .long 0x5b1b31a1
  .word 0x9562, 0x11d2
  .byte 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b
load_file2:
  .long 0x4006c0c1
  .word 0xfcb3, 0x403e
  .byte 0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d
initrd_path:
  .byte 4, 3, 20, 0          # a vendor's medium
  .long 0x5568e427
  .word 0x68fc, 0x4f3d
  .byte 0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68
  .byte 0x7f, 0xff, 4, 0     # the path's end
size: .quad 4096
.balign ALIGN
file_end:
.set found, file_end         # zeros, in memory only
.set path, file_end + 8
.set buffer, file_end + 16
.set end, file_end + 0x1200
