// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/xattr_table.h"

#include "ostree-integration/composefs/erofs_format.h"
#include "ostree-integration/composefs/xxh32.h"

namespace hostapp::composefs {
namespace {

struct Prefix {
  std::string_view text;
  uint8_t index;
};
constexpr Prefix kPrefixes[] = {
    {"user.", 1},
    {"system.posix_acl_access", XattrTable::kAccessAcl},
    {"system.posix_acl_default", XattrTable::kDefaultAcl},
    {"trusted.", 4},
    {"security.", 6},
};

XattrTable::Name FactsOf(std::string_view name) {
  XattrTable::Name facts{.suffix = name};
  for (const Prefix& prefix : kPrefixes) {
    if (!name.starts_with(prefix.text)) continue;
    facts = {.suffix = name.substr(prefix.text.size()), .index = prefix.index};
    break;
  }
  facts.filter_bit = static_cast<uint8_t>(Xxh32(AsBytes(facts.suffix), kXattrFilterSeed + facts.index) % 32);
  return facts;
}

}  // namespace

XattrTable::Id XattrTable::Intern(std::string_view name, std::string_view value) {
  const uint32_t number = names_.Intern(0, name);
  if (number == facts_.size()) facts_.push_back(FactsOf(names_.bytes(number)));
  return values_.Intern(number, value);
}

uint32_t XattrTable::EntryBytes(Id id) const {
  return static_cast<uint32_t>(
      RoundUp(kXattrEntryBytes + name(id).suffix.size() + value(id).size(), uint64_t{kXattrWord}));
}

}  // namespace hostapp::composefs
