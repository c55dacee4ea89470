// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/kernel_arguments.h"

#include <algorithm>

#include "hostapp/base/strings.h"

namespace hostapp {

Result<KernelArguments> GetKernelArguments(const Device& device) {
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  const DeploymentSerial serial = device.booted ? device.booted->serial : stored.ledger.default_deployment.serial;
  if (serial == bootsel::kNoSerial) {
    return Error(Errc::kNotFound, "nothing is deployed here yet; begin with: hostapp deploy REFERENCE");
  }
  ASSIGN_OR_RETURN(Deployment deployment, LoadDeployment(device.sysroot, serial));
  KernelArguments arguments{.serial = serial, .image = {}, .device = std::move(deployment.device_kernel_arguments)};
  arguments.image = std::move(deployment.kernel_arguments);
  arguments.image.resize(arguments.image.size() - arguments.device.size());
  return arguments;
}

Result<std::vector<std::string>> EditedArguments(const KernelArguments& current, const ArgumentsEdit& edit) {
  std::vector<std::string> device = current.device;
  for (const std::string& argument : edit.remove) {
    const auto found = std::find(device.begin(), device.end(), argument);
    if (found != device.end()) {
      device.erase(found);
      continue;
    }
    const bool images = std::find(current.image.begin(), current.image.end(), argument) != current.image.end();
    return Error(Errc::kNotFound, StrCat("kernel argument ", Escape(argument),
                                         images ? " comes with the image; one that is appended later wins over it"
                                                : " is not among the device's; see: hostapp kargs"));
  }
  device.insert(device.end(), edit.append.begin(), edit.append.end());
  return device;
}

}  // namespace hostapp
