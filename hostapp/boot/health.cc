// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/health.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/run_program.h"
#include "hostapp/base/strings.h"
#include "hostapp/boot/follow_ledger.h"
#include "hostapp/boot/mark.h"

namespace hostapp {
namespace {

struct Folder {
  std::string_view path;
  bool required;
};

constexpr Folder kFolders[] = {
    {"usr/lib/hostapp/health.d/required", true},  {"etc/hostapp/health.d/required", true},
    {"usr/lib/greenboot/check/required.d", true}, {"etc/greenboot/check/required.d", true},
    {"usr/lib/hostapp/health.d/wanted", false},   {"etc/hostapp/health.d/wanted", false},
    {"usr/lib/greenboot/check/wanted.d", false},  {"etc/greenboot/check/wanted.d", false},
};

constexpr std::string_view kSettings[] = {"usr/lib/hostapp/health.toml", "etc/hostapp/health.toml"};
constexpr uint64_t kMaxSettingsBytes = 64 << 10;

Result<CheckResult> RunCheck(const std::string& path, bool required, std::chrono::seconds timeout, OpContext& ctx) {
  const auto start = ctx.clock.Monotonic();
  Result<ProgramResult> program = RunProgram({path}, timeout, ctx);
  if (!program.ok() && program.error().code() == Errc::kCancelled) return program.error();
  if (!program.ok()) return FailedCheck(path, required, program.error().message());
  CheckResult check = JudgeProgram(path, required, *std::move(program), timeout);
  check.seconds = std::chrono::duration<double>(ctx.clock.Monotonic() - start).count();
  return check;
}

// What is executable in a folder. A file that is not (a README) is no check.
Result<std::vector<std::string>> Executables(const std::string& dir) {
  std::vector<std::string> paths;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(AT_FDCWD, dir));
  for (const std::string& name : names) {
    const std::string path = StrCat(dir, "/", name);
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return SysError(errno, StrCat("looking at ", Escape(path)));
    if (S_ISREG(info.st_mode) && (info.st_mode & 0111) != 0) paths.push_back(path);
  }
  return paths;
}

Status RunFolder(const Folder& folder, const HealthOptions& options, HealthReport& report, OpContext& ctx) {
  const std::string dir = StrCat(options.root == "/" ? "" : options.root, "/", folder.path);
  const Result<std::vector<std::string>> paths = Executables(dir);
  if (!paths.ok()) {
    if (paths.error().code() == Errc::kNotFound && !Exists(AT_FDCWD, dir)) return Ok();
    report.checks.push_back(FailedCheck(dir, folder.required, paths.error().message()));
    return Ok();
  }
  for (const std::string& path : *paths) {
    ASSIGN_OR_RETURN(report.checks.emplace_back(), RunCheck(path, folder.required, options.timeout, ctx));
  }
  return Ok();
}

Status CheckUnits(const HealthOptions& options, HealthReport& report, OpContext& ctx) {
  if (options.systemctl.empty()) return Ok();
  std::vector<std::string> argv = options.systemctl;
  argv.insert(argv.end(), {"--failed", "--plain", "--no-legend", "--no-pager"});
  Result<ProgramResult> program = RunProgram(argv, options.timeout, ctx);
  if (!program.ok() && program.error().code() == Errc::kCancelled) return program.error();
  report.checks.push_back(program.ok() ? JudgeUnits(*std::move(program), options.timeout)
                                       : FailedCheck(kUnitsName, true, program.error().message()));
  return Ok();
}

// The first deployment of a device never was a trial: its first healthy boot proves it.
Status MarkDefaultIfUnproven(const Device& device, OpContext& ctx) {
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  if (!device.Runs(stored.ledger.default_deployment.serial)) return Ok();
  if (device.booted->kernel == bootsel::Kernel::kForeign) return Ok();
  TRY(SetMark(device.sysroot, device.booted->serial, Mark::kGood, ctx));
  return FollowLedger(device, lock, ctx);
}

Status Wait(std::chrono::seconds stability, OpContext& ctx) {
  ctx.log.Info(StrCat("healthy; looking again in ", stability.count(), " seconds"));
  const auto end = ctx.clock.Monotonic() + stability;
  while (ctx.clock.Monotonic() < end) {
    TRY(ctx.cancel.Check());
    ctx.clock.Sleep(std::chrono::milliseconds(500));
  }
  return Ok();
}

// Whatever could not be written, the trial is not left running: if not even the ledger could, this boot used up a try.
// An error only where there is nothing to leave any more: the trial was marked good by hand while the checks ran.
Status FailRunning(const Device& device, const CheckResult& failed, OpContext& ctx) {
  const bool timed_out = failed.outcome == CheckResult::Outcome::kTimedOut;
  const bootsel::Cause cause = timed_out ? bootsel::Cause::kCheckTimeout : bootsel::Cause::kCheckFailed;
  Status marked = MarkFailed(device, cause, FailureText(failed), ctx).status();
  if (marked.ok() || marked.error().code() == Errc::kCancelled) return marked;
  const Result<StoredLedger> now = ReadLedger(device.sysroot);
  if (now.ok() && device.Runs(now->ledger.default_deployment.serial)) return marked;
  ctx.log.Warning(StrCat("deployment ", device.booted->serial, " failed its checks (", failed.name,
                         ") and is left, but: ", marked.error().message()));
  return Ok();
}

Status ReadSettings(const std::string& path, HealthOptions& options) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(AT_FDCWD, path, kMaxSettingsBytes));
  return ParseHealthOptions(text, path, options);
}

}  // namespace

