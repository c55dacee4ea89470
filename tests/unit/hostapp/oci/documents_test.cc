// SPDX-License-Identifier: Apache-2.0
// Manifests, indexes and configs: rows 61 to 63, 66, 69 to 83 of the bad-input list, by their numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hostapp/base/strings.h"
#include "hostapp/oci/image_config.h"
#include "hostapp/oci/manifest.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');
const std::string kC = "sha256:" + std::string(64, 'c');

std::string Quoted(std::string_view text) { return StrCat('"', text, '"'); }

std::string DescriptorText(std::string_view type, std::string_view digest, std::string_view size,
                           std::string_view more = "") {
  return StrCat(R"({"mediaType":)", Quoted(type), R"(,"digest":)", Quoted(digest), R"(,"size":)", size, more, "}");
}

const std::string kConfigText = DescriptorText(media_type::kOciConfig, kA, "10");
const std::string kLayerText = DescriptorText(media_type::kOciLayerGzip, kB, "20");

std::string ManifestText(std::string_view layers, std::string_view more = "",
                         std::string_view type = media_type::kOciManifest) {
  return StrCat(R"({"schemaVersion":2,"mediaType":)", Quoted(type), R"(,"config":)", kConfigText, R"(,"layers":[)",
                layers, "]", more, "}");
}

std::string IndexText(std::string_view manifests, std::string_view more = "") {
  return StrCat(R"({"schemaVersion":2,"mediaType":)", Quoted(media_type::kOciIndex), R"(,"manifests":[)", manifests,
                "]", more, "}");
}

std::string Entry(std::string_view digest, std::string_view platform) {
  return DescriptorText(media_type::kOciManifest, digest, "30",
                        platform.empty() ? "" : StrCat(R"(,"platform":)", platform));
}

Result<std::variant<Manifest, Index>> Parse(std::string bytes, std::string_view type = "") {
  return ParseDocument({.media_type = std::string(type), .bytes = std::move(bytes)});
}

TEST(ParseDocument, ReadsAManifest) {
  const std::string text = ManifestText(kLayerText, R"(,"annotations":{"k":"v"})");
  const auto parsed = Parse(text, media_type::kOciManifest);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  const auto& manifest = std::get<Manifest>(*parsed);
  EXPECT_EQ(manifest.document.bytes, text);
  EXPECT_EQ(manifest.digest, Digest::Of(AsBytes(text)));
  EXPECT_EQ(manifest.config.digest.ToString(), kA);
  ASSERT_EQ(manifest.layers.size(), 1u);
  EXPECT_EQ(manifest.layers[0].size, 20u);
  EXPECT_EQ(manifest.annotations.at("k"), "v");
  EXPECT_TRUE(CheckIsImage(manifest).ok());
}

TEST(ParseDocument, ReadsADockerManifestAndAListOfThem) {
  const std::string text = StrCat(R"({"schemaVersion":2,"mediaType":)", Quoted(media_type::kDockerManifest),
                                  R"(,"config":)", DescriptorText(media_type::kDockerConfig, kA, "10"),
                                  R"(,"layers":[)", DescriptorText(media_type::kDockerLayerGzip, kB, "20"), "]}");
  const auto parsed = Parse(text, StrCat(media_type::kDockerManifest, "; charset=utf-8"));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_TRUE(CheckIsImage(std::get<Manifest>(*parsed)).ok());
  const auto list = Parse(StrCat(R"({"schemaVersion":2,"mediaType":)", Quoted(media_type::kDockerList),
                                 R"(,"manifests":[)", Entry(kA, R"({"os":"linux","architecture":"amd64"})"), "]}"));
  ASSERT_TRUE(list.ok()) << list.error().message();
  EXPECT_EQ(std::get<Index>(*list).manifests.size(), 1u);
}

TEST(ParseDocument, TakesTheShapeForTheTypeWhereNobodySaysOne) {
  const std::string text = StrCat(R"({"schemaVersion":2,"config":)", kConfigText, R"(,"layers":[]})");
  for (const char* type : {"", "application/json", "application/octet-stream", "text/plain; charset=utf-8"}) {
    EXPECT_TRUE(Parse(text, type).ok()) << type;
  }
}

