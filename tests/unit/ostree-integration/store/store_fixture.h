// SPDX-License-Identifier: Apache-2.0
// A store in a folder of its own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "ostree-integration/store/check.h"
#include "ostree-integration/store/import.h"
#include "ostree-integration/store/merge.h"
#include "ostree-integration/store/prune.h"
#include "tests/support/memory_image.h"
#include "tests/support/tar_bytes.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp::testing {

// Objects get the owners that the image says, which takes root.
class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: objects have the owners that images say";
    auto store = ImageStore::Create(dir_.fd(), context_.ctx);
    ASSERT_TRUE(store.ok()) << store.error().message();
    store_ = std::make_unique<ImageStore>(std::move(store).value());
  }

  OpContext& ctx() { return context_.ctx; }
  ImageStore& store() { return *store_; }
  std::string Repo() const { return dir_ / "ostree/repo"; }

  Result<ImportReport> Import(const TestImage& image) {
    return ImportImage(store(), image.manifest, image.config, *image.source, ctx());
  }
  Result<std::string> Pull(const TestImage& image) {
    TRY(Import(image).status());
    return MergeImage(store(), image.manifest, image.config, ctx());
  }
  // What a program says, and whether it ended well.
  static std::pair<int, std::string> Run(const std::string& command) {
    std::string out;
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    CHECK(pipe != nullptr);
    char buffer[4096];
    for (size_t got = 0; (got = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, got);
    return {::pclose(pipe), out};
  }
  // `ostree fsck` is another program's word for it.
  void ExpectOstreeFsckClean() {
    const auto [status, out] = Run("timeout 60 ostree fsck --repo=" + Repo());
    EXPECT_EQ(status, 0) << out;
  }
  // Every file below the store with its content's digest: two listings are equal when nothing has changed.
  std::string Snapshot() const {
    return Run("cd " + dir_.path() +
               " && find . -not -name .lock \\( -type d -printf '%P %m\\n' -o -printf '%P %y %s %m\\n' \\) | sort")
        .second;
  }

  // In memory where there is room for it: an import syncs the whole file system, which waits for everyone else's
  // writes on a busy disk.
  static const char* Base() { return ::access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : nullptr; }
  TempDir dir_{Base()};
  TestContext context_;
  std::unique_ptr<ImageStore> store_;
};

// ASSERT_OK(x): x's error is the test's message.
#define ASSERT_OK(expression)                                             \
  do {                                                                    \
    const auto& hostapp_result = (expression);                            \
    ASSERT_TRUE(hostapp_result.ok()) << hostapp_result.error().message(); \
  } while (false)

}  // namespace hostapp::testing
