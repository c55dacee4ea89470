// SPDX-License-Identifier: Apache-2.0
// What harnesses share: abort() is what a fuzzer sees, and one harness may hold several small parsers.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string_view>

namespace hostapp::fuzz {

inline void Require(bool holds) {
  if (!holds) abort();
}

// The first byte chooses one of `checks`, and the rest is its text: 'a' the first one, 'b' the second, …, so that a
// corpus can be read. Any other byte chooses too.
template <typename Check, size_t kCount>
void RunSelected(const uint8_t* data, size_t size, Check (&checks)[kCount]) {
  if (size == 0) return;
  const auto choice = static_cast<uint8_t>(data[0] - 'a');
  checks[choice % kCount](std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1));
}

}  // namespace hostapp::fuzz
