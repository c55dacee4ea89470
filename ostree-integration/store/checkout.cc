// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "ostree-integration/store/store_impl.h"

namespace hostapp {

Status Checkout(const ImageStore& store, std::string_view commit, int parent_fd, std::string_view name,
                OpContext& ctx) {
  TRY(ctx.cancel.Check());
  if (Exists(parent_fd, name)) {
    return Error(Errc::kBusy, StrCat("checking out as ", Escape(name), ": something has that name already"));
  }
  ASSIGN_OR_RETURN(const Sha256 id, ToObjectId(commit));
  OstreeRepoCheckoutAtOptions options{};
  options.mode = OSTREE_REPO_CHECKOUT_MODE_NONE;
  options.overwrite_mode = OSTREE_REPO_CHECKOUT_OVERWRITE_NONE;
  glib::ErrorSlot error;
  glib::Cancellable cancellable(ctx.cancel);
  if (!ostree_repo_checkout_at(store.impl().repo.get(), &options, parent_fd, std::string(name).c_str(), Hex(id).c_str(),
                               cancellable, error)) {
    return error.Take().Prefix(StrCat("checking out ", commit.substr(0, 12), " as ", Escape(name)));
  }
  return SyncFilesystem(parent_fd, ctx.sys).While("making the checkout ", Escape(name), " durable");
}

}  // namespace hostapp
