// SPDX-License-Identifier: Apache-2.0
// The only file that renames, links, removes and syncs.
//
// What "on disk" means here: after a function documented as durable returns ok, power loss keeps its effect. A failed
// fsync is final (the kernel has dropped the pages and says so once): the file is removed, never synced again.
// All names are relative to a folder's descriptor. Nothing that changes, lists or removes something follows a symbolic
// link in the last component; OpenDir(), MakeDirs() and ReadFile() do: an administrator's link is as good as what it
// leads to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"
#include "hostapp/base/syscalls.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp {

// Opens an existing folder, as an anchor for names below it. kNotFound, kIo.
Result<UniqueFd> OpenDir(int dir, std::string_view path, Syscalls& sys);

// Makes every folder of `path` that is missing, mode `mode`, and opens the last one. Not yet durable.
Result<UniqueFd> MakeDirs(int dir, std::string_view path, mode_t mode, Syscalls& sys);

// Opens a regular file for reading, and waits for nobody. kNotFound; kCorrupt for anything else that has the name: a
// folder, a symbolic link, a FIFO, a device.
Result<UniqueFd> OpenRegular(int dir, std::string_view path);

// Reads a whole file of at most `max_bytes`. kNotFound; kCorrupt if it is longer or no regular file.
Result<std::string> ReadFile(int dir, std::string_view path, uint64_t max_bytes);

// Whether something has that name (a dangling symbolic link counts).
bool Exists(int dir, std::string_view path);

// Names in a folder, sorted, without "." and "..".
Result<std::vector<std::string>> ListDir(int dir, std::string_view path);

// Writes all of `bytes` at the descriptor's position; a short write goes on.
Status WriteAll(int fd, ByteSpan bytes, Syscalls& sys);

// Durable. Gives `name` in the folder `dir` the content `bytes`: whole, or what it was before. A crash may leave
// ".<name>.new", which the next call overwrites.
Status ReplaceFile(int dir, std::string_view name, ByteSpan bytes, mode_t mode, Syscalls& sys);

// Durable. Writes `name` at once, over what has that name: for content that itself says whether it is whole, where a
// rename is worth little, as on FAT. What has the name and is no regular file is removed first. A crash may leave a
// part of it, or an empty file; on an error it is removed.
Status WriteUnderItsName(int dir, std::string_view name, ByteSpan bytes, mode_t mode, Syscalls& sys);

// ReplaceFile() where a boot loader reads, which may be FAT. There a new name is that of an empty file until the file
// itself is synced, so that comes before its folder. A disk that reorders writes can leave a file under both names, on
// the same clusters, until fsck.fat has emptied one of them (BootMount).
Status ReplaceFileOnFat(int dir, std::string_view name, ByteSpan bytes, mode_t mode, Syscalls& sys);

// Durable. Overwrites existing blocks of a file in place, for records with slots of their own.
Status OverwriteInPlace(int fd, uint64_t offset, ByteSpan bytes, Syscalls& sys);

Status SyncFile(int fd, Syscalls& sys);
// A folder's entries: what was created, renamed or removed in it.
Status SyncDir(int dir, Syscalls& sys);
// Everything on the file system that holds `fd`, a folder.
Status SyncFilesystem(int fd, Syscalls& sys);

// SyncFilesystem(), and then also for who reads the disk without replaying its journal, as boot loaders do: the file
// system is frozen and thawed, which writes everything to its place. Where that does not exist (FAT has no journal) or
// is not allowed to this process, the sync is all there is. Waits up to ten seconds while somebody else has it frozen.
Status CheckpointFilesystem(int fd, Syscalls& sys);

// Renames; replaces what has the new name. Durable after SyncDir() of both folders.
Status Rename(int old_dir, std::string_view old_name, int new_dir, std::string_view new_name, Syscalls& sys);
// The same, but kBusy when something has the new name already.
Status RenameNoReplace(int old_dir, std::string_view old_name, int new_dir, std::string_view new_name, Syscalls& sys);

// Removes a file; ok when there is none. Durable after SyncDir().
Status RemoveFile(int dir, std::string_view name, Syscalls& sys);
// Removes a file or a folder with everything below it, never leaving the file system it is on: a mount point below it
// is kBusy. Ok when there is none. A crash leaves a part of it. Durable after SyncDir(). `dir` may be AT_FDCWD, with a
// path that does not end in a slash.
Status RemoveTree(int dir, std::string_view name, Syscalls& sys);
// RemoveTree() of what is a folder; ok for everything else, which a rename over it replaces.
Status RemoveFolder(int dir, std::string_view name, Syscalls& sys);

struct FreeSpace {
  uint64_t bytes = 0;
  uint64_t inodes = 0;  // UINT64_MAX where the file system has no such limit (btrfs)
};
// What an ordinary write could still take.
Result<FreeSpace> FreeSpaceOn(int fd, Syscalls& sys);

}  // namespace hostapp
