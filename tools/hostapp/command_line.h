// SPDX-License-Identifier: Apache-2.0
// The command line of hostapp, as plain values: what was asked for, nothing done yet. Of the modules that carry it out
// only those that are cheap to start with are named here.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hostapp/base/disk_file_system.h"
#include "hostapp/boot/kernel_arguments.h"
#include "hostapp/oci/reference.h"
#include "ostree-integration/deploy/loaders/loader.h"
#include "ostree-integration/sysroot/arm_trial.h"
#include "ostree-integration/sysroot/deployment.h"
#include "tools/cli/grammar.h"

namespace hostapp::cli {

enum class Restart { kNo, kYes };

struct InitVerb {};
struct PullVerb {
  Reference reference;
};
struct DeployVerb {
  Reference reference;
  int tries = kDefaultTries;
  std::vector<std::string> kernel_arguments;
  std::optional<RootKind> root;
  enum class Mode { kDeploy, kDryRun } mode = Mode::kDeploy;
  Restart restart = Restart::kNo;
};
struct UpgradeVerb {
  enum class Mode { kDeploy, kCheckOnly } mode = Mode::kDeploy;
  enum class FailedBefore { kSkip, kRetry } failed_before = FailedBefore::kSkip;
  Restart restart = Restart::kNo;
};
struct StatusVerb {};
struct RollbackVerb {
  std::optional<DeploymentSerial> to;
  Restart restart = Restart::kNo;
};
struct MarkGoodVerb {};
struct MarkFailedVerb {
  std::string reason;
};
struct ReconcileVerb {
  enum class When { kBoot, kShutdown } when = When::kBoot;
};
struct FactoryResetVerb {
  enum class What { kRequest, kCancel } what = What::kRequest;
  std::vector<std::string> keep;
  Restart restart = Restart::kNo;
};
struct GrowVerb {};
struct InstallVerb {
  Reference reference;
  std::string disk;
  enum class Erase { kOnlyEmpty, kWhatIsThere } erase = Erase::kOnlyEmpty;
  LoaderKind loader = LoaderKind::kGrub;
  DiskFileSystem file_system = DiskFileSystem::kExt4;
  std::vector<std::string> kernel_arguments;
  std::optional<RootKind> root;
  std::optional<std::string> hostname;
  std::vector<std::string> ssh_keys;         // files, "-": standard input
  std::optional<std::string> password_hash;  // so is this
};
struct PinVerb {
  DeploymentSerial serial = 0;
};
struct UnpinVerb {
  DeploymentSerial serial = 0;
};
struct RemoveVerb {
  DeploymentSerial serial = 0;
};
struct GcVerb {
  enum class Mode { kRemove, kDryRun } mode = Mode::kRemove;
  bool give_up_previous = false;
};
struct FsckVerb {
  enum class What { kDevice, kFeatures } what = What::kDevice;
  enum class Mode { kReportOnly, kRepair } mode = Mode::kReportOnly;  // of kDevice
};
struct EtcDiffVerb {
  std::optional<DeploymentSerial> serial;
};
struct MountVerb {
  DeploymentSerial serial = 0;
  std::string dir;
};
struct UnmountVerb {
  std::string dir;
};
struct LogVerb {};
struct KargsVerb {};
struct EditKargsVerb {
  ArgumentsEdit edit;
  int tries = kDefaultTries;
  Restart restart = Restart::kNo;
};
struct LoaderUpdateVerb {};
struct HealthRunVerb {};
struct HealthProveVerb {};

using Verb = std::variant<InitVerb, PullVerb, DeployVerb, UpgradeVerb, StatusVerb, RollbackVerb, MarkGoodVerb,
                          MarkFailedVerb, ReconcileVerb, PinVerb, UnpinVerb, RemoveVerb, GcVerb, FsckVerb, EtcDiffVerb,
                          MountVerb, UnmountVerb, LogVerb, KargsVerb, EditKargsVerb, HealthRunVerb, HealthProveVerb,
                          FactoryResetVerb, GrowVerb, InstallVerb, LoaderUpdateVerb>;

// Where the device's tree is; neither: the running device's.
struct Target {
  std::optional<std::string> sysroot;
  std::optional<std::string> boot;
};

struct CommandLine {
  CommonOptions common;
  Target target;
  Verb verb;
};

// `arguments`: without the program's name. kInvalid, in words that name the argument.
Result<std::variant<CommandLine, HelpText>> ParseCommandLine(std::vector<std::string> arguments);

}  // namespace hostapp::cli
