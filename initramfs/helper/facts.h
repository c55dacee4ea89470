// SPDX-License-Identifier: Apache-2.0
// What the choice must know of the deployments on disk.
#pragma once

#include <array>

#include "initramfs/bootsel/choose.h"

namespace hostapp::initramfs {

inline constexpr const char* kDeployments = "hostapp/deployments";

// The digest of a deployment's composefs image, of its deployment.json; false if it has none, or none that can be read.
bool ReadComposefsDigest(int root, bootsel::Serial serial, bootsel::Digest& digest);

// The table that the choice looks at. Fixed in size: what the ledger names and what was asked for come first and always
// fit; of the proven ones the newest are kept.
class FactsTable {
 public:
  // Nothing inside of a trial is opened here: that it exists is all the choice needs, the rest is in the ledger.
  void Gather(int root, const bootsel::Ledger* ledger, const bootsel::Asked& asked);

  // This deployment could not be booted just now.
  void MarkUnbootable(bootsel::Serial serial);

  bootsel::Facts facts() const;
  bool ledger_writable = true;
  bool attempt_counted = false;

 private:
  static constexpr size_t kMaxDeployments = 64;

  bootsel::DeploymentFacts* Find(bootsel::Serial serial);
  void AddNamed(int deployments, bootsel::Serial serial, bool read_json);
  void AddProven(int deployments);
  void Insert(const bootsel::DeploymentFacts& facts);

  std::array<bootsel::DeploymentFacts, kMaxDeployments> table_{};
  size_t count_ = 0;
  size_t named_ = 0;  // the first ones are never dropped
};

}  // namespace hostapp::initramfs
