// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/hostname.h"

#include <algorithm>
#include <string>
#include <vector>

#include "hostapp/base/strings.h"

namespace hostapp {

Status CheckHostname(std::string_view name) {
  constexpr size_t kLongest = 64;
  const auto is_label = [](std::string_view label) {
    return !label.empty() && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
           });
  };
  const std::vector<std::string_view> labels = Split(name, '.');
  if (name.size() <= kLongest && std::all_of(labels.begin(), labels.end(), is_label)) return Ok();
  return Error(Errc::kInvalid, StrCat("the hostname ", Escape(name),
                                      " is not of letters, digits, inner hyphens and "
                                      "dots, at most ",
                                      kLongest, " characters"));
}

}  // namespace hostapp
