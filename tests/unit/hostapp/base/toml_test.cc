// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/toml.h"

#include <gtest/gtest.h>

namespace hostapp {
namespace {

using Object = Json::Object;
using Array = Json::Array;

std::string Dump(std::string_view text) {
  const Result<Json> json = ParseToml(text, "x.toml");
  return json.ok() ? json->Dump() : json.error().message();
}

TEST(ParseToml, ReadsKernelArguments) {
  EXPECT_EQ(Dump("kargs = [\"console=ttyS0\", \"quiet\"]\nmatch-architectures = ['x86_64']\n"),
            R"({"kargs":["console=ttyS0","quiet"],"match-architectures":["x86_64"]})");
}

TEST(ParseToml, ReadsARegistriesConf) {
  EXPECT_EQ(
      Dump(R"(
unqualified-search-registries = ["docker.io"]  # comment
[[registry]]
prefix = "example.com/foo"
insecure = false
[[registry.mirror]]
location = "mirror-1"
[[registry.mirror]]
location = "mirror-2"

[[registry]]
location = 'plain:5000'
insecure = true
[[registry.mirror]]
location = "mirror-3"
[aliases]
  "alma/linux" = "docker.io/library/almalinux"
)"),
      R"({"aliases":{"alma/linux":"docker.io/library/almalinux"},)"
      R"("registry":[{"insecure":false,"mirror":[{"location":"mirror-1"},{"location":"mirror-2"}],"prefix":"example.com/foo"},)"
      R"({"insecure":true,"location":"plain:5000","mirror":[{"location":"mirror-3"}]}],)"
      R"("unqualified-search-registries":["docker.io"]})");
}

TEST(ParseToml, ReadsTheSubsetsOddCorners) {
  EXPECT_EQ(Dump(""), "{}");
  EXPECT_EQ(Dump("# only a comment"), "{}");
  EXPECT_EQ(Dump("a.b.\"c d\" = 1\r\na.e = -2"), R"({"a":{"b":{"c d":1},"e":-2}})");
  EXPECT_EQ(Dump("a = [ # first\n  1,\n  2, # last\n]\n"), R"({"a":[1,2]})");
  EXPECT_EQ(Dump("a = [[1], [], ['x']]"), R"({"a":[[1],[],["x"]]})");
  EXPECT_EQ(Dump(R"(a = "tab\t quote\" \u00e9 \U0001F600 # no comment")"),
            "{\"a\":\"tab\\t quote\\\" é \xf0\x9f\x98\x80 # no comment\"}");
  EXPECT_EQ(Dump("a = 'C:\\no\\escape'"), R"({"a":"C:\\no\\escape"})");
  EXPECT_EQ(Dump("a = 1_000\nb = +7\nc = 0"), R"({"a":1000,"b":7,"c":0})");
  EXPECT_EQ(Dump("[a.b]\nx = 1\n[a]\ny = 2"), R"({"a":{"b":{"x":1},"y":2}})");
  EXPECT_EQ(Dump("[ a . 'b' ]\n"), R"({"a":{"b":{}}})");
}

TEST(ParseToml, NamesTheLineOfWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"a = 1\n\na = 2", "x.toml:3: the key \"a\" twice"},
      {"a = 1 b", "x.toml:1: \"b\" after the end of a value"},
      {"a", "x.toml:1: \"=\" is missing"},
      {"= 1", "x.toml:1: a key is missing"},
      {"a = ", "x.toml:1: a value is missing"},
      {"\na = \"x\nb = 1", "x.toml:2: a string does not end on its line"},
      {"a = 'x", "x.toml:1: a string does not end on its line"},
      {"a = [1, 2", "x.toml:1: \",\" or \"]\" is missing"},
      {"a = [1 2]", "x.toml:1: \",\" or \"]\" is missing"},
      {"[a\nb = 1", "x.toml:1: \"]\" is missing"},
      {"[[a]\n", "x.toml:1: \"]]\" is missing"},
      {"[a]\n[a]", "x.toml:2: the table \"a\" twice"},
      {"a = 1\n[a]", "x.toml:2: \"a\" is no table"},
      {"a = [1]\n[[a]]", "x.toml:2: \"a\" is no array of tables"},
      {"[a]\n[[a]]", "x.toml:2: \"a\" is no array of tables"},
      {"a = 1.5", "x.toml:1: \"1.5\" is no string, boolean, whole number or array"},
      {"a = 0x1f", "x.toml:1: \"0x1f\" is no string, boolean, whole number or array"},
      {"a = 012", "x.toml:1: \"012\" is no string, boolean, whole number or array"},
      {"a = 1__0", "x.toml:1: \"1__0\" is no string, boolean, whole number or array"},
      {"a = 9223372036854775808", "x.toml:1: \"9223372036854775808\" is no string, boolean, whole number or array"},
      {"a = yes", "x.toml:1: \"yes\" is no string, boolean, whole number or array"},
      {"a = {b = 1}", "x.toml:1: inline tables are not read here; write a [table]"},
      {"a = \"\"\"x\"\"\"", "x.toml:1: multi-line strings are not read here"},
      {"a = \"\\q\"", "x.toml:1: an unknown escape sequence in a string"},
      {"a = \"\\u12", "x.toml:1: an unknown escape sequence in a string"},
      {"a = \"\\ud800\"", "x.toml:1: an escape sequence for no character"},
      {"a = \"\x01\"", "x.toml:1: a control character in a string"},
      {"a = \"\xff\"", "x.toml: not UTF-8"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(Dump(text), message) << text;
}

TEST(ParseToml, IsBoundedInDepthAndSize) {
  EXPECT_EQ(Dump("a = " + std::string(100000, '[')), "x.toml:1: nested deeper than 32");
  std::string key = "a";
  for (int i = 0; i < 40; ++i) key += ".a";
  EXPECT_EQ(Dump(key + " = 1"), "x.toml:1: nested deeper than 32");
  EXPECT_EQ(Dump(std::string((1 << 20) + 1, '\n')), "x.toml: more than the 1048576 bytes allowed");
}

TEST(ParseToml, TakesTimeInProportionToTheText) {
  std::string text;
  while (text.size() < (1 << 20) - 6) text += "[[r]]\n";
  EXPECT_EQ(ParseToml(text, "x").value().AsObject()->at("r").AsArray()->size(), text.size() / 6);
}

TEST(ParseToml, TellsAnArrayOfTablesFromOneThatMovedInMemory) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "[[r]]\n[r.t]\nx = 1\n[[r.m]]\n[[r.m]]\n";
  const Json json = ParseToml(text, "x").value();
  const auto elements = JsonCursor(json, "x").Member("r").value().Elements().value();
  ASSERT_EQ(elements.size(), 100U);
  EXPECT_EQ(elements[99].json().Dump(), R"({"m":[{},{}],"t":{"x":1}})");
}

}  // namespace
}  // namespace hostapp
