// SPDX-License-Identifier: Apache-2.0
// Extended attributes of a tree: each name with a value is kept once, under a number.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ostree-integration/composefs/interner.h"

namespace hostapp::composefs {

// Views of a caller's name and value.
struct Xattr {
  std::string_view name;
  std::string_view value;
};

class XattrTable {
 public:
  using Id = uint32_t;
  static constexpr uint8_t kAccessAcl = 2, kDefaultAcl = 3;

  // What EROFS keeps of a name: the number of a well-known prefix, and the rest; and its bit of the filter.
  struct Name {
    std::string_view suffix;
    uint8_t index = 0;
    uint8_t filter_bit = 0;

    bool is_acl() const { return suffix.empty() && (index == kAccessAcl || index == kDefaultAcl); }
  };

  // `name`: 1..263 bytes; `value`: at most 65535.
  Id Intern(std::string_view name, std::string_view value);

  std::string_view FullName(Id id) const { return names_.bytes(values_.tag(id)); }
  const Name& name(Id id) const { return facts_[values_.tag(id)]; }
  std::string_view value(Id id) const { return values_.bytes(id); }
  bool SameName(Id a, Id b) const { return values_.tag(a) == values_.tag(b); }
  bool NameLess(Id a, Id b) const { return !SameName(a, b) && FullName(a) < FullName(b); }

  // Of an entry on disk, with the zeros behind it.
  uint32_t EntryBytes(Id id) const;

  size_t size() const { return values_.size(); }  // ids are below it
  bool full() const { return values_.full() || names_.full(); }

 private:
  Interner names_;           // their tag says nothing
  std::vector<Name> facts_;  // by a name's number
  Interner values_;          // their tag is the name
};

}  // namespace hostapp::composefs
