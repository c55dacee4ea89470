// SPDX-License-Identifier: Apache-2.0
// Views of bytes, and text seen as bytes.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace hostapp {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

inline ByteSpan AsBytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view AsText(ByteSpan bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Where a stream of bytes goes. Write() takes all of `bytes` or fails.
class Status;
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Status Write(ByteSpan bytes) = 0;
};

}  // namespace hostapp
