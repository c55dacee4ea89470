// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/pack.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/layer/oci_archive.h"
#include "hostapp/oci/annotations.h"
#include "hostapp/oci/image_config.h"
#include "hostapp/oci/layout.h"
#include "tests/support/byte_streams.h"
#include "tests/support/tar_bytes.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TarBytes;
using testing::TempDir;
using testing::TestContext;
using Type = TarEntry::Type;

struct Member {
  TarEntry entry;
  std::string content;
};
using Layer = std::map<std::string, Member>;

// Blobs and the manifest in memory, and the layers read back with the strict reader.
class MemoryImage : public ImageDestination {
 public:
  Result<bool> HasBlob(const Descriptor& blob, OpContext&) override { return blobs.contains(blob.digest.ToString()); }
  Result<bool> TryReuseBlob(const Descriptor&, OpContext&) override { return false; }
  Status PutBlob(const Descriptor& blob, int file, OpContext&) override {
    std::string bytes(blob.size, '\0');
    EXPECT_EQ(::pread(file, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(blob.size));
    EXPECT_EQ(Digest::Of(AsBytes(bytes)), blob.digest);
    blobs[blob.digest.ToString()] = bytes;
    return Ok();
  }
  Status PutManifest(const Document& document, Tagged, OpContext&) override {
    manifest = document;
    return Ok();
  }
  Status Commit(OpContext&) override {
    committed = true;
    return Ok();
  }

  Manifest Parsed() const { return *ParseManifest(*manifest); }
  ImageConfig Config() const {
    const Manifest parsed = Parsed();
    return *ParseImageConfig(blobs.at(parsed.config.digest.ToString()), parsed.layers.size());
  }
  std::vector<Layer> Layers() const {
    std::vector<Layer> out;
    const Manifest parsed = Parsed();
    const ImageConfig config = Config();
    for (size_t i = 0; i < parsed.layers.size(); ++i) {
      const Descriptor& layer = parsed.layers[i];
      testing::TextSource blob(blobs.at(layer.digest.ToString()));
      const auto plain = Decompress(*CompressionOfMediaType(layer.media_type), blob, UINT64_MAX);
      EXPECT_TRUE(plain.ok());
      const std::string tar = *testing::ReadAll(**plain);
      EXPECT_EQ(Digest::Of(AsBytes(tar)), config.diff_ids[i]);
      out.push_back(ReadLayer(tar));
    }
    return out;
  }

  std::map<std::string, std::string> blobs;
  std::optional<Document> manifest;
  bool committed = false;

 private:
  static Layer ReadLayer(const std::string& tar) {
    Layer out;
    testing::TextSource source(tar);
    TarReader reader(source, {});
    std::string last;
    for (;;) {
      auto entry = reader.Next();
      EXPECT_TRUE(entry.ok()) << entry.error().message();
      if (!entry.ok() || !*entry) return out;
      Member member{**entry, {}};
      std::byte buffer[4096];
      for (;;) {
        const auto got = reader.ReadContent(buffer);
        if (!got.ok() || *got == 0) break;
        member.content.append(AsText(ByteSpan(buffer).first(*got)));
      }
      EXPECT_TRUE(out.empty() || last < member.entry.path) << "sorted by bytes";
      last = member.entry.path;
      out.emplace(member.entry.path, std::move(member));
    }
  }
};

class PackTest : public ::testing::Test {
 protected:
  PackTest() { options_.temp_dir = dir_.path(); }

