// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "hostapp/base/run_program.h"
#include "hostapp/base/strings.h"
#include "hostapp/base/unique_fd.h"
#include "initramfs/bootsel/transitions.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TempDir;
using Outcome = CheckResult::Outcome;

// A clock on which a second passes each time somebody looks: timeouts without waiting.
class JumpingClock : public testing::FakeClock {
 public:
  std::chrono::nanoseconds Monotonic() override { return std::chrono::seconds(now_++); }

 private:
  int now_ = 0;
};

// A root with folders of checks.
class HealthRoot {
 public:
  HealthRoot() {
    options.systemctl.clear();
    options.root = dir_.path();
  }

  void Add(const std::string& folder, const std::string& name, const std::string& script, bool executable = true) {
    const std::string path = StrCat(dir_.path(), "/", folder, "/", name);
    testing::WriteText(path, "#!/bin/sh\n" + script + "\n");
    if (executable) std::filesystem::permissions(path, std::filesystem::perms(0755));
  }
  std::string Script(const std::string& script) {
    Add("bin", "script", script);
    return dir_ / "bin/script";
  }
  HealthReport Run() { return RunHealthChecks(options, context.ctx).value(); }
  std::string path(const std::string& name) const { return dir_ / name; }

  HealthOptions options;
  testing::TestContext context;

 private:
  TempDir dir_;
};

constexpr const char* kRequired = "usr/lib/hostapp/health.d/required";
constexpr const char* kWanted = "usr/lib/hostapp/health.d/wanted";

TEST(HealthChecks, AreHealthyWithoutAny) {
  HealthRoot root;
  EXPECT_THAT(root.Run().checks, IsEmpty());
  EXPECT_TRUE(root.Run().healthy());
}

TEST(HealthChecks, RunInOrderRequiredOnesFirst) {
  HealthRoot root;
  root.Add("etc/greenboot/check/wanted.d", "1", "");
  root.Add("usr/lib/greenboot/check/wanted.d", "1", "");
  root.Add("etc/hostapp/health.d/wanted", "1", "");
  root.Add(kWanted, "1", "");
  root.Add("etc/greenboot/check/required.d", "1", "");
  root.Add("usr/lib/greenboot/check/required.d", "1", "");
  root.Add("etc/hostapp/health.d/required", "1", "");
  root.Add(kRequired, "20", "");
  root.Add(kRequired, "10", "");
  root.Add(kRequired, "README", "", /*executable=*/false);
  std::vector<std::string> names;
  for (const CheckResult& check : root.Run().checks) {
    names.push_back(check.name.substr(root.path("").size()));
    EXPECT_EQ(check.outcome, Outcome::kPassed);
    EXPECT_EQ(check.required, names.size() <= 5);
  }
  EXPECT_THAT(names, ElementsAre("usr/lib/hostapp/health.d/required/10", "usr/lib/hostapp/health.d/required/20",
                                 "etc/hostapp/health.d/required/1", "usr/lib/greenboot/check/required.d/1",
                                 "etc/greenboot/check/required.d/1", "usr/lib/hostapp/health.d/wanted/1",
                                 "etc/hostapp/health.d/wanted/1", "usr/lib/greenboot/check/wanted.d/1",
                                 "etc/greenboot/check/wanted.d/1"));
}

TEST(HealthChecks, FailOnAnotherStatusThanZeroAndKeepTheOutput) {
  HealthRoot root;
  root.Add(kRequired, "bad", "echo to stdout; echo to stderr >&2; exit 3");
  const HealthReport report = root.Run();
  ASSERT_THAT(report.checks, SizeIs(1));
  EXPECT_FALSE(report.healthy());
  EXPECT_EQ(report.first_failed()->detail, "exit status 3");
  EXPECT_EQ(report.first_failed()->output, "to stdout\nto stderr\n");
}

TEST(HealthChecks, FailWhenKilledOrNotRunnable) {
  HealthRoot root;
  root.Add(kRequired, "1-killed", "kill -9 $$");
  testing::WriteText(root.path(kRequired) + "/2-no-interpreter", "#!/no/such/interpreter\n");
  testing::WriteText(root.path(kRequired) + "/3-no-program", "not a program");
  for (const char* name : {"/2-no-interpreter", "/3-no-program"}) {
    std::filesystem::permissions(root.path(kRequired) + name, std::filesystem::perms(0755));
  }
  const HealthReport report = root.Run();
  ASSERT_THAT(report.checks, SizeIs(3));
  EXPECT_EQ(report.checks[0].detail, "killed by signal 9");
  for (const CheckResult& check : report.checks) EXPECT_EQ(check.outcome, Outcome::kFailed) << check.name;
}

