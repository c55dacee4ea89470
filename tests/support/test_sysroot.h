// SPDX-License-Identifier: Apache-2.0
// A sysroot in a folder of its own, and deployments in it that have everything but an image.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "ostree-integration/sysroot/arm_trial.h"
#include "ostree-integration/sysroot/deployment.h"
#include "ostree-integration/sysroot/ledger_file.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp::testing {

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void WriteText(const std::string& path, std::string_view text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  CHECK(file.good());
}

inline std::set<std::string> NamesIn(const std::string& dir) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) names.insert(entry.path().filename());
  return names;
}

inline Deployment SampleDeployment(DeploymentSerial serial) {
  return {.serial = serial,
          .reference = "oci:/images:stable",
          .manifest_digest = Digest::Of(AsBytes(StrCat("manifest ", serial))),
          .commit = HashOf(AsBytes(StrCat("commit ", serial))).Hex(),
          .version = StrCat("1.", serial),
          .kernel_arguments = {"quiet", "root=LABEL=x"},
          .boot_set = HashOf(AsBytes(StrCat("boot set ", serial))),
          .kernel_version = "6.1.0-tiny",
          .created = 1800000000};
}

class TestSysroot {
 public:
  // With folders and ledger; the store is for those tests that need one.
  TestSysroot() {
    CHECK(MakeSysrootDirs(paths(), ctx()).ok());
    CHECK(CreateLedger(Open(), ctx()).ok());
  }

  OpContext& ctx() { return context_.ctx; }
  TestContext& context() { return context_; }
  std::string root() const { return dir_ / "root"; }
  std::string boot() const { return dir_ / "boot"; }
  const TempDir& dir() const { return dir_; }
  SysrootPaths paths() const { return {.root = root(), .boot = boot(), .boot_record = dir_ / "boot-record"}; }
  std::string DeploymentPath(DeploymentSerial serial) const { return StrCat(root(), "/hostapp/deployments/", serial); }

  Sysroot Open() { return Sysroot::Open(paths(), ctx()).value(); }
  LedgerLock LockLedger() { return LedgerLock::Acquire(Open(), ctx()).value(); }
  StoreLock LockStore() { return StoreLock::Acquire(Open(), ctx()).value(); }

  // A complete deployment; its tree is one file.
  Deployment Add(DeploymentSerial serial, bool good = true) { return Add(SampleDeployment(serial), good); }
  Deployment Add(Deployment deployment, bool good = true) {
    const std::string path = DeploymentPath(deployment.serial);
    WriteText(path + "/root/usr/share/release", StrCat(deployment.serial));
    WriteText(path + "/contents", "HSTCONT1");  // of no objects
    WriteText(path + "/deployment.json", DeploymentJson(deployment));
    if (good) WriteText(path + "/good", "");
    deployment.good = good;
    return deployment;
  }

  bootsel::Ledger Ledger() { return ReadLedger(Open()).value().ledger; }
  template <typename Change>
  void Edit(Change change) {
    CHECK(ChangeLedger(LockLedger(), Open(), ctx(), [&](bootsel::Ledger& ledger) {
            change(ledger);
            return Ok();
          }).ok());
  }
  void SetDefault(const Deployment& deployment) {
    Edit([&](bootsel::Ledger& ledger) { ledger.default_deployment = Name(deployment); });
  }
  void SetPrevious(const Deployment& deployment) {
    Edit([&](bootsel::Ledger& ledger) { ledger.previous = Name(deployment); });
  }
  void SetTrial(const Deployment& deployment, int tries = 3) {
    Edit([&](bootsel::Ledger& ledger) { StartTrial(ledger, deployment, tries, ledger.default_deployment.serial); });
  }
  // Whatever the helper would have written for a boot of that deployment.
  void Boot(DeploymentSerial serial, std::string_view reason = "default", std::string_view kernel = "own",
            std::string_view ledger_writable = "yes") {
    WriteText(paths().boot_record, StrCat("format=1\nserial=", serial, "\nreason=", reason, "\nkernel=", kernel,
                                          "\nledger-writable=", ledger_writable, "\n"));
  }

 private:
  TempDir dir_;
  TestContext context_;
};

}  // namespace hostapp::testing
