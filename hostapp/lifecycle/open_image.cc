// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/open_image.h"

#include "hostapp/layer/oci_archive.h"
#include "hostapp/oci/layout.h"

namespace hostapp {

Result<std::unique_ptr<ImageSource>> OpenSource(const Reference& reference, const RegistryOptions& options,
                                                OpContext& ctx) {
  switch (reference.transport) {
    case Reference::Transport::kRegistry:
      return OpenRegistry(reference, options, ctx);
    case Reference::Transport::kLayoutDir:
      return OpenLayoutDir(reference, ctx);
    case Reference::Transport::kArchive:
      return OpenArchive(reference, ctx);
  }
  return Error(Errc::kInternal, "a reference without a transport");
}

Result<std::unique_ptr<ImageDestination>> OpenDestination(const Reference& reference, const RegistryOptions& options,
                                                          OpContext& ctx) {
  switch (reference.transport) {
    case Reference::Transport::kRegistry:
      return OpenRegistryForWriting(reference, options, ctx);
    case Reference::Transport::kLayoutDir:
      return OpenLayoutDirForWriting(reference, ctx);
    case Reference::Transport::kArchive:
      return OpenArchiveForWriting(reference, ctx);
  }
  return Error(Errc::kInternal, "a reference without a transport");
}

}  // namespace hostapp
