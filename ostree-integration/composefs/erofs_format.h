// SPDX-License-Identifier: Apache-2.0
// Numbers of EROFS's format on disk (docs.kernel.org/filesystems/erofs.html, erofs.docs.kernel.org) and of composefs's
// header. All fields are little-endian; the writers of each structure are in erofs_writer.cc.
#pragma once

#include <cstdint>

namespace hostapp::composefs {

inline constexpr uint32_t kBlockBits = 12;
inline constexpr uint64_t kBlockBytes = uint64_t{1} << kBlockBits;
inline constexpr uint64_t kSlotBytes = 32;  // an inode begins at a multiple; its number is the quotient (nid)

// composefs's header is at 0, the super block behind the 1024 bytes left for boot code, the inodes follow.
inline constexpr uint32_t kComposefsMagic = 0xd078629a;
inline constexpr uint32_t kComposefsHeaderVersion = 1;
inline constexpr uint32_t kComposefsHasAcl = 1;
inline constexpr uint64_t kSuperBlockAt = 1024;
inline constexpr uint64_t kSuperBlockBytes = 128;
inline constexpr uint64_t kInodesAt = kSuperBlockAt + kSuperBlockBytes;
inline constexpr uint32_t kErofsMagic = 0xe0f5e1e2;
inline constexpr uint32_t kCompatMtime = 2;
inline constexpr uint32_t kCompatXattrFilter = 4;

// Inodes: i_format is the kind of inode (bit 0) and how its data lies (from bit 1).
inline constexpr uint32_t kCompactInodeBytes = 32;
inline constexpr uint32_t kExtendedInodeBytes = 64;
enum class DataLayout : uint16_t { kFlatPlain = 0, kFlatInline = 2, kChunkBased = 4 };

// Chunk-based: a table of block numbers, one a chunk; composefs's are all holes.
inline constexpr uint32_t kMaxChunkBits = kBlockBits + 31;
inline constexpr uint32_t kChunkEntryBytes = 4;
inline constexpr uint32_t kMaxChunks = kBlockBytes / kChunkEntryBytes;
inline constexpr uint32_t kNullBlock = 0xffffffff;

// Extended attributes: behind the inode a header, numbers of shared ones (in words), then those of its own.
inline constexpr uint32_t kXattrHeaderBytes = 12;
inline constexpr uint32_t kXattrEntryBytes = 4;
inline constexpr uint32_t kXattrWord = 4;
inline constexpr uint32_t kMaxSharedXattrs = 128;  // of one inode: as many as composefs takes
inline constexpr uint32_t kXattrFilterSeed = 0x25bbe08f;

inline constexpr uint32_t kDirentBytes = 12;
enum class FileType : uint8_t { kRegular = 1, kFolder, kCharDevice, kBlockDevice, kFifo, kSocket, kSymlink };

constexpr uint64_t RoundUp(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

}  // namespace hostapp::composefs
