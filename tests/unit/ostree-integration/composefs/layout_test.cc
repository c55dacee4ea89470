// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/layout.h"

#include <gtest/gtest.h>

namespace hostapp::composefs {
namespace {

struct ChunkCase {
  uint64_t bytes;
  uint32_t bits;
  uint32_t count;
};

constexpr ChunkCase kChunkCases[] = {
    {1, 12, 1},
    {4096, 12, 1},
    {4097, 13, 1},
    {uint64_t{1} << 43, 43, 1},
    {(uint64_t{1} << 43) + 1, 43, 2},
    {uint64_t{1} << 53, 43, 1024},
};

TEST(Chunks, AreAsFewAsTheFormatAllows) {
  for (const ChunkCase& test : kChunkCases) {
    EXPECT_EQ(ChunksOf(test.bytes).bits, test.bits) << test.bytes;
    EXPECT_EQ(ChunksOf(test.bytes).count, test.count) << test.bytes;
  }
}

struct PlaceCase {
  const char* what;
  uint32_t type;
  uint64_t position;
  uint32_t head;
  uint32_t tail;
  uint64_t at;
  uint32_t blocks;
  uint32_t left_in_tail;
};

constexpr PlaceCase kPlaceCases[] = {
    {"begins at a slot", S_IFREG, 1153, 32, 10, 1184, 0, 10},
    {"its tail ends with the block", S_IFREG, 4000, 32, 64, 4000, 0, 64},
    {"its tail would cross: begins with the next block", S_IFREG, 4000, 32, 65, 4064, 0, 65},
    {"an inode alone may cross", S_IFREG, 4064, 64, 0, 4064, 0, 0},
    {"a tail of a block that fits nowhere gets one", S_IFREG, 4064, 36, 4096, 4096, 1, 0},
    {"a link that fits", S_IFLNK, 4032, 32, 32, 4032, 0, 32},
    {"a link that would cross begins a block", S_IFLNK, 4032, 32, 33, 4096, 0, 33},
    {"a link of a block with its inode gets a block", S_IFLNK, 4032, 32, 4064, 4096, 1, 0},
    {"a link just below that", S_IFLNK, 4032, 32, 4063, 4096, 0, 4063},
};

TEST(PlaceInode, KeepsTailsWithinABlock) {
  for (const PlaceCase& test : kPlaceCases) {
    Inode inode;
    inode.mode = static_cast<uint16_t>(test.type);
    const Place place = PlaceInode(test.position, inode, test.head, {.tail = test.tail});
    EXPECT_EQ(place.at, test.at) << test.what;
    EXPECT_EQ(place.data.blocks, test.blocks) << test.what;
    EXPECT_EQ(place.data.tail, test.left_in_tail) << test.what;
  }
}

}  // namespace
}  // namespace hostapp::composefs
