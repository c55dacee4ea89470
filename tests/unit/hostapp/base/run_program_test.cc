// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/run_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;

class RunProgramTest : public ::testing::Test {
 protected:
  ProgramResult Run(const std::string& script, const std::vector<std::string>& environment = {}) {
    return RunProgram({"/bin/sh", "-c", script}, std::chrono::seconds(60), context_.ctx, environment).value();
  }
  testing::TestContext context_;
};

TEST_F(RunProgramTest, GivesItsVariablesInsteadOfOurs) {
  ASSERT_EQ(::setenv("HOSTAPP_TEST_OURS", "ours", 1), 0);
  ASSERT_EQ(::setenv("HOSTAPP_TEST_BOTH", "ours", 1), 0);
  const std::string script = "echo $HOSTAPP_TEST_OURS $HOSTAPP_TEST_BOTH $HOSTAPP_TEST_NEW; env | grep -c TEST_BOTH=";
  const ProgramResult result = Run(script, {"HOSTAPP_TEST_BOTH=theirs", "HOSTAPP_TEST_NEW=new"});
  EXPECT_EQ(result.output, "ours theirs new\n1\n");
  EXPECT_STREQ(std::getenv("HOSTAPP_TEST_BOTH"), "ours");
  ::unsetenv("HOSTAPP_TEST_OURS");
  ::unsetenv("HOSTAPP_TEST_BOTH");
}

TEST_F(RunProgramTest, SaysHowItEnded) {
  EXPECT_TRUE(Run("exit 0").Succeeded());
  const ProgramResult failed = Run("exit 3");
  EXPECT_FALSE(failed.Succeeded());
  EXPECT_EQ(failed.Ending(), "exit status 3");
  const ProgramResult killed = Run("kill -9 $$");
  EXPECT_FALSE(killed.Succeeded());
  EXPECT_EQ(killed.Ending(), "killed by signal 9");
}

TEST(FindProgram, LooksWhereOnlyRootsPathDoes) {
  const std::string path = std::getenv("PATH");
  ASSERT_EQ(::setenv("PATH", "/nowhere", 1), 0);
  const Result<std::string> found = FindProgram("mke2fs", "e2fsprogs");
  const Result<std::string> missing = FindProgram("no-such-program", "a-package");
  ASSERT_EQ(::setenv("PATH", path.c_str(), 1), 0);
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_THAT(*found, HasSubstr("sbin/mke2fs"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), Errc::kNotFound);
  EXPECT_EQ(missing.error().message(), "the program no-such-program is not installed; it is in the package a-package");
}

}  // namespace
}  // namespace hostapp
