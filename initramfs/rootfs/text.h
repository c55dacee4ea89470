// SPDX-License-Identifier: Apache-2.0
// Text of bounded length without allocation: paths, messages, mount options.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hostapp::initramfs {

// Appends until it is full; what does not fit is left out and remembered as `truncated()`. Always NUL-terminated.
template <size_t kBytes>
class Text {
 public:
  Text() = default;
  template <typename... Parts>
  requires(sizeof...(Parts) > 0) explicit Text(const Parts&... parts) { (Append(parts), ...); }

  Text& Append(std::string_view part) {
    const size_t room = kBytes - 1 - size_;
    if (part.size() > room) truncated_ = true;
    const size_t taken = part.size() < room ? part.size() : room;
    for (size_t i = 0; i < taken; i++) bytes_[size_ + i] = part[i];
    size_ += taken;
    bytes_[size_] = '\0';
    return *this;
  }

  Text& Append(std::integral auto number) {
    std::array<char, 20> digits{};
    size_t at = digits.size();
    const bool negative = number < 0;
    auto rest = static_cast<uint64_t>(number);
    if (negative) rest = ~rest + 1;
    do {
      digits[--at] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    } while (rest != 0);
    if (negative) Append("-");
    return Append(std::string_view(&digits[at], digits.size() - at));
  }

  template <size_t kOther>
  Text& Append(const Text<kOther>& other) {
    return Append(other.view());
  }

  void Clear() {
    size_ = 0;
    truncated_ = false;
    bytes_[0] = '\0';
  }
  const char* c_str() const { return bytes_.data(); }
  std::string_view view() const { return {bytes_.data(), size_}; }
  operator std::string_view() const { return view(); }  // NOLINT: a text is a view wherever one is read
  bool empty() const { return size_ == 0; }
  bool truncated() const { return truncated_; }

 private:
  std::array<char, kBytes> bytes_{};
  size_t size_ = 0;
  bool truncated_ = false;
};

using Path = Text<512>;

template <typename... Parts>
Path PathOf(const Parts&... parts) {
  Path path;
  (path.Append(parts), ...);
  return path;
}

}  // namespace hostapp::initramfs
