// SPDX-License-Identifier: Apache-2.0
// Room for a new deployment: what nothing needs goes when it is in the way.
#pragma once

#include "hostapp/lifecycle/keep.h"
#include "hostapp/lifecycle/pull_image.h"

namespace hostapp {

// PlanPull(), and CheckSpaceFor() it. Where there is too little room, what nothing needs is collected first, except the
// image itself, or what an interrupted pull has brought of it. kNoSpace when that is not enough; the message then
// offers to give up the previous deployment, if the device could do without and it would help.
Result<PullPlan> PlanWithRoom(const StoreLock& lock, const Device& device, ImageStore& store, const Manifest& manifest,
                              BlobSource& source, OpContext& ctx);

// What PlanWithRoom() would return, and refuse, without removing anything.
Result<PullPlan> PlanAsIfCollected(const Device& device, const ImageStore& store, const Manifest& manifest,
                                   BlobSource& source, OpContext& ctx);

// Collects for a deployment; `also` is what it is being made of. `status` unless it is kNoSpace; then ok if anything
// was removed and the same should be tried again, or the refusal as above.
Status MakeRoomAfter(Status status, const StoreLock& lock, const Device& device, const AlsoNeeded& also,
                     OpContext& ctx);

}  // namespace hostapp