  void MakeTree(const std::string& name, bool backwards = false) {
    const std::string root = dir_ / name;
    std::vector<std::pair<std::string, std::string>> files = {{"usr/bin/tool", "#!/bin/sh\n"},
                                                              {"usr/lib/a", std::string(100000, 'a')},
                                                              {"etc/motd", "hello\n"},
                                                              {"usr/lib/modules/6.1/vmlinuz", "kernel"},
                                                              {"usr/lib/empty", ""}};
    if (backwards) std::reverse(files.begin(), files.end());
    for (const auto& [path, content] : files) {
      fs::create_directories(fs::path(root + "/" + path).parent_path());
      std::ofstream(root + "/" + path, std::ios::binary) << content;
    }
    fs::create_directories(root + "/tmp");
    fs::create_symlink("usr/bin", root + "/bin");
    fs::create_hard_link(root + "/usr/bin/tool", root + "/usr/bin/alias");
    ASSERT_EQ(::chmod((root + "/usr/bin/tool").c_str(), 04755), 0);
    ASSERT_EQ(::chmod((root + "/tmp").c_str(), 01777), 0);
    Touch(root, 1700000000);
  }
  // All times of a tree, folders too.
  static void Touch(const std::string& root, int64_t seconds) {
    const timespec times[2] = {{.tv_sec = seconds, .tv_nsec = 123}, {.tv_sec = seconds, .tv_nsec = 123}};
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      ASSERT_EQ(::utimensat(AT_FDCWD, entry.path().c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
    }
    ASSERT_EQ(::utimensat(AT_FDCWD, root.c_str(), times, 0), 0);
  }
  std::string WriteFile(const std::string& name, const std::string& bytes) {
    std::ofstream(dir_ / name, std::ios::binary) << bytes;
    return dir_ / name;
  }
  Result<PackResult> PackIt(const std::string& rootfs, MemoryImage& image) {
    options_.rootfs = rootfs;
    return Pack(options_, image, context_.ctx);
  }
  MemoryImage Packed(const std::string& rootfs) {
    MemoryImage image;
    const auto result = PackIt(rootfs, image);
    EXPECT_TRUE(result.ok()) << result.error().message();
    EXPECT_TRUE(image.committed);
    EXPECT_EQ(result->manifest.digest, image.manifest->digest());
    return image;
  }

  TempDir dir_;
  TestContext context_;
  PackOptions options_;
};

TEST_F(PackTest, PutsAFolderIntoALayerAsItIs) {
  MakeTree("rootfs");
  const bool xattrs = ::setxattr((dir_ / "rootfs/etc/motd").c_str(), "user.note", "n", 1, 0) == 0;
  Touch(dir_ / "rootfs", 1700000000);
  options_.labels = {{std::string(kVersionLabel), "1.0"}};
  const MemoryImage image = Packed(dir_ / "rootfs");
  const auto layers = image.Layers();
  ASSERT_EQ(layers.size(), 1u);
  const Layer& layer = layers[0];
  std::vector<std::string> paths;
  for (const auto& [path, member] : layer) paths.push_back(path);
  EXPECT_THAT(paths, ElementsAre("", "bin", "etc", "etc/motd", "tmp", "usr", "usr/bin", "usr/bin/alias", "usr/bin/tool",
                                 "usr/lib", "usr/lib/a", "usr/lib/empty", "usr/lib/modules", "usr/lib/modules/6.1",
                                 "usr/lib/modules/6.1/vmlinuz"));
  EXPECT_EQ(layer.at("usr/lib/a").content, std::string(100000, 'a'));
  EXPECT_EQ(layer.at("usr/bin/alias").entry.mode, 04755u);
  EXPECT_EQ(layer.at("usr/bin/tool").entry.type, Type::kHardlink);
  EXPECT_EQ(layer.at("usr/bin/tool").entry.link_target, "usr/bin/alias");
  EXPECT_EQ(layer.at("bin").entry.link_target, "usr/bin");
  EXPECT_EQ(layer.at("tmp").entry.mode, 01777u);
  EXPECT_EQ(layer.at("etc/motd").entry.mtime, 1700000000);
  EXPECT_EQ(layer.at("etc/motd").entry.mtime_nanos, 0u);
  EXPECT_EQ(layer.at("etc/motd").entry.uid, ::getuid());
  if (xattrs) {
    EXPECT_EQ(layer.at("etc/motd").entry.xattrs.at("user.note"), "n");
  }
  const ImageConfig config = image.Config();
  EXPECT_EQ(config.version(), "1.0");
  EXPECT_EQ(config.platform, HostPlatform());
  EXPECT_EQ(config.created, 1700000000);
  EXPECT_TRUE(CheckIsImage(image.Parsed()).ok());
}

TEST_F(PackTest, SaysWhatADeviceWillNeed) {
  MakeTree("rootfs");
  options_.compression = Compression::kNone;
  const Manifest plain = Packed(dir_ / "rootfs").Parsed();
  options_.compression = Compression::kZstd;
  const Manifest compressed = Packed(dir_ / "rootfs").Parsed();
  EXPECT_EQ(compressed.layers[0].annotations.at(std::string(kUncompressedSizeAnnotation)),
            std::to_string(plain.layers[0].size));
  EXPECT_EQ(compressed.layers[0].annotations.at(std::string(kEntriesAnnotation)), "15");
  EXPECT_EQ(compressed.annotations.at(std::string(kBootSetSizeAnnotation)), std::to_string(std::strlen("kernel")));
  EXPECT_EQ(Packed(dir_ / "rootfs").Config().labels.at(std::string(kKernelLabel)), "6.1");
}

TEST_F(PackTest, MakesTheSameImageWhateverTheClockAndTheOrderOfEntries) {
  MakeTree("one");
  MakeTree("two", true);
  for (const int layers : {1, 4}) {
    for (const Compression compression : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
      options_.layers = layers;
      options_.compression = compression;
      const MemoryImage one = Packed(dir_ / "one");
      context_.clock.Sleep(std::chrono::hours(1000));
      EXPECT_EQ(one.manifest->bytes, Packed(dir_ / "two").manifest->bytes);
    }
  }
}

TEST_F(PackTest, CutsTimesAtSourceDateEpoch) {
  MakeTree("one");
  MakeTree("two");
  Touch(dir_ / "two", 1600000000 + 1);
  options_.source_date_epoch = 1600000000;
  const MemoryImage image = Packed(dir_ / "one");
  EXPECT_EQ(image.manifest->bytes, Packed(dir_ / "two").manifest->bytes);
  EXPECT_EQ(image.Config().created, 1600000000);
  EXPECT_EQ(image.Layers()[0].at("etc/motd").entry.mtime, 1600000000);
}

TEST_F(PackTest, NamesWhatItLeavesOut) {
  MakeTree("rootfs");
  fs::create_directory(dir_ / "rootfs/run");
  std::ofstream(dir_ / "rootfs/run/lock") << "x";
  ASSERT_EQ(::mkfifo((dir_ / "rootfs/etc/pipe").c_str(), 0600), 0);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", (dir_ / "rootfs/etc/socket").c_str());
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(listener);
  MemoryImage image;
  const auto result = PackIt(dir_ / "rootfs", image);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_THAT(result->dropped,
              ElementsAre("etc/pipe: a FIFO", "etc/socket: a socket", "run/lock: below a folder that is mounted over"));
  EXPECT_FALSE(image.Layers()[0].contains("run/lock"));
  EXPECT_TRUE(image.Layers()[0].contains("run"));
}

TEST_F(PackTest, RefusesALinkWhereADeploymentHasAFolder) {
  fs::create_directories(dir_ / "rootfs");
  fs::create_symlink("usr/etc", dir_ / "rootfs/etc");
  MemoryImage image;
  const auto result = PackIt(dir_ / "rootfs", image);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), Errc::kCorrupt);
  EXPECT_THAT(result.error().message(), HasSubstr("etc: must be a directory"));
}

