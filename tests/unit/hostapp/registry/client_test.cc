// SPDX-License-Identifier: Apache-2.0
// The client against a registry on a real socket that misbehaves as it is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <thread>

#include "hostapp/base/sinks.h"
#include "hostapp/base/strings.h"
#include "hostapp/registry/http.h"
#include "hostapp/registry/registry.h"
#include "tests/support/fake_registry.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using testing::FakeRegistry;
using testing::FakeReply;
using testing::FakeRequest;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::TempDir;
using testing::TestContext;

constexpr std::string_view kManifestType = "application/vnd.oci.image.manifest.v1+json";

std::string Noise(size_t size) {
  std::string out(size, '\0');
  uint32_t state = 12345;
  for (char& c : out) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

class Client : public ::testing::Test {
 protected:
  Client() {
    options_.paths = {
        .auth_files = {dir_ / "auth.json"}, .registries_conf = {}, .registries_conf_dir = {}, .certs_dirs = {}};
    options_.stats = std::make_shared<TransferStats>();
    options_.http = NewCurlHttpClient();
    options_.retry.jitter = [] { return 1.0; };
  }

  std::unique_ptr<ImageSource> Open(const std::string& rest = "team/os:v1") {
    return OpenRegistry(ParseReference(StrCat("docker://", registry_.host(), "/", rest)).value(), options_, test_.ctx)
        .value();
  }
  Descriptor Blob(const std::string& bytes) {
    Descriptor blob{.media_type = "application/octet-stream",
                    .digest = Digest::Of(AsBytes(bytes)),
                    .size = bytes.size(),
                    .annotations = {},
                    .platform = {},
                    .artifact_type = {}};
    registry_.AddBlob("team/os", bytes);
    return blob;
  }
  Result<std::string> Fetch(const Descriptor& blob, uint64_t offset = 0) {
    StringSink sink;
    const Status status = Open()->Fetch(blob, offset, sink, test_.ctx);
    fetched_ = sink.text;
    if (!status.ok()) return status.error();
    return sink.text;
  }
  void LogIn(const std::string& user, const std::string& password) {
    std::ofstream(dir_ / "auth.json") << StrCat(R"({"auths":{")", registry_.host(), R"(":{"auth":")",
                                                Base64Encode(AsBytes(user + ":" + password)), "\"}}}");
  }
  std::vector<std::string> RequestedRanges() {
    std::vector<std::string> ranges;
    for (const FakeRequest& request : registry_.requests()) ranges.push_back(request.header("range"));
    return ranges;
  }

  FakeRegistry registry_;
  TempDir dir_;
  TestContext test_;
  RegistryOptions options_;
  std::string fetched_;
};

TEST_F(Client, FetchesTheTopDocumentWithOneRequest) {
  registry_.AddManifest("team/os", "v1", std::string(kManifestType), "{\"any\":1}");
  const Document document = Open()->FetchTop(test_.ctx).value();
  EXPECT_EQ(document.bytes, "{\"any\":1}");
  EXPECT_EQ(document.media_type, kManifestType);
  EXPECT_THAT(registry_.request_lines(), ElementsAre("GET /v2/team/os/manifests/v1"));
  EXPECT_EQ(options_.stats->requests, 1U);
  EXPECT_EQ(options_.stats->auth_requests, 0U);
  EXPECT_EQ(options_.stats->bytes_downloaded, 9U);
  const FakeRequest request = registry_.requests()[0];
  EXPECT_THAT(request.header("accept"), HasSubstr("application/vnd.oci.image.index.v1+json"));
  EXPECT_THAT(request.header("accept"), HasSubstr("application/vnd.docker.distribution.manifest.v2+json"));
  EXPECT_EQ(request.header("accept-encoding"), "identity");
  EXPECT_THAT(request.header("user-agent"), ::testing::StartsWith("hostapp/"));
}

TEST_F(Client, AsksForTheDigestAndRefusesAnotherDocument) {
  const std::string digest = Digest::Of(AsBytes("{}")).ToString();
  registry_.AddManifest("team/os", digest, std::string(kManifestType), "{\"evil\":1}");
  const Result<Document> document = Open("team/os@" + digest)->FetchTop(test_.ctx);
  EXPECT_EQ(document.error().code(), Errc::kCorrupt);
  EXPECT_THAT(document.error().message(), HasSubstr(digest));
}