TEST(HealthChecks, OfTheWantedKindDecideNothing) {
  HealthRoot root;
  root.Add(kWanted, "bad", "exit 1");
  const HealthReport report = root.Run();
  EXPECT_EQ(report.checks[0].outcome, Outcome::kFailed);
  EXPECT_TRUE(report.healthy());
}

TEST(HealthChecks, FailWhereTheFolderIsNoFolderOrHasWhatCannotBeLookedAt) {
  HealthRoot root;
  testing::WriteText(root.path(kRequired), "a file");
  EXPECT_FALSE(root.Run().healthy());
  std::filesystem::remove(root.path(kRequired));
  root.Add(kRequired, "good", "");
  std::filesystem::create_symlink("nowhere", root.path(kRequired) + "/dangling");
  EXPECT_FALSE(root.Run().healthy());
}

TEST(HealthChecks, TimeOutAndSaySo) {
  HealthRoot root;
  root.Add(kRequired, "hangs", "echo begun; exec sleep 600");
  root.options.timeout = std::chrono::seconds(5);
  JumpingClock clock;
  OpContext ctx{clock, root.context.log, root.context.progress, {}, RealSyscalls()};
  const HealthReport report = RunHealthChecks(root.options, ctx).value();
  ASSERT_THAT(report.checks, SizeIs(1));
  EXPECT_EQ(report.checks[0].outcome, Outcome::kTimedOut);
  EXPECT_EQ(report.checks[0].detail, "not done after 5 seconds");
}

TEST(HealthChecks, FailOnFailedUnitsAndOnAFailingSystemctl) {
  HealthRoot root;
  root.options.systemctl = {root.Script("echo \"$*\" > $(dirname $0)/arguments")};
  EXPECT_TRUE(root.Run().healthy());
  EXPECT_THAT(testing::ReadText(root.path("bin/arguments")), HasSubstr("--failed"));
  root.options.systemctl = {root.Script("echo web.service loaded failed failed The web")};
  EXPECT_EQ(root.Run().first_failed()->detail, "units have failed");
  EXPECT_THAT(root.Run().first_failed()->output, HasSubstr("web.service"));
  root.options.systemctl = {root.Script("exit 1")};
  EXPECT_EQ(root.Run().first_failed()->detail, "exit status 1");
  root.options.systemctl = {root.path("no-such-program")};
  EXPECT_FALSE(root.Run().healthy());
}

TEST(HealthChecks, StopWhenCancelled) {
  HealthRoot root;
  root.Add(kRequired, "hangs", "exec sleep 600");
  root.context.ctx.cancel.Cancel();
  EXPECT_EQ(RunHealthChecks(root.options, root.context.ctx).error().code(), Errc::kCancelled);
}

// -- the program below them

TEST(RunProgram, KeepsTheEndOfALongOutput) {
  HealthRoot root;
  const auto result = RunProgram({root.Script("head -c 100000 /dev/zero | tr '\\0' x; echo the end")},
                                 std::chrono::seconds(60), root.context.ctx);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->output.size(), 4096u);
  EXPECT_THAT(result->output, EndsWith("xxx"
                                       "the end\n"));
}

TEST(RunProgram, HasNoInputAndASessionOfItsOwn) {
  HealthRoot root;
  const auto result = RunProgram({root.Script("cat; ps -o sid= -p $$ | tr -d ' '; echo $$")}, std::chrono::seconds(60),
                                 root.context.ctx);
  ASSERT_TRUE(result.ok());
  const auto lines = Split(Trim(result->output), '\n');
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0], lines[1]);
}

// Whether a process has ended or does so soon; one that was killed may need a moment on a busy machine.
bool Ends(std::string_view pid) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, ParseUint64(pid).value(), 0)));
  if (!process.valid()) return errno == ESRCH;
  pollfd wait = {process.get(), POLLIN, 0};
  return ::poll(&wait, 1, 10000) == 1;
}

