// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/systemd_boot_entry.h"

#include <algorithm>
#include <tuple>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr std::string_view kPrefix = "hostapp-";
constexpr std::string_view kSuffix = ".conf";
constexpr std::string_view kSumLine = "# sha256 ";
constexpr size_t kSequenceDigits = 10;
constexpr size_t kMaxCounterDigits = 18;
constexpr uint64_t kMaxTries = 1000;
constexpr size_t kMaxVersionBytes = 128;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string FixedWidth(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kSequenceDigits - std::min(kSequenceDigits, digits.size()), '0') + digits;
}

// Leading zeros are as good as none: who counts may write them or lose them.
std::optional<uint64_t> ParseCounter(std::string_view digits) {
  if (digits.empty() || digits.size() > kMaxCounterDigits) return std::nullopt;
  uint64_t number = 0;
  for (const char c : digits) {
    if (!IsDigit(c)) return std::nullopt;
    number = number * 10 + static_cast<uint64_t>(c - '0');
  }
  return number;
}

bool ParseCounters(std::string_view text, SystemdBootName& name) {
  const size_t dash = text.find('-');
  const auto left = ParseCounter(text.substr(0, dash));
  const auto done = dash == std::string_view::npos ? std::optional<uint64_t>(0) : ParseCounter(text.substr(dash + 1));
  if (!left || !done || *left > kMaxTries) return false;
  name.tries_left = static_cast<int>(*left);
  name.tries_done = *done;
  return true;
}

// `version` is for people; what would end its line or is no text is escaped.
std::string VersionLine(const BootEntry& entry) {
  const std::string version = Escape(Trim(entry.version));
  if (version.empty() || version.size() > kMaxVersionBytes) return {};
  return StrCat("version ", version, "\n");
}

// One part of a version and what follows it, in the rules of the UAPI group's version format.
int Rank(std::string_view text) {
  if (text.empty()) return 2;
  if (text.front() == '~') return 0;
  if (text.front() == '-') return 3;
  if (text.front() == '^') return 4;
  if (text.front() == '.') return 5;
  return IsDigit(text.front()) ? 7 : 6;
}

template <typename Is>
std::string_view TakeWhile(std::string_view& text, Is is) {
  size_t size = 0;
  while (size < text.size() && is(text[size])) ++size;
  const std::string_view taken = text.substr(0, size);
  text.remove_prefix(size);
  return taken;
}

int Sign(int number) { return number < 0 ? -1 : number > 0 ? 1 : 0; }

int CompareNumbers(std::string_view a, std::string_view b) {
  TakeWhile(a, [](char c) { return c == '0'; });
  TakeWhile(b, [](char c) { return c == '0'; });
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return Sign(a.compare(b));
}

bool IsOfVersion(char c) { return IsDigit(c) || IsAlpha(c) || c == '~' || c == '-' || c == '^' || c == '.'; }

}  // namespace

std::string EncodeSystemdBootName(const SystemdBootName& name) {
  std::string file = StrCat(kPrefix, FixedWidth(name.serial), "-", FixedWidth(name.sequence));
  if (name.tries_left) file += StrCat("+", *name.tries_left);
  if (name.tries_left && name.tries_done != 0) file += StrCat("-", name.tries_done);
  return file + std::string(kSuffix);
}

std::optional<SystemdBootName> ParseSystemdBootName(std::string_view file) {
  if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix) || file.size() < kPrefix.size() + kSuffix.size())
    return std::nullopt;
  file.remove_prefix(kPrefix.size());
  file.remove_suffix(kSuffix.size());
  const size_t plus = file.find('+'), dash = file.find('-');
  if (dash == std::string_view::npos || dash > plus) return std::nullopt;
  const auto serial = ParseCounter(file.substr(0, dash));
  const auto sequence = ParseCounter(file.substr(dash + 1, plus == std::string_view::npos ? plus : plus - dash - 1));
  if (!serial || *serial == 0 || !sequence || *sequence > kMaxSystemdBootSequence) return std::nullopt;
  SystemdBootName name{.serial = *serial, .sequence = *sequence, .tries_left = {}, .tries_done = 0};
  if (plus != std::string_view::npos && !ParseCounters(file.substr(plus + 1), name)) return std::nullopt;
  return name;
}

std::string SystemdBootSortKey(uint64_t sequence) {
  return StrCat("hostapp-", FixedWidth(kMaxSystemdBootSequence - sequence));
}

std::string SystemdBootText(const BootEntry& entry, uint64_t sequence) {
  const std::string set = StrCat("/hostapp/", entry.boot_set.Hex());
  const std::string body = StrCat("title hostapp deployment ", entry.serial, "\n", VersionLine(entry), "sort-key ",
                                  SystemdBootSortKey(sequence), "\noptions ", Join(EntryArguments(entry), " "),
                                  "\ninitrd ", set, "/initrd\nlinux ", set, "/linux\n");
  return StrCat(kSumLine, HashOf(AsBytes(body)).Hex(), "\n", body);
}

bool IsWholeSystemdBootText(std::string_view text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  return text.substr(0, end) == StrCat(kSumLine, HashOf(AsBytes(text.substr(end + 1))).Hex());
}

int CompareBootVersions(std::string_view a, std::string_view b) {
  const auto is_other = [](char c) { return !IsOfVersion(c); };
  while (!a.empty() || !b.empty()) {
    TakeWhile(a, is_other);
    TakeWhile(b, is_other);
    const int rank_a = Rank(a), rank_b = Rank(b);
    if (rank_a < 6 || rank_b < 6) {
      if (rank_a != rank_b) return rank_a < rank_b ? -1 : 1;
      if (rank_a == 2) return 0;
      a.remove_prefix(1);
      b.remove_prefix(1);
      continue;
    }
    if (rank_a == 7 || rank_b == 7) {
      // A number is newer than letters.
      if (rank_a != rank_b) return rank_a < rank_b ? -1 : 1;
      if (const int order = CompareNumbers(TakeWhile(a, IsDigit), TakeWhile(b, IsDigit)); order != 0) return order;
      continue;
    }
    if (const int order = Sign(TakeWhile(a, IsAlpha).compare(TakeWhile(b, IsAlpha))); order != 0) return order;
  }
  return 0;
}

bool SystemdBootTakesFirst(const SystemdBootSortable& a, const SystemdBootSortable& b) {
  const bool used_up_a = a.tries_left == 0U, used_up_b = b.tries_left == 0U;
  if (used_up_a != used_up_b) return used_up_b;
  if (a.sort_key.has_value() != b.sort_key.has_value()) return a.sort_key.has_value();
  if (a.sort_key) {
    if (std::tie(*a.sort_key, a.machine_id) != std::tie(*b.sort_key, b.machine_id))
      return std::tie(*a.sort_key, a.machine_id) < std::tie(*b.sort_key, b.machine_id);
    if (const int order = CompareBootVersions(a.version, b.version); order != 0) return order > 0;
  }
  if (const int order = CompareBootVersions(a.id, b.id); order != 0) return order > 0;
  if (!a.tries_left || !b.tries_left) return false;
  if (a.tries_left != b.tries_left) return *a.tries_left > *b.tries_left;
  return a.tries_done < b.tries_done;
}

std::string SystemdBootConfig() {
  return "# Made by hostapp. No full name here: it would pin that entry, and systemd-boot would not count its tries.\n"
         "timeout 0\n"
         "default hostapp-*\n"
         "editor no\n";
}

}  // namespace hostapp
