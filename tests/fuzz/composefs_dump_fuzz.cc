// SPDX-License-Identifier: Apache-2.0
// A dump made into an image of either version: refused, or whole blocks that are the same a second time.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "ostree-integration/composefs/dump.h"
#include "ostree-integration/composefs/erofs_writer.h"

namespace hostapp::composefs {
namespace {

class Collect : public ByteSink {
 public:
  Status Write(ByteSpan bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Ok();
  }
  std::string text;
};

void Check(const Tree& tree, FormatVersion version) {
  Collect image, again;
  const Result<Image> written = WriteImage(tree, version, image);
  const Result<Image> rewritten = WriteImage(tree, version, again);
  if (written.ok() != rewritten.ok()) abort();
  if (!written.ok()) return;
  if (image.text != again.text || written->digest != rewritten->digest) abort();
  if (image.text.size() != written->bytes || written->bytes % 4096 != 0) abort();
}

}  // namespace
}  // namespace hostapp::composefs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp::composefs;
  const auto tree = ReadDump({reinterpret_cast<const char*>(data), size});
  if (!tree.ok()) return 0;
  Check(*tree, FormatVersion::kV0);
  Check(*tree, FormatVersion::kV1);
  return 0;
}
