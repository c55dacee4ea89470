// SPDX-License-Identifier: Apache-2.0
// The end of a trial, one way or the other.
#pragma once

#include "hostapp/boot/device.h"

namespace hostapp {

// The running trial becomes the default, the default before it `previous`. Order: the mark `good`, then the ledger (the
// commit point). kNotFound, nothing changed, unless the running deployment is the trial, under a kernel that it brought
// or that came from outside every boot entry. Off the device the waiting trial counts as running. Returns the serial.
Result<DeploymentSerial> MarkGood(const Device& device, OpContext& ctx);

// The running trial has failed and is remembered as that: the default boots next. kNotFound as above.
// `reason`: any text; its last bootsel::kFailureTextBytes bytes are kept.
Result<DeploymentSerial> MarkFailed(const Device& device, bootsel::Cause cause, std::string_view reason,
                                    OpContext& ctx);

}  // namespace hostapp
