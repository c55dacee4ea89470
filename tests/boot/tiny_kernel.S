# SPDX-License-Identifier: Apache-2.0
# What a boot loader takes for a Linux kernel (Documentation/arch/x86/boot.rst): prints its command line and the first line
# of its initrd to the first serial port, and powers QEMU off. Starts in no time, so that a test can boot often.
.include "serial.S"
.code16
.org 0x1f1
  .byte 1                    # setup_sects: one after this sector
  .word 0
  .long (end - start + 15) / 16
  .word 0, 0, 0
  .word 0xaa55
  .byte 0xeb, 0x66           # a jump over the header, to 0x268
  .ascii "HdrS"
  .word 0x20c                # protocol 2.12
  .long 0
  .word 0, 0
  .byte 0
  .byte 1                    # loaded at 1 MiB
  .word 0
  .long 0x100000             # the 32-bit entry
  .long 0, 0, 0
  .word 0
  .byte 0, 0
  .long 0
  .long 0x7fffffff           # the initrd may be anywhere
  .long 0x100000             # kernel_alignment
  .byte 1                    # relocatable
  .byte 20
  .word 0
  .long 2047                 # the longest command line
  .long 0
  .quad 0
  .long 0, 0
  .quad 0
  .quad 0x100000             # pref_address
  .long 0x10000              # init_size
  .long 0
.org 0x400
.code32
start:
  mov $0x7c00, %esp          # free by now; the protocol promises no stack
  mov %esi, %ebp             # the boot parameters
  call here
here:
  pop %edi
  lea (kernel - here)(%edi), %esi
  call print
  mov 0x228(%ebp), %esi      # cmd_line_ptr
  call print
  lea (initrd - here)(%edi), %esi
  call print
  mov 0x218(%ebp), %esi      # ramdisk_image
  call print
  lea (last - here)(%edi), %esi
  call print
  mov $0x604, %dx            # power off: the power management control of QEMU's PC
  mov $0x2000, %ax
  out %ax, %dx
stay:
  jmp stay

print:
  print_text %esi, $1
words
end:
.org 0x800
