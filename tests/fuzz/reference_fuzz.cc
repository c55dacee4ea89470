// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hostapp/oci/reference.h"

// What is accepted is written in full and read back the same; what goes into a URL has nothing else in it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using hostapp::ParseReference;
  using hostapp::Reference;
  const auto reference = ParseReference(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!reference.ok()) {
    if (reference.error().code() != hostapp::Errc::kInvalid) abort();
    return 0;
  }
  const auto again = ParseReference(reference->ToString());
  if (!again.ok() || *again != *reference) abort();
  if (reference->transport != Reference::Transport::kRegistry) return 0;
  const auto only = [](std::string_view text, std::string_view allowed) {
    return text.find_first_not_of(allowed) == std::string_view::npos;
  };
  constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz0123456789._-/";
  if (reference->host.empty() || !only(reference->host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]")) abort();
  if (reference->repository.empty() || !only(reference->repository, kLower)) abort();
  if (reference->repository.find("..") != std::string::npos || reference->tag.size() > 128) abort();
  return 0;
}