TEST_F(Client, OnlyWarnsWhenTheDigestHeaderLies) {
  registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> {
    return FakeReply{.headers = {{"Content-Type", std::string(kManifestType)},
                                 {"Docker-Content-Digest", "sha256:" + std::string(64, '0')}},
                     .body = "{}"};
  });
  EXPECT_EQ(Open()->FetchTop(test_.ctx).value().bytes, "{}");
  EXPECT_THAT(test_.log.warnings(), ElementsAre(HasSubstr("says that the manifest's digest is")));
}

TEST_F(Client, RefusesAManifestOfAnIndexThatIsNotTheOneNamed) {
  const std::string good = "{\"good\":1}";
  const std::string digest = registry_.AddManifest("team/os", "", std::string(kManifestType), good);
  Descriptor descriptor = Blob(good);
  EXPECT_EQ(Open()->FetchManifest(descriptor, test_.ctx).value().bytes, good);
  descriptor.size += 1;
  EXPECT_EQ(Open()->FetchManifest(descriptor, test_.ctx).error().code(), Errc::kCorrupt);
  descriptor.size = uint64_t{5} << 20;
  EXPECT_EQ(Open()->FetchManifest(descriptor, test_.ctx).error().code(), Errc::kCorrupt);
  descriptor.size = good.size();
  registry_.AddManifest("team/os", digest, std::string(kManifestType), "{\"evil\":1}");
  EXPECT_EQ(Open()->FetchManifest(descriptor, test_.ctx).error().code(), Errc::kCorrupt);
}

TEST_F(Client, StopsAtAManifestOverItsLimit) {
  registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> {
    return FakeReply{
        .headers = {{"Content-Type", std::string(kManifestType)}}, .body = std::string(1 << 20, ' '), .endless = true};
  });
  EXPECT_EQ(Open()->FetchTop(test_.ctx).error().code(), Errc::kCorrupt);
  EXPECT_LE(options_.stats->bytes_downloaded, uint64_t{6} << 20);
}

TEST_F(Client, SaysWhatIsMissing) {
  const Error error = Open()->FetchTop(test_.ctx).error();
  EXPECT_EQ(error.code(), Errc::kNotFound);
  EXPECT_EQ(error.message(), StrCat("fetching the manifest of docker://", registry_.host(),
                                    "/team/os:v1: the registry answers 404 (MANIFEST_UNKNOWN: told so by a test)"));
}

TEST_F(Client, CallsAWebPageNoRegistry) {
  registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> {
    return FakeReply{.headers = {{"Content-Type", "text/html; charset=utf-8"}},
                     .body = "<html>pay for the network</html>"};
  });
  EXPECT_THAT(Open()->FetchTop(test_.ctx).error().message(), HasSubstr("this is not a registry"));
  EXPECT_THAT(Fetch(Blob("x")).error().message(), HasSubstr("this is not a registry"));
  EXPECT_THAT(test_.clock.sleeps(), IsEmpty());
}

// --- Logging in ---

TEST_F(Client, LogsInWithUserAndPasswordOnlyWhenAsked) {
  registry_.AddManifest("team/os", "v1", std::string(kManifestType), "{}");
  LogIn("user", "pass:word");
  ASSERT_TRUE(Open()->FetchTop(test_.ctx).ok());
  EXPECT_EQ(registry_.requests()[0].header("authorization"), "");
  registry_.RequireBasic("user", "pass:word");
  ASSERT_TRUE(Open()->FetchTop(test_.ctx).ok());
  EXPECT_EQ(options_.stats->requests, 2U);
  EXPECT_EQ(options_.stats->auth_requests, 1U);
}

TEST_F(Client, AsksATokenServerOnceForManyRequests) {
  registry_.RequireBearer("user", "secret");
  LogIn("user", "secret");
  registry_.AddManifest("team/os", "v1", std::string(kManifestType), "{}");
  const auto source = Open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(source->FetchTop(test_.ctx).ok());
  EXPECT_THAT(registry_.request_lines(),
              ElementsAre("GET /v2/team/os/manifests/v1", "GET /token", "GET /v2/team/os/manifests/v1",
                          "GET /v2/team/os/manifests/v1", "GET /v2/team/os/manifests/v1"));
  EXPECT_EQ(registry_.requests()[1].query, "service=fake&scope=repository%3Ateam%2Fos%3Apull&account=user");
  EXPECT_EQ(options_.stats->requests, 3U);
  EXPECT_EQ(options_.stats->auth_requests, 2U);
}

TEST_F(Client, GetsANewTokenWhenTheOldOneHasRunOut) {
  registry_.RequireBearer("", "");
  registry_.AddManifest("team/os", "v1", std::string(kManifestType), "{}");
  const auto source = Open();
  ASSERT_TRUE(source->FetchTop(test_.ctx).ok());
  registry_.ExpireTokens();
  EXPECT_TRUE(source->FetchTop(test_.ctx).ok());
}

