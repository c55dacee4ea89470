// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/open_image.h"

#include "hostapp/base/strings.h"
#include "hostapp/oci/layout.h"

namespace hostapp {
namespace {

Error NoArchives(const Reference& reference) {
  return Error(Errc::kInvalid, StrCat(Escape(reference.ToString()), ": archives are not read or written yet"));
}

}  // namespace

Result<std::unique_ptr<ImageSource>> OpenSource(const Reference& reference, const RegistryOptions& options,
                                                OpContext& ctx) {
  switch (reference.transport) {
    case Reference::Transport::kRegistry:
      return OpenRegistry(reference, options, ctx);
    case Reference::Transport::kLayoutDir:
      return OpenLayoutDir(reference, ctx);
    case Reference::Transport::kArchive:
      return NoArchives(reference);
  }
  return Error(Errc::kInternal, "a transport that is none");
}

Result<std::unique_ptr<ImageDestination>> OpenDestination(const Reference& reference, const RegistryOptions& options,
                                                          OpContext& ctx) {
  switch (reference.transport) {
    case Reference::Transport::kRegistry:
      return OpenRegistryForWriting(reference, options, ctx);
    case Reference::Transport::kLayoutDir:
      return OpenLayoutDirForWriting(reference, ctx);
    case Reference::Transport::kArchive:
      return NoArchives(reference);
  }
  return Error(Errc::kInternal, "a transport that is none");
}

}  // namespace hostapp