TEST_F(PackTest, RefusesAFileNamedLikeAWhiteout) {
  fs::create_directories(dir_ / "rootfs");
  std::ofstream(dir_ / "rootfs/.wh.x").close();
  MemoryImage image;
  EXPECT_EQ(PackIt(dir_ / "rootfs", image).error().code(), Errc::kCorrupt);
  EXPECT_FALSE(image.committed);
}

TEST_F(PackTest, ReadsATarWithOwnersThatThisUserCouldNotMake) {
  const std::string tar = TarBytes()
                              .Dir("./", {.mode = "0000755"})
                              .Pax({{"SCHILY.xattr.user.note", "n"}})
                              .File("./etc/shadow", "secret", {.mode = "0000640", .uid = "0000001", .gid = "0000052"})
                              .Hardlink("./etc/shadow-", "./etc/shadow")
                              .Symlink("./lib", "usr/lib")
                              .File("./etc/ümläut", "u")
                              .Device("./dev/console", '3', 5, 1)
                              .File("./etc/twice", "old")
                              .File("./etc/twice", "new")
                              .End();
  MemoryImage image;
  const auto result = PackIt(WriteFile("rootfs.tar", tar), image);
  ASSERT_TRUE(result.ok()) << result.error().message();
  const Layer layer = image.Layers()[0];
  EXPECT_EQ(layer.at("etc/shadow").entry.uid, 1u);
  EXPECT_EQ(layer.at("etc/shadow").entry.gid, 42u);
  EXPECT_EQ(layer.at("etc/shadow").content, "secret");
  EXPECT_EQ(layer.at("etc/shadow").entry.xattrs.at("user.note"), "n");
  EXPECT_EQ(layer.at("etc/shadow-").entry.link_target, "etc/shadow");
  EXPECT_EQ(layer.at("etc/ümläut").content, "u");
  EXPECT_EQ(layer.at("etc/twice").content, "new");
  EXPECT_EQ(layer.at("etc").entry.mode, 0755u);  // nothing brought it
  EXPECT_THAT(result->dropped, ElementsAre("dev/console: below a folder that is mounted over"));
}

