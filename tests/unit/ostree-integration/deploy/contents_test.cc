// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/contents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;
using testing::TestSysroot;

ObjectSize Object(uint8_t first, uint8_t last, uint64_t size) {
  ObjectSize object{.size = size};
  object.object[0] = std::byte{first};
  object.object[7] = std::byte{last};
  return object;
}

struct ContentsTest : ::testing::Test {
  std::vector<Result<DeploymentSize>> Measure() {
    return MeasureDeployments(sysroot.Open(), LoadDeployments(sysroot.Open(), sysroot.ctx()).value(), sysroot.ctx());
  }
  void Add(DeploymentSerial serial, const std::vector<ObjectSize>& objects) {
    sysroot.Add(serial);
    SetContents(serial, objects);
  }
  void SetContents(DeploymentSerial serial, const std::vector<ObjectSize>& objects) {
    std::filesystem::remove(Path(serial));
    const UniqueFd dir = OpenDeploymentDir(sysroot.Open(), serial, sysroot.ctx()).value();
    CHECK(WriteContents(dir.get(), objects, sysroot.ctx()).ok());
  }
  std::string Path(DeploymentSerial serial) { return sysroot.DeploymentPath(serial) + "/contents"; }

  TestSysroot sysroot;
};

TEST_F(ContentsTest, CountsWhatOnlyOneDeploymentHas) {
  Add(1, {Object(0, 1, 1000), Object(0, 2, 100), Object(200, 0, 10)});
  Add(2, {Object(0, 1, 1000), Object(200, 0, 10)});
  Add(3, {Object(0, 0, 7), Object(0, 1, 1000), Object(255, 255, uint64_t{1} << 40)});
  const auto sizes = Measure();
  ASSERT_EQ(sizes.size(), 3U);
  const auto expect = [&](size_t i, uint64_t total, uint64_t unique) {
    ASSERT_TRUE(sizes[i].ok()) << sizes[i].error().message();
    EXPECT_EQ(sizes[i]->total, total) << i;
    EXPECT_EQ(sizes[i]->unique, unique) << i;
  };
  expect(0, 1110, 100);
  expect(1, 1010, 0);
  expect(2, 1007 + (uint64_t{1} << 40), 7 + (uint64_t{1} << 40));
}

TEST_F(ContentsTest, CountTheRootFileAsItsDeploymentsOwn) {
  Add(1, {Object(0, 1, 1000)});
  Deployment composefs = testing::SampleDeployment(2);
  composefs.composefs = HashOf(AsBytes("root.cfs"));
  sysroot.Add(composefs);
  SetContents(2, {Object(0, 1, 1000)});
  testing::WriteText(sysroot.DeploymentPath(2) + "/root.cfs", std::string(300, 'x'));
  const auto sizes = Measure();
  EXPECT_EQ(sizes.at(0)->total, 1000U);
  EXPECT_EQ(sizes.at(0)->unique, 0U);
  EXPECT_EQ(sizes.at(1)->total, 1300U);
  EXPECT_EQ(sizes.at(1)->unique, 300U);
  std::filesystem::remove(sysroot.DeploymentPath(2) + "/root.cfs");
  EXPECT_EQ(Measure().at(1)->total, 1000U);
}

// More than one buffer holds, so that records stand across its ends.
TEST_F(ContentsTest, OfManyObjectsAreReadPieceByPiece) {
  std::vector<ObjectSize> all, odd;
  uint64_t total = 0, total_odd = 0;
  for (uint32_t i = 0; i < 10000; ++i) {
    ObjectSize object{.size = i};
    for (size_t byte = 0; byte < 4; ++byte) object.object[4 + byte] = static_cast<std::byte>(i >> (24 - 8 * byte));
    all.push_back(object);
    total += i;
    if (i % 2 == 0) continue;
    odd.push_back(object);
    total_odd += i;
  }
  Add(1, all);
  Add(2, odd);
  const auto sizes = Measure();
  EXPECT_EQ(sizes.at(0)->total, total);
  EXPECT_EQ(sizes.at(0)->unique, total - total_odd);
  EXPECT_EQ(sizes.at(1)->total, total_odd);
  EXPECT_EQ(sizes.at(1)->unique, 0U);
}

// As many as a program may have open, and more.
TEST_F(ContentsTest, OfManyDeploymentsNeedNoDescriptorEach) {
  constexpr size_t kDeployments = 60;
  for (size_t i = 1; i <= kDeployments; ++i) Add(i, {Object(0, 1, 1000), Object(1, static_cast<uint8_t>(i), i)});
  const Sysroot at = sysroot.Open();
  const auto deployments = LoadDeployments(at, sysroot.ctx());
  ASSERT_TRUE(deployments.ok());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{.rlim_cur = 32, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto sizes = MeasureDeployments(at, *deployments, sysroot.ctx());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  for (size_t i = 0; i < kDeployments; ++i) {
    ASSERT_TRUE(sizes[i].ok()) << sizes[i].error().message();
    EXPECT_EQ(sizes[i]->unique, i + 1);
  }
}

TEST_F(ContentsTest, ThatAreGoneOrDamagedAreAnErrorInTheirPlace) {
  Add(1, {Object(0, 1, 1000)});
  Add(2, {Object(0, 1, 1000), Object(0, 2, 50)});
  const std::string whole = testing::ReadText(Path(1));
  for (const std::string& damaged : {std::string(), std::string("HSTCONT"), "X" + whole.substr(1),
                                     whole.substr(0, whole.size() - 1), whole + whole.substr(8)}) {
    testing::WriteText(Path(1), damaged);
    const auto sizes = Measure();
    ASSERT_FALSE(sizes.at(0).ok()) << damaged.size();
    EXPECT_EQ(sizes[0].error().code(), Errc::kCorrupt);
    EXPECT_THAT(sizes[0].error().message(), HasSubstr("measuring deployment 1"));
    EXPECT_EQ(sizes.at(1)->total, 1050U);
  }
  // Memory follows what is read, not what the size says.
  testing::WriteText(Path(1), "HSTCONT1");
  std::filesystem::resize_file(Path(1), (uint64_t{1} << 43) + 8);
  EXPECT_EQ(Measure().at(0).error().code(), Errc::kCorrupt);
  std::filesystem::remove(Path(1));
  EXPECT_EQ(Measure().at(0).error().code(), Errc::kNotFound);
  EXPECT_EQ(Measure().at(1)->unique, 1050U);
}

// One bit of a size is enough, and `status` has no number for it.
TEST_F(ContentsTest, WithMoreBytesThanAnyDiskAreAnErrorInTheirPlace) {
  const std::vector<std::vector<ObjectSize>> kTooMuch = {
      {Object(0, 1, uint64_t{1} << 63)},
      {Object(0, 1, UINT64_MAX)},
      {Object(0, 1, uint64_t{1} << 62), Object(0, 2, 1)},
  };
  Add(1, {});
  Add(2, {Object(0, 9, 7)});
  for (const std::vector<ObjectSize>& objects : kTooMuch) {
    SetContents(1, objects);
    const auto sizes = Measure();
    ASSERT_FALSE(sizes.at(0).ok()) << sizes[0]->total;
    EXPECT_EQ(sizes[0].error().code(), Errc::kCorrupt);
    EXPECT_EQ(sizes.at(1)->total, 7u);
  }
  SetContents(1, {Object(0, 1, uint64_t{1} << 62)});
  EXPECT_EQ(Measure().at(0)->total, uint64_t{1} << 62);
}

}  // namespace
}  // namespace hostapp
