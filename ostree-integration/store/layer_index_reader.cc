// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/layer_index_reader.h"

#include <algorithm>
#include <cstring>

#include "hostapp/base/strings.h"

namespace hostapp::layer_index {
namespace {

constexpr uint64_t kWindow = uint64_t{64} << 10;

}  // namespace

Error Wrong(std::string_view rule) { return Error(Errc::kCorrupt, StrCat("the layer index is damaged: ", rule)); }

void Reader::Fail(Error error) {
  if (status_.ok()) status_ = std::move(error);
  window_.clear();
  at_ = 0;
  left_ = 0;
}

bool Reader::Fill(uint64_t count) {
  if (count > left()) {
    Fail(Wrong("it ends early"));
    return false;
  }
  window_.erase(0, at_);
  at_ = 0;
  const size_t had = window_.size();
  const uint64_t more = std::min(left_, std::max(kWindow, count) - had);
  window_.resize(had + more);
  if (Status status = (*read_)(next_, std::as_writable_bytes(std::span(window_)).subspan(had)); !status.ok()) {
    Fail(std::move(status).error());
    return false;
  }
  next_ += more;
  left_ -= more;
  return true;
}

std::string_view Reader::Take(uint64_t count) {
  if (window_.size() - at_ < count && !Fill(count)) return "";
  const std::string_view taken = std::string_view(window_).substr(at_, count);
  at_ += count;
  return taken;
}

uint8_t Reader::Byte() {
  if (at_ == window_.size() && !Fill(1)) return 0;
  return static_cast<uint8_t>(window_[at_++]);
}

uint64_t Reader::Little(size_t count) {
  uint64_t value = 0;
  const std::string_view taken = Take(count);
  for (size_t i = 0; i < taken.size(); ++i) value |= uint64_t{static_cast<unsigned char>(taken[i])} << (8 * i);
  return value;
}

uint64_t Reader::Number() {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t byte = Byte();
    value |= uint64_t{byte & 0x7fU} << shift;
    const bool fits = shift < 63 || byte <= 1;
    if (!fits || (byte == 0 && shift > 0)) {
      Fail(Wrong("a number that is longer than it need be"));
      return 0;
    }
    if (byte < 0x80) return value;
  }
}

Sha256 Reader::Id() {
  Sha256 id{};
  const std::string_view taken = Take(id.size());
  std::memcpy(id.data(), taken.data(), taken.size());
  return id;
}

}  // namespace hostapp::layer_index