TEST_F(Client, SaysWhoRefusedTheLogin) {
  registry_.AddManifest("team/os", "v1", std::string(kManifestType), "{}");
  registry_.RequireBasic("user", "right");
  const Error without = Open()->FetchTop(test_.ctx).error();
  EXPECT_EQ(without.code(), Errc::kUnauthorized);
  EXPECT_THAT(without.message(), HasSubstr("asks for user and password"));
  LogIn("user", "wrong");
  const Error wrong = Open()->FetchTop(test_.ctx).error();
  EXPECT_EQ(wrong.code(), Errc::kUnauthorized);
  EXPECT_THAT(wrong.message(), HasSubstr("does not accept"));
  registry_.RequireBearer("user", "right");
  const Error token = Open()->FetchTop(test_.ctx).error();
  EXPECT_EQ(token.code(), Errc::kUnauthorized);
  EXPECT_THAT(token.message(), HasSubstr("login refused"));
}

TEST_F(Client, RefusesAHostileTokenServer) {
  const auto challenge = [&](const std::string& realm) {
    registry_.SetHook([realm](const FakeRequest& request) -> std::optional<FakeReply> {
      if (request.path == "/token") return std::nullopt;
      return FakeReply{.status = 401, .headers = {{"WWW-Authenticate", "Bearer realm=\"" + realm + "\""}}};
    });
    return Open()->FetchTop(test_.ctx).error();
  };
  LogIn("user", "secret");
  EXPECT_EQ(challenge("http://169.254.169.254/latest").code(), Errc::kUntrusted);
  EXPECT_EQ(challenge("file:///etc/shadow").code(), Errc::kUntrusted);
  EXPECT_EQ(challenge("http://other.example/token").code(), Errc::kUntrusted);
  for (const FakeRequest& request : registry_.requests()) EXPECT_EQ(request.header("authorization"), "");
}

TEST_F(Client, BoundsATokenServersAnswer) {
  registry_.RequireBearer("", "");
  registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.path != "/token") return std::nullopt;
    return FakeReply{.body = std::string(1 << 16, ' '), .endless = true};
  });
  EXPECT_EQ(Open()->FetchTop(test_.ctx).error().code(), Errc::kCorrupt);
  EXPECT_LE(options_.stats->bytes_downloaded, uint64_t{3} << 20);
  registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.path != "/token") return std::nullopt;
    return FakeReply{.body = R"({"token":"a\r\nX-Evil: 1"})"};
  });
  EXPECT_EQ(Open()->FetchTop(test_.ctx).error().code(), Errc::kCorrupt);
}

// --- Redirects ---

TEST_F(Client, DoesNotSendCredentialsToARedirectTarget) {
  FakeRegistry storage;
  const std::string bytes = Noise(1000);
  const Descriptor blob = Blob(bytes);
  registry_.RequireBasic("user", "secret");
  LogIn("user", "secret");
  registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (!request.is("GET", "/blobs/") || request.header("authorization").empty()) return std::nullopt;
    return FakeReply{.status = 307, .headers = {{"Location", storage.url() + "/signed?x=1"}}};
  });
  storage.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> { return FakeReply{.body = bytes}; });
  EXPECT_EQ(Fetch(blob).value(), bytes);
  ASSERT_EQ(storage.requests().size(), 1U);
  EXPECT_EQ(storage.requests()[0].query, "x=1");
  EXPECT_FALSE(storage.requests()[0].headers.contains("authorization"));
}

TEST_F(Client, DoesNotLogInAtARedirectTarget) {
  FakeRegistry storage;
  storage.RequireBasic("user", "secret");
  LogIn("user", "secret");
  registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> {
    return FakeReply{.status = 302, .headers = {{"Location", storage.url() + "/v2/"}}};
  });
  EXPECT_EQ(Fetch(Blob("x")).error().code(), Errc::kUnauthorized);
  for (const FakeRequest& request : storage.requests()) EXPECT_FALSE(request.headers.contains("authorization"));
}

TEST_F(Client, FollowsFiveRedirectsAndNoSixth) {
  const std::string bytes = "blob";
  const Descriptor blob = Blob(bytes);
  int redirects = 0;
  int limit = 5;
  registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> {
    if (redirects == limit) return FakeReply{.body = bytes};
    return FakeReply{.status = 302, .headers = {{"Location", StrCat("/hop", ++redirects)}}};
  });
  EXPECT_EQ(Fetch(blob).value(), bytes);
  redirects = 0;
  limit = 1000;
  EXPECT_EQ(Fetch(blob).error().code(), Errc::kCorrupt);
  EXPECT_EQ(redirects, 6);
}

