// SPDX-License-Identifier: Apache-2.0
// `contents`: which objects a deployment's tree needs, in its folder, so that its size is known without a walk.
//
// Eight bytes "HSTCONT1", then for each object of the tree, once, in the order of the ids: the first eight bytes of its
// id, and the size of its content in bytes (both as numbers, big end first). Nothing but what people are told of sizes
// depends on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"

namespace hostapp {

inline constexpr const char* kContentsName = "contents";
inline constexpr std::string_view kContentsMagic = "HSTCONT1";
inline constexpr size_t kContentsRecordBytes = 16;

// What a tree has at most: half of what JSON's readers can hold, so that root.cfs may be added.
inline constexpr uint64_t kMaxContentsBytes = uint64_t{1} << 62;

struct ContentsRecord {
  uint64_t id = 0;
  uint64_t size = 0;
};

// One number of a record.
uint64_t ReadContentsNumber(const std::byte* at);

// Reads a list piece by piece, as a file gives it. Pure.
class ContentsReader {
 public:
  // `magic`: the list's first bytes, as many as there are of kContentsMagic's; `bytes`: of all that follows them.
  // kCorrupt: no such list.
  static Result<ContentsReader> Begin(ByteSpan magic, uint64_t bytes);

  // Of the records: how many bytes are still to come.
  uint64_t left() const { return left_; }
  // Whole records, at most as many as are left. kCorrupt: one is out of order, or all sizes are above
  // kMaxContentsBytes together; `use` has had those before it.
  Status Take(ByteSpan records, const std::function<void(const ContentsRecord&)>& use);

 private:
  explicit ContentsReader(uint64_t left) : left_(left) {}

  uint64_t left_;
  uint64_t total_ = 0;
  std::optional<uint64_t> last_;
};

}  // namespace hostapp
