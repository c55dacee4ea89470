// SPDX-License-Identifier: Apache-2.0
// Kernel images and kernel arguments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ostree-integration/deploy/kargs.h"
#include "ostree-integration/deploy/kernel_image.h"
#include "tests/support/tiny_image.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;

std::string With(std::string bytes, size_t at, std::string_view magic) {
  if (bytes.size() < at + magic.size()) bytes.resize(at + magic.size(), '\0');
  return bytes.replace(at, magic.size(), magic);
}

std::string Pe(std::string_view machine, char header_at = '\x80') {
  std::string bytes = With("MZ", 0x3c, std::string({header_at, '\0', '\0', '\0'}));
  bytes = With(bytes, static_cast<unsigned char>(header_at), std::string("PE\0\0", 4) + std::string(machine));
  bytes.resize(4096, '\0');
  return bytes;
}

struct KernelCase {
  const char* name;
  std::string head;
  const char* architecture;
  const char* problem;  // null: fits
};

TEST(KernelImageFits, TellsWhatALoaderCanStart) {
  const std::string bzimage = With("", 0x202, "HdrS");
  const KernelCase kCases[] = {
      {"x86 boot image", bzimage, "amd64", nullptr},
      {"x86 boot image on arm64", bzimage, "arm64", "neither a Linux boot image for arm64 nor a PE image"},
      {"arm64 Image", With("", 0x38, "ARM\x64"), "arm64", nullptr},
      {"arm64 Image on amd64", With("", 0x38, "ARM\x64"), "amd64", "neither a Linux boot image for amd64"},
      {"PE for amd64", Pe("\x64\x86"), "amd64", nullptr},
      {"PE for arm64", Pe("\x64\xaa"), "arm64", nullptr},
      {"PE for arm64 on amd64", Pe("\x64\xaa"), "amd64", "another machine"},
      {"32-bit boot image with a PE header", With(Pe("\x4c\x01"), 0x202, "HdrS"), "amd64", "another machine"},
      {"MZ only", "MZ", "amd64", "neither"},
      {"PE header beyond the end", With("MZ", 0x3c, "\xff\xff\xff\x7f"), "amd64", "neither"},
      {"PE header cut off", Pe("\x64\x86").substr(0, 0x84), "amd64", "neither"},
      {"empty", "", "amd64", "neither"},
      {"one byte short", bzimage.substr(0, 0x205), "amd64", "neither"},
      {"a gzip file", "\x1f\x8b", "amd64", "neither"},
      {"an architecture without a rule", "", "riscv64", nullptr},
      {"the tiny kernel", testing::TinyKernel(), "amd64", nullptr},
      {"the tiny kernel on arm64", testing::TinyKernel(), "arm64", nullptr},
  };
  for (const KernelCase& c : kCases) {
    const Status status = KernelImageFits(AsBytes(c.head), c.architecture);
    EXPECT_EQ(status.ok(), c.problem == nullptr) << c.name;
    if (status.ok() || c.problem == nullptr) continue;
    EXPECT_EQ(status.error().code(), Errc::kCorrupt) << c.name;
    EXPECT_THAT(status.error().message(), HasSubstr(c.problem)) << c.name;
  }
}

TEST(CheckKernelArgument, AcceptsWhatKernelsUse) {
  for (const char* argument : {"quiet", "root=UUID=1-2", "console=ttyS0,115200n8", "dyndbg=\"file x +p\"",
                               "\"a b=c d\"", "systemd.unit=rescue.target", "hostapp.watchdog=60"}) {
    EXPECT_TRUE(CheckKernelArgument(argument).ok()) << argument;
  }
  EXPECT_TRUE(CheckKernelArgument(std::string(1024, 'a')).ok());
}

TEST(CheckKernelArgument, RefusesWhatWouldChangeMoreThanItself) {
  const std::pair<std::string, const char*> kWrong[] = {
      {"", "1 to 1024 bytes"},
      {std::string(1025, 'a'), "1 to 1024 bytes"},
      {"a b", "space"},
      {"a\tb", "printable ASCII"},
      {"a\nb", "printable ASCII"},
      {std::string("a\0b", 3), "printable ASCII"},
      {"caf\xc3\xa9", "printable ASCII"},
      {"a=\"b", "odd number"},
      {"a=\"b c\" d", "space"},
      {"--", "end the kernel's arguments"},
      {"hostapp.deployment=5", "ledger decides"},
      {"hostapp.deployment", "ledger decides"},
      {"hostapp.boot-set=00", "ledger decides"},
      {"\"hostapp.deployment=5\"", "ledger decides"},
      {"\"hostapp.boot-set\"", "ledger decides"},
  };
  for (const auto& [argument, rule] : kWrong) {
    const Status status = CheckKernelArgument(argument);
    ASSERT_FALSE(status.ok()) << argument;
    EXPECT_EQ(status.error().code(), Errc::kInvalid) << argument;
    EXPECT_THAT(status.error().message(), HasSubstr(rule)) << argument;
  }
}

}  // namespace
}  // namespace hostapp
