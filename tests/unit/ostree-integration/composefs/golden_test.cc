// SPDX-License-Identifier: Apache-2.0
// Images beside the reference's: tests/data/composefs-golden has trees, and the digests that libcomposefs 1.0.8 gave
// their images.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "hostapp/base/strings.h"
#include "ostree-integration/composefs/dump.h"
#include "ostree-integration/composefs/erofs_writer.h"

namespace hostapp::composefs {
namespace {

namespace fs = std::filesystem;

class Discard : public ByteSink {
 public:
  Status Write(ByteSpan) override { return Ok(); }
};

std::string Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> Dumps() {
  std::vector<fs::path> dumps;
  for (const auto& entry : fs::directory_iterator(HOSTAPP_TEST_DATA "/composefs-golden"))
    if (entry.path().extension() == ".dump") dumps.push_back(entry.path());
  std::sort(dumps.begin(), dumps.end());
  return dumps;
}

std::string DigestLines(const Tree& tree) {
  std::string lines;
  for (const FormatVersion version : {FormatVersion::kV0, FormatVersion::kV1}) {
    Discard sink;
    const auto image = WriteImage(tree, version, sink);
    const std::string digest = image.ok() ? HexEncode(image->digest) : image.error().message();
    lines += StrCat("v", static_cast<uint32_t>(version), " ", digest, "\n");
  }
  return lines;
}

class Golden : public ::testing::TestWithParam<fs::path> {};

TEST_P(Golden, IsBitForBitTheReferencesImage) {
  const auto tree = ReadDump(Read(GetParam()));
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_EQ(DigestLines(*tree), Read(GetParam().string() + ".digests"));
}

std::string NameOf(const ::testing::TestParamInfo<fs::path>& info) {
  std::string name = info.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Dumps, Golden, ::testing::ValuesIn(Dumps()), NameOf);

}  // namespace
}  // namespace hostapp::composefs
