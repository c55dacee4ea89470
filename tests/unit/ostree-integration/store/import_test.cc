// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/import.h"

#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "ostree-integration/store/export.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/unit/ostree-integration/store/store_fixture.h"

namespace hostapp {
namespace {

using testing::FaultySyscalls;
using testing::ForEveryFailingCall;
using ::testing::HasSubstr;
using testing::MakeImage;
using testing::StoreTest;
using testing::TarBytes;
using testing::TarHeader;
using testing::TestImage;
using ImportTest = StoreTest;

class CountingSyncs : public Syscalls {
 public:
  int Syncfs(int fd) override {
    ++syncs;
    return Syscalls::Syncfs(fd);
  }
  int Fsync(int fd) override {
    ++syncs;
    return Syscalls::Fsync(fd);
  }
  std::atomic<int> syncs = 0;
};

std::string BaseLayer() {
  return TarBytes()
      .Dir("./")
      .Dir("usr/")
      .Dir("usr/bin/")
      .File("usr/bin/tool", "#!/bin/sh\necho tool\n", {.mode = "0004755"})
      .Hardlink("usr/bin/tool2", "usr/bin/tool")
      .Symlink("bin", "usr/bin")
      .Dir("etc/")
      .File("etc/motd", "hello\n", {.uid = "0000012", .gid = "0000034", .mtime = "14000000000"})
      .File("etc/empty", "")
      .End();
}

TEST_F(ImportTest, BringsEveryLayerInAndOstreeAgrees) {
  const TestImage image = MakeImage({BaseLayer(), TarBytes().File("etc/more", "more\n").End()});
  const auto report = Import(image);
  ASSERT_OK(report);
  EXPECT_EQ(report->imported.size(), 2U);
  EXPECT_EQ(report->layers_reused, 0U);
  EXPECT_EQ(report->downloaded_bytes, image.manifest.layers[0].size + image.manifest.layers[1].size);
  EXPECT_EQ(report->objects_written, 5U);  // tool, bin, motd, empty, more
  ExpectOstreeFsckClean();
  const auto [status, out] =
      Run("ostree --repo=" + Repo() + " ls -R hostapp/layer/" + image.config.diff_ids[0].Hex() + " /layer");
  ASSERT_EQ(status, 0) << out;
  EXPECT_THAT(out, HasSubstr("-04755 0 0     20 /layer/usr/bin/tool\n"));
  EXPECT_THAT(out, HasSubstr("-04755 0 0     20 /layer/usr/bin/tool2\n"));
  EXPECT_THAT(out, HasSubstr("-00644 10 28      6 /layer/etc/motd\n"));
  EXPECT_THAT(out, HasSubstr("l00777 0 0      0 /layer/bin -> usr/bin\n"));
}

TEST_F(ImportTest, LeavesNothingInTheSpool) {
  ASSERT_OK(Import(MakeImage({BaseLayer()})));
  EXPECT_EQ(Run("ls " + (dir_ / "hostapp/tmp")).second, "import.lock\n");
}

TEST_F(ImportTest, FetchesNothingThatItHas) {
  const TestImage image = MakeImage({BaseLayer()});
  ASSERT_OK(Import(image));
  const int fetches = image.source->fetches();
  const auto again = Import(image);
  ASSERT_OK(again);
  EXPECT_EQ(image.source->fetches(), fetches);
  EXPECT_EQ(again->layers_reused, 1U);
  EXPECT_EQ(again->downloaded_bytes, 0U);
  EXPECT_EQ(again->written_bytes, 0U);
}

TEST_F(ImportTest, WritesAFileThatAnotherLayerHasNotAgain) {
  ASSERT_OK(Import(MakeImage({BaseLayer()})));
  const auto report = Import(
      MakeImage({TarBytes().File("opt/x", "#!/bin/sh\necho tool\n", {.mode = "0004755"}).File("y", "new").End()}));
  ASSERT_OK(report);
  EXPECT_EQ(report->objects_reused, 1U);
  EXPECT_EQ(report->objects_written, 1U);
  EXPECT_EQ(report->written_bytes, 3U);
}

TEST_F(ImportTest, TakesEveryCompression) {
  for (const Compression compression : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    const TestImage image =
        MakeImage({TarBytes().File("f", StrCat("compression ", static_cast<int>(compression))).End()},
                  {.compression = compression});
    ASSERT_OK(Import(image));
  }
}

TEST_F(ImportTest, StreamsLargeFilesToTheSameObjectsAsOstree) {
  std::string large(3'000'001, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * i >> 7);
  const TestImage image = MakeImage({TarBytes().File("large", large).File("copy", large).End()});
  const auto report = Import(image);
  ASSERT_OK(report);
  EXPECT_EQ(report->objects_written, 1U);
  EXPECT_EQ(report->objects_reused, 1U);
  ExpectOstreeFsckClean();
}

TEST_F(ImportTest, KeepsAttributesInTheOrderThatOstreeHashes) {
  const std::string capability("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  const std::string tar = TarBytes()
                              .Pax({{"SCHILY.xattr.user.b", "2"},
                                    {"SCHILY.xattr.security.capability", capability},
                                    {"SCHILY.xattr.user.a", "1"}})
                              .File("ping", "binary")
                              .End();
  ASSERT_OK(Import(MakeImage({tar})));
  ExpectOstreeFsckClean();
}

TEST_F(ImportTest, CountsAndListsWhatNoDeploymentShows) {
  const std::string tar = TarBytes()
                              .Dir("dev/")
                              .Device("dev/null", '3', 1, 3)
                              .File("run/x", "y")
                              .Device("pipe", '6', 0, 0)
                              .File("etc/motd", "x")
                              .End();
  const auto report = Import(MakeImage({tar}));
  ASSERT_OK(report);
  EXPECT_EQ(report->dropped_count, 3U);
  ASSERT_EQ(report->dropped.size(), 3U);
  EXPECT_EQ(report->dropped[0].path, "dev/null");
  EXPECT_EQ(report->dropped[0].reason, "character device");
  EXPECT_EQ(report->dropped[1].path, "pipe");
  EXPECT_EQ(report->dropped[2].path, "run/x");
  EXPECT_EQ(report->dropped[2].reason, "below /run");
}

TEST_F(ImportTest, LeavesTheStoreAsItWasWhenTheDiffIdIsWrong) {
  const Digest other = Digest::Of(AsBytes("something else"));
  const std::string before = Snapshot();
  const auto report = Import(MakeImage({BaseLayer()}, {.wrong_diff_ids = {{0, other}}}));
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), Errc::kCorrupt);
  EXPECT_THAT(report.error().message(), HasSubstr("config says " + other.ToString()));
  (void)Run("rm -f " + (dir_ / "hostapp/tmp/*"));  // spool files may stay: they resume
  EXPECT_EQ(Snapshot(), before);
}

TEST_F(ImportTest, ALayerThatFailsLeavesNoRefAndNoObject) {
  const std::string bad = TarBytes().File("a", "1").Hardlink("b", "missing").End();
  const std::string before = Snapshot();
  const auto report = Import(MakeImage({bad}));
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), Errc::kCorrupt);
  EXPECT_THAT(report.error().message(), HasSubstr("importing layer 1 of 1: sha256:"));
  EXPECT_THAT(report.error().message(), HasSubstr("member b: a hard link to missing"));
  (void)Run("rm -f " + (dir_ / "hostapp/tmp/*"));
  EXPECT_EQ(Snapshot(), before);
}

