// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/fs_verity.h"

#include <gtest/gtest.h>

#include <string>

#include "hostapp/base/strings.h"

namespace hostapp::composefs {
namespace {

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 4096);
  return text;
}

std::string DigestOf(const std::string& content, size_t piece) {
  FsVerityHasher hasher;
  for (size_t at = 0; at < content.size(); at += piece)
    hasher.Update(AsBytes(content).subspan(at, std::min(piece, content.size() - at)));
  return HexEncode(hasher.Finish());
}

struct Case {
  size_t size;
  const char* digest;  // of Pattern(size), as `fsverity digest` says
};

// Around every border of the tree: a block, a block of hashes (128 blocks), a block of hashes of hashes (16384 blocks).
constexpr Case kCases[] = {
    {0, "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95"},
    {1, "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551"},
    {4095, "b37a93497ff6ed2821409ced1dc20f4c1002cc361adf2f22ec444a22c06fe857"},
    {4096, "87a706bdba32be89a173dc11d6a91c08165b4dcfcf743988c94595e82934a41a"},
    {4097, "5c6077f10edc31c27b2a65cbaa199e2cfd36998bf104ccd2f7395eb509682064"},
    {8192, "870c5a8845344e284913be24101260588059e053bc58a58aa1fb4072b4d486f2"},
    {524287, "95ab9cd062719214c37b1b6af01a1cd625d85802d755dae6d20b0531ed85fc3d"},
    {524288, "9613b285b37589320574d16f1447444fb68289259e661f4418dc6374ef3c5b9f"},
    {524289, "355acec90f25617bed6ee0e57380add05b4abb6855b8c7a9224c142cf027a98a"},
    {528384, "d88e5c2aea165a8d8864af881899bbd4e3a59c3a951524b8226b4a0c6044c343"},
    {67108864, "d87af4dff916f4cefac8587cf6c2444afe8b0d1597385eac0ba1c2426f8b5e67"},
    {67108865, "d2c0354a967d44d8061ca1ddd2170a11ef0d8df7cecde45312af9602773a4022"},
};

TEST(FsVerity, IsWhatFsverityUtilsSays) {
  for (const Case& test : kCases) EXPECT_EQ(DigestOf(Pattern(test.size), test.size + 1), test.digest) << test.size;
}

TEST(FsVerity, DoesNotDependOnHowTheContentArrives) {
  const std::string content = Pattern(4096 * 3 + 17);
  const std::string whole = DigestOf(content, content.size());
  for (const size_t piece : {size_t{1}, size_t{4095}, size_t{4096}, size_t{4097}}) {
    EXPECT_EQ(DigestOf(content, piece), whole) << piece;
  }
}

TEST(FsVerity, BeginsAnewAfterFinish) {
  FsVerityHasher hasher;
  hasher.Update(AsBytes("something else"));
  (void)hasher.Finish();
  hasher.Update(AsBytes(Pattern(5000)));
  EXPECT_EQ(HexEncode(hasher.Finish()), DigestOf(Pattern(5000), 5000));
}

}  // namespace
}  // namespace hostapp::composefs
