// SPDX-License-Identifier: Apache-2.0
// auth.json, registries.conf, certs.d.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "hostapp/registry/certs.h"
#include "hostapp/registry/credentials.h"
#include "hostapp/registry/registries_conf.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::RecordingLog;
using testing::TempDir;

void Put(const std::string& path, std::string_view text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

std::string UserFor(const CredentialsFile& file, std::string_view host, std::string_view repository) {
  const std::optional<Credentials> found = FindCredentials(file, host, repository);
  return found ? found->user + "/" + found->password : "none";
}

TEST(ParseAuthFile, FindsTheMostSpecificKeyOfExactlyThisHost) {
  RecordingLog log;
  const CredentialsFile file = ParseAuthFile(R"({"auths":{
      "registry.example:5000":{"auth":"aG9zdDpw"},
      "registry.example:5000/team":{"auth":"dGVhbTpw"},
      "registry.example:5000/team/os":{"auth":"b3M6cDpx"},
      "https://index.docker.io/v1/":{"auth":"aHViOnA="},
      "http://old.example":{"auth":"b2xkOnA="},
      "helper.example":{}}})",
                                             "auth.json", log)
                                   .value();
  EXPECT_EQ(UserFor(file, "registry.example:5000", "other/x"), "host/p");
  EXPECT_EQ(UserFor(file, "registry.example:5000", "team/app"), "team/p");
  EXPECT_EQ(UserFor(file, "registry.example:5000", "team/os"), "os/p:q");
  EXPECT_EQ(UserFor(file, "registry.example:5000", "teammate/x"), "host/p");
  EXPECT_EQ(UserFor(file, "registry.example", "team/os"), "none");
  EXPECT_EQ(UserFor(file, "sub.registry.example:5000", "team/os"), "none");
  EXPECT_EQ(UserFor(file, "docker.io", "library/debian"), "hub/p");
  EXPECT_EQ(UserFor(file, "old.example", "x"), "old/p");
  EXPECT_EQ(UserFor(file, "helper.example", "x"), "none");
}

TEST(ParseAuthFile, TakesHostsAndSchemesInAnyCase) {
  RecordingLog log;
  for (const char* const key : {"HTTPS://Index.Docker.IO/v1/", "index.dockeR.io", "https://registry-1.Docker.io"}) {
    const std::string text = StrCat(R"({"auths":{")", key, R"(":{"auth":"aHViOnA="}}})");
    EXPECT_EQ(UserFor(ParseAuthFile(text, "auth.json", log).value(), "docker.io", "library/debian"), "hub/p") << key;
  }
}

TEST(ParseAuthFile, KeepsIdentityTokens) {
  RecordingLog log;
  const CredentialsFile file =
      ParseAuthFile(R"({"auths":{"r.example":{"auth":"PHRva2VuPjo=","identitytoken":"id"}}})", "a", log).value();
  EXPECT_EQ(FindCredentials(file, "r.example", "x")->identity_token, "id");
}

TEST(ParseAuthFile, NamesTheHelpersThatItDoesNotRun) {
  RecordingLog log;
  ASSERT_TRUE(ParseAuthFile(R"({"credsStore":"desktop","credHelpers":{"gcr.io":"gcloud"}})", "config.json", log).ok());
  EXPECT_THAT(log.warnings(),
              ElementsAre(HasSubstr("\"desktop\" is not run"), HasSubstr("\"gcloud\" for gcr.io is not run")));
}

TEST(ParseAuthFile, RefusesWhatIsBroken) {
  RecordingLog log;
  for (const char* bad : {"{", "[]", R"({"auths":[]})", R"({"auths":{"h":1}})", R"({"auths":{"h":{"auth":"!!"}}})",
                          R"({"auths":{"h":{"auth":"bm9jb2xvbg=="}}})", R"({"auths":{"h":{"auth":"dTpwCg=="}}})",
                          R"({"auths":{"h":{"identitytoken":"a\nb"}}})"}) {
    EXPECT_EQ(ParseAuthFile(bad, "a", log).error().code(), Errc::kCorrupt) << bad;
  }
  EXPECT_TRUE(ParseAuthFile("", "a", log).value().empty());
}

TEST(LoadCredentials, TakesTheFirstFileThatHasSomething) {
  const TempDir dir;
  RecordingLog log;
  Put(dir / "one.json", R"({"auths":{"other.example":{"auth":"YTpi"}}})");
  Put(dir / "two.json", R"({"auths":{"r.example":{"auth":"YzpkZQ=="}}})");
  const auto found = LoadCredentials({dir / "none.json", dir / "one.json", dir / "two.json"}, "r.example", "x", log);
  EXPECT_EQ(found.value()->password, "de");
  EXPECT_EQ(LoadCredentials({dir / "one.json"}, "r.example", "x", log).value(), std::nullopt);
  Put(dir / "bad.json", "{");
  EXPECT_THAT(LoadCredentials({dir / "bad.json"}, "r", "x", log).error().message(), HasSubstr("bad.json"));
}

Endpoint Find(std::string_view conf, std::string_view host, std::string_view repository) {
  return FindEndpoint(ParseRegistriesConf(conf, "registries.conf").value(), host, repository);
}