TEST_F(ImportTest, RefusesABlobThatIsNotWhatTheManifestSays) {
  const TestImage image = MakeImage({BaseLayer()});
  std::string& blob = image.source->blobs.begin()->second;
  blob[blob.size() / 2] ^= 1;
  const auto report = Import(image);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), Errc::kCorrupt);
  EXPECT_TRUE(ListLayers(store()).value().empty());
}

TEST_F(ImportTest, AMissingBlobStopsTheOthers) {
  const TestImage image = MakeImage({BaseLayer(), TarBytes().File("x", "y").End()});
  image.source->blobs.erase(image.manifest.layers[0].digest);
  const auto report = Import(image);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), Errc::kNotFound);
  EXPECT_THAT(report.error().message(), HasSubstr("fetching layer 1 of 2: "));
}

TEST_F(ImportTest, StopsWhenAsked) {
  ctx().cancel.Cancel();
  const auto report = Import(MakeImage({BaseLayer()}));
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), Errc::kCancelled);
}

TEST_F(ImportTest, GivesEachLayersTarBackBitForBit) {
  const std::string twice = TarBytes()
                                .File("a", "first")
                                .File("a", "second, which wins")
                                .Device("dev/null", '3', 1, 3)
                                .File("tmp/left", "kept all the same")
                                .Pax({{"comment", "framing"}, {"mtime", "1.5"}})
                                .File("b", std::string(1'000'000, 'b'))
                                .File("d/.wh.gone", "")
                                .Hardlink("c", "b")
                                .End() +
                            std::string(9 * 512, '\0');
  const std::string linked = TarBytes()
                                 .File("kept", "content that its other name keeps")
                                 .Hardlink("other", "kept")
                                 .File("kept", "new")
                                 .File("gone", "content that both names lose")
                                 .Hardlink("also", "gone")
                                 .File("gone", "")
                                 .File("also", "new")
                                 .File("kept", "newer")
                                 .End();
  for (const std::string& tar : {BaseLayer(), twice, linked}) {
    const TestImage image = MakeImage({tar});
    ASSERT_OK(Import(image));
    StringSink out;
    ASSERT_OK(ExportLayer(store(), image.config.diff_ids[0], out, ctx()));
    EXPECT_EQ(out.text == tar, true) << "the tar that came out is another one";
  }
  ExpectOstreeFsckClean();
}

