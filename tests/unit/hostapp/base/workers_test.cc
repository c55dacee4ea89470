// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;

TEST(WorkersTest, RunWithoutThreadsAtOnceAndInOrder) {
  for (const size_t jobs : {size_t{0}, size_t{1}}) {
    Workers workers(jobs);
    EXPECT_EQ(workers.lanes(), 1U);
    std::vector<int> order;
    workers.Submit([&](size_t lane) { order.push_back(static_cast<int>(lane)); });
    order.push_back(1);
    workers.Submit([&](size_t) { order.push_back(2); });
    EXPECT_THAT(order, ElementsAre(0, 1, 2));
    workers.Wait();
  }
}

TEST(WorkersTest, RunEverythingBeforeWaitReturns) {
  Workers workers(3);
  std::vector<int> of_lane(workers.lanes());  // without a lock: a lane runs one task at a time
  for (int round = 1; round <= 20; ++round) {
    for (int i = 0; i < 50; ++i) workers.Submit([&](size_t lane) { ++of_lane[lane]; });
    workers.Wait();
    EXPECT_EQ(of_lane[0] + of_lane[1] + of_lane[2], 50 * round);
  }
}

TEST(WorkersTest, RunAtTheSameTime) {
  Workers workers(4);
  std::latch all_here(4);  // passed by nobody as long as one of the four waits for its turn
  for (int i = 0; i < 4; ++i) workers.Submit([&](size_t) { all_here.arrive_and_wait(); });
  workers.Wait();
  EXPECT_TRUE(all_here.try_wait());
}

TEST(WorkersTest, RunWhatWasSubmittedBeforeTheirEnd) {
  std::atomic<int> done = 0;
  {
    Workers workers(2);
    for (int i = 0; i < 8; ++i) workers.Submit([&](size_t) { ++done; });
  }
  EXPECT_EQ(done, 8);
}

TEST(WorkersTest, WaitForNothingWhenNothingWasSubmitted) {
  Workers workers(2);
  workers.Wait();
  EXPECT_EQ(workers.lanes(), 2U);
}

TEST(ForEachOf, UsesEachIndexOnce) {
  for (const size_t jobs : {size_t{1}, size_t{4}}) {
    Workers workers(jobs);
    for (const size_t count : {size_t{0}, size_t{1}, size_t{64}, size_t{65}, size_t{1000}}) {
      std::vector<int> used(count);
      ASSERT_TRUE(ForEachOf(count, workers, [&](size_t i, size_t lane) {
                    EXPECT_LT(lane, workers.lanes());
                    ++used[i];
                    return Ok();
                  }).ok());
      EXPECT_EQ(std::ranges::count(used, 1), static_cast<ptrdiff_t>(count));
    }
  }
}

TEST(ForEachOf, EndsSoonWithTheFirstError) {
  for (const size_t jobs : {size_t{1}, size_t{4}}) {
    Workers workers(jobs);
    std::atomic<size_t> used = 0;
    const Status status = ForEachOf(100000, workers, [&](size_t i, size_t) -> Status {
      ++used;
      if (i >= 100) return Error(Errc::kIo, StrCat("index ", i));
      return Ok();
    });
    ASSERT_FALSE(status.ok());
    EXPECT_LT(used, 10000U);
    if (jobs == 1) {
      EXPECT_EQ(status.error().message(), "index 100");
    }
  }
}

}  // namespace
}  // namespace hostapp