TEST_F(PackTest, MakesTheSameImageOfAFolderAndItsTar) {
  MakeTree("rootfs");
  const std::string command =
      StrCat("tar --sort=name --numeric-owner --format=pax -C ", dir_ / "rootfs", " -cf ", dir_ / "rootfs.tar", " .");
  ASSERT_EQ(std::system(command.c_str()), 0);
  ASSERT_EQ(std::system(StrCat("xz -k ", dir_ / "rootfs.tar").c_str()), 0);
  ASSERT_EQ(std::system(StrCat("tar --format=gnu -C ", dir_ / "rootfs", " -czf ", dir_ / "gnu.tar.gz", " .").c_str()),
            0);
  const std::string of_folder = Packed(dir_ / "rootfs").manifest->bytes;
  EXPECT_EQ(Packed(dir_ / "rootfs.tar").manifest->bytes, of_folder);
  EXPECT_EQ(Packed(dir_ / "rootfs.tar.xz").manifest->bytes, of_folder);
  EXPECT_EQ(Packed(dir_ / "gnu.tar.gz").manifest->bytes, of_folder);
}

TEST_F(PackTest, ReadsASparseFileWhole) {
  fs::create_directories(dir_ / "rootfs/usr");
  { std::ofstream(dir_ / "rootfs/usr/disk") << "begin"; }
  fs::resize_file(dir_ / "rootfs/usr/disk", 3000000);
  Touch(dir_ / "rootfs", 1700000000);
  ASSERT_EQ(std::system(StrCat("tar -S -C ", dir_ / "rootfs", " -cf ", dir_ / "sparse.tar", " .").c_str()), 0);
  ASSERT_LT(fs::file_size(dir_ / "sparse.tar"), 100000u);
  const MemoryImage image = Packed(dir_ / "sparse.tar");
  EXPECT_EQ(image.Layers()[0].at("usr/disk").content, "begin" + std::string(3000000 - 5, '\0'));
  EXPECT_EQ(image.manifest->bytes, Packed(dir_ / "rootfs").manifest->bytes);
}

TEST_F(PackTest, RefusesWhatIsNoRootFileSystem) {
  const std::vector<std::string> bad = {
      WriteFile("empty", ""),
      WriteFile("text", std::string(5000, 'x')),
      WriteFile("up.tar", TarBytes().File("../x", "").End()),
      WriteFile("cut.tar", TarBytes().File("x", std::string(5000, 'x')).bytes().substr(0, 3000)),
      WriteFile("below.tar", TarBytes().Symlink("d", "/etc").File("d/x", "").End()),
      WriteFile("link.tar", TarBytes().Hardlink("x", "nothing").End())};
  for (const std::string& path : bad) {
    MemoryImage image;
    const auto result = PackIt(path, image);
    ASSERT_FALSE(result.ok()) << path;
    EXPECT_EQ(result.error().code(), Errc::kCorrupt) << result.error().message();
    EXPECT_FALSE(image.committed);
  }
  MemoryImage image;
  EXPECT_EQ(PackIt(dir_ / "missing", image).error().code(), Errc::kNotFound);
}

TEST_F(PackTest, RefusesOptionsThatMakeNoSense) {
  MakeTree("rootfs");
  const auto code = [&](auto change) {
    const PackOptions before = options_;
    change(options_);
    MemoryImage image;
    const auto result = PackIt(dir_ / "rootfs", image);
    options_ = before;
    return result.ok() ? Errc::kInternal : result.error().code();
  };
  EXPECT_EQ(code([](PackOptions& o) { o.layers = 0; }), Errc::kInvalid);
  EXPECT_EQ(code([](PackOptions& o) { o.layers = 128; }), Errc::kInvalid);
  EXPECT_EQ(code([](PackOptions& o) { o.level = 99; }), Errc::kInvalid);
  EXPECT_EQ(code([](PackOptions& o) { o.labels["a"] = "\xff"; }), Errc::kInvalid);
  EXPECT_EQ(code([](PackOptions& o) { o.source_date_epoch = -1; }), Errc::kInvalid);
}