struct Bad {
  int row;
  std::string name;
  std::string text;
  std::string type;
  std::string says;
};

class BadDocuments : public ::testing::TestWithParam<Bad> {};

TEST_P(BadDocuments, AreCorrupt) {
  const auto parsed = Parse(GetParam().text, GetParam().type);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code(), Errc::kCorrupt);
  EXPECT_THAT(parsed.error().message(), HasSubstr(GetParam().says));
}

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::string ManyLayers(int count) {
  std::string out = kLayerText;
  for (int i = 1; i < count; ++i) out += StrCat(',', kLayerText);
  return out;
}

std::string WithDigest(std::string_view digest) {
  return ManifestText(DescriptorText(media_type::kOciLayerGzip, digest, "20"));
}
std::string WithSize(std::string_view size) {
  return ManifestText(DescriptorText(media_type::kOciLayerGzip, kB, size));
}
std::string WithData(std::string_view data) {
  return ManifestText(DescriptorText(media_type::kOciLayerGzip, kB, "3", StrCat(R"(,"data":)", Quoted(data))));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BadDocuments,
    ::testing::Values(
        Bad{61, "DigestWithAPath", WithDigest("sha256:../../x"), "", "digest \"sha256:../../x\""},
        Bad{61, "DigestInUpperCase", WithDigest("sha256:" + std::string(64, 'A')), "", "lower-case"},
        Bad{61, "DigestTooShort", WithDigest("sha256:abcd"), "", "64"},
        Bad{61, "DigestMd5", WithDigest("md5:" + std::string(32, 'a')), "", "only sha256 and sha512"},
        Bad{62, "DigestSha1", IndexText(Entry("sha1:" + std::string(40, 'a'), "")), "", "only sha256 and sha512"},
        Bad{63, "SizeNegative", WithSize("-1"), "", "layers[0].size: -1 is not in"},
        Bad{63, "SizeFloat", WithSize("1.5"), "", "layers[0].size: not a whole number"},
        Bad{63, "SizeHuge", WithSize("1e400"), "", "out of range"},
        Bad{63, "SizeBeyond63Bits", WithSize("9223372036854775808"), "", "beyond 2^63-1"},
        Bad{63, "SizeText", WithSize("\"20\""), "", "not a whole number"},
        Bad{66, "TwoSizesOfOneDigest",
            ManifestText(StrCat(kLayerText, ",", DescriptorText(media_type::kOciLayerGzip, kB, "21"))), "",
            "has two sizes, 20 and 21"},
        Bad{66, "TwoSizesOfConfigAndLayer", ManifestText(DescriptorText(media_type::kOciLayerGzip, kA, "11")), "",
            "has two sizes, 10 and 11"},
        Bad{69, "ManifestAndIndex", ManifestText(kLayerText, R"(,"manifests":[])"), "", "both a manifest and an index"},
        Bad{69, "ManifestCalledIndex", ManifestText(kLayerText, "", media_type::kOciIndex), "", "shape of a manifest"},
        Bad{69, "IndexServedAsManifest", StrCat(R"({"schemaVersion":2,"manifests":[]})"),
            std::string(media_type::kOciManifest), "shape of an index"},
        Bad{70, "TypesDiffer", ManifestText(kLayerText), std::string(media_type::kDockerManifest), "where it came as"},
        Bad{70, "TypeUnknown", ManifestText(kLayerText), "application/x-tar", "no manifest and no index"},
        Bad{70, "OwnTypeUnknown", ManifestText(kLayerText, "", "application/json"), "", "mediaType"},
        Bad{70, "NeitherShape", R"({"schemaVersion":2})", "", "neither a manifest"},
        Bad{90, "WebPage", ManifestText(kLayerText), "text/html", "a web page answered"},
        Bad{71, "KeyTwice", ManifestText(kLayerText, R"(,"layers":[])"), "", "the key \"layers\" twice"},
        Bad{71, "CaseVariant", ManifestText(kLayerText, R"(,"Layers":[])"), "", "must be written \"layers\""},
        Bad{71, "CaseVariantAlone", StrCat(R"({"schemaVersion":2,"config":)", kConfigText, R"(,"LAYERS":[]})"), "",
            "must be written \"layers\""},
        Bad{71, "CaseVariantInADescriptor",
            ManifestText(DescriptorText(media_type::kOciLayerGzip, kB, "1", R"(,"Digest":"x")")), "",
            "must be written \"digest\""},
        Bad{72, "Deep", ManifestText(kLayerText, StrCat(R"(,"x":)", Repeat("[", 100000), Repeat("]", 100000))), "",
            "nested deeper than 32"},
        Bad{72, "Long", ManifestText(kLayerText, StrCat(R"(,"x":")", std::string(kMaxManifestBytes, 'x'), "\"")), "",
            "more than the 4194304 allowed"},
        Bad{73, "NotUtf8", ManifestText(kLayerText, ",\"x\":\"\xff\""), "", "not JSON"},
        Bad{73, "LoneSurrogate", ManifestText(kLayerText, R"(,"x":"\ud800")"), "", "not JSON"},
        Bad{73, "ByteOrderMark", StrCat("\xef\xbb\xbf", ManifestText(kLayerText)), "", "byte order mark"},
        Bad{73, "TrailingGarbage", StrCat(ManifestText(kLayerText), "x"), "", "not JSON"},
        Bad{73, "NaN", ManifestText(kLayerText, R"(,"x":NaN)"), "", "not JSON"},
        Bad{73, "Comment", StrCat("/* */", ManifestText(kLayerText)), "", "not JSON"},
        Bad{73, "NoObject", "[]", "", "not an object"}, Bad{73, "Empty", "", "", "not JSON"},
        Bad{74, "TooManyLayers", ManifestText(ManyLayers(513)), "", "more than the 512 allowed"},
        Bad{75, "NoConfig", R"({"schemaVersion":2,"layers":[]})", "", "\"config\" is missing"},
        Bad{75, "NoLayers", StrCat(R"({"schemaVersion":2,"config":)", kConfigText, "}"), "", "\"layers\" is missing"},
        Bad{75, "LayersNull", StrCat(R"({"schemaVersion":2,"config":)", kConfigText, R"(,"layers":null})"), "",
            "\"layers\" is missing"},
        Bad{78, "DataOfOtherBytes", WithData("YWJj"), "", "does not have the descriptor's digest"},
        Bad{78, "DataOfOtherSize", WithData("YWI="), "", "has 2 bytes where the descriptor says 3"},
        Bad{78, "DataNotBase64", WithData("?"), "", "not base64"},
        Bad{82, "Schema1", R"({"schemaVersion":1,"fsLayers":[],"history":[]})", "", "schema 1"},
        Bad{82, "Schema1WithLayersToo", ManifestText(kLayerText, R"(,"fsLayers":[])"), "", "schema 1"},
        Bad{82, "Schema1ByType", ManifestText(kLayerText), "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "schema 1"},
        Bad{82, "Schema3", R"({"schemaVersion":3,"config":{},"layers":[]})", "", "3 is not in 2..2"}),
    [](const auto& test) { return StrCat("Row", test.param.row, test.param.name); });

