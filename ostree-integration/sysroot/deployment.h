// SPDX-License-Identifier: Apache-2.0
// One bootable instance of an image: the folder hostapp/deployments/<serial>/.
//
//   deployment.json   what it is; written last: without it there is no deployment
//   contents          which objects the tree needs, and their sizes
//   good              exists once it was marked good
//   pinned            exists while the user wants it kept
//   root.cfs          the tree as a composefs image, its files being the store's objects (composefs root), or
//   root/             the tree as folders and hard links of the store's objects (checkout root)
//   etc/{upper,work}  this deployment's changes to /etc; made by the helper at its first boot
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hostapp/base/hash.h"
#include "hostapp/oci/digest.h"
#include "initramfs/bootsel/ledger.h"
#include "ostree-integration/sysroot/sysroot.h"

namespace hostapp {

using DeploymentSerial = bootsel::Serial;

struct Deployment {
  DeploymentSerial serial = 0;
  std::string reference;  // where `upgrade` looks
  Digest manifest_digest;
  std::string commit;                                // of the merged tree, in the store
  std::optional<std::string> version;                // the image's label
  std::vector<std::string> kernel_arguments;         // the image's, then the device's
  std::vector<std::string> device_kernel_arguments;  // the last of them: carried to every later deployment
  HashValue boot_set;                                // in JSON its hexadecimal digits: the folder's name on /boot
  std::string kernel_version;
  int64_t created = 0;  // Unix seconds, the device's clock
  // The fs-verity digest of root.cfs, which stands for the whole tree; none: a checkout root.
  std::optional<HashValue> composefs;
  bool root_chosen = false;  // the kind of root is the operator's choice: carried to every later deployment

  // Not in deployment.json: files beside it.
  bool good = false;
  bool pinned = false;
};

enum class RootKind { kComposefs, kCheckout };
inline RootKind RootOf(const Deployment& deployment) {
  return deployment.composefs ? RootKind::kComposefs : RootKind::kCheckout;
}
// "composefs" or "checkout".
std::string_view RootName(RootKind kind);
// The same for a person's word. kInvalid.
Result<RootKind> ParseRootName(std::string_view name);

// deployment.json. Parsing: kCorrupt with the path of what is wrong; unknown members are ignored (a newer writer's).
std::string DeploymentJson(const Deployment& deployment);
Result<Deployment> ParseDeployment(std::string_view json);

// A composefs root's tree, in the deployment's folder.
inline constexpr const char* kRootFileName = "root.cfs";

// kNotFound when it does not exist or never became complete.
Result<Deployment> LoadDeployment(const Sysroot& sysroot, DeploymentSerial serial);

// All complete deployments, lowest serial first. One whose deployment.json cannot be read is left out with a warning.
Result<std::vector<Deployment>> LoadDeployments(const Sysroot& sysroot, OpContext& ctx);

// Serials of all folders, lowest first; those without a deployment.json (not IsComplete()) are an interrupted deploy's.
Result<std::vector<DeploymentSerial>> DeploymentFolders(const Sysroot& sysroot);
bool IsComplete(const Sysroot& sysroot, DeploymentSerial serial);

Result<UniqueFd> OpenDeploymentDir(const Sysroot& sysroot, DeploymentSerial serial, OpContext& ctx);

// Marks beside deployment.json: present or not, durable. Changed under the ledger's lock, as who needs a deployment is.
enum class Mark { kGood, kPinned };
bool HasMark(const Sysroot& sysroot, DeploymentSerial serial, Mark mark);
Status SetMark(const Sysroot& sysroot, DeploymentSerial serial, Mark mark, OpContext& ctx);
Status ClearMark(const Sysroot& sysroot, DeploymentSerial serial, Mark mark, OpContext& ctx);

// From now on it is no deployment any more: deployment.json is gone, durably. Quick; the caller has made sure that
// nothing needs it, and holds the ledger's lock so that this stays true.
Status RetireDeployment(const Sysroot& sysroot, DeploymentSerial serial, OpContext& ctx);

// Removes it: deployment.json first, so that a crash leaves an incomplete one and never a broken one.
// The caller has made sure that nothing needs it. kBusy while something is mounted below it.
Status RemoveDeployment(const StoreLock& lock, const Sysroot& sysroot, DeploymentSerial serial, OpContext& ctx);

}  // namespace hostapp
