// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/json.h"

#include <gtest/gtest.h>

namespace hostapp {
namespace {

// What ParseJson() says against `text`, or "ok".
std::string Verdict(std::string_view text, const JsonLimits& limits = {}) {
  const Result<Json> json = ParseJson(text, "doc", limits);
  if (json.ok()) return "ok";
  EXPECT_EQ(json.error().code(), Errc::kCorrupt);
  return json.error().message();
}

TEST(ParseJson, ReadsEveryKindOfValue) {
  const Json json = ParseJson(R"({"a":[1,-2,0.5,true,false,null],"b":{"c":"\u00e9\n"}})", "doc").value();
  EXPECT_EQ(json, Json(Json::Object{{"a", Json::Array{1, -2, 0.5, true, false, nullptr}},
                                    {"b", Json::Object{{"c", "é\n"}}}}));
}

TEST(ParseJson, RefusesADuplicateKeyAtAnyDepthAndNamesIt) {
  EXPECT_EQ(Verdict(R"({"layers":[],"layers":[]})"), "doc: the key \"layers\" twice");
  EXPECT_EQ(Verdict(R"({"a":{"b":[{"c":1,"d":2,"c":3}]}})"), "doc: the key \"c\" twice");
  // The same key, once written with an escape.
  EXPECT_EQ(Verdict(R"({"layers":[],"l\u0061yers":[]})"), "doc: the key \"layers\" twice");
}

TEST(ParseJson, TakesKeysThatDifferInCaseAsDifferent) {
  const Json json = ParseJson(R"({"layers":1,"Layers":2})", "doc").value();
  EXPECT_EQ(JsonCursor(json, "doc").IntAt("layers", 0, 9).value(), 1);
  EXPECT_FALSE(JsonCursor(json, "doc").IntAt("LAYERS", 0, 9).ok());
}

TEST(ParseJson, AllowsTheDocumentedDepthAndNotOneMore) {
  EXPECT_EQ(Verdict(std::string(32, '[') + std::string(32, ']')), "ok");
  EXPECT_EQ(Verdict(std::string(33, '[') + std::string(33, ']')), "doc: nested deeper than 32");
}

TEST(ParseJson, StopsAtAHundredThousandBracketsWithoutUsingTheStack) {
  EXPECT_EQ(Verdict(std::string(100000, '[')), "doc: nested deeper than 32");
}

TEST(ParseJson, RefusesADocumentOverItsSize) {
  EXPECT_EQ(Verdict("[1,2,3]", {.max_bytes = 7}), "ok");
  EXPECT_EQ(Verdict("[1,2,3]", {.max_bytes = 6}), "doc: 7 bytes, more than the 6 allowed");
}

TEST(ParseJson, RefusesWhatIsNotJsonExactly) {
  const std::vector<std::string> cases = {"",
                                          " ",
                                          "{",
                                          "[1,]",
                                          "{\"a\":1,}",
                                          "{'a':1}",
                                          "{a:1}",
                                          "[1] x",
                                          "[1][2]",
                                          "// c\n[1]",
                                          "/* c */[1]",
                                          "NaN",
                                          "[NaN]",
                                          "[Infinity]",
                                          "[+1]",
                                          "[01]",
                                          "[.5]",
                                          "[1.]",
                                          "[0x10]",
                                          "[tru]",
                                          "[\"\t\"]",
                                          "[\"\\x41\"]",
                                          std::string("{}\0", 3),
                                          std::string("{}\0 garbage", 11),
                                          std::string("[\"a\0b\"]", 7)};
  for (const std::string& text : cases) EXPECT_NE(Verdict(text), "ok") << text;
}

TEST(ParseJson, RefusesAByteOrderMark) {
  EXPECT_EQ(Verdict("\xef\xbb\xbf{}"), "doc: begins with a byte order mark");
  EXPECT_NE(Verdict(std::string("\xff\xfe{\0}\0", 6)), "ok");
}

TEST(ParseJson, RefusesTextThatIsNotUtf8) {
  for (const char* bad :
       {"[\"\xff\"]", "[\"\xc0\xaf\"]", "[\"\xed\xa0\x80\"]", "[\"\xf4\x90\x80\x80\"]", "[\"\xe2\x82\"]"}) {
    EXPECT_NE(Verdict(bad), "ok") << bad;
  }
}

TEST(ParseJson, RefusesLoneSurrogatesAndTakesPairs) {
  for (const char* bad :
       {R"(["\ud800"])", R"(["\udc00"])", R"(["\ud800\ud800"])", R"(["\ud800x"])", R"(["\ud83d\u0041"])"}) {
    EXPECT_NE(Verdict(bad), "ok") << bad;
  }
  const Json pair = ParseJson(R"(["\ud83d\ude00"])", "doc").value();
  EXPECT_EQ(pair, Json(Json::Array{"\xf0\x9f\x98\x80"}));
}

TEST(ParseJson, RefusesNumbersOutOfRange) {
  EXPECT_NE(Verdict("[1e400]"), "ok");
  EXPECT_NE(Verdict("[-1e400]"), "ok");
  EXPECT_EQ(Verdict("[9223372036854775808]"), "doc: a number beyond 2^63-1");
  EXPECT_EQ(Verdict("[9223372036854775807]"), "ok");
}

TEST(JsonCursor, NamesTheWholePathOfWhatIsWrong) {
  const Json json = ParseJson(R"({"layers":[{"size":1},{"size":"2"}]})", "manifest").value();
  const auto layers = JsonCursor(json, "manifest").Member("layers").value().Elements().value();
  EXPECT_EQ(layers[1].IntAt("size", 0, 10).error().message(), "manifest.layers[1].size: not a whole number");
  EXPECT_EQ(layers[0].StringAt("digest").error().message(), "manifest.layers[0]: \"digest\" is missing");
}

TEST(JsonCursor, TakesOnlyWholeNumbersInRangeAsSizes) {
  for (const char* bad : {"-1", "1.5", "1.0", "1e3", "\"1\"", "true", "null", "[1]", "11", "18446744073709551616"}) {
    const Result<Json> json = ParseJson(std::string("{\"size\":") + bad + "}", "d");
    ASSERT_TRUE(json.ok()) << bad;
    EXPECT_FALSE(JsonCursor(*json, "d").IntAt("size", 0, 10).ok()) << bad;
  }
}

TEST(JsonCursor, TreatsNullAndAbsentAlike) {
  const Json json = ParseJson(R"({"a":null,"b":"x"})", "d").value();
  EXPECT_EQ(JsonCursor(json, "d").OptionalStringAt("a").value(), std::nullopt);
  EXPECT_EQ(JsonCursor(json, "d").OptionalStringAt("c").value(), std::nullopt);
  EXPECT_EQ(JsonCursor(json, "d").OptionalStringAt("b").value(), "x");
}

TEST(JsonCursor, EscapesHostileKeysInErrors) {
  const Json json = ParseJson("{\"\\u001b[31m\":[]}", "d").value();
  const Error error = JsonCursor(json, "d").StringMap().error();
  EXPECT_EQ(error.message(), "d.\\x1b[31m: not a string");
}

TEST(DumpJson, IsCanonicalAndReadsBackTheSame) {
  const Json json(Json::Object{{"b", 1}, {"a", Json::Array{"x\"\n", 0.5, nullptr}}});
  EXPECT_EQ(json.Dump(), R"({"a":["x\"\n",0.5,null],"b":1})");
  EXPECT_EQ(ParseJson(json.Pretty(), "d").value(), json);
}

TEST(DumpJson, ReplacesBytesThatAreNotUtf8) {
  const std::string text = Json(Json::Array{"a\xff"
                                            "b"})
                               .Dump();
  EXPECT_EQ(ParseJson(text, "d").value(), Json(Json::Array{"a\xef\xbf\xbd"
                                                           "b"}));
}

}  // namespace
}  // namespace hostapp