TEST_F(Client, FollowsNoRedirectWhereNoneMayLead) {
  const Descriptor blob = Blob("x");
  for (const char* location : {"file:///etc/passwd", "ftp://127.0.0.1/", "http://169.254.169.254/latest",
                               "http://u:p@127.0.0.1/", "gopher://x/"}) {
    registry_.SetHook([location](const FakeRequest&) -> std::optional<FakeReply> {
      return FakeReply{.status = 302, .headers = {{"Location", location}}};
    });
    EXPECT_EQ(Fetch(blob).error().code(), Errc::kUntrusted) << location;
  }
}

// --- Blobs on bad connections ---

TEST_F(Client, FinishesABlobWhoseConnectionDiesAtEveryTenth) {
  const std::string bytes = Noise(1000000);
  const Descriptor blob = Blob(bytes);
  for (uint64_t tenth = 0; tenth <= 10; ++tenth) {
    options_.stats->bytes_downloaded = 0;
    bool died = false;
    registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
      if (died) return std::nullopt;
      died = true;
      FakeReply reply = registry_.Usual(request);
      reply.die_after = tenth * 100000;
      return reply;
    });
    EXPECT_EQ(Fetch(blob).value() == bytes, true) << tenth;
    // Not a byte twice.
    EXPECT_EQ(options_.stats->bytes_downloaded, bytes.size()) << tenth;
  }
}

TEST_F(Client, FinishesABlobWhoseEveryConnectionDiesAfter64KiB) {
  const std::string bytes = Noise(2000000);
  const Descriptor blob = Blob(bytes);
  registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
    FakeReply reply = registry_.Usual(request);
    reply.die_after = 65536;
    return reply;
  });
  EXPECT_EQ(Fetch(blob).value() == bytes, true);
  EXPECT_EQ(registry_.requests().size(), (2000000 + 65535) / 65536);
  EXPECT_EQ(options_.stats->bytes_downloaded, bytes.size());
}

TEST_F(Client, GivesUpOnARegistryThatSendsNextToNothingEachTime) {
  const Descriptor blob = Blob(Noise(1000000));
  registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
    FakeReply reply = registry_.Usual(request);
    reply.die_after = 10;
    return reply;
  });
  EXPECT_EQ(Fetch(blob).error().code(), Errc::kUnavailable);
  EXPECT_EQ(registry_.requests().size(), 6U);
  EXPECT_EQ(fetched_.size(), 60U) << "what came is kept";
}

TEST_F(Client, GoesOnWhereAnEarlierRunStopped) {
  const std::string bytes = Noise(5000);
  const Descriptor blob = Blob(bytes);
  EXPECT_EQ(Fetch(blob, 2000).value(), bytes.substr(2000));
  EXPECT_EQ(options_.stats->bytes_downloaded, 3000U);
  EXPECT_THAT(RequestedRanges(), ElementsAre("bytes=2000-"));
  EXPECT_EQ(Fetch(blob, 5000).value(), "");
  EXPECT_EQ(registry_.requests().size(), 1U) << "a whole blob needs no request";
}

TEST_F(Client, SkipsWhatItHasWhenTheRegistryIgnoresRanges) {
  const std::string bytes = Noise(5000);
  const Descriptor blob = Blob(bytes);
  registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> { return FakeReply{.body = bytes}; });
  EXPECT_EQ(Fetch(blob, 2000).value(), bytes.substr(2000));
}

TEST_F(Client, TakesNothingFromAnotherRangeThanItAskedFor) {
  const std::string bytes = Noise(5000);
  const Descriptor blob = Blob(bytes);
  for (const char* range : {"bytes 1999-4999/5000", "bytes 2000-4999/6000", "bytes 0-4999/5000", "nonsense", ""}) {
    registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
      if (request.header("range").empty()) return std::nullopt;
      return FakeReply{.status = 206, .headers = {{"Content-Range", range}}, .body = std::string(3000, 'X')};
    });
    EXPECT_EQ(Fetch(blob, 2000).value(), bytes.substr(2000)) << range;
  }
}

TEST_F(Client, BeginsAnewWhenTheRegistryRefusesARange) {
  const std::string bytes = Noise(5000);
  const Descriptor blob = Blob(bytes);
  registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.header("range").empty()) return std::nullopt;
    return FakeReply{.status = 416};
  });
  EXPECT_EQ(Fetch(blob, 2000).value(), bytes.substr(2000));
  EXPECT_THAT(RequestedRanges(), ElementsAre("bytes=2000-", ""));
}

