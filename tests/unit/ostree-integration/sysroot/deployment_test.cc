// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/deployment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "hostapp/base/json.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SampleDeployment;
using testing::TestSysroot;

void ExpectEqual(const Deployment& a, const Deployment& b) {
  EXPECT_EQ(a.serial, b.serial);
  EXPECT_EQ(a.reference, b.reference);
  EXPECT_EQ(a.manifest_digest, b.manifest_digest);
  EXPECT_EQ(a.commit, b.commit);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.kernel_arguments, b.kernel_arguments);
  EXPECT_EQ(a.boot_set, b.boot_set);
  EXPECT_EQ(a.kernel_version, b.kernel_version);
  EXPECT_EQ(a.created, b.created);
  EXPECT_EQ(a.composefs, b.composefs);
  EXPECT_EQ(a.root_chosen, b.root_chosen);
}

TEST(DeploymentJson, ComesBackAsItWas) {
  const Deployment deployment = SampleDeployment(7);
  const Result<Deployment> read = ParseDeployment(DeploymentJson(deployment));
  ASSERT_TRUE(read.ok()) << read.error().message();
  ExpectEqual(*read, deployment);
}

TEST(DeploymentJson, HasTheDigestOfAComposefsRoot) {
  Deployment deployment = SampleDeployment(7);
  deployment.composefs = HashOf(AsBytes("root.cfs"));
  EXPECT_THAT(DeploymentJson(deployment),
              HasSubstr(StrCat("\"composefs_digest\": \"", deployment.composefs->Hex(), "\"")));
  const Result<Deployment> read = ParseDeployment(DeploymentJson(deployment));
  ASSERT_TRUE(read.ok()) << read.error().message();
  ExpectEqual(*read, deployment);
}

TEST(DeploymentJson, SaysWhetherTheKindOfRootWasChosenAndWithoutAWordItWasNot) {
  Deployment deployment = SampleDeployment(7);
  deployment.root_chosen = true;
  const Result<Deployment> read = ParseDeployment(DeploymentJson(deployment));
  ASSERT_TRUE(read.ok()) << read.error().message();
  ExpectEqual(*read, deployment);
  Json older = ParseJson(DeploymentJson(deployment), "").value();
  older.AsObject()->erase("root_chosen");
  const Result<Deployment> read_older = ParseDeployment(older.Dump());
  ASSERT_TRUE(read_older.ok()) << read_older.error().message();
  EXPECT_FALSE(read_older->root_chosen);
}

TEST(DeploymentJson, HasNullForAVersionThatIsNotThere) {
  Deployment deployment = SampleDeployment(7);
  deployment.version.reset();
  EXPECT_THAT(DeploymentJson(deployment), HasSubstr("\"version\": null"));
  EXPECT_EQ(ParseDeployment(DeploymentJson(deployment)).value().version, std::nullopt);
}

// `change` is made to the record of a deployment.
std::string ChangedJson(const std::function<void(Json::Object&)>& change) {
  Json json = ParseJson(DeploymentJson(SampleDeployment(7)), "").value();
  change(*json.AsObject());
  return json.Dump();
}

TEST(DeploymentJson, IgnoresMembersThatANewerWriterAdded) {
  const std::string json = ChangedJson([](Json::Object& object) { object["added_later"] = 1; });
  ASSERT_TRUE(ParseDeployment(json).ok());
}

TEST(DeploymentJson, RefusesEachMemberThatIsMissingOrWrongAndNamesIt) {
  const std::pair<const char*, Json> kWrong[] = {
      {"schema", 2},
      {"serial", 0},
      {"serial", -1},
      {"serial", "7"},
      {"manifest_digest", "sha256:abc"},
      {"manifest_digest", "md5:d41d8cd98f00b204e9800998ecf8427e"},
      {"boot_set", "../../etc"},
      {"boot_set", "sha256:" + std::string(64, 'a')},
      {"commit", std::string(63, 'a')},
      {"commit", std::string(64, 'A')},
      {"created", "yesterday"},
      {"created", 1800000000},
      {"kernel_arguments", "quiet"},
      {"kernel_arguments", Json::Array{1}},
      {"kernel_version", 6},
      {"reference", 1},
      {"root_chosen", "yes"},
      {"version", 1},
  };
  for (const auto& [key, value] : kWrong) {
    const std::string json = ChangedJson([&key = key, &value = value](Json::Object& object) { object[key] = value; });
    const Result<Deployment> read = ParseDeployment(json);
    ASSERT_FALSE(read.ok()) << json;
    EXPECT_EQ(read.error().code(), Errc::kCorrupt) << json;
    EXPECT_THAT(read.error().message(), HasSubstr(StrCat("deployment.json.", key)));
  }
  for (const char* key : {"schema", "serial", "manifest_digest", "boot_set", "commit", "created", "kernel_arguments",
                          "kernel_version", "reference"}) {
    const std::string json = ChangedJson([&](Json::Object& object) { object.erase(key); });
    const Result<Deployment> read = ParseDeployment(json);
    ASSERT_FALSE(read.ok()) << key;
    EXPECT_EQ(read.error().code(), Errc::kCorrupt);
    EXPECT_THAT(read.error().message(), HasSubstr(key));
  }
}