// A small system with a package database.
class PackLayersTest : public PackTest {
 protected:
  static constexpr int kPackages = 12;

  void MakeSystem(const std::string& name, const std::string& version_of_p3, bool extra_file = false) {
    const std::string root = dir_ / name;
    const auto write = [&](const std::string& path, const std::string& content) {
      fs::create_directories(fs::path(root + "/" + path).parent_path());
      std::ofstream(root + "/" + path, std::ios::binary) << content;
    };
    for (int i = 0; i < kPackages; ++i) {
      const std::string package = StrCat("p", i);
      write(StrCat("usr/bin/", package), i == 3 ? version_of_p3 : package);
      write(StrCat("var/lib/dpkg/info/", package, i % 2 == 0 ? ":amd64" : "", ".list"),
            StrCat("/.\n/bin\n/bin/", package, "\n"));
    }
    fs::create_symlink("usr/bin", root + "/bin");
    write("usr/lib/modules/6.1/vmlinuz", "kernel");
    write("boot/config", "c");
    write("etc/hostname", name);
    if (extra_file) write("usr/bin/local", "local");
    Touch(root, extra_file ? 1700000001 : 1700000000);
    // Only folders and what changed have new times.
    const timespec times[2] = {{.tv_sec = 1700000000, .tv_nsec = 0}, {.tv_sec = 1700000000, .tv_nsec = 0}};
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.is_symlink() || !entry.is_directory())
        ::utimensat(AT_FDCWD, entry.path().c_str(), times, AT_SYMLINK_NOFOLLOW);
    }
  }
};

TEST_F(PackLayersTest, KeepsPackagesTogetherAndTheKernelApart) {
  MakeSystem("v1", "3");
  options_.layers = 5;
  MemoryImage image;
  const auto result = PackIt(dir_ / "v1", image);
  ASSERT_TRUE(result.ok()) << result.error().message();
  const auto layers = image.Layers();
  ASSERT_EQ(layers.size(), result->layers.size());
  EXPECT_LE(layers.size(), 5u);
  EXPECT_EQ(result->layers.front().comment, "kernel");
  EXPECT_TRUE(layers.front().contains("usr/lib/modules/6.1/vmlinuz"));
  EXPECT_TRUE(layers.front().contains("boot/config"));
  EXPECT_EQ(result->layers.back().comment, "rest");
  EXPECT_TRUE(layers.back().contains("etc/hostname"));
  std::map<std::string, int> times_seen;
  for (const Layer& layer : layers) {
    for (int i = 0; i < kPackages; ++i) {
      const std::string package = StrCat("p", i);
      const std::string list = StrCat("var/lib/dpkg/info/", package, i % 2 == 0 ? ":amd64" : "", ".list");
      EXPECT_EQ(layer.contains("usr/bin/" + package), layer.contains(list)) << package;
    }
    for (const auto& [path, member] : layer) {
      if (member.entry.type != Type::kDirectory) ++times_seen[path];
      const size_t slash = path.rfind('/');
      EXPECT_TRUE(path.empty() || layer.contains(slash == std::string::npos ? "" : path.substr(0, slash))) << path;
    }
  }
  for (const auto& [path, times] : times_seen) EXPECT_EQ(times, 1) << path;
  EXPECT_EQ(layers.back().at("usr/bin").entry.mtime, 1700000000);
  EXPECT_EQ(layers.front().at("usr/lib").entry.mtime, 0);
}

TEST_F(PackLayersTest, ChangesOnlyTheLayersWithAChange) {
  MakeSystem("v1", "3");
  MakeSystem("v2", "three", true);
  options_.layers = 8;
  MemoryImage one, two;
  const auto first = PackIt(dir_ / "v1", one), second = PackIt(dir_ / "v2", two);
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_EQ(first->layers.size(), second->layers.size());
  std::vector<std::string> changed;
  for (size_t i = 0; i < first->layers.size(); ++i) {
    if (first->layers[i].diff_id == second->layers[i].diff_id) continue;
    changed.push_back(first->layers[i].comment);
    if (i + 1 < first->layers.size()) {
      EXPECT_TRUE(one.Layers()[i].contains("usr/bin/p3"));
    }
  }
  EXPECT_EQ(changed.size(), 2u);
  EXPECT_EQ(changed.back(), "rest");
}

