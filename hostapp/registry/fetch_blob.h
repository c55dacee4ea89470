// SPDX-License-Identifier: Apache-2.0
// A blob from a registry, whatever the connection does meanwhile.
#pragma once

#include "hostapp/registry/session.h"

namespace hostapp {

// BlobSource::Fetch() for a registry. After an interruption it goes on at the byte where it stopped (Range), and checks
// that the server does, too: an answer from another byte is not taken, one from the beginning is skipped through.
Status FetchBlob(Session& session, const Descriptor& blob, uint64_t offset, ByteSink& sink, OpContext& ctx);

}  // namespace hostapp