TEST(ParseDocument, AllowsTheSameLayerOften) {  // row 74
  const auto parsed = Parse(ManifestText(ManyLayers(512)));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(std::get<Manifest>(*parsed).layers.size(), 512u);
}

TEST(ParseDocument, IgnoresUrlsAndTakesTrueInlineData) {  // row 78
  const Digest digest = Digest::Of(AsBytes("abc"));
  const auto parsed = Parse(ManifestText(DescriptorText(media_type::kOciLayerGzip, digest.ToString(), "3",
                                                        R"(,"data":"YWJj","urls":["file:///etc/shadow"])")));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(std::get<Manifest>(*parsed).layers[0].digest, digest);
}

TEST(ParseManifest, RefusesAnIndex) {
  const auto manifest = ParseManifest({.media_type = "", .bytes = IndexText("")});
  ASSERT_FALSE(manifest.ok());
  EXPECT_EQ(manifest.error().code(), Errc::kCorrupt);
}

Status ImageCheck(std::string_view layers, std::string_view more = "") {
  const auto parsed = Parse(ManifestText(layers, more));
  EXPECT_TRUE(parsed.ok());
  return CheckIsImage(std::get<Manifest>(*parsed));
}

TEST(CheckIsImage, RefusesNoLayersOtherArtifactsAndUnknownLayers) {  // rows 74, 79
  EXPECT_THAT(ImageCheck("").error().message(), HasSubstr("no layers"));
  EXPECT_THAT(ImageCheck(kLayerText, R"(,"artifactType":"application/vnd.example.sbom+json")").error().message(),
              HasSubstr("an artifact of type"));
  EXPECT_TRUE(ImageCheck(kLayerText, StrCat(R"(,"artifactType":)", Quoted(media_type::kOciConfig))).ok());
  const Status unknown = ImageCheck(DescriptorText("application/vnd.oci.image.layer.v1.tar+xz", kB, "20"));
  EXPECT_EQ(unknown.error().code(), Errc::kCorrupt);
  EXPECT_THAT(unknown.error().message(), HasSubstr("layer 1 of unknown type"));
}

TEST(CheckIsImage, RefusesAConfigThatIsNone) {
  const auto parsed =
      Parse(StrCat(R"({"schemaVersion":2,"config":)", DescriptorText("application/vnd.oci.empty.v1+json", kA, "2"),
                   R"(,"layers":[)", kLayerText, "]}"));
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(CheckIsImage(std::get<Manifest>(*parsed)).error().message(), HasSubstr("is no image's"));
}

Index IndexOf(std::string_view manifests) {
  auto parsed = Parse(IndexText(manifests));
  EXPECT_TRUE(parsed.ok());
  return std::get<Index>(*std::move(parsed));
}

Platform For(std::string architecture, std::string variant = "") {
  return {.os = "linux", .architecture = std::move(architecture), .variant = std::move(variant), .os_features = {}};
}

constexpr char kAmd64[] = R"({"os":"linux","architecture":"amd64"})";
constexpr char kArmV7[] = R"({"os":"linux","architecture":"arm","variant":"v7"})";
constexpr char kArm64V8[] = R"({"os":"linux","architecture":"arm64","variant":"v8"})";
constexpr char kWindows[] = R"({"os":"windows","architecture":"amd64"})";

TEST(SelectPlatform, TakesTheFirstExactMatch) {  // row 76
  const Index index =
      IndexOf(StrCat(Entry(kC, kWindows), ",", Entry(kA, kAmd64), ",", Entry(kB, kAmd64), ",", Entry(kB, kArmV7)));
  EXPECT_EQ(SelectPlatform(index, For("amd64"))->digest.ToString(), kA);
  EXPECT_EQ(SelectPlatform(index, For("arm", "v7"))->digest.ToString(), kB);
}

TEST(SelectPlatform, TakesNoOtherVariant) {  // row 76
  const Index index = IndexOf(StrCat(Entry(kA, kArmV7), ",", Entry(kB, kArm64V8)));
  EXPECT_EQ(SelectPlatform(index, For("arm", "v6")).error().code(), Errc::kNotFound);
  EXPECT_EQ(SelectPlatform(index, For("arm", "v8")).error().code(), Errc::kNotFound);
  EXPECT_EQ(SelectPlatform(index, For("arm64"))->digest.ToString(), kB);
}

TEST(SelectPlatform, TakesNoFeatureThatTheDeviceLacks) {  // row 76
  const Index index = IndexOf(
      StrCat(Entry(kA, R"({"os":"linux","architecture":"amd64","os.features":["sgx"]})"), ",", Entry(kB, kAmd64)));
  EXPECT_EQ(SelectPlatform(index, For("amd64"))->digest.ToString(), kB);
}

TEST(SelectPlatform, ListsWhatThereIsWhenNothingFits) {  // row 76
  const Index index = IndexOf(StrCat(Entry(kA, kArmV7), ",", Entry(kB, "")));
  const auto selected = SelectPlatform(index, For("amd64"));
  ASSERT_FALSE(selected.ok());
  EXPECT_EQ(selected.error().code(), Errc::kNotFound);
  EXPECT_THAT(selected.error().message(),
              HasSubstr("nothing for linux/amd64; there is linux/arm/v7, one without a platform"));
}

TEST(SelectPlatform, TakesAnEntryWithoutAPlatformOnlyAlone) {
  EXPECT_EQ(SelectPlatform(IndexOf(Entry(kA, "")), For("amd64"))->digest.ToString(), kA);
  EXPECT_FALSE(SelectPlatform(IndexOf(Entry(kA, kArmV7)), For("amd64")).ok());
}

TEST(DescriptorJson, ReadsBackWhatItWrites) {
  Descriptor out{.media_type = std::string(media_type::kOciManifest),
                 .digest = *Digest::Parse(kA),
                 .size = 7,
                 .annotations = {{"a", "b"}},
                 .platform = For("arm", "v7"),
                 .artifact_type = "application/x"};
  out.platform->os_features = {"f"};
  const Json json = ToJson(out);
  const auto back = ParseDescriptor(JsonCursor(json, "d"));
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(*back, out);
}

std::string ConfigText(std::string_view diff_ids, std::string_view more = "") {
  return StrCat(R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[)", diff_ids, "]}", more,
                "}");
}

TEST(ParseImageConfig, ReadsWhatADeviceNeeds) {
  const std::string text = ConfigText(
      Quoted(kA),
      R"(,"created":"2026-11-22T10:00:00.5+01:00","config":{"Labels":{"org.opencontainers.image.version":"1.2"}})");
  const auto config = ParseImageConfig(text, 1);
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->bytes, text);
  EXPECT_EQ(config->platform.ToString(), "linux/amd64");
  EXPECT_EQ(config->created, 1795338000);
  ASSERT_EQ(config->diff_ids.size(), 1u);
  EXPECT_EQ(config->diff_ids[0].ToString(), kA);
  EXPECT_EQ(config->version(), "1.2");
}