// The part that is there is kept: to begin at the first byte is for the next attempt to try.
TEST_F(Client, BeginsAnewWhenARangeIsAnsweredAgainstTheRules) {
  const std::string bytes = Noise(5000);
  const Descriptor blob = Blob(bytes);
  const FakeReply odd[] = {
      {.status = 400},
      {.body = bytes.substr(2000)},
      {.status = 206, .headers = {{"Content-Range", "bytes 2000-4999/5000"}}, .body = bytes},
  };
  for (const FakeReply& reply : odd) {
    registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
      if (request.header("range").empty()) return std::nullopt;
      return reply;
    });
    const auto fetched = Fetch(blob, 2000);
    ASSERT_TRUE(fetched.ok()) << reply.status << ": " << fetched.error().message();
    EXPECT_EQ(*fetched, bytes.substr(2000)) << reply.status;
  }
}

// --- Sizes that lie ---

TEST_F(Client, StopsOneByteAfterTheSizeItWasTold) {
  Descriptor blob = Blob("x");
  blob.size = 100000;
  registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> {
    return FakeReply{.body = std::string(4096, 'A'), .endless = true};
  });
  const Error error = Fetch(blob).error();
  EXPECT_EQ(error.code(), Errc::kCorrupt);
  EXPECT_THAT(error.message(), HasSubstr("more than the 100000 bytes expected"));
  EXPECT_LE(fetched_.size(), 100000U);
}

TEST_F(Client, RefusesALengthThatIsNotTheDescriptors) {
  Descriptor blob = Blob("12345");
  blob.size = 6;
  EXPECT_THAT(Fetch(blob).error().message(), HasSubstr("expected 6 bytes, the registry has 5"));
  blob.size = 4;
  EXPECT_EQ(Fetch(blob).error().code(), Errc::kCorrupt);
  EXPECT_EQ(registry_.requests().size(), 2U) << "no attempt makes it better";
}

TEST_F(Client, RefusesAStreamThatEndsEarly) {
  Descriptor blob = Blob("12345");
  blob.size = 6;
  registry_.SetHook(
      [&](const FakeRequest&) -> std::optional<FakeReply> { return FakeReply{.body = "12345", .chunked = true}; });
  const Error error = Fetch(blob).error();
  EXPECT_EQ(error.code(), Errc::kCorrupt);
  EXPECT_THAT(error.message(), HasSubstr("expected 6 bytes, got 5"));
}

TEST_F(Client, RefusesACompressedAnswer) {
  const Descriptor blob = Blob("12345");
  registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> {
    return FakeReply{.headers = {{"Content-Encoding", "gzip"}}, .body = "12345"};
  });
  const Error error = Fetch(blob).error();
  EXPECT_EQ(error.code(), Errc::kCorrupt);
  EXPECT_THAT(error.message(), HasSubstr("encoded as \"gzip\""));
}

// --- Trying again ---

TEST_F(Client, WaitsAsLongAsItIsToldButNotForEver) {
  registry_.AddManifest("team/os", "v1", std::string(kManifestType), "{}");
  const std::pair<const char*, std::chrono::milliseconds> cases[] = {
      {"7", std::chrono::seconds(7)},
      {"1000000000", std::chrono::seconds(60)},
      {"99999999999999999999999", std::chrono::seconds(60)},
      {"nonsense", std::chrono::milliseconds(500)},
      {"Fri, 15 Jan 2027 08:00:09 GMT", std::chrono::milliseconds(9000)}};
  for (const auto& [value, pause] : cases) {
    TestContext test;
    int calls = 0;
    registry_.SetHook([&, header = std::string(value)](const FakeRequest&) -> std::optional<FakeReply> {
      if (++calls > 1) return std::nullopt;
      return FakeReply{.status = 429, .headers = {{"Retry-After", header}}};
    });
    EXPECT_TRUE(Open()->FetchTop(test.ctx).ok());
    EXPECT_EQ(test.clock.Monotonic(), pause) << value;
  }
}

TEST_F(Client, TriesAgainWithGrowingPausesAndThenGivesUp) {
  registry_.SetHook(
      [&](const FakeRequest&) -> std::optional<FakeReply> { return FakeReply{.status = 503, .body = "busy"}; });
  const Error error = Open()->FetchTop(test_.ctx).error();
  EXPECT_EQ(error.code(), Errc::kUnavailable);
  EXPECT_THAT(error.message(), HasSubstr("503 (busy)"));
  EXPECT_EQ(registry_.requests().size(), 6U);
  EXPECT_EQ(test_.clock.Monotonic(), std::chrono::milliseconds(500 + 1000 + 2000 + 4000 + 8000));
}