TEST_F(ImportTest, SaysWhenAnExportedObjectIsDamaged) {
  const TestImage image = MakeImage({TarBytes().File("b", std::string(5000, 'b')).End()});
  ASSERT_OK(Import(image));
  (void)Run("for f in $(find " + Repo() +
            "/objects -size -6k -size +4k -name '*.file'); do printf x | dd of=$f conv=notrunc; done");
  StringSink out;
  const Status status = ExportLayer(store(), image.config.diff_ids[0], out, ctx());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Errc::kCorrupt);
}

// No system call of ours that fails may leave a ref without its layer, or a commit without its tree, and the next run
// gets there.
TEST_F(ImportTest, ConvergesAfterAFailureOfAnyCall) {
  const TestImage image = MakeImage(
      {TarBytes().File("a", "1").Symlink("l", "a").End(), TarBytes().Dir("folder/").File("folder/b", "2").End()});
  const int calls = ForEveryFailingCall(
      EIO, FaultySyscalls::Which::kOnlyThat, [&] { ASSERT_OK(Prune(store(), {}, PruneMode::kRemove, ctx())); },
      [&](Syscalls& sys) {
        OpContext faulty{ctx().clock, ctx().log, ctx().progress, {}, sys};
        return ImportImage(store(), image.manifest, image.config, *image.source, faulty).status();
      },
      [&](const FaultySyscalls& sys, const Status& status) {
        const auto check = CheckStore(store(), ctx());
        ASSERT_OK(check);
        EXPECT_TRUE(check->problems.empty()) << sys.failed_call() << ": " << check->problems[0].what;
        ExpectOstreeFsckClean();
        if (!status.ok()) {
          ASSERT_OK(Import(image));
        }
        EXPECT_TRUE(FindLayer(store(), image.config.diff_ids[1]).value().has_value());
      });
  EXPECT_GT(calls, 30);
}

// Sizes around what is streamed, copies, a name twice, links, several at once of each.
std::string ManyFiles() {
  constexpr size_t kChunk = size_t{256} << 10;
  TarBytes tar;
  for (int i = 0; i < 300; ++i) {
    const std::string name = StrCat("file", i);
    const size_t size = i % 50 == 0 ? kChunk * static_cast<size_t>(i / 50) + static_cast<size_t>(i % 3)
                                    : static_cast<size_t>(i * 7 % 5000);
    tar.File(name, std::string(size, static_cast<char>('a' + i % 7)));
    if (i % 5 == 0) tar.Hardlink(StrCat("link", i), name);
    if (i % 11 == 0) tar.Symlink(StrCat("symlink", i), name);
    if (i % 40 == 0) tar.File(name, "the second of this name");
  }
  return tar.End();
}

TEST_F(ImportTest, IsTheSameWithSeveralThreads) {
  const TestImage image = MakeImage({ManyFiles(), BaseLayer()});
  const auto alone = Import(image);
  ASSERT_OK(alone);
  const std::string wanted = Snapshot();
  for (const unsigned jobs : {2U, 8U}) {
    ASSERT_OK(Prune(store(), {}, PruneMode::kRemove, ctx()));
    ctx().jobs = jobs;
    const auto report = Import(image);
    ASSERT_OK(report);
    EXPECT_EQ(Snapshot(), wanted) << jobs;
    EXPECT_EQ(report->objects_written, alone->objects_written);
    EXPECT_EQ(report->objects_reused, alone->objects_reused);
    EXPECT_EQ(report->written_bytes, alone->written_bytes);
    EXPECT_EQ(report->reused_bytes, alone->reused_bytes);
  }
  ExpectOstreeFsckClean();
}

TEST_F(ImportTest, ConvergesAfterAFailureInAnyThread) {
  const TestImage image = MakeImage({ManyFiles()});
  ctx().jobs = 4;
  for (const int call : {2, 40, 500, 1200}) {
    ASSERT_OK(Prune(store(), {}, PruneMode::kRemove, ctx()));
    FaultySyscalls sys(call, EIO);
    OpContext faulty{ctx().clock, ctx().log, ctx().progress, {}, sys, 4};
    const auto report = ImportImage(store(), image.manifest, image.config, *image.source, faulty);
    ASSERT_TRUE(sys.failed()) << call;
    ASSERT_FALSE(report.ok()) << sys.failed_call();
    EXPECT_EQ(report.error().code(), Errc::kIo);
    EXPECT_FALSE(FindLayer(store(), image.config.diff_ids[0]).value().has_value());
    ASSERT_OK(Import(image));
  }
  ExpectOstreeFsckClean();
}

