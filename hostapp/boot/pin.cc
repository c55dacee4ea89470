// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/pin.h"

#include "hostapp/base/strings.h"

namespace hostapp {

Status Pin(const Device& device, DeploymentSerial serial, OpContext& ctx) {
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  TRY(LoadDeployment(device.sysroot, serial).status());
  return SetMark(device.sysroot, serial, Mark::kPinned, ctx);
}

Status Unpin(const Device& device, DeploymentSerial serial, OpContext& ctx) {
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  TRY(CheckIsThere(device, serial));
  return ClearMark(device.sysroot, serial, Mark::kPinned, ctx);
}

Status CheckIsThere(const Device& device, DeploymentSerial serial) {
  if (IsComplete(device.sysroot, serial)) return Ok();
  return Error(Errc::kNotFound, StrCat("deployment ", serial, ": there is none"));
}

}  // namespace hostapp
