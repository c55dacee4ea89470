// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/image_stream.h"

#include <algorithm>

#include "ostree-integration/composefs/erofs_format.h"

namespace hostapp::composefs {

void ImageStream::Zeros(uint64_t count) {
  while (count > 0) {
    if (used_ == kBuffer) PassOn();
    const size_t now = std::min<uint64_t>(count, kBuffer - used_);
    std::memset(buffer_.get() + used_, 0, now);
    used_ += now;
    count -= now;
  }
}

void ImageStream::AlignTo(uint64_t multiple) { ZerosUpTo(RoundUp(position(), multiple)); }

void ImageStream::TextInPieces(std::string_view text) {
  while (!text.empty()) {
    if (used_ == kBuffer) PassOn();
    const size_t now = std::min(text.size(), kBuffer - used_);
    std::memcpy(buffer_.get() + used_, text.data(), now);
    used_ += now;
    text.remove_prefix(now);
  }
}

void ImageStream::PassOn() {
  const ByteSpan bytes(buffer_.get(), used_);
  if (status_.ok()) {
    hasher_.Update(bytes);
    status_ = out_.Write(bytes);
  }
  passed_on_ += used_;
  used_ = 0;
}

Result<Sha256> ImageStream::Finish() {
  PassOn();
  TRY(std::move(status_));
  return hasher_.Finish();
}

}  // namespace hostapp::composefs
