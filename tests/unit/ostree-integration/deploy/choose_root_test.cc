// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/choose_root.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_image.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestSysrootWithStore;
using testing::TinyImage;
using Files = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kVersion = "6.1.0-tiny";
const std::string kFolder = StrCat("usr/lib/modules/", kVersion);
const std::string kErofs = "kernel/fs/erofs/erofs.ko", kOverlay = "kernel/fs/overlayfs/overlay.ko",
                  kLoop = "kernel/drivers/block/loop.ko";

Result<RootChoice> Choose(const TinyImage& image, std::optional<RootKind> chosen = std::nullopt) {
  TestSysrootWithStore sysroot;
  const std::string commit = sysroot.Import(image).value();
  const ImageStore store = sysroot.OpenStore();
  const Digest manifest = ListImages(store).value().front().manifest_digest;
  return ChooseRoot(store, commit, ImageTree::Load(store, manifest, sysroot.ctx()).value(), kVersion, chosen);
}

// An image whose kernel has these built in, and these as modules whose files are there.
TinyImage ImageWith(const std::vector<std::string>& built_in, const std::vector<std::string>& modules) {
  TinyImage image{.built_in = Join(built_in, "\n")};
  std::string dep;
  for (const std::string& module : modules) {
    dep += StrCat(module, ": kernel/lib/libcrc32c.ko\n");
    image.more_files.emplace_back(StrCat(kFolder, "/", module), "a module");
  }
  if (!dep.empty()) image.more_files.emplace_back(kFolder + "/modules.dep", dep);
  return image;
}

TEST(ChooseRoot, IsComposefsWhereTheImagesKernelHasWhatThatNeeds) {
  const std::pair<const char*, TinyImage> kCases[] = {
      {"all built in", ImageWith({kErofs, kOverlay, kLoop}, {})},
      {"all modules", ImageWith({}, {kErofs, kOverlay, kLoop})},
      {"both, compressed", ImageWith({"kernel/fs/ext4/ext4.ko", kErofs}, {kOverlay + ".xz", kLoop + ".zst"})},
  };
  for (const auto& [name, image] : kCases) {
    const Result<RootChoice> choice = Choose(image);
    ASSERT_TRUE(choice.ok()) << name << ": " << choice.error().message();
    EXPECT_EQ(choice->kind, RootKind::kComposefs) << name;
    EXPECT_THAT(choice->reason, IsEmpty()) << name;
  }
}

TEST(ChooseRoot, IsACheckoutWithTheReasonWhereSomethingIsMissing) {
  TinyImage listed_only = ImageWith({kOverlay, kLoop}, {});
  listed_only.more_files.emplace_back(kFolder + "/modules.dep", kErofs + ":\n");
  TinyImage unknown{.built_in = ""};
  TinyImage named{.more_files = {{"ab/file", "x"}}};
  const std::tuple<const char*, TinyImage, std::string> kCases[] = {
      {"no EROFS", ImageWith({kOverlay}, {kLoop}),
       StrCat("the kernel 6.1.0-tiny of the image has no EROFS (neither built in nor as a module in ", kFolder,
              "): a checkout root")},
      {"nothing of it", ImageWith({"kernel/fs/ext4/ext4.ko"}, {}),
       "has no EROFS and no overlayfs and no loop devices ("},
      {"no loop devices", ImageWith({kErofs}, {kOverlay}), "has no loop devices ("},
      {"names that only begin or end so",
       ImageWith({"kernel/fs/erofs/erofs_more.ko", "kernel/fs/overlayfs/my_overlay.ko", kLoop}, {}),
       "has no EROFS and no overlayfs ("},
      {"a module that is listed and not there", listed_only, "has no EROFS ("},
      {"no lists", unknown,
       StrCat("the image does not say what its kernel 6.1.0-tiny can do (no modules.builtin or modules.dep in ",
              kFolder, "): a checkout root")},
      {"a name of the store's", named, "the image has /ab, a name that a composefs root needs itself: a checkout root"},
  };
  for (const auto& [name, image, reason] : kCases) {
    const Result<RootChoice> choice = Choose(image);
    ASSERT_TRUE(choice.ok()) << name << ": " << choice.error().message();
    EXPECT_EQ(choice->kind, RootKind::kCheckout) << name;
    EXPECT_THAT(choice->reason, HasSubstr(reason)) << name;
  }
}

TEST(ChooseRoot, IsWhatWasChosen) {
  const TinyImage able;
  for (const RootKind kind : {RootKind::kComposefs, RootKind::kCheckout}) {
    const RootChoice choice = Choose(able, kind).value();
    EXPECT_EQ(choice.kind, kind);
    EXPECT_THAT(choice.reason, IsEmpty());
  }
  const RootChoice choice = Choose({.built_in = ""}, RootKind::kCheckout).value();
  EXPECT_EQ(choice.kind, RootKind::kCheckout);
  EXPECT_THAT(choice.reason, IsEmpty()) << "somebody chose it: nothing to explain";
  EXPECT_EQ(Choose(ImageWith({kErofs, kOverlay}, {}), RootKind::kComposefs)->kind, RootKind::kComposefs)
      << "a kernel may read EROFS from a file";
}

TEST(ChooseRoot, RefusesAChosenComposefsRootThatTheImageCannotHave) {
  for (const TinyImage& image :
       {TinyImage{.built_in = ""}, ImageWith({kOverlay, kLoop}, {}), TinyImage{.more_files = {{"00/file", "x"}}}}) {
    const Result<RootChoice> choice = Choose(image, RootKind::kComposefs);
    ASSERT_FALSE(choice.ok());
    EXPECT_EQ(choice.error().code(), Errc::kCorrupt);
    EXPECT_THAT(choice.error().message(), HasSubstr("a composefs root was chosen, but the "));
    EXPECT_THAT(choice.error().message(), HasSubstr("--root checkout"));
  }
}

}  // namespace
}  // namespace hostapp
