// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/unit/tools/cli/captured.h"

namespace hostapp::cli {
namespace {

struct Printed {
  int status;
  std::string out, err;
};

Printed PrintAll(const Result<Outcome>& result, const CommonOptions& options) {
  Captured out, err;
  Console console(err.fd());
  const int status = Print("hostapp", result, options, out.fd(), console);
  return {status, out.text(), err.text()};
}

constexpr CommonOptions kText{};
constexpr CommonOptions kJson{.format = OutputFormat::kJson};
constexpr CommonOptions kQuiet{.verbosity = Verbosity::kQuiet};

Outcome Done() { return {.document = Json::Object{{"serial", 3}}, .text = "deployment 3 is pinned\n"}; }

TEST(Print, WritesTextForPeopleAndOneDocumentForPrograms) {
  const Printed text = PrintAll(Done(), kText);
  EXPECT_EQ(text.out, "deployment 3 is pinned\n");
  EXPECT_EQ(text.err, "");
  EXPECT_EQ(text.status, 0);
  EXPECT_EQ(PrintAll(Done(), kJson).out, "{\"serial\":3}\n");
}

TEST(Print, LeavesSummariesOutWhenQuietButNeverAnswers) {
  EXPECT_EQ(PrintAll(Done(), kQuiet).out, "");
  Outcome answer = Done();
  answer.kind = Outcome::Kind::kAnswer;
  EXPECT_EQ(PrintAll(answer, kQuiet).out, "deployment 3 is pinned\n");
}

TEST(Print, WritesAnErrorOnOneLineAndExitsWithItsCode) {
  const Printed text = PrintAll(Error(Errc::kNotFound, "pinning: no deployment 7"), kText);
  EXPECT_EQ(text.out, "");
  EXPECT_EQ(text.err, "hostapp: pinning: no deployment 7\n");
  EXPECT_EQ(text.status, 3);
  EXPECT_EQ(PrintAll(Error(Errc::kInternal, "a\nb\x1b[31m"), kText).err, "hostapp: a\\x0ab\\x1b[31m\n");
}

TEST(Print, AddsAnErrorDocumentForPrograms) {
  const Printed json = PrintAll(Error(Errc::kNoSpace, "no \"room\""), kJson);
  EXPECT_EQ(json.out, "{\"error\":{\"code\":\"no-space\",\"message\":\"no \\\"room\\\"\"}}\n");
  EXPECT_EQ(json.err, "hostapp: no \"room\"\n");
  EXPECT_EQ(json.status, 7);
}

TEST(Print, ExitsAsAVerbThatFoundSomethingWrongSays) {
  Outcome found = Done();
  found.exit_status = 4;
  EXPECT_EQ(PrintAll(found, kText).status, 4);
}

TEST(Print, FailsWhenTheResultCannotBeWritten) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  Captured err;
  Console console(err.fd());
  EXPECT_EQ(Print("hostapp", Done(), kText, full.get(), console), 1);
  EXPECT_NE(err.text().find("writing to standard output"), std::string::npos);
}

}  // namespace
}  // namespace hostapp::cli
