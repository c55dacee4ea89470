// SPDX-License-Identifier: Apache-2.0
// The part of the layout that says which attributes an inode has, and which of them are kept once for many.
#include <algorithm>

#include "ostree-integration/composefs/layout.h"

namespace hostapp::composefs {
namespace {

constexpr uint32_t kNotShared = UINT32_MAX;

// Of the reference's making: names, then lengths, then values, each from the largest down.
auto SharedOrder(const XattrTable& table) {
  return [&table](XattrTable::Id a, XattrTable::Id b) {
    if (!table.SameName(a, b)) return table.NameLess(b, a);
    const std::string_view left = table.value(a), right = table.value(b);
    return left.size() != right.size() ? left.size() > right.size() : left > right;
  };
}

}  // namespace

void Layout::AddXattrs(FormatVersion version) {
  const size_t marks = version == FormatVersion::kV0 ? 2 : 4;
  for (const uint32_t number : order_) {
    if (!tree_->inodes[number].holds_whiteouts) continue;
    for (size_t i = 0; i < marks; ++i) SetXattr(number, tree_->whiteouts_folder[i]);
  }
}

void Layout::SetXattr(uint32_t inode, XattrTable::Id xattr) {
  auto [place, is_new] = added_xattrs_.try_emplace(inode);
  std::vector<XattrTable::Id>& list = place->second;
  if (is_new) {
    const std::span<const XattrTable::Id> own = tree_->Xattrs(tree_->inodes[inode]);
    list.assign(own.begin(), own.end());
  }
  const auto by_name = [this](XattrTable::Id a, XattrTable::Id b) { return tree_->xattrs.NameLess(a, b); };
  const auto at = std::lower_bound(list.begin(), list.end(), xattr, by_name);
  if (at != list.end() && tree_->xattrs.SameName(*at, xattr)) {
    *at = xattr;
  } else {
    list.insert(at, xattr);
  }
}

std::span<const XattrTable::Id> Layout::XattrsOf(uint32_t inode) const {
  if (tree_->inodes[inode].holds_whiteouts) return added_xattrs_.at(inode);
  return tree_->Xattrs(tree_->inodes[inode]);
}

void Layout::ShareXattrs() {
  const XattrTable& table = tree_->xattrs;
  std::vector<bool> seen(table.size());
  shared_words_.assign(table.size(), kNotShared);
  for (const uint32_t number : order_) {
    for (const XattrTable::Id xattr : XattrsOf(number)) {
      if (!seen[xattr]) {
        seen[xattr] = true;
      } else if (shared_words_[xattr] == kNotShared) {
        shared_words_[xattr] = 0;
        shared_.push_back(xattr);
      }
    }
  }
  for (XattrTable::Id xattr = 0; xattr < table.size(); ++xattr) has_acl_ |= seen[xattr] && table.name(xattr).is_acl();
  std::sort(shared_.begin(), shared_.end(), SharedOrder(table));
  for (const XattrTable::Id xattr : shared_) {
    shared_words_[xattr] = static_cast<uint32_t>(shared_bytes_ / kXattrWord);
    shared_bytes_ += table.EntryBytes(xattr);
  }
}

std::optional<uint64_t> Layout::SharedAt(XattrTable::Id xattr, uint32_t shared_before) const {
  if (shared_before >= kMaxSharedXattrs || shared_words_[xattr] == kNotShared) return std::nullopt;
  return uint64_t{shared_words_[xattr]} * kXattrWord;
}

uint32_t Layout::CountXattrBytes(uint32_t inode) const {
  const std::span<const XattrTable::Id> xattrs = XattrsOf(inode);
  if (xattrs.empty()) return 0;
  uint32_t bytes = kXattrHeaderBytes;
  uint32_t shared = 0;
  for (const XattrTable::Id xattr : xattrs) {
    const bool is_shared = SharedAt(xattr, shared).has_value();
    shared += is_shared ? 1 : 0;
    bytes += is_shared ? kXattrWord : tree_->xattrs.EntryBytes(xattr);
  }
  return bytes;
}

}  // namespace hostapp::composefs
