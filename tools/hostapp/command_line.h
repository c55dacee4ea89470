// SPDX-License-Identifier: Apache-2.0
// The command line of hostapp, as plain values: what was asked for, nothing done yet.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hostapp/lifecycle/check_device.h"
#include "hostapp/lifecycle/deploy_image.h"
#include "hostapp/lifecycle/install_disk.h"
#include "hostapp/lifecycle/keep.h"
#include "hostapp/lifecycle/kernel_arguments.h"
#include "hostapp/lifecycle/upgrade.h"
#include "tools/cli/grammar.h"

namespace hostapp::cli {

enum class Restart { kNo, kYes };

struct InitVerb {};
struct PullVerb {
  Reference reference;
};
struct DeployVerb {
  Reference reference;
  DeployOptions options;
  enum class Mode { kDeploy, kDryRun } mode = Mode::kDeploy;
  Restart restart = Restart::kNo;
};
struct UpgradeVerb {
  UpgradeOptions options;
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
  InstallOptions options;  // without the settings, which are read later
  SettingsFiles settings;
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
  PruneMode mode = PruneMode::kRemove;
  bool give_up_previous = false;
};
struct FsckVerb {
  enum class What { kDevice, kFeatures } what = What::kDevice;
  RepairMode mode = RepairMode::kReportOnly;  // kDevice
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
struct KargsVerb {
  ArgumentsEdit edit;  // empty: only shown
  int tries = kDefaultTries;
  Restart restart = Restart::kNo;
};
struct LoaderUpdateVerb {};
struct HealthRunVerb {};
struct HealthProveVerb {};

using Verb = std::variant<InitVerb, PullVerb, DeployVerb, UpgradeVerb, StatusVerb, RollbackVerb, MarkGoodVerb,
                          MarkFailedVerb, ReconcileVerb, PinVerb, UnpinVerb, RemoveVerb, GcVerb, FsckVerb, EtcDiffVerb,
                          MountVerb, UnmountVerb, LogVerb, KargsVerb, HealthRunVerb, HealthProveVerb, FactoryResetVerb,
                          GrowVerb, InstallVerb, LoaderUpdateVerb>;

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