TEST(DeploymentJson, RefusesWhatIsNoJson) {
  for (const char* text : {"", "{", "[]", "{} {}", "null", "{\"schema\":1,\"schema\":1}"}) {
    EXPECT_FALSE(ParseDeployment(text).ok()) << text;
  }
}

TEST(LoadDeployment, KnowsTheMarksBesideTheRecord) {
  TestSysroot sysroot;
  sysroot.Add(1, /*good=*/false);
  const Sysroot open = sysroot.Open();
  EXPECT_FALSE(LoadDeployment(open, 1)->good);
  ASSERT_TRUE(SetMark(open, 1, Mark::kGood, sysroot.ctx()).ok());
  ASSERT_TRUE(SetMark(open, 1, Mark::kPinned, sysroot.ctx()).ok());
  EXPECT_TRUE(LoadDeployment(open, 1)->good);
  EXPECT_TRUE(LoadDeployment(open, 1)->pinned);
  ASSERT_TRUE(ClearMark(open, 1, Mark::kGood, sysroot.ctx()).ok());
  ASSERT_TRUE(ClearMark(open, 1, Mark::kGood, sysroot.ctx()).ok()) << "a second time";
  EXPECT_FALSE(LoadDeployment(open, 1)->good);
}

TEST(LoadDeployment, IsNotFoundWithoutARecordEvenIfTheTreeIsThere) {
  TestSysroot sysroot;
  testing::WriteText(sysroot.DeploymentPath(3) + "/root/usr/bin/sh", "");
  EXPECT_EQ(LoadDeployment(sysroot.Open(), 3).error().code(), Errc::kNotFound);
  EXPECT_EQ(LoadDeployment(sysroot.Open(), 4).error().code(), Errc::kNotFound);
}

TEST(LoadDeployment, RefusesARecordThatWasCopiedFromAnother) {
  TestSysroot sysroot;
  sysroot.Add(1);
  testing::WriteText(sysroot.DeploymentPath(2) + "/deployment.json", DeploymentJson(SampleDeployment(1)));
  const Result<Deployment> read = LoadDeployment(sysroot.Open(), 2);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code(), Errc::kCorrupt);
  EXPECT_EQ(read.error().message(), "reading deployment 2: its deployment.json is that of 1");
}

TEST(LoadDeployments, LeavesOutWhatCannotBeReadWithAWarning) {
  TestSysroot sysroot;
  sysroot.Add(10);
  sysroot.Add(9);
  testing::WriteText(sysroot.DeploymentPath(5) + "/deployment.json", "{");
  testing::WriteText(sysroot.DeploymentPath(4) + "/root/x", "incomplete");
  testing::WriteText(sysroot.root() + "/hostapp/deployments/011/deployment.json", "no name of ours");
  testing::WriteText(sysroot.root() + "/hostapp/deployments/9223372036854775808/deployment.json", "nor this one");
  const Result<std::vector<Deployment>> deployments = LoadDeployments(sysroot.Open(), sysroot.ctx());
  ASSERT_TRUE(deployments.ok());
  std::vector<DeploymentSerial> serials;
  for (const Deployment& deployment : *deployments) serials.push_back(deployment.serial);
  EXPECT_THAT(serials, ElementsAre(9, 10));
  EXPECT_THAT(sysroot.context().log.warnings(), ElementsAre(HasSubstr("reading deployment 5")));
  EXPECT_THAT(DeploymentFolders(sysroot.Open()).value(), ElementsAre(4, 5, 9, 10));
  EXPECT_FALSE(IsComplete(sysroot.Open(), 4));
}

TEST(RemoveDeployment, LeavesNoDeploymentThatIsCompleteButBrokenAtAnyFailingCall) {
  TestSysroot sysroot;
  const int calls = testing::ForEveryFailingCall(
      EIO, testing::FaultySyscalls::Which::kThatAndAllAfter, [&] { sysroot.Add(1); },
      [&](Syscalls& sys) {
        OpContext ctx{sysroot.ctx().clock, sysroot.ctx().log, sysroot.ctx().progress, {}, sys};
        return RemoveDeployment(sysroot.LockStore(), sysroot.Open(), 1, ctx);
      },
      [&](const testing::FaultySyscalls& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed()) << sys.failed_call();
        const bool whole = std::filesystem::exists(sysroot.DeploymentPath(1) + "/root/usr/share/release");
        if (IsComplete(sysroot.Open(), 1)) {
          EXPECT_TRUE(whole) << "after a failing " << sys.failed_call();
        }
      });
  EXPECT_GT(calls, 5);
  EXPECT_FALSE(std::filesystem::exists(sysroot.DeploymentPath(1)));
}

}  // namespace
}  // namespace hostapp
