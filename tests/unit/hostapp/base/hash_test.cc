// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/hash.h"

#include <gtest/gtest.h>

namespace hostapp {
namespace {

// FIPS 180-2, appendices B and C.
TEST(Hash, MatchesTheStandardsVectors) {
  EXPECT_EQ(HashOf(AsBytes("")).Hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HashOf(AsBytes("abc")).Hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HashOf(AsBytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).Hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(HashOf(AsBytes("abc"), HashAlgorithm::kSha512).Hex(),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Hasher, GivesTheSameForAnyPiecesAndBeginsAnew) {
  Hasher hasher;
  const std::string million(1000000, 'a');
  for (size_t at = 0; at < million.size(); at += 777) hasher.Update(AsBytes(std::string_view(million).substr(at, 777)));
  EXPECT_EQ(hasher.Finish().Hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  hasher.Update(AsBytes("abc"));
  EXPECT_EQ(hasher.Finish(), HashOf(AsBytes("abc")));
}

TEST(HashValue, TellsAlgorithmsApart) { EXPECT_NE(HashOf(AsBytes("")), HashOf(AsBytes(""), HashAlgorithm::kSha512)); }

}  // namespace
}  // namespace hostapp