TEST_F(PackLayersTest, KeepsNamesOfOneInodeInOneLayer) {
  MakeSystem("v1", "3");
  fs::create_hard_link(dir_ / "v1/usr/bin/p0", dir_ / "v1/zz-local-name");
  options_.layers = 8;
  const auto layers = Packed(dir_ / "v1").Layers();
  int found = 0;
  for (const Layer& layer : layers) {
    const auto link = layer.find("zz-local-name");
    if (link == layer.end()) continue;
    ++found;
    EXPECT_EQ(link->second.entry.link_target, "usr/bin/p0");
    EXPECT_TRUE(layer.contains("usr/bin/p0"));
  }
  EXPECT_EQ(found, 1);
}

TEST_F(PackLayersTest, SplitsByFolderWithoutAPackageDatabase) {
  MakeTree("rootfs");
  options_.layers = 6;
  const auto layers = Packed(dir_ / "rootfs").Layers();
  EXPECT_GT(layers.size(), 2u);
  EXPECT_TRUE(layers.front().contains("usr/lib/modules/6.1/vmlinuz"));
  EXPECT_TRUE(layers.back().contains("etc/motd"));
}

Reference LayoutRef(const std::string& path, const std::string& tag) {
  Reference reference;
  reference.transport = Reference::Transport::kLayoutDir;
  reference.path = path;
  reference.tag = tag;
  return reference;
}

TEST_F(PackLayersTest, PutsOnlyTheDifferenceOnABase) {
  MakeSystem("v1", "3");
  MakeSystem("v2", "three", true);
  fs::remove(dir_ / "v2/usr/bin/p5");
  fs::remove_all(dir_ / "v2/boot");
  Touch(dir_ / "v2", 1700000000);
  options_.rootfs = dir_ / "v1";
  options_.layers = 4;
  const Reference base = LayoutRef(dir_ / "layout", "v1");
  auto destination = OpenLayoutDirForWriting(base, context_.ctx);
  ASSERT_TRUE(destination.ok());
  const auto first = Pack(options_, **destination, context_.ctx);
  ASSERT_TRUE(first.ok()) << first.error().message();

  auto source = OpenLayoutDir(base, context_.ctx);
  ASSERT_TRUE(source.ok());
  options_.layers = 1;
  options_.base = PackOptions::Base{.reference = base, .source = source->get()};
  const MemoryImage image = Packed(dir_ / "v2");
  const auto layers = image.Layers();
  ASSERT_EQ(layers.size(), first->layers.size() + 1);
  std::set<std::string> files;
  for (const auto& [path, member] : layers.back()) {
    if (member.entry.type != Type::kDirectory) files.insert(path);
  }
  EXPECT_THAT(files, ElementsAre(".wh.boot", "etc/hostname", "usr/bin/.wh.p5", "usr/bin/local", "usr/bin/p3"));
  for (size_t i = 0; i < first->layers.size(); ++i) {
    EXPECT_EQ(image.Parsed().layers[i], first->layers[i].descriptor);
  }
}

TEST_F(PackLayersTest, AddsNoLayerWhereTheBaseHasAll) {
  MakeSystem("v1", "3");
  options_.rootfs = dir_ / "v1";
  const Reference base = LayoutRef(dir_ / "layout", "v1");
  auto destination = OpenLayoutDirForWriting(base, context_.ctx);
  ASSERT_TRUE(Pack(options_, **destination, context_.ctx).ok());
  auto source = OpenLayoutDir(base, context_.ctx);
  options_.base = PackOptions::Base{.reference = base, .source = source->get()};
  EXPECT_EQ(Packed(dir_ / "v1").Layers().size(), 1u);
}

class ArchiveTest : public PackTest {
 protected:
  Reference Ref(const std::string& tag) {
    Reference reference = LayoutRef(dir_ / "image.tar", tag);
    reference.transport = Reference::Transport::kArchive;
    return reference;
  }
  Result<PackResult> PackArchive(const std::string& tag) {
    ASSIGN_OR_RETURN(auto destination, OpenArchiveForWriting(Ref(tag), context_.ctx));
    options_.rootfs = dir_ / "rootfs";
    return Pack(options_, *destination, context_.ctx);
  }
};