// The disk is told to write while an import goes on; the kernel tells of an error of that once, and to this call only.
class FailsToWriteAhead : public Syscalls {
 public:
  int Syncfs(int fd) override {
    if (std::this_thread::get_id() == owner_ || failed_.exchange(true)) return Syscalls::Syncfs(fd);
    return -EIO;
  }
  bool failed() const { return failed_; }

 private:
  const std::thread::id owner_ = std::this_thread::get_id();
  std::atomic<bool> failed_ = false;
};

TEST_F(ImportTest, FailsWhenTheDiskCouldNotBeWrittenInTheMeantime) {
  const std::string content(size_t{12} << 20, 'a');
  TarBytes tar;
  for (const char* name : {"a", "b", "c", "d"}) tar.File(name, content + name);
  const TestImage image = MakeImage({tar.End()});
  FailsToWriteAhead sys;
  OpContext faulty{ctx().clock, ctx().log, ctx().progress, {}, sys, 2};
  const auto report = ImportImage(store(), image.manifest, image.config, *image.source, faulty);
  ASSERT_TRUE(sys.failed());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), Errc::kIo);
  EXPECT_FALSE(FindLayer(store(), image.config.diff_ids[0]).value().has_value());
  ASSERT_OK(Import(image));
}

TEST_F(ImportTest, SyncsOnceForManySmallLayers) {
  const auto syncs = [&](const TestImage& image) {
    CountingSyncs sys;
    OpContext counting{ctx().clock, ctx().log, ctx().progress, {}, sys};
    EXPECT_TRUE(ImportImage(store(), image.manifest, image.config, *image.source, counting).ok());
    return sys.syncs.load();
  };
  const int of_one = syncs(MakeImage({BaseLayer()}));
  EXPECT_EQ(of_one, 4);  // staged, content and trees, commits, refs
  std::vector<std::string> layers;
  for (int i = 0; i < 20; ++i) layers.push_back(TarBytes().File(StrCat("f", i), "x").End());
  EXPECT_EQ(syncs(MakeImage(layers)), of_one);
}

TEST_F(ImportTest, KeepsTheLayersBeforeOneThatFailsAndNothingOfThatOne) {
  ctx().jobs = 4;  // some of its files are on their way when it fails
  TarBytes bad_one;
  for (int i = 0; i < 500; ++i) bad_one.File(StrCat("of-the-bad-one", i), StrCat("content ", i));
  const std::string bad = bad_one.Hardlink("b", "missing").End();
  const TestImage image = MakeImage({BaseLayer(), bad, TarBytes().File("x", "y").End()});
  const auto report = Import(image);
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().message(), HasSubstr("importing layer 2 of 3: "));
  EXPECT_TRUE(FindLayer(store(), image.config.diff_ids[0]).value().has_value());
  EXPECT_EQ(ListLayers(store()).value().size(), 1U);
  (void)Run("rm -f " + (dir_ / "hostapp/tmp/*"));
  const std::string kept = Snapshot();
  ASSERT_OK(Prune(store(), {}, PruneMode::kRemove, ctx()));
  ASSERT_OK(Import(MakeImage({BaseLayer()})));
  (void)Run("rm -f " + (dir_ / "hostapp/tmp/*"));
  EXPECT_EQ(Snapshot(), kept);
}

TEST_F(ImportTest, PlansWhatIsMissingAndWhatItMayNeed) {
  const TestImage image = MakeImage({BaseLayer(), TarBytes().File("x", "y").End(), BaseLayer()});
  auto plan = PlanImport(store(), image.manifest, image.config);
  ASSERT_OK(plan);
  EXPECT_EQ(plan->layers, 2U);  // one of them twice
  ASSERT_EQ(plan->missing.size(), 2U);
  EXPECT_EQ(plan->download_bytes, image.manifest.layers[0].size + image.manifest.layers[1].size);
  EXPECT_GT(plan->need_bytes, plan->download_bytes * (1 + kAssumedRatio));
  ASSERT_OK(CheckSpace(store(), *plan, ctx()));
  ASSERT_OK(Import(image));
  plan = PlanImport(store(), image.manifest, image.config);
  ASSERT_OK(plan);
  EXPECT_EQ(plan->missing.size(), 0U);
  EXPECT_EQ(plan->need_bytes, 0U);
}

TEST_F(ImportTest, RefusesAPlanThatDoesNotFitWithBothNumbers) {
  ImportPlan plan;
  plan.need_bytes = UINT64_MAX;
  const Status status = CheckSpace(store(), plan, ctx());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Errc::kNoSpace);
  EXPECT_THAT(status.error().message(), HasSubstr("need 18446744073709551615 bytes"));
  EXPECT_THAT(status.error().message(), HasSubstr("free"));
}

}  // namespace
}  // namespace hostapp