TEST(RunProgram, KillsAllThatItStartedWhenItTimesOut) {
  HealthRoot root;
  JumpingClock clock;
  OpContext ctx{clock, root.context.log, root.context.progress, {}, RealSyscalls()};
  // The script says when its grandchild is there; the clock gives it a few looks at least.
  const auto result = RunProgram({root.Script("sleep 600 & echo $!; (sleep 600 & echo $!; wait) & wait")},
                                 std::chrono::seconds(30), ctx);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->end, ProgramResult::End::kTimedOut);
  for (const std::string_view pid : Split(Trim(result->output), '\n')) {
    ASSERT_TRUE(ParseUint64(pid).has_value()) << result->output;
    EXPECT_TRUE(Ends(pid)) << pid;
  }
}

TEST(RunProgram, DoesNotWaitForWhatAProgramLeavesBehindAndEndsIt) {
  HealthRoot root;
  const auto result = RunProgram({root.Script("sleep 600 & echo $!")}, std::chrono::seconds(60), root.context.ctx);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->end, ProgramResult::End::kExited);
  EXPECT_TRUE(Ends(Trim(result->output)));
}

TEST(RunProgram, IsNotFoundWhenThereIsNoSuchProgram) {
  HealthRoot root;
  EXPECT_EQ(RunProgram({root.path("nothing")}, std::chrono::seconds(1), root.context.ctx).error().code(),
            Errc::kNotFound);
}

// -- and what is made of them

struct Proof : testing::TestSysroot {
  Proof() {
    SetDefault(Add(1, false));
    SetTrial(Add(2, false));
  }
  ProofReport Prove(const char* script) {
    health.Add(kRequired, "check", script);
    return ProveRunning(OpenDevice(paths(), ctx()).value(), health.options, ctx()).value();
  }
  HealthRoot health;
};

TEST(ProveRunning, MarksAHealthyTrialGood) {
  Proof proof;
  proof.Boot(2, "trial");
  EXPECT_EQ(proof.Prove("exit 0").verdict, ProofReport::Verdict::kGood);
  EXPECT_EQ(proof.Ledger().default_deployment.serial, 2u);
}

TEST(ProveRunning, FailsATrialWithTheChecksNameAndLastLines) {
  Proof proof;
  proof.Boot(2, "trial");
  EXPECT_EQ(proof.Prove("echo no network; exit 4").verdict, ProofReport::Verdict::kFailed);
  const bootsel::Ledger ledger = proof.Ledger();
  EXPECT_EQ(ledger.default_deployment.serial, 1u);
  EXPECT_EQ(ledger.last_failure.cause, bootsel::Cause::kCheckFailed);
  EXPECT_THAT(std::string(ledger.last_failure.Text()),
              ::testing::AllOf(HasSubstr("required/check: exit status 4"), EndsWith("no network")));
}

TEST(ProveRunning, LooksAgainAfterTheStabilityWindow) {
  Proof proof;
  proof.Boot(2, "trial");
  proof.health.options.stability = std::chrono::seconds(600);
  // Healthy the first time, and then no more.
  const std::string mark = proof.dir() / "looked";
  const std::string script = "[ ! -e " + mark + " ] || { echo leaking; exit 1; }\n: > " + mark;
  EXPECT_EQ(proof.Prove(script.c_str()).verdict, ProofReport::Verdict::kFailed);
  EXPECT_THAT(std::string(proof.Ledger().last_failure.Text()), EndsWith("leaking"));
  EXPECT_GE(proof.context().clock.Monotonic(), std::chrono::seconds(600));
}

TEST(ProveRunning, DoesNotWaitForATrialThatHasFailedAlready) {
  Proof proof;
  proof.Boot(2, "trial");
  proof.health.options.stability = std::chrono::seconds(600);
  EXPECT_EQ(proof.Prove("exit 1").verdict, ProofReport::Verdict::kFailed);
  EXPECT_LT(proof.context().clock.Monotonic(), std::chrono::seconds(600));
}

TEST(ProveRunning, LeavesAFailedTrialEvenIfTheLedgerCannotBeWritten) {
  Proof proof;
  proof.Boot(2, "trial");
  const bootsel::Ledger before = proof.Ledger();
  proof.health.Add(kRequired, "check", "exit 1");
  testing::FaultySyscalls read_only(1, EROFS, testing::FaultySyscalls::Which::kThatAndAllAfter);
  OpContext ctx{proof.ctx().clock, proof.ctx().log, proof.ctx().progress, {}, read_only};
  const auto report = ProveRunning(OpenDevice(proof.paths(), proof.ctx()).value(), proof.health.options, ctx);
  ASSERT_TRUE(report.ok()) << "no verdict, so no restart: " << report.error().message();
  EXPECT_EQ(report->verdict, ProofReport::Verdict::kFailed);
  EXPECT_EQ(proof.Ledger(), before);
  EXPECT_THAT(proof.context().log.warnings(), ElementsAre(HasSubstr("deployment 2 failed its checks")));
}

