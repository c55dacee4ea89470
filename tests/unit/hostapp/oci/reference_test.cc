// SPDX-License-Identifier: Apache-2.0
#include "hostapp/oci/reference.h"

#include <gtest/gtest.h>

namespace hostapp {
namespace {

constexpr char kHex[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct Good {
  std::string text;
  std::string whole;  // as ToString() writes it
};

class GoodReferences : public ::testing::TestWithParam<Good> {};

TEST_P(GoodReferences, AreWrittenInFullAndReadBackTheSame) {
  const auto reference = ParseReference(GetParam().text);
  ASSERT_TRUE(reference.ok()) << reference.error().message();
  EXPECT_EQ(reference->ToString(), GetParam().whole);
  const auto again = ParseReference(reference->ToString());
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(*again, *reference);
}

INSTANTIATE_TEST_SUITE_P(
    All, GoodReferences,
    ::testing::Values(
        Good{"debian", "docker://docker.io/library/debian"}, Good{"debian:12", "docker://docker.io/library/debian:12"},
        Good{"docker://team/os", "docker://docker.io/team/os"},
        Good{"docker.io/debian", "docker://docker.io/library/debian"},
        Good{"index.docker.io/debian", "docker://docker.io/library/debian"},
        Good{"localhost/os", "docker://localhost/os"}, Good{"LocalHost/os", "docker://localhost/os"},
        Good{"localhost:5000/os:v1", "docker://localhost:5000/os:v1"},
        Good{"Registry.Example/os", "docker://registry.example/os"},
        Good{"10.0.2.2:5000/a/b/c:T-1_x.y", "docker://10.0.2.2:5000/a/b/c:T-1_x.y"},
        Good{"[::1]:5000/os", "docker://[::1]:5000/os"}, Good{"[fd00::2]/os", "docker://[fd00::2]/os"},
        Good{"r.example/a__b/c---d/e.f_g", "docker://r.example/a__b/c---d/e.f_g"},
        Good{std::string("r.example/os@sha256:") + kHex, std::string("docker://r.example/os@sha256:") + kHex},
        Good{std::string("r.example/os:v1@sha256:") + kHex, std::string("docker://r.example/os:v1@sha256:") + kHex},
        Good{"r.example/os:" + std::string(128, 'a'), "docker://r.example/os:" + std::string(128, 'a')},
        Good{"oci:dir", "oci:dir"}, Good{"oci:/srv/a b:v1", "oci:/srv/a b:v1"}, Good{"oci:/a:b:v1", "oci:/a:b:v1"},
        Good{"oci:/a:b/c", "oci:/a:b/c"}, Good{"oci-archive:/x.tar:v1", "oci-archive:/x.tar:v1"},
        Good{std::string("oci:d:t@sha256:") + kHex, std::string("oci:d:t@sha256:") + kHex}));

TEST(ParseReference, TakesThePartsApart) {
  const auto reference = ParseReference(std::string("docker://r.example:5000/team/os:v1@sha256:") + kHex);
  ASSERT_TRUE(reference.ok());
  EXPECT_EQ(reference->transport, Reference::Transport::kRegistry);
  EXPECT_EQ(reference->host, "r.example:5000");
  EXPECT_EQ(reference->repository, "team/os");
  EXPECT_EQ(reference->tag, "v1");
  ASSERT_TRUE(reference->digest.has_value());
  EXPECT_EQ(reference->digest->Hex(), kHex);
}

TEST(ParseReference, TakesTheLastColonOfAPathForTheTag) {
  const auto reference = ParseReference("oci-archive:/a:b:v1");
  ASSERT_TRUE(reference.ok());
  EXPECT_EQ(reference->transport, Reference::Transport::kArchive);
  EXPECT_EQ(reference->path, "/a:b");
  EXPECT_EQ(reference->tag, "v1");
}

class BadReferences : public ::testing::TestWithParam<std::string> {};

// Row 97 of the bad-input list, and 61 where a digest is part of it.
TEST_P(BadReferences, AreInvalid) {
  const auto reference = ParseReference(GetParam());
  ASSERT_FALSE(reference.ok()) << reference->ToString();
  EXPECT_EQ(reference.error().code(), Errc::kInvalid);
  EXPECT_TRUE(reference.error().message().starts_with("reference \"")) << reference.error().message();
}

INSTANTIATE_TEST_SUITE_P(
    Row97, BadReferences,
    ::testing::Values("", ":", "/", "docker://", "r.example/", "r.example//os", "r.example/os/", "r.example/OS",
                      "team/OS", "Team/os", "r.example/os:", "r.example/os:" + std::string(129, 'a'), "r.example/os:.a",
                      "r.example/os:-a", "r.example/os:a/b", "r.example/os:a%2e", "r.example/../os", "r.example/a..b",
                      "r.example/a___b", "r.example/a.-b", "r.example/-a", "r.example/a-", "r.example/%2e%2e/os",
                      "r.example:0/os", "r.example:65536/os", "r.example:/os", "r.example:5000:1/os",
                      "r.example:050000/os", "-r.example/os", "r..example/os", "[::1/os", "[]/os", "[::1]x/os",
                      "user@r.example/os", "r.example/os@", "r.example/os@sha256:abc",
                      "r.example/os@md5:0123456789abcdef0123456789abcdef", "r.example/os@sha256:../../x",
                      std::string("r.example/os@sha256:") + "0123456789ABCDEF" +
                          "0123456789abcdef0123456789abcdef0123456789abcdef",
                      "r.example/os:a\nb", std::string("r.example/o\0s", 13), "https://r.example/os",
                      "docker-archive:/x.tar", "containers-storage:x", "oci:", "oci::v1", "oci:dir:", "oci:dir:a b",
                      std::string("oci:a\0b", 7), "oci:d@sha256:12", "r.example/" + std::string(250, 'a')));

}  // namespace
}  // namespace hostapp