TEST(RegistriesConf, KnowsPlainBlockedAndMovedRegistries) {
  constexpr std::string_view kConf = R"(
unqualified-search-registries = ["docker.io"]
short-name-mode = "enforcing"
[[registry]]
location = "10.0.2.2:5000"
insecure = true
[[registry]]
prefix = "blocked.example/bad"
location = "blocked.example/bad"
blocked = true
[[registry]]
prefix = "public.example/team"
location = "inside.example:5000/mirror/team"
[[registry.mirror]]
location = "ignored.example"
[[registry]]
prefix = "*.wild.example"
insecure = true
)";
  EXPECT_TRUE(Find(kConf, "10.0.2.2:5000", "os").plain);
  EXPECT_FALSE(Find(kConf, "10.0.2.2:5001", "os").plain);
  EXPECT_FALSE(Find(kConf, "10.0.2.2", "os").plain);
  EXPECT_TRUE(Find(kConf, "blocked.example", "bad/x").blocked);
  EXPECT_FALSE(Find(kConf, "blocked.example", "badly").blocked);
  EXPECT_EQ(Find(kConf, "public.example", "team/os").host, "inside.example:5000");
  EXPECT_EQ(Find(kConf, "public.example", "team/os").repository, "mirror/team/os");
  EXPECT_EQ(Find(kConf, "public.example", "teams/os").host, "public.example");
  EXPECT_TRUE(Find(kConf, "a.b.wild.example", "x").plain);
  EXPECT_FALSE(Find(kConf, "wild.example", "x").plain);
  EXPECT_EQ(Find(kConf, "a.wild.example", "x").host, "a.wild.example");
}

TEST(RegistriesConf, SpeaksPlainlyOnLoopbackOnly) {
  for (const char* host : {"127.0.0.1:5000", "localhost", "[::1]:5000", "127.1.2.3"})
    EXPECT_TRUE(Find("", host, "x").plain) << host;
  for (const char* host : {"10.0.0.1", "localhost.example", "registry.example:5000"})
    EXPECT_FALSE(Find("", host, "x").plain) << host;
}

TEST(RegistriesConf, NamesWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"[[registry]]\ninsecure = true", "c.registry[0]: neither \"prefix\" nor \"location\""},
      {"[[registry]]\nlocation = \"https://x\"", "c.registry[0]: a scheme has no place in \"prefix\" or \"location\""},
      {"[[registry]]\nlocation = \"x\"\ninsecure = \"yes\"", "c.registry[0].insecure: not true or false"},
      {"[registry]\nlocation = \"x\"", "c.registry: not an array"},
      {"[[registry]]\nlocation = x", "c:2: \"x\" is no string, boolean, whole number or array"}};
  for (const auto& [text, message] : cases) EXPECT_EQ(ParseRegistriesConf(text, "c").error().message(), message);
}

TEST(LoadRegistriesConf, LetsADropInReplaceARule) {
  const TempDir dir;
  Put(dir / "registries.conf", "[[registry]]\nlocation = \"a.example\"\n[[registry]]\nlocation = \"b.example\"\n");
  Put(dir / "conf.d/20.conf", "[[registry]]\nlocation = \"a.example\"\ninsecure = true\n");
  Put(dir / "conf.d/10.conf", "[[registry]]\nlocation = \"a.example\"\nblocked = true\n");
  Put(dir / "conf.d/30.txt", "not read");
  const auto rules = LoadRegistriesConf(dir / "registries.conf", dir / "conf.d").value();
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_TRUE(FindEndpoint(rules, "a.example", "x").plain);
  EXPECT_FALSE(FindEndpoint(rules, "a.example", "x").blocked);
  EXPECT_TRUE(LoadRegistriesConf(dir / "none.conf", dir / "none.d").value().empty());
}

TEST(LoadTlsSettings, CollectsAHostsCertificates) {
  const TempDir dir;
  Put(dir / "a/r.example:5000/one.crt", "-----BEGIN CERTIFICATE-----\none");
  Put(dir / "b/r.example:5000/two.crt", "-----BEGIN CERTIFICATE-----\ntwo");
  Put(dir / "b/r.example:5000/client.cert", "c");
  Put(dir / "b/r.example:5000/client.key", "k");
  const TlsSettings tls = LoadTlsSettings({dir / "a", dir / "b"}, "r.example:5000").value();
  EXPECT_THAT(tls.extra_ca_pem, HasSubstr("one"));
  EXPECT_THAT(tls.extra_ca_pem, HasSubstr("two"));
  EXPECT_EQ(tls.client_cert_file, dir / "b/r.example:5000/client.cert");
  EXPECT_EQ(tls.client_key_file, dir / "b/r.example:5000/client.key");
  EXPECT_EQ(LoadTlsSettings({dir / "a", dir / "b"}, "r.example").value(), TlsSettings());
  EXPECT_EQ(LoadTlsSettings({dir / "a"}, "..").value(), TlsSettings());
}

TEST(LoadTlsSettings, RefusesHalfAPairAndWhatIsNoCertificate) {
  const TempDir dir;
  Put(dir / "x/h/client.cert", "c");
  EXPECT_THAT(LoadTlsSettings({dir / "x"}, "h").error().message(), HasSubstr("its key client.key is missing"));
  Put(dir / "y/h/client.key", "k");
  EXPECT_THAT(LoadTlsSettings({dir / "y"}, "h").error().message(), HasSubstr("its certificate client.cert is missing"));
  Put(dir / "z/h/ca.crt", "der");
  EXPECT_THAT(LoadTlsSettings({dir / "z"}, "h").error().message(), HasSubstr("no PEM certificate"));
}

}  // namespace
}  // namespace hostapp