TEST(ProveRunning, StaysOnATrialThatWasMarkedGoodByHandWhileACheckFailed) {
  Proof proof;
  proof.Boot(2, "trial");
  const std::string ledger = proof.root() + "/hostapp/boot-ledger", good = proof.dir() / "ledger-after-mark-good";
  std::filesystem::copy_file(ledger, proof.dir() / "ledger-before");
  proof.Edit([](bootsel::Ledger& edited) { bootsel::PromoteTrial(edited); });
  std::filesystem::rename(ledger, good);
  std::filesystem::rename(proof.dir() / "ledger-before", ledger);
  proof.health.Add(kRequired, "check", "cp " + good + " " + ledger + "; exit 1");
  const auto report = ProveRunning(OpenDevice(proof.paths(), proof.ctx()).value(), proof.health.options, proof.ctx());
  ASSERT_FALSE(report.ok()) << "a restart of a proven release";
  EXPECT_EQ(report.error().code(), Errc::kNotFound);
}

TEST(ReadHealthOptions, TakesTheDevicesOwnOverTheImages) {
  HealthRoot root;
  HealthOptions options = ReadHealthOptions(root.path(""), root.context.ctx);
  EXPECT_EQ(options.stability, std::chrono::seconds(60));
  testing::WriteText(root.path("usr/lib/hostapp/health.toml"), "stability-seconds = 600\ntimeout-seconds = 20\n");
  testing::WriteText(root.path("etc/hostapp/health.toml"), "stability-seconds = 0\n");
  options = ReadHealthOptions(root.path(""), root.context.ctx);
  EXPECT_EQ(options.stability, std::chrono::seconds(0));
  EXPECT_EQ(options.timeout, std::chrono::seconds(20));
  EXPECT_THAT(root.context.log.warnings(), IsEmpty());
}

TEST(ReadHealthOptions, LeavesOutWhatItCannotReadWithAWarning) {
  for (const char* wrong : {"stability-seconds = -1", "stability-seconds = \"10m\"", "timeout-seconds = 0", "["}) {
    HealthRoot root;
    testing::WriteText(root.path("etc/hostapp/health.toml"), wrong);
    const HealthOptions options = ReadHealthOptions(root.path(""), root.context.ctx);
    EXPECT_EQ(options.stability, std::chrono::seconds(60)) << wrong;
    EXPECT_EQ(options.timeout, std::chrono::seconds(300)) << wrong;
    EXPECT_THAT(root.context.log.warnings(), SizeIs(1)) << wrong;
  }
}

TEST(ProveRunning, OnlyReportsOnTheDefaultAndMarksTheFirstOneOfADevice) {
  Proof proof;
  proof.Boot(1);
  const bootsel::Ledger before = proof.Ledger();
  EXPECT_EQ(proof.Prove("exit 1").verdict, ProofReport::Verdict::kReported);
  EXPECT_FALSE(HasMark(proof.Open(), 1, Mark::kGood));
  EXPECT_EQ(proof.Prove("exit 0").verdict, ProofReport::Verdict::kReported);
  EXPECT_TRUE(HasMark(proof.Open(), 1, Mark::kGood));
  EXPECT_EQ(proof.Ledger(), before);
}

TEST(ProveRunning, ProvesNothingUnderAForeignKernel) {
  Proof proof;
  proof.Boot(1, "foreign-kernel", "foreign");
  EXPECT_EQ(proof.Prove("exit 0").verdict, ProofReport::Verdict::kReported);
  EXPECT_FALSE(HasMark(proof.Open(), 1, Mark::kGood));
}

TEST(ProveRunning, IsNotFoundOffTheDevice) {
  Proof proof;
  const Device device = OpenDevice(proof.paths(), proof.ctx()).value();
  EXPECT_EQ(ProveRunning(device, proof.health.options, proof.ctx()).error().code(), Errc::kNotFound);
}

}  // namespace
}  // namespace hostapp
