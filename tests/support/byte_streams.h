// SPDX-License-Identifier: Apache-2.0
// Sources in memory. A test that includes this links hostapp/layer.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "hostapp/base/sinks.h"
#include "hostapp/layer/tar_reader.h"

namespace hostapp::testing {

// Gives a text in pieces of at most `piece` bytes.
class TextSource : public ByteSource {
 public:
  explicit TextSource(std::string text, size_t piece = SIZE_MAX) : text_(std::move(text)), piece_(piece) {}
  Result<size_t> Read(MutableByteSpan buffer) override {
    const size_t size = std::min({buffer.size(), text_.size() - at_, piece_});
    const ByteSpan bytes = AsBytes(text_).subspan(at_, size);
    std::copy(bytes.begin(), bytes.end(), buffer.begin());
    at_ += size;
    return size;
  }

 private:
  std::string text_;
  size_t piece_, at_ = 0;
};

// All that is left in a source.
inline Result<std::string> ReadAll(ByteSource& source, size_t piece = 65536) {
  std::string out, buffer(piece, '\0');
  for (;;) {
    ASSIGN_OR_RETURN(const size_t got, source.Read(std::as_writable_bytes(std::span(buffer.data(), buffer.size()))));
    if (got == 0) return out;
    out.append(buffer, 0, got);
  }
}

}  // namespace hostapp::testing
