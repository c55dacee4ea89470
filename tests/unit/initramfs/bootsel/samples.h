// SPDX-License-Identifier: Apache-2.0
// Ledgers that the tests of bootsel share.
#pragma once

#include "initramfs/bootsel/ledger.h"

namespace hostapp::bootsel {

inline Digest DigestOf(uint8_t fill) {
  Digest digest;
  digest.bytes.fill(fill);
  return digest;
}

inline ManifestDigest ManifestOf(uint8_t fill) {
  ManifestDigest digest;
  digest.algorithm = DigestAlgorithm::kSha256;
  for (size_t i = 0; i < 32; i++) digest.bytes[i] = fill;
  return digest;
}

inline NamedDeployment Deployment(Serial serial) {
  NamedDeployment deployment;
  deployment.serial = serial;
  deployment.boot_set = DigestOf(static_cast<uint8_t>(serial));
  return deployment;
}

inline Trial TrialOf(Serial serial, uint8_t tries) {
  Trial trial;
  static_cast<NamedDeployment&>(trial) = Deployment(serial);
  trial.manifest = ManifestOf(static_cast<uint8_t>(serial));
  trial.tries_left = tries;
  return trial;
}

// Every field has a value of its own.
inline Ledger FullLedger() {
  Ledger ledger;
  ledger.generation = 0x0102030405060708;
  ledger.default_deployment = Deployment(0x11);
  ledger.default_deployment.has_composefs_digest = true;
  ledger.default_deployment.composefs = DigestOf(0x12);
  ledger.previous = Deployment(0x13);
  ledger.trial = TrialOf(0x14, 3);
  ledger.trial.etc_from = 0x15;
  ledger.trial.give_backs_used = 2;
  ledger.default_attempts = 0x16;
  ledger.foreign_boots = 0x17;
  ledger.foreign_boot_set = DigestOf(0x18);
  ledger.downgrade_floor = 0x19;
  ledger.distrusted_up_to = 0x1a;
  ledger.last_failure.serial = 0x1b;
  ledger.last_failure.manifest = ManifestOf(0x1c);
  ledger.last_failure.cause = Cause::kNoInit;
  ledger.last_failure.time = -2;
  ledger.last_failure.SetText("no init");
  ledger.failed.Add(ManifestOf(0x1d));
  ledger.failed.Add(ManifestOf(0x1e));
  ledger.pending_action = 0x1f;
  ledger.reserved[63] = std::byte{0x20};
  return ledger;
}

}  // namespace hostapp::bootsel