TEST_F(Client, DoesNotRepeatWhatWillNotGetBetter) {
  for (const int status : {400, 403, 404, 405, 410, 501}) {
    const size_t before = registry_.requests().size();
    registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> { return FakeReply{.status = status}; });
    EXPECT_FALSE(Open()->FetchTop(test_.ctx).ok());
    EXPECT_EQ(registry_.requests().size(), before + 1) << status;
  }
}

TEST_F(Client, IsUnavailableWhereNobodyListens) {
  std::string host;
  {
    const FakeRegistry gone;
    host = gone.host();
  }
  const auto source = OpenRegistry(ParseReference(StrCat(host, "/os:v1")).value(), options_, test_.ctx).value();
  const Error error = source->FetchTop(test_.ctx).error();
  EXPECT_EQ(error.code(), Errc::kUnavailable);
  EXPECT_EQ(test_.clock.sleeps().empty(), false);
}

TEST_F(Client, StopsWaitingWhenCancelled) {
  registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> {
    test_.ctx.cancel.Cancel();
    return FakeReply{.status = 503};
  });
  EXPECT_EQ(Open()->FetchTop(test_.ctx).error().code(), Errc::kCancelled);
  EXPECT_EQ(registry_.requests().size(), 1U);
}

TEST_F(Client, GivesTheSinksErrorAndDoesNotTryAgain) {
  class Full : public ByteSink {
   public:
    Status Write(ByteSpan) override { return Error(Errc::kNoSpace, "disk full"); }
  } full;
  const Descriptor blob = Blob("12345");
  EXPECT_EQ(Open()->Fetch(blob, 0, full, test_.ctx).error().code(), Errc::kNoSpace);
  EXPECT_EQ(registry_.requests().size(), 1U);
}

// --- HTTP itself ---

TEST_F(Client, BoundsHeadersAndInterimAnswers) {
  const Descriptor blob = Blob("x");
  std::string raw = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 3000; ++i) raw += StrCat("X-", i, ": ", std::string(50, 'a'), "\r\n");
  std::string interim;
  for (int i = 0; i < 10000; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  for (const std::string& bytes : {raw, interim}) {
    registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> { return FakeReply{.raw = bytes}; });
    const Error error = Fetch(blob).error();
    EXPECT_EQ(error.code(), Errc::kCorrupt) << error.message();
  }
}

TEST_F(Client, RefusesWhatIsNoHttp) {
  const Descriptor blob = Blob("x");
  for (const char* raw : {"SSH-2.0-OpenSSH_9.2\r\n", "x", "HTTP/1.1 999999 x\r\n\r\n"}) {
    registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> { return FakeReply{.raw = raw}; });
    EXPECT_FALSE(Fetch(blob).ok()) << raw;
  }
}

TEST_F(Client, UsesOneConnectionForOneRequestAfterTheOther) {
  registry_.AddManifest("team/os", "v1", std::string(kManifestType), "{}");
  const Descriptor blob = Blob(Noise(10000));
  const auto source = Open();
  for (int i = 0; i < 5; ++i) {
    StringSink sink;
    ASSERT_TRUE(source->FetchTop(test_.ctx).ok());
    ASSERT_TRUE(source->Fetch(blob, 0, sink, test_.ctx).ok());
  }
  EXPECT_EQ(registry_.connections(), 1);
}

TEST_F(Client, FetchesSeveralBlobsAtOnce) {
  registry_.RequireBearer("", "");
  const auto source = Open();
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      const std::string bytes = Noise(100000 + static_cast<size_t>(i));
      StringSink sink;
      const Descriptor blob = Blob(bytes);
      EXPECT_TRUE(source->Fetch(blob, 0, sink, test_.ctx).ok());
      EXPECT_EQ(sink.text == bytes, true);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::string> lines = registry_.request_lines();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "GET /token"), 1) << "one token for all";
}

TEST_F(Client, NeverFallsBackToPlainHttp) {
  const std::string port = registry_.host().substr(registry_.host().find(':'));
  // A host that is not loopback by its name, and is spoken to over TLS therefore; a proxy-free way to it is loopback.
  const auto source =
      OpenRegistry(ParseReference(StrCat("docker://0.0.0.0", port, "/os:v1")).value(), options_, test_.ctx).value();
  const Error error = source->FetchTop(test_.ctx).error();
  EXPECT_THAT(error.message(), HasSubstr("TLS"));
  for (const FakeRequest& request : registry_.requests()) EXPECT_THAT(request.path, Not(HasSubstr("/v2/")));
}