TEST_F(ArchiveTest, ReadsBackWhatItWrote) {
  MakeTree("rootfs");
  const auto packed = PackArchive("v1");
  ASSERT_TRUE(packed.ok()) << packed.error().message();
  for (const char* tag : {"v1", ""}) {
    auto source = OpenArchive(Ref(tag), context_.ctx);
    ASSERT_TRUE(source.ok()) << source.error().message();
    const auto image = ResolveImage(Ref(tag), **source, HostPlatform(), context_.ctx);
    ASSERT_TRUE(image.ok()) << image.error().message();
    EXPECT_EQ(image->manifest.digest, packed->manifest.digest);
    const auto layer = SpoolBlob(dir_.fd(), image->manifest.layers[0], **source, context_.ctx);
    ASSERT_TRUE(layer.ok()) << layer.error().message();
  }
  const auto other = OpenArchive(Ref("v2"), context_.ctx);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code(), Errc::kNotFound);
  EXPECT_THAT(other.error().message(), HasSubstr("there is v1"));
}

TEST_F(ArchiveTest, WritesTheSameBytesForTheSameImage) {
  MakeTree("rootfs");
  ASSERT_TRUE(PackArchive("v1").ok());
  const std::string first = *ReadFile(dir_.fd(), "image.tar", 1 << 24);
  ASSERT_TRUE(PackArchive("v1").ok());
  EXPECT_EQ(*ReadFile(dir_.fd(), "image.tar", 1 << 24), first);
}

TEST_F(ArchiveTest, LeavesTheOldArchiveUntilTheNewOneIsWhole) {
  MakeTree("rootfs");
  ASSERT_TRUE(PackArchive("v1").ok());
  const std::string first = *ReadFile(dir_.fd(), "image.tar", 1 << 24);
  {
    auto destination = OpenArchiveForWriting(Ref("v2"), context_.ctx);
    ASSERT_TRUE(destination.ok());
  }
  EXPECT_EQ(*ReadFile(dir_.fd(), "image.tar", 1 << 24), first);
  EXPECT_FALSE(Exists(dir_.fd(), ".image.tar.new"));
}

TEST_F(ArchiveTest, RefusesHostileArchives) {  // row 118
  const std::string layout = R"({"imageLayoutVersion":"1.0.0"})";
  const std::string index = R"({"schemaVersion":2,"manifests":[]})";
  const std::vector<std::pair<std::string, Errc>> bad = {
      {TarBytes().File("oci-layout", layout).Symlink("index.json", "/etc/passwd").End(), Errc::kCorrupt},
      {TarBytes().File("oci-layout", layout).Hardlink("index.json", "oci-layout").End(), Errc::kCorrupt},
      {TarBytes().File("oci-layout", layout).File("index.json", index).File("./index.json", index).End(),
       Errc::kCorrupt},
      {TarBytes().File("oci-layout", layout).File("../index.json", index).End(), Errc::kCorrupt},
      {TarBytes().File("oci-layout", R"({"imageLayoutVersion":"2.0"})").File("index.json", index).End(),
       Errc::kCorrupt},
      {TarBytes().File("oci-layout", std::string(5000, ' ')).File("index.json", index).End(), Errc::kCorrupt},
      {TarBytes().File("oci-layout", layout).File("index.json", index).bytes(), Errc::kCorrupt},
      {TarBytes().File("oci-layout", layout).End(), Errc::kNotFound},
      {TarBytes().File("index.json", index).End(), Errc::kNotFound},
      {TarBytes().File("oci-layout", layout).File("index.json", index).End(), Errc::kNotFound},
      {"no tar", Errc::kCorrupt}};
  for (const auto& [bytes, code] : bad) {
    WriteFile("image.tar", bytes);
    const auto source = OpenArchive(Ref("v1"), context_.ctx);
    ASSERT_FALSE(source.ok());
    EXPECT_EQ(source.error().code(), code) << source.error().message();
  }
}

TEST_F(ArchiveTest, VerifiesBlobsLikeTheNetwork) {
  MakeTree("rootfs");
  const auto packed = PackArchive("v1");
  std::string bytes = *ReadFile(dir_.fd(), "image.tar", 1 << 24);
  const size_t at = bytes.find("{\"annotations\":{\"io.hostapp.boot-set");
  ASSERT_NE(at, std::string::npos);
  bytes[at + 3] ^= 1;
  WriteFile("image.tar", bytes);
  auto source = OpenArchive(Ref("v1"), context_.ctx);
  ASSERT_TRUE(source.ok());
  const auto top = (*source)->FetchTop(context_.ctx);
  ASSERT_FALSE(top.ok());
  EXPECT_EQ(top.error().code(), Errc::kCorrupt);
}

}  // namespace
}  // namespace hostapp
