// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/image_store.h"

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
}

}  // namespace
}  // namespace hostapp