TEST_F(Client, RefusesABlockedRegistryAndAReferenceThatIsNone) {
  std::ofstream(dir_ / "registries.conf") << "[[registry]]\nlocation = \"blocked.example\"\nblocked = true\n";
  options_.paths.registries_conf = dir_ / "registries.conf";
  EXPECT_EQ(OpenRegistry(ParseReference("blocked.example/x").value(), options_, test_.ctx).error().code(),
            Errc::kUnauthorized);
  EXPECT_EQ(OpenRegistry(ParseReference("oci:/tmp/x").value(), options_, test_.ctx).error().code(), Errc::kInvalid);
}

// --- Sending ---

class Sending : public Client {
 protected:
  std::unique_ptr<ImageDestination> OpenForWriting(const std::string& rest = "team/os:v1") {
    return OpenRegistryForWriting(ParseReference(StrCat(registry_.host(), "/", rest)).value(), options_, test_.ctx)
        .value();
  }
  Status Send(const std::string& bytes) {
    std::ofstream(dir_ / "blob", std::ios::binary) << bytes;
    const UniqueFd file(::open((dir_ / "blob").c_str(), O_RDONLY | O_CLOEXEC));
    Descriptor blob{.media_type = {},
                    .digest = Digest::Of(AsBytes(bytes)),
                    .size = bytes.size(),
                    .annotations = {},
                    .platform = {},
                    .artifact_type = {}};
    return OpenForWriting()->PutBlob(blob, file.get(), test_.ctx);
  }
  std::string Stored(const std::string& bytes) {
    return registry_.blob("team/os", Digest::Of(AsBytes(bytes)).ToString()).value_or("nothing");
  }
};

TEST_F(Sending, SendsASmallBlobWhole) {
  const std::string bytes = Noise(100000);
  ASSERT_TRUE(Send(bytes).ok());
  EXPECT_EQ(Stored(bytes) == bytes, true);
  EXPECT_THAT(registry_.request_lines(),
              ElementsAre("POST /v2/team/os/blobs/uploads/", "PUT /v2/team/os/blobs/uploads/u1"));
  EXPECT_EQ(options_.stats->bytes_uploaded, bytes.size());
}

TEST_F(Sending, SendsABigBlobInPiecesAndAnEmptyOne) {
  options_.upload_chunk_bytes = 40000;
  const std::string bytes = Noise(100000);
  ASSERT_TRUE(Send(bytes).ok());
  EXPECT_EQ(Stored(bytes) == bytes, true);
  EXPECT_EQ(registry_.requests().size(), 5U) << "POST, three PATCH, PUT";
  ASSERT_TRUE(Send("").ok());
  EXPECT_EQ(Stored(""), "");
}

TEST_F(Sending, GoesOnWhereTheRegistryStandsAfterAnInterruption) {
  options_.upload_chunk_bytes = 10000;
  const std::string bytes = Noise(100000);
  // Every third request fails: before the registry saw it, or after it did and only its answer was lost.
  int calls = 0;
  registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
    ++calls;
    if (calls % 3 != 0) return std::nullopt;
    if (calls % 2 == 0) (void)registry_.Usual(request);
    return FakeReply{.status = 502};
  });
  const Status status = Send(bytes);
  ASSERT_TRUE(status.ok()) << status.error().message();
  EXPECT_EQ(Stored(bytes) == bytes, true);
  EXPECT_LT(options_.stats->bytes_uploaded, 2 * bytes.size());
}

TEST_F(Sending, SeesThatABlobArrivedWhoseLastAnswerWasLost) {
  const std::string bytes = Noise(1000);
  bool lost = false;
  registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.method != "PUT" || lost) return std::nullopt;
    lost = true;
    (void)registry_.Usual(request);
    return FakeReply{.raw = "HTTP/1.1 "};
  });
  const Status status = Send(bytes);
  ASSERT_TRUE(status.ok()) << status.error().message();
  EXPECT_EQ(options_.stats->bytes_uploaded, bytes.size()) << "sent once";
}

TEST_F(Sending, GivesUpWhenNothingHelps) {
  registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.method == "PUT") return FakeReply{.status = 500};
    return std::nullopt;
  });
  EXPECT_EQ(Send(Noise(1000)).error().code(), Errc::kUnavailable);
}

TEST_F(Sending, ReportsARefusalWithTheRegistrysWords) {
  registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.method != "PUT") return std::nullopt;
    return FakeReply{.status = 403, .body = R"({"errors":[{"code":"DENIED","message":"quota exceeded"}]})"};
  });
  const Error error = Send("x").error();
  EXPECT_EQ(error.code(), Errc::kUnauthorized);
  EXPECT_THAT(error.message(), HasSubstr("DENIED: quota exceeded"));
}

