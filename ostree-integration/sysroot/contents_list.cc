// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/contents_list.h"

#include "hostapp/base/check.h"

namespace hostapp {

uint64_t ReadContentsNumber(const std::byte* at) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof value; ++i) value = value << 8 | std::to_integer<uint64_t>(at[i]);
  return value;
}

Result<ContentsReader> ContentsReader::Begin(ByteSpan magic, uint64_t bytes) {
  if (AsText(magic) == kContentsMagic && bytes % kContentsRecordBytes == 0) return ContentsReader(bytes);
  return Error(Errc::kCorrupt, "no list of contents");
}

Status ContentsReader::Take(ByteSpan records, const std::function<void(const ContentsRecord&)>& use) {
  CHECK(records.size() % kContentsRecordBytes == 0 && records.size() <= left_);
  for (; !records.empty(); records = records.subspan(kContentsRecordBytes)) {
    const ContentsRecord record{.id = ReadContentsNumber(&records[0]), .size = ReadContentsNumber(&records[8])};
    if (last_ && record.id <= *last_) return Error(Errc::kCorrupt, "the list of contents is not in order");
    if (record.size > kMaxContentsBytes - total_) {
      return Error(Errc::kCorrupt, "the list of contents has more bytes than any disk");
    }
    total_ += record.size;
    last_ = record.id;
    left_ -= kContentsRecordBytes;
    use(record);
  }
  return Ok();
}

}  // namespace hostapp
