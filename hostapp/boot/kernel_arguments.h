// SPDX-License-Identifier: Apache-2.0
// The kernel arguments that belong to the device: root=, console= and whatever an administrator adds.
#pragma once

#include "hostapp/boot/device.h"

namespace hostapp {

struct KernelArguments {
  DeploymentSerial serial = 0;  // of the deployment that has them: the running one, off the device the default
  std::vector<std::string> image;
  std::vector<std::string> device;
};

// kNotFound where nothing is deployed.
Result<KernelArguments> GetKernelArguments(const Device& device);

struct ArgumentsEdit {
  std::vector<std::string> append;
  std::vector<std::string> remove;  // each once, as it stands
};

// The device's arguments after the edit. Pure. kNotFound for one to be removed that is not among them (the image's are
// not the device's to remove).
Result<std::vector<std::string>> EditedArguments(const KernelArguments& current, const ArgumentsEdit& edit);

}  // namespace hostapp