TEST_F(Sending, TakesABlobFromAnotherRepositoryInsteadOfSendingIt) {
  const std::string bytes = Noise(1000);
  registry_.AddBlob("team/base", bytes);
  options_.mount_from = {"team/base"};
  const Descriptor blob{.media_type = {},
                        .digest = Digest::Of(AsBytes(bytes)),
                        .size = bytes.size(),
                        .annotations = {},
                        .platform = {},
                        .artifact_type = {}};
  const auto destination = OpenForWriting();
  EXPECT_FALSE(destination->HasBlob(blob, test_.ctx).value());
  EXPECT_TRUE(destination->TryReuseBlob(blob, test_.ctx).value());
  EXPECT_TRUE(destination->HasBlob(blob, test_.ctx).value());
  EXPECT_EQ(options_.stats->bytes_uploaded, 0U);
}

TEST_F(Sending, UsesTheUploadThatARefusedMountBegan) {
  options_.mount_from = {"team/base"};
  const std::string bytes = "12345";
  const Descriptor blob{.media_type = {},
                        .digest = Digest::Of(AsBytes(bytes)),
                        .size = bytes.size(),
                        .annotations = {},
                        .platform = {},
                        .artifact_type = {}};
  std::ofstream(dir_ / "blob") << bytes;
  const UniqueFd file(::open((dir_ / "blob").c_str(), O_RDONLY | O_CLOEXEC));
  const auto destination = OpenForWriting();
  EXPECT_FALSE(destination->TryReuseBlob(blob, test_.ctx).value());
  ASSERT_TRUE(destination->PutBlob(blob, file.get(), test_.ctx).ok());
  EXPECT_THAT(registry_.request_lines(),
              ElementsAre("POST /v2/team/os/blobs/uploads/", "PUT /v2/team/os/blobs/uploads/u1"));
}

constexpr std::string_view kIndex = R"({"schemaVersion":2,"manifests":[]})";

TEST_F(Sending, PutsAManifestUnderItsTagOrItsDigest) {
  const Document document{.media_type = "", .bytes = std::string(kIndex)};
  const auto destination = OpenForWriting();
  ASSERT_TRUE(destination->PutManifest(document, ImageDestination::Tagged::kNo, test_.ctx).ok());
  EXPECT_EQ(registry_.manifest("team/os", "v1"), std::nullopt);
  EXPECT_EQ(registry_.manifest("team/os", document.digest().ToString()), kIndex);
  ASSERT_TRUE(destination->PutManifest(document, ImageDestination::Tagged::kYes, test_.ctx).ok());
  EXPECT_EQ(registry_.manifest("team/os", "v1"), kIndex);
  EXPECT_EQ(registry_.requests()[0].header("content-type"), "application/vnd.oci.image.index.v1+json");
}

TEST_F(Sending, RefusesToPutAnotherImageUnderADigest) {
  const Document document{.media_type = "", .bytes = std::string(kIndex)};
  const auto destination = OpenForWriting("team/os@sha256:" + std::string(64, '0'));
  EXPECT_EQ(destination->PutManifest(document, ImageDestination::Tagged::kYes, test_.ctx).error().code(),
            Errc::kInvalid);
  EXPECT_THAT(registry_.requests(), IsEmpty());
}

TEST_F(Sending, NoticesARegistryThatChangesAManifest) {
  registry_.SetHook([&](const FakeRequest&) -> std::optional<FakeReply> {
    return FakeReply{.status = 201, .headers = {{"Docker-Content-Digest", "sha256:" + std::string(64, 'a')}}};
  });
  const Document document{.media_type = "", .bytes = std::string(kIndex)};
  EXPECT_EQ(OpenForWriting()->PutManifest(document, ImageDestination::Tagged::kYes, test_.ctx).error().code(),
            Errc::kCorrupt);
}

TEST_F(Sending, DoesNotUploadToWhereTheRegistryMustNotSendUs) {
  for (const char* location : {"file:///tmp/x", "http://169.254.169.254/upload", ""}) {
    registry_.SetHook([&](const FakeRequest& request) -> std::optional<FakeReply> {
      if (request.method != "POST") return std::nullopt;
      FakeReply reply{.status = 202};
      if (*location != '\0') reply.headers.emplace_back("Location", location);
      return reply;
    });
    EXPECT_FALSE(Send("secret").ok()) << location;
  }
  EXPECT_EQ(options_.stats->bytes_uploaded, 0U);
}

}  // namespace
}  // namespace hostapp
