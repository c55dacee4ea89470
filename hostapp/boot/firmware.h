// SPDX-License-Identifier: Apache-2.0
// UEFI firmware that starts systemd-boot again when it gives up on a trial (efi_boot_options.h). Of the running system
// only; where the boot loader is another one, every call is ok and does nothing.
//
// Firmware that cannot be told is no reason to refuse an update: a damaged trial may then need a hand, or a watchdog.
#pragma once

#include "hostapp/boot/device.h"

namespace hostapp {

// Makes the firmware's first options start the device's boot loader: one for each try of the ledger's trial, at least
// as many as a trial usually has, and one for the default. Writes nothing when nothing is missing. kNotFound: the
// firmware's variables are not there; kIo, kNoSpace from writing them.
Status PrepareFirmware(const Device& device, OpContext& ctx);

// What is missing of that, for people.
std::optional<std::string> WhatFirmwareLacks(const Device& device, OpContext& ctx);

}  // namespace hostapp
