// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/boot_files.h"

#include <gtest/gtest.h>

namespace hostapp {
namespace {

TEST(BootFiles, AreTheKernelAndWhatIsLoadedWithIt) {
  for (const char* path : {"boot/vmlinuz-6.1", "boot/initrd.img-6.1", "usr/lib/modules/6.1/vmlinuz",
                           "usr/lib/modules/6.1/initramfs.img", "usr/lib/modules/6.1/dtb/vendor/board.dtb"}) {
    EXPECT_TRUE(IsBootFile(path)) << path;
  }
  for (const char* path : {"boot/config-6.1", "usr/lib/modules/6.1/modules.dep", "usr/lib/modules/vmlinuz",
                           "usr/lib/modules/6.1/kernel/vmlinuz", "usr/boot/vmlinuz-6.1", ""}) {
    EXPECT_FALSE(IsBootFile(path)) << path;
  }
}

TEST(KernelVersionOf, IsWhatTheKernelsPathNames) {
  EXPECT_EQ(KernelVersionOf("boot/vmlinuz-6.1-amd64"), "6.1-amd64");
  EXPECT_EQ(KernelVersionOf("usr/lib/modules/6.1/vmlinuz"), "6.1");
  EXPECT_EQ(KernelVersionOf("usr/lib/modules/6.1/initramfs.img"), std::nullopt);
  EXPECT_EQ(KernelVersionOf("boot/initrd.img-6.1"), std::nullopt);
}

}  // namespace
}  // namespace hostapp
