# SPDX-License-Identifier: Apache-2.0
# What a program without an operating system says on the first serial port.

# Up to a NUL or an end of line; \text, a register, is a character further by \step after each. Uses dx and al.
.macro print_text text, step
wait\@:
  mov $0x3fd, %dx
ready\@:
  in %dx, %al
  test $0x20, %al
  jz ready\@
  mov (\text), %al
  cmp $10, %al
  je done\@
  test %al, %al
  jz done\@
  mov $0x3f8, %dx
  out %al, %dx
  add \step, \text
  jmp wait\@
done\@:
  ret
.endm

# The words around the command line and the first line of the initrd, for whoever reads the port.
.macro words
kernel: .asciz "kernel: "
initrd: .asciz "<end>\rinitrd: "
last:   .asciz "<end>\r"
.endm
