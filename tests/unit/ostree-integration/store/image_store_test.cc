// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/image_store.h"

#include <gmock/gmock.h>

#include "tests/unit/ostree-integration/store/store_fixture.h"

namespace hostapp {
namespace {

using testing::StoreTest;
using testing::TempDir;
using testing::TestContext;
using ImageStoreTest = StoreTest;

TEST_F(ImageStoreTest, MakesARepositoryThatOstreeReads) {
  EXPECT_EQ(Run("ostree --repo=" + Repo() + " config get core.mode").second, "bare\n");
  EXPECT_EQ(Run("ostree --repo=" + Repo() + " refs").first, 0);
  EXPECT_EQ(Run("stat -c %a " + (dir_ / "hostapp/tmp")).second, "700\n");
}

TEST_F(ImageStoreTest, ASecondCreateChangesNothing) {
  const std::string before = Snapshot();
  ASSERT_OK(ImageStore::Create(dir_.fd(), ctx()));
  EXPECT_EQ(Snapshot(), before);
}

TEST(ImageStore, ThereIsNoneInAnEmptyFolder) {
  TempDir dir;
  TestContext context;
  const auto store = ImageStore::Open(dir.fd(), context.ctx);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code(), Errc::kNotFound);
}

TEST_F(ImageStoreTest, RefusesARepositoryOfAnotherMode) {
  TempDir dir(Base());
  ASSERT_EQ(
      Run("mkdir -p " + (dir / "ostree/repo") + " && ostree --repo=" + (dir / "ostree/repo") + " init --mode=archive")
          .first,
      0);
  const auto store = ImageStore::Create(dir.fd(), ctx());
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code(), Errc::kCorrupt);
  const std::string before = Run("cat " + (dir / "ostree/repo/config")).second;
  EXPECT_EQ(ImageStore::RepairConfig(dir.fd(), ctx()).value(), std::nullopt) << "somebody wants it so";
  EXPECT_EQ(Run("cat " + (dir / "ostree/repo/config")).second, before);
}

TEST_F(ImageStoreTest, WithoutAConfigThatCanBeReadIsMended) {
  const std::string config = Repo() + "/config", whole = Run("cat " + config).second, before = Snapshot();
  EXPECT_EQ(ImageStore::RepairConfig(dir_.fd(), ctx()).value(), std::nullopt);
  for (const std::string& damage : {"rm " + config, ": > " + config, "truncate -s 30 " + config,
                                    "sed -i s/bare/bard/ " + config, "sed -i s/version=1/version=9/ " + config,
                                    "rm " + config + "; mkfifo " + config, "rm " + config + "; mkdir " + config}) {
    ASSERT_EQ(Run(damage).first, 0);
    const auto opened = ImageStore::Open(dir_.fd(), ctx());
    ASSERT_FALSE(opened.ok()) << damage;
    EXPECT_EQ(opened.error().code(), Errc::kCorrupt) << damage;
    EXPECT_THAT(opened.error().message(), ::testing::HasSubstr("; run: hostapp fsck --repair")) << damage;
    EXPECT_EQ(ImageStore::Create(dir_.fd(), ctx()).status().error().message(), opened.error().message());
    const auto repaired = ImageStore::RepairConfig(dir_.fd(), ctx());
    ASSERT_OK(repaired);
    EXPECT_NE(*repaired, std::nullopt) << damage;
    EXPECT_EQ(Run("cat " + config).second, whole) << damage;
    EXPECT_EQ(Snapshot(), before) << damage;
    ASSERT_OK(ImageStore::Open(dir_.fd(), ctx()));
  }
}

}  // namespace
}  // namespace hostapp
