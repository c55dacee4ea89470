// SPDX-License-Identifier: Apache-2.0
// make_tiny_image DIR TAG RELEASE [INITRAMFS [KERNEL-FILE]]: a bootable image of a few kilobytes into the layout
// directory DIR; prints its manifest's digest.
#include <cstdio>
#include <fstream>
#include <iterator>

#include "tests/support/tiny_image.h"

int main(int argc, char** argv) {
  if (argc < 4 || argc > 6) {
    std::fputs("usage: make_tiny_image DIR TAG RELEASE [INITRAMFS [KERNEL-FILE]]\n", stderr);
    return 2;
  }
  hostapp::testing::TinyImage image{.release = argv[3]};
  if (argc >= 5) image.initramfs = argv[4];
  if (argc == 6) {
    std::ifstream kernel(argv[5], std::ios::binary);
    image.kernel.assign(std::istreambuf_iterator<char>(kernel), {});
  }
  image.more_files = {{"usr/lib/modules/" + image.kernel_version + "/dtb/vendor/board.dtb", "for every board"}};
  std::puts(hostapp::testing::WriteTinyImage(argv[1], argv[2], image).c_str());
  return 0;
}
