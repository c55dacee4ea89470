// SPDX-License-Identifier: Apache-2.0
// What is parsed before anything is believed: challenges, tokens, URLs, header values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hostapp/registry/auth.h"
#include "hostapp/registry/http.h"
#include "hostapp/registry/url.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Text(std::string_view header) {
  const Result<std::vector<Challenge>> challenges = ParseChallenges(header);
  if (!challenges.ok()) return "error";
  std::string out;
  for (const Challenge& challenge : *challenges) {
    out += challenge.scheme + "(";
    for (const auto& [name, value] : challenge.parameters) out += name + "=" + value + ";";
    out += ")";
  }
  return out;
}

TEST(ParseChallenges, ReadsWhatRegistriesSend) {
  EXPECT_EQ(
      Text(R"(Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push")"),
      "bearer(realm=https://auth.example/token;scope=repository:a/b:pull,push;service=registry.example;)");
  EXPECT_EQ(Text("Basic realm=\"x\", charset=\"UTF-8\""), "basic(charset=UTF-8;realm=x;)");
  EXPECT_EQ(Text("bearer  REALM = \"x\" , error=invalid_token"), "bearer(error=invalid_token;realm=x;)");
  EXPECT_EQ(Text(R"(Basic realm="a \"quoted\" word")"), "basic(realm=a \"quoted\" word;)");
  EXPECT_EQ(Text(R"(Negotiate, NTLM TlRMTVNTUAAB==, Basic realm="r", Bearer realm="t")"),
            "negotiate()ntlm()basic(realm=r;)bearer(realm=t;)");
  EXPECT_EQ(Text(""), "");
  EXPECT_EQ(Text(" , ,"), "");
}

TEST(ParseChallenges, RefusesWhatIsNone) {
  for (const char* bad :
       {"Bearer realm=\"unended", "Bearer a=b, realm=", "realm=\"x\"", "Bearer realm=\"a\",realm=\"b\"", "Bearer \x01",
        "Bearer realm=\"a\nb\"", "Bearer realm=\"\\", "@@"}) {
    EXPECT_EQ(Text(bad), "error") << bad;
  }
  EXPECT_EQ(Text("Bearer realm=\"" + std::string(17000, 'a') + "\""), "error");
}

TEST(CheckRealm, SendsUsOnlyWhereATokenServerMayBe) {
  const Url tls = ParseUrl("https://registry.example/v2/").value();
  const Url plain = ParseUrl("http://10.0.0.5:5000/v2/").value();
  const Url loopback = ParseUrl("http://127.0.0.1:5000/v2/").value();
  EXPECT_TRUE(CheckRealm(tls, "https://auth.other.example/token?x=1").ok());
  EXPECT_TRUE(CheckRealm(plain, "http://10.0.0.5:5001/token").ok());
  EXPECT_TRUE(CheckRealm(plain, "https://auth.example/token").ok());
  EXPECT_TRUE(CheckRealm(loopback, "http://127.0.0.1:5001/token").ok());
  const std::pair<const Url&, const char*> refused[] = {{tls, "http://registry.example/token"},
                                                        {tls, "http://169.254.169.254/latest/meta-data"},
                                                        {tls, "https://169.254.169.254/token"},
                                                        {tls, "https://[fe80::1]/token"},
                                                        {tls, "https://[::ffff:169.254.169.254]/token"},
                                                        {tls, "https://0xa9fea9fe/token"},
                                                        {tls, "https://2852039166/token"},
                                                        {tls, "https://127.0.0.1/token"},
                                                        {tls, "https://localhost/token"},
                                                        {tls, "file:///etc/passwd"},
                                                        {tls, "gopher://registry.example/"},
                                                        {tls, "https://user:pass@registry.example/token"},
                                                        {tls, "/token"},
                                                        {tls, ""},
                                                        {tls, "https://a b/"},
                                                        {plain, "http://other.example/token"},
                                                        {plain, "http://169.254.169.254/token"},
                                                        {loopback, "http://169.254.169.254/token"}};
  for (const auto& [registry, realm] : refused) {
    const Result<Url> url = CheckRealm(registry, realm);
    ASSERT_FALSE(url.ok()) << realm;
    EXPECT_EQ(url.error().code(), Errc::kUntrusted);
    EXPECT_THAT(url.error().message(), HasSubstr("token server"));
  }
}

TEST(ChooseScopes, DoesNotLetTheRegistryWidenWhatWeAskFor) {
  const std::vector<std::string> wanted = {"repository:a/b:pull"};
  EXPECT_EQ(ChooseScopes("repository:a/b:pull", {"a/b"}, wanted), wanted);
  EXPECT_EQ(ChooseScopes("", {"a/b"}, wanted), wanted);
  EXPECT_EQ(ChooseScopes("registry:catalog:*", {"a/b"}, wanted), wanted);
  EXPECT_EQ(ChooseScopes("repository:a/b:pull repository:other:push", {"a/b"}, wanted), wanted);
  EXPECT_EQ(ChooseScopes("repository:a/bc:pull", {"a/b"}, wanted), wanted);
}

TEST(TokenRequest, KeepsThePasswordFromAnotherHostThatAPlainRegistryNames) {
  const Credentials credentials{.user = "u", .password = "p", .identity_token = {}};
  const Url plain = ParseUrl("http://10.0.0.5:5000/v2/").value();
  const Url tls = ParseUrl("https://registry.example/v2/").value();
  const Url elsewhere = ParseUrl("https://evil.example/token").value();
  EXPECT_TRUE(TokenRequest(plain, elsewhere, "s", {}, credentials).headers.empty());
  const HttpRequest request = TokenRequest(tls, elsewhere, "s &", {"repository:a:pull"}, credentials);
  EXPECT_EQ(request.url, "https://evil.example/token?service=s%20%26&scope=repository%3Aa%3Apull&account=u");
  EXPECT_EQ(request.headers[0].second, "Basic dTpw");
}

TEST(TokenRequest, TradesAnIdentityTokenByPost) {
  const Credentials credentials{.user = "<token>", .password = {}, .identity_token = "id"};
  const Url tls = ParseUrl("https://registry.example/v2/").value();
  const HttpRequest request = TokenRequest(tls, ParseUrl("https://auth.example/t").value(), "s", {"x"}, credentials);
  EXPECT_EQ(request.method, HttpRequest::Method::kPost);
  EXPECT_EQ(request.url, "https://auth.example/t");
  EXPECT_EQ(request.text, "service=s&scope=x&grant_type=refresh_token&client_id=hostapp&refresh_token=id");
}

TEST(ParseTokenAnswer, TakesEitherNameAndNothingThatBreaksAHeader) {
  EXPECT_EQ(ParseTokenAnswer(R"({"token":"a"})").value(), "a");
  EXPECT_EQ(ParseTokenAnswer(R"({"access_token":"b","expires_in":300})").value(), "b");
  EXPECT_EQ(ParseTokenAnswer(R"({"token":"","access_token":"b"})").value(), "b");
  for (const std::string& bad :
       {std::string("{}"), std::string(""), std::string("not json"), std::string(R"({"token":1})"),
        std::string(R"({"token":"a\r\nX-Evil: 1"})"), std::string(R"({"token":"a b"})"),
        std::string(R"({"token":"é"})"), std::string("{\"token\":\"a\",\"token\":\"b\"}"),
        "{\"token\":\"" + std::string(40000, 'a') + "\"}"}) {
    EXPECT_EQ(ParseTokenAnswer(bad).error().code(), Errc::kCorrupt) << bad.substr(0, 60);
  }
}

TEST(ResolveUrl, FollowsLocationsAsTheyAreWritten) {
  const Url base = ParseUrl("https://registry.example:5000/v2/a/blobs/uploads/?x=1").value();
  const auto resolve = [&](std::string_view location) {
    const Result<Url> url = ResolveUrl(base, location);
    return url.ok() ? url->ToString() : "error";
  };
  EXPECT_EQ(resolve("/v2/a/blobs/uploads/u?state=a%2Fb"),
            "https://registry.example:5000/v2/a/blobs/uploads/u?state=a%2Fb");
  EXPECT_EQ(resolve("https://cdn.example/x?sig=1&y"), "https://cdn.example/x?sig=1&y");
  EXPECT_EQ(resolve("//cdn.example/x"), "https://cdn.example/x");
  EXPECT_EQ(resolve("u2"), "https://registry.example:5000/v2/a/blobs/uploads/u2");
  for (const char* bad : {"file:///etc/passwd", "ftp://x/", "https://u:p@x/", "", "https://", "https://x:0/",
                          "https://x:99999/", "/a\r\nX: y", "https://x/ y", "javascript:alert(1)"}) {
    EXPECT_EQ(resolve(bad), "error") << bad;
  }
}

TEST(IsLoopback, KnowsEverySpelling) {
  for (const char* yes : {"127.0.0.1", "127.255.0.9", "[::1]", "localhost", "a.localhost", "[::ffff:127.0.0.1]"}) {
    EXPECT_TRUE(IsLoopback(yes)) << yes;
  }
  for (const char* no :
       {"128.0.0.1", "10.0.0.1", "[::2]", "localhost.example", "notlocalhost", "127.0.0.1.example", ""}) {
    EXPECT_FALSE(IsLoopback(no)) << no;
  }
}

TEST(ParseRetryAfter, ReadsSecondsAndDates) {
  EXPECT_EQ(ParseRetryAfter("120", 0), 120U);
  EXPECT_EQ(ParseRetryAfter(" 0 ", 0), 0U);
  EXPECT_EQ(ParseRetryAfter("99999999999999999999999", 0), UINT64_MAX);
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", 784111770), 7U);
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", 784111778), 0U);
  for (const char* bad : {"", "-1", "soon", "1.5", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 31 Feb 1994 08:49:37 GMT"}) {
    EXPECT_EQ(ParseRetryAfter(bad, 0), std::nullopt) << bad;
  }
}

TEST(ParseContentRange, RefusesWhatMakesNoSense) {
  const ContentRange range = ParseContentRange("bytes 5-9/10").value();
  EXPECT_EQ(range.first, 5U);
  EXPECT_EQ(range.last, 9U);
  EXPECT_EQ(range.total, 10U);
  EXPECT_EQ(ParseContentRange("bytes 0-0/*").value().total, std::nullopt);
  for (const char* bad : {"", "5-9/10", "bytes 9-5/10", "bytes 5-10/10", "bytes 5-/10", "bytes */10", "bytes 5-9",
                          "bytes -9/10", "items 5-9/10", "bytes 5-9/x"}) {
    EXPECT_FALSE(ParseContentRange(bad)) << bad;
  }
}

TEST(DescribeErrorBody, GivesTheRegistrysWordsEscapedAndShort) {
  EXPECT_EQ(DescribeErrorBody(R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]})"),
            "MANIFEST_UNKNOWN: manifest unknown");
  EXPECT_EQ(DescribeErrorBody("{\"errors\":[{\"code\":\"\\u001b[31m\"}]}"), "\\x1b[31m");
  EXPECT_EQ(DescribeErrorBody("<html>"), "");
  EXPECT_EQ(DescribeErrorBody("first\nsecond"), "first");
  EXPECT_LT(DescribeErrorBody(std::string(5000, 'x')).size(), 300U);
}

}  // namespace
}  // namespace hostapp