HealthOptions ReadHealthOptions(const std::string& root, OpContext& ctx) {
  HealthOptions options{.root = root};
  for (const std::string_view name : kSettings) {
    const std::string path = StrCat(root, root.ends_with('/') ? "" : "/", name);
    if (!Exists(AT_FDCWD, path)) continue;
    if (const Status read = ReadSettings(path, options); !read.ok()) ctx.log.Warning(read.error().message());
  }
  return options;
}

bool HealthReport::healthy() const { return first_failed() == nullptr; }

const CheckResult* HealthReport::first_failed() const {
  const auto failed = std::find_if(checks.begin(), checks.end(), [](const CheckResult& check) {
    return check.required && check.outcome != CheckResult::Outcome::kPassed;
  });
  return failed == checks.end() ? nullptr : &*failed;
}

Result<HealthReport> RunHealthChecks(const HealthOptions& options, OpContext& ctx) {
  HealthReport report;
  for (const Folder& folder : kFolders) TRY(RunFolder(folder, options, report, ctx));
  TRY(CheckUnits(options, report, ctx));
  return report;
}

Result<ProofReport> ProveRunning(const Device& device, const HealthOptions& options, OpContext& ctx) {
  if (!device.booted) return Error(Errc::kNotFound, "no deployment is running here");
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  const bool on_trial = device.Runs(stored.ledger.trial.serial);
  ProofReport report{.health = {}, .serial = device.booted->serial};
  ASSIGN_OR_RETURN(report.health, RunHealthChecks(options, ctx));
  if (on_trial && report.health.healthy() && options.stability.count() > 0) {
    TRY(Wait(options.stability, ctx));
    ASSIGN_OR_RETURN(report.health, RunHealthChecks(options, ctx));
  }
  const CheckResult* failed = report.health.first_failed();
  if (!on_trial) {
    if (failed == nullptr) TRY(MarkDefaultIfUnproven(device, ctx));
    return report;
  }
  if (failed == nullptr) {
    TRY(MarkGood(device, ctx).status());
    report.verdict = ProofReport::Verdict::kGood;
    return report;
  }
  TRY(FailRunning(device, *failed, ctx));
  report.verdict = ProofReport::Verdict::kFailed;
  return report;
}

}  // namespace hostapp
