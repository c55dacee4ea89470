// SPDX-License-Identifier: Apache-2.0
// Asking for a factory reset, which the helper does at the next boot (initramfs/helper/factory_reset.h).
#pragma once

#include <string>
#include <vector>

#include "hostapp/boot/device.h"

namespace hostapp {

// The device's /var and the changes to /etc of the deployment that boots begin again from the image at the next boot
// that is no trial's; `keep`, paths below /var or /etc, stay. Replaces a request that waits. Returns what is kept,
// sorted, without what lies below another path.
//
// Order: the request's file, then the ledger's pending action (the commit point). kInvalid: a path that breaks a rule
// or leads through a symbolic link; kNotFound: nothing is deployed, or a path is not there (a slip of the keyboard
// would cost what it meant); kBusy: a deployment is on trial, or a reset has begun and not ended.
Result<std::vector<std::string>> RequestFactoryReset(const Device& device, const std::vector<std::string>& keep,
                                                     OpContext& ctx);

// Takes the request back. kNotFound when none waits; kBusy when it has begun.
Status CancelFactoryReset(const Device& device, OpContext& ctx);

}  // namespace hostapp
