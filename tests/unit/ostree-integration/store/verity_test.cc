// SPDX-License-Identifier: Apache-2.0
// fs-verity in the store. The file system of these tests has none: what the kernel does with it, tests/boot shows.
#include <linux/fs.h>
#include <linux/fsverity.h>

#include <mutex>

#include "tests/support/faulty_syscalls.h"
#include "tests/unit/ostree-integration/store/store_fixture.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MakeImage;
using testing::TarBytes;
using testing::TempDir;
using testing::TestContext;
using testing::TestImage;

// A file system that has fs-verity, and says of which files.
class VerityDisk : public testing::FaultySyscalls {
 public:
  using FaultySyscalls::FaultySyscalls;
  int Ioctl(int fd, unsigned long request, void* argument) override {
    if (request != FS_IOC_ENABLE_VERITY) return Syscalls::Ioctl(fd, request, argument);
    const auto* wanted = static_cast<const fsverity_enable_arg*>(argument);
    EXPECT_EQ(wanted->hash_algorithm, uint32_t{FS_VERITY_HASH_ALG_SHA256});
    EXPECT_EQ(wanted->block_size, 4096U);
    EXPECT_EQ(wanted->salt_size, 0U);
    char path[4096] = {};
    EXPECT_GT(::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path - 1), 0);
    const std::lock_guard lock(mutex_);
    paths.emplace_back(path);
    return answer;
  }
  int answer = 0;
  std::vector<std::string> paths;

 private:
  std::mutex mutex_;
};

class VerityTest : public testing::StoreTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: objects have the owners that images say";
    auto made = ImageStore::Create(dir_.fd(), ctx_);
    ASSERT_OK(made);
    store_ = std::make_unique<ImageStore>(*std::move(made));
    disk_.paths.clear();
  }
  Result<ImportReport> ImportHere(const TestImage& image) {
    return ImportImage(store(), image.manifest, image.config, *image.source, ctx_);
  }

  VerityDisk disk_;
  OpContext ctx_{
      .clock = context_.clock, .log = context_.log, .progress = context_.progress, .cancel = {}, .sys = disk_};
};

TestImage ThreeFiles() {
  return MakeImage({TarBytes()
                        .Dir("usr/")
                        .File("usr/in-the-image", std::string(64, 's'))
                        .File("usr/longer", std::string(65, 'l'))
                        .File("usr/large", std::string(300'000, 'L'))
                        .Symlink("usr/link", "longer")
                        .End()});
}

TEST_F(VerityTest, IsTheStoresFromItsFirstMoment) {
  EXPECT_TRUE(store().has_verity());
  EXPECT_TRUE(ImageStore::Open(dir_.fd(), context_.ctx)->has_verity()) << "opened again";
  EXPECT_TRUE(ImageStore::Create(dir_.fd(), context_.ctx)->has_verity()) << "made again";
  EXPECT_THAT(ListDir(store().tmp_fd(), ".").value(), ElementsAre()) << "the file that it was tried with";
  TempDir other(Base());
  EXPECT_FALSE(ImageStore::Create(other.fd(), context_.ctx)->has_verity()) << "a file system without";
  EXPECT_FALSE(ImageStore::Create(other.fd(), ctx_)->has_verity()) << "its files may be without";
}

TEST_F(VerityTest, IsTheStoresAlsoWhereMakingItWasCutShort) {
  bool failed = true;
  int calls = 0;
  while (failed) {
    const TempDir dir(Base());
    VerityDisk faulty(++calls, EIO, testing::FaultySyscalls::Which::kThatAndAllAfter);
    OpContext ctx{
        .clock = context_.clock, .log = context_.log, .progress = context_.progress, .cancel = {}, .sys = faulty};
    failed = !ImageStore::Create(dir.fd(), ctx).ok();
    EXPECT_EQ(failed, faulty.failed()) << faulty.failed_call();
    EXPECT_TRUE(ImageStore::Create(dir.fd(), ctx_)->has_verity()) << calls << ": " << faulty.failed_call();
  }
  EXPECT_GT(calls, 10);
}

TEST_F(VerityTest, IsEnabledOnEveryFileThatAnImageRefersToBeforeItHasItsName) {
  ASSERT_OK(ImportHere(ThreeFiles()));
  ASSERT_EQ(disk_.paths.size(), 3U) << "longer, large, and the layer's index";
  for (const std::string& path : disk_.paths) EXPECT_THAT(path, HasSubstr("/hostapp/tmp/"));
  disk_.paths.clear();
  ASSERT_OK(ImportHere(ThreeFiles()));
  EXPECT_THAT(disk_.paths, ElementsAre()) << "all there";
}

TEST_F(VerityTest, PublishesNothingWhereItCannotBeEnabled) {
  disk_.answer = -ENOSPC;
  const auto imported = ImportHere(ThreeFiles());
  ASSERT_FALSE(imported.ok());
  EXPECT_EQ(imported.error().code(), Errc::kNoSpace);
  EXPECT_THAT(imported.error().message(), HasSubstr("completing the staged objects: enabling fs-verity: "));
  EXPECT_THAT(ListLayers(store()).value(), ElementsAre());
  disk_.answer = -EOPNOTSUPP;  // a store that was copied to another disk
  EXPECT_THAT(ImportHere(ThreeFiles()).error().message(),
              HasSubstr("to go on without: ostree config --repo=ostree/repo set hostapp.fs-verity false"));
  EXPECT_EQ(Run("ostree config --repo=" + Repo() + " set hostapp.fs-verity false").first, 0);
  store_ = std::make_unique<ImageStore>(ImageStore::Open(dir_.fd(), ctx_).value());
  ASSERT_OK(ImportHere(ThreeFiles()));
}

TEST_F(VerityTest, IsMissedByACheckWhereItIsNot) {
  ASSERT_OK(ImportHere(ThreeFiles()));  // this disk only said so
  const auto report = CheckStore(store(), ctx_);
  ASSERT_OK(report);
  size_t missed = 0;
  for (const StoreProblem& problem : report->problems) {
    EXPECT_EQ(problem.kind, StoreProblem::Kind::kDamagedObject);
    missed += problem.what.find("it has no fs-verity") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(missed, 3U);
}

}  // namespace
}  // namespace hostapp
