// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/root_device.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "initramfs/bootsel/cmdline.h"
#include "initramfs/helper/superblock.h"
#include "initramfs/rootfs/files.h"

namespace hostapp::initramfs {
namespace {

constexpr const char* kBlockClass = "/sys/class/block";
constexpr uint64_t kDefaultRootDelay = 10;
constexpr uint64_t kMaxRootDelay = 3600;

size_t ReadAt(const Fd& fd, uint64_t offset, std::span<std::byte> buffer) {
  const ssize_t got = pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
  return got < 0 ? 0 : static_cast<size_t>(got);
}

Superblock SuperblockOf(const char* device) {
  const Fd fd(open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) return {};
  std::array<std::byte, kSuperblockHeadBytes> head{};
  std::array<std::byte, kBtrfsBytes> btrfs{};
  const size_t head_bytes = ReadAt(fd, 0, head);
  const size_t btrfs_bytes = ReadAt(fd, kBtrfsOffset, btrfs);
  return ParseSuperblock(std::span(head).first(head_bytes), std::span(btrfs).first(btrfs_bytes));
}

uint32_t NumberIn(const Path& path, uint32_t otherwise) {
  std::array<char, 24> buffer{};
  std::string_view text;
  if (!ReadFileAt(AT_FDCWD, path.c_str(), buffer, text)) return otherwise;
  while (text.ends_with('\n')) text.remove_suffix(1);
  const bootsel::Serial number = bootsel::ParseSerial(text);
  return number == 0 || number > 0xffffffffU ? otherwise : static_cast<uint32_t>(number);
}

// The disk of a partition: /sys/class/block/vda1 links to …/block/vda/vda1. Empty for a whole disk.
Path DiskOf(const char* name) {
  std::array<char, 512> link{};
  const ssize_t length = readlink(PathOf(kBlockClass, "/", name).c_str(), link.data(), link.size());
  if (length <= 0) return {};
  std::string_view path(link.data(), static_cast<size_t>(length));
  const size_t last = path.rfind('/');
  if (last == std::string_view::npos) return {};
  path.remove_suffix(path.size() - last);
  const size_t before = path.rfind('/');
  if (before == std::string_view::npos) return {};
  path.remove_prefix(before + 1);
  return PathOf(path);
}

struct PartitionIdentity {
  Text<40> uuid;
  Text<40> label;
};

PartitionIdentity IdentityOf(const char* name) {
  PartitionIdentity identity;
  const uint32_t number = NumberIn(PathOf(kBlockClass, "/", name, "/partition"), 0);
  const Path disk = DiskOf(name);
  if (number == 0 || disk.empty()) return identity;
  const Fd fd(open(PathOf("/dev/", disk).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return identity;
  const uint32_t block = NumberIn(PathOf(kBlockClass, "/", disk, "/queue/logical_block_size"), 512);
  std::array<std::byte, 512> sector{};
  const size_t header_bytes = ReadAt(fd, block, sector);
  const uint64_t offset = GptEntryOffset(std::span(sector).first(header_bytes), block, number);
  std::array<std::byte, 128> entry{};
  if (offset != 0 && ReadAt(fd, offset, entry) == entry.size()) {
    return {.uuid = GptPartUuid(entry), .label = GptPartLabel(entry)};
  }
  if (ReadAt(fd, 0, sector) == sector.size()) identity.uuid = MbrPartUuid(sector, number);
  return identity;
}

bool Matches(const RootWish& wish, const char* name) {
  const Path device = PathOf("/dev/", name);
  switch (wish.by) {
    case RootBy::kUuid:
      return EqualIgnoringCase(SuperblockOf(device.c_str()).uuid, wish.value);
    case RootBy::kLabel:
      return SuperblockOf(device.c_str()).label.view() == wish.value;
    case RootBy::kPartUuid:
      return EqualIgnoringCase(IdentityOf(name).uuid, wish.value);
    case RootBy::kPartLabel:
      return IdentityOf(name).label.view() == wish.value;
    case RootBy::kDevice:
    case RootBy::kNothing:
      break;
  }
  return false;
}

bool Found(const Path& device, RootDevice& found, Problem& why) {
  if (!ExistsAt(AT_FDCWD, device.c_str())) return why.Is("no device ", device);
  const Superblock superblock = SuperblockOf(device.c_str());
  if (!superblock.type.empty() && !superblock.mountable) {
    return why.Is(device, " holds ", superblock.type, ", which this initramfs does not open");
  }
  found.device = device;
  found.fstype = Text<16>(superblock.type);
  return true;
}

void SleepMilliseconds(long milliseconds) {
  struct timespec rest = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000};
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
  }
}

// -p mends what is safe to mend. 1: mended; 2: mended, and the kernel would have to restart had it been mounted, which
// it was not; from 4 on: damage that is left. Booting with it beats not booting: the ledger's slots have checksums.
void CheckFileSystem(const RootDevice& root, Console& console) {
  constexpr const char* kChecker = "/sbin/e2fsck";
  if (root.fstype.view() != "ext4" || access(kChecker, X_OK) != 0) return;
  const pid_t child = fork();
  if (child == 0) {
    execl(kChecker, kChecker, "-p", root.device.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const bool clean = child > 0 && WIFEXITED(status) && WEXITSTATUS(status) < 4;
  if (!clean) console.Complain("checking ", root.device, ": e2fsck left damage or did not run; mounting it anyway");
}

}  // namespace

RootWish ParseRoot(std::string_view root) {
  struct Prefix {
    std::string_view text;
    RootBy by;
  };
  constexpr Prefix kPrefixes[] = {
      {"UUID=", RootBy::kUuid},
      {"LABEL=", RootBy::kLabel},
      {"PARTUUID=", RootBy::kPartUuid},
      {"PARTLABEL=", RootBy::kPartLabel},
      {"/dev/disk/by-uuid/", RootBy::kUuid},
      {"/dev/disk/by-label/", RootBy::kLabel},
      {"/dev/disk/by-partuuid/", RootBy::kPartUuid},
      {"/dev/disk/by-partlabel/", RootBy::kPartLabel},
  };
  for (const Prefix& prefix : kPrefixes) {
    if (!root.starts_with(prefix.text)) continue;
    root.remove_prefix(prefix.text.size());
    return root.empty() ? RootWish{} : RootWish{.by = prefix.by, .value = root};
  }
  if (root.starts_with("/dev/") && root.size() > 5) return {.by = RootBy::kDevice, .value = root};
  return {};
}

bool FindRoot(const RootWish& wish, RootDevice& found, Problem& why) {
  if (wish.by == RootBy::kNothing) return why.Is("root= names neither a device nor UUID, LABEL, PARTUUID or PARTLABEL");
  if (wish.by == RootBy::kDevice) return Found(PathOf(wish.value), found, why);
  const Fd devices(open(kBlockClass, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!devices.ok()) return why.IsErrno(errno, "reading ", kBlockClass);
  DirectoryReader reader(devices.get());
  for (const char* name = nullptr; reader.Next(name);) {
    if (Matches(wish, name)) return Found(PathOf("/dev/", name), found, why);
  }
  return why.Is("no block device has the identity that root= asks for (", wish.value, ")");
}

bool WaitForRoot(std::string_view cmdline, RootDevice& found, Problem& why) {
  constexpr long kPollMilliseconds = 100;
  const RootWish wish = ParseRoot(bootsel::LastValue(cmdline, "root"));
  uint64_t seconds = bootsel::ParseSerial(bootsel::LastValue(cmdline, "rootdelay"));
  if (seconds == 0) seconds = kDefaultRootDelay;
  if (seconds > kMaxRootDelay) seconds = kMaxRootDelay;
  for (uint64_t waited = 0; !FindRoot(wish, found, why); waited += kPollMilliseconds) {
    if (wish.by == RootBy::kNothing || waited >= seconds * 1000) return false;
    SleepMilliseconds(kPollMilliseconds);
  }
  return true;
}

bool MountRoot(std::string_view cmdline, const RootDevice& device, const char* target, Console& console, Problem& why) {
  CheckFileSystem(device, console);
  const Text<16> asked_type(bootsel::LastValue(cmdline, "rootfstype"));
  const Text<16>& type = asked_type.empty() ? device.fstype : asked_type;
  const Text<512> flags(bootsel::LastValue(cmdline, "rootflags"));
  if (type.empty()) return why.Is(device.device, " holds no file system that this initramfs knows; give rootfstype=");
  if (mount(device.device.c_str(), target, type.c_str(), 0, flags.c_str()) == 0) return true;
  const int error = errno;
  if (error == EROFS || error == EACCES) {
    console.Complain(device.device, " takes no writes: mounting it read-only");
    if (mount(device.device.c_str(), target, type.c_str(), MS_RDONLY, flags.c_str()) == 0) return true;
  }
  return why.IsErrno(error, "mounting ", device.device, " as ", type);
}

}  // namespace hostapp::initramfs