TEST(ParseImageConfig, RefusesAnotherNumberOfDiffIds) {  // row 75
  for (const size_t layers : {size_t{0}, size_t{2}}) {
    const auto config = ParseImageConfig(ConfigText(Quoted(kA)), layers);
    ASSERT_FALSE(config.ok());
    EXPECT_EQ(config.error().code(), Errc::kCorrupt);
    EXPECT_THAT(config.error().message(), HasSubstr("1 entries where the manifest has"));
  }
}

TEST(ParseImageConfig, RefusesWhatIsNoConfig) {
  for (const std::string& text :
       {std::string("{}"), std::string("[]"), ConfigText("\"sha256:../x\""), ConfigText("1"),
        ConfigText(Quoted(kA), R"(,"created":"yesterday")"), ConfigText(Quoted(kA), R"(,"created":5)"),
        ConfigText(Quoted(kA), R"(,"config":{"Labels":{"a":1}})"),
        ConfigText(Quoted(kA), R"(,"config":{"labels":{"a":"b"}})"), ConfigText(Quoted(kA), R"(,"Rootfs":{})"),
        std::string(R"({"architecture":"a","os":"l","rootfs":{"type":"squashfs","diff_ids":["x"]}})"),
        ConfigText(Quoted(kA), StrCat(R"(,"x":")", std::string(kMaxConfigBytes, 'x'), "\""))}) {
    const auto config = ParseImageConfig(text, 1);
    ASSERT_FALSE(config.ok()) << text.substr(0, 200);
    EXPECT_EQ(config.error().code(), Errc::kCorrupt);
  }
}

TEST(ParseImageConfig, TakesGosZeroTimeForNone) {  // row 83
  const auto config = ParseImageConfig(ConfigText("", R"(,"created":"0001-01-01T00:00:00Z","config":null)"), 0);
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->created, std::nullopt);
}

TEST(ImageConfigVersion, IsNothingWhenItIsUnfit) {  // rows 80, 83
  ImageConfig config;
  EXPECT_EQ(config.version(), std::nullopt);
  for (const std::string& label : {std::string(), std::string(257, '1'), std::string("1\n2"), std::string("\x1b[31m"),
                                   std::string("\xff"), std::string("1\u202e2"), std::string(size_t{10} << 20, '1')}) {
    config.labels[std::string(kVersionLabel)] = label;
    EXPECT_EQ(config.version(), std::nullopt) << label.substr(0, 20);
  }
  config.labels[std::string(kVersionLabel)] = "../../1.0 ü";
  EXPECT_EQ(config.version(), "../../1.0 ü");
}

}  // namespace
}  // namespace hostapp
