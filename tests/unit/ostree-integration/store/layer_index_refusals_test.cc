// SPDX-License-Identifier: Apache-2.0
// Layer indexes by hand, each with one thing in it that no writer writes (docs/formats-store.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hostapp/base/strings.h"
#include "ostree-integration/store/layer_index.h"
#include "ostree-integration/store/layer_index_format.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uint64_t kTar = 100 * 512;

std::string Number(uint64_t value) {
  std::string out;
  layer_index::AppendNumber(value, out);
  return out;
}
std::string Text(std::string_view text) { return Number(text.size()) + std::string(text); }
std::string Little(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

struct Header {
  std::string magic = "hostappI";
  uint64_t algorithm = 1;
  std::string diff_id = std::string(32, 'd') + std::string(32, '\0');
  int64_t size_off_by = 0;
  uint64_t tar = kTar, framing = 0, replaced = 0, dropped = 0;
};

std::string ByHand(const std::string& behind, const Header& header = {}) {
  const uint64_t size = layer_index::kHeaderSize + behind.size() + static_cast<uint64_t>(header.size_off_by);
  return header.magic + Little(2, 4) + Little(header.algorithm, 4) + header.diff_id + Little(size, 8) +
         Little(header.tar, 8) + Little(header.framing, 8) + Little(header.replaced, 4) + Little(header.dropped, 4) +
         behind;
}

// What is said of it; empty: it is accepted.
std::string Said(const std::string& bytes) {
  const auto parsed = ParseLayerIndex(AsBytes(bytes));
  if (parsed.ok()) return "";
  EXPECT_EQ(parsed.error().code(), Errc::kCorrupt);
  return parsed.error().message();
}

// Kind 1, a folder that no member says, as the root of `count` names.
std::string Root(uint64_t count, const std::string& names) { return "\x02\x04" + Number(count) + names; }
// The first of its kind, which is number `kind`; root's, mode 0644.
std::string NewKind(uint64_t kind, uint8_t code, bool new_time = false) {
  const std::string mode = (code & 3) == 3 ? "" : Number(0644);
  return Number(kind << 1 | uint64_t{new_time}) + static_cast<char>(code) + mode + Number(0) + Number(0);
}
// The size, the place and the hashes of a file; `step` is from the block behind the content before.
std::string Content(uint64_t size, int64_t step) {
  return Number(size) + Number(layer_index::ToUnsigned(static_cast<uint64_t>(step))) + std::string(96, 'h');
}
std::string Name(std::string_view name) { return Text(name) + NewKind(2, 1) + Number(0); }

TEST(LayerIndexByHand, IsAcceptedWhereNothingIsWrong) {
  EXPECT_EQ(Said(ByHand(Root(0, ""))), "");
  EXPECT_EQ(Said(ByHand(Root(1, Name("a")))), "");
  EXPECT_EQ(Said(ByHand(Root(2, Text("a") + NewKind(2, 1) + Content(512, 5) + Text("b") + "\x04" + Content(1, -5)))),
            "");
  EXPECT_EQ(Said(ByHand(Root(2, Name("a") + Text("b") + Number(0) + Number(0)))), "");
  EXPECT_EQ(Said(ByHand(Root(1, Text("a") + NewKind(2, 3) + Text("target")))), "");
  EXPECT_EQ(
      Said(ByHand(Root(0, "") + Number(1) + Content(9, 0).substr(0, 1) + std::string(32, 'o') + Text("dev/x") + "\1",
                  {.replaced = 1, .dropped = 1})),
      "");
  EXPECT_EQ(Said(ByHand(Root(0, "") + "zstd", {.framing = 4})), "");
}

TEST(LayerIndexByHand, IsRefusedForItsHeader) {
  const std::string none = Root(0, "");
  EXPECT_THAT(Said(ByHand(none, {.magic = "hostappJ"})), HasSubstr("does not begin with its magic"));
  EXPECT_THAT(Said(ByHand(none, {.algorithm = 0})), HasSubstr("algorithm is not known"));
  EXPECT_THAT(Said(ByHand(none, {.algorithm = 3})), HasSubstr("algorithm is not known"));
  EXPECT_THAT(Said(ByHand(none, {.diff_id = std::string(33, 'd') + std::string(31, '\0')})), HasSubstr("too long"));
  EXPECT_THAT(Said(ByHand(none, {.size_off_by = 1})), HasSubstr("another size than it says"));
  EXPECT_THAT(Said(ByHand(none, {.framing = 1})), HasSubstr("do not add up"));
  EXPECT_THAT(Said(ByHand(none + "x")), HasSubstr("do not add up"));
  EXPECT_THAT(Said(ByHand(none, {.replaced = 1})), HasSubstr("ends early"));
  EXPECT_THAT(Said(ByHand(none, {.dropped = UINT32_MAX})), HasSubstr("ends early"));
}

TEST(LayerIndexByHand, IsRefusedForANumberThatIsTooLong) {
  EXPECT_THAT(Said(ByHand("\x02\x04" + std::string("\x80\x00", 2))), HasSubstr("longer than it need be"));
  EXPECT_THAT(Said(ByHand("\x02\x04" + std::string(9, '\xff') + "\x02")), HasSubstr("longer than it need be"));
  EXPECT_THAT(Said(ByHand("\x02\x04" + std::string(10, '\xff') + "\x01")), HasSubstr("longer than it need be"));
}

TEST(LayerIndexByHand, IsRefusedForAName) {
  using std::string_literals::operator""s;
  for (const std::string& name : {""s, "."s, ".."s, "a/b"s, "/"s, "a\0"s, "\xff"s, std::string(256, 'n')}) {
    EXPECT_THAT(Said(ByHand(Root(1, Name(name)))), HasSubstr("a name that is not normal")) << Escape(name);
  }
  const std::string again = "\x04" + Number(0);
  EXPECT_THAT(Said(ByHand(Root(2, Name("b") + Text("a") + again))), HasSubstr("names out of order"));
  EXPECT_THAT(Said(ByHand(Root(2, Name("a") + Text("a") + again))), HasSubstr("names out of order"));
  EXPECT_THAT(Said(ByHand(Root(3, Name("a")))), HasSubstr("ends early"));
}

TEST(LayerIndexByHand, IsRefusedForFoldersDeeperThanALayerCanHave) {
  const auto deep = [](int folders) {
    std::string names;
    for (int i = 0; i < folders; ++i) names += Text("d") + "\x02\x01";
    names.back() = '\0';
    return Said(ByHand(Root(1, names)));
  };
  EXPECT_EQ(deep(256), "");
  EXPECT_THAT(deep(257), HasSubstr("folders too deep in each other"));
}

TEST(LayerIndexByHand, IsRefusedForAKind) {
  EXPECT_THAT(Said(ByHand(NewKind(1, 1) + Number(0))), HasSubstr("its root is no folder"));
  for (const int code : {0, 5, 6, 7, 8, 12, 17, 0x81}) {
    EXPECT_THAT(Said(ByHand(NewKind(1, static_cast<uint8_t>(code)) + Number(0))), HasSubstr("type is not known"))
        << code;
  }
  EXPECT_THAT(Said(ByHand("\x01\x04" + Number(0))), HasSubstr("a kind of inode that is not there"));
  EXPECT_THAT(Said(ByHand("\x04\x04" + Number(0))), HasSubstr("a kind of inode that is not there"));
  EXPECT_THAT(Said(ByHand(Root(1, Text("a") + NewKind(3, 1) + Number(0)))),
              HasSubstr("a kind of inode that is not there"));
  EXPECT_THAT(Said(ByHand(Root(2, Name("a") + Text("b") + NewKind(3, 1) + Number(0)))),
              HasSubstr("a kind of inode twice"));
  EXPECT_THAT(Said(ByHand(Root(1, Text("a") + "\x04\x04" + Number(0)))), HasSubstr("a kind of inode twice"));
  const std::string plain = Number(0);
  for (const std::string& owner : {Number(010000) + plain + plain, plain + Number(uint64_t{1} << 32) + plain,
                                   plain + plain + Number(uint64_t{1} << 32)}) {
    EXPECT_THAT(Said(ByHand("\x02\x02" + owner + plain)), HasSubstr("a mode or an owner is out of range"));
  }
}

TEST(LayerIndexByHand, IsRefusedForATime) {
  EXPECT_EQ(Said(ByHand(NewKind(1, 2, true) + Number(2) + Number(999'999'999) + Number(0))), "");
  EXPECT_THAT(Said(ByHand(NewKind(1, 2, true) + Number(2) + Number(1'000'000'000) + Number(0))),
              HasSubstr("a time is out"));
  EXPECT_THAT(Said(ByHand(NewKind(1, 2, true) + Number(0) + Number(0) + Number(0))), HasSubstr("a time twice"));
  EXPECT_THAT(Said(ByHand("\x03\x04" + Number(2) + Number(0) + Number(0))),
              HasSubstr("a time of a folder that no member"));
}

TEST(LayerIndexByHand, IsRefusedForExtendedAttributes) {
  const auto with = [](const std::string& xattrs) { return Said(ByHand(NewKind(1, 10) + xattrs + Number(0))); };
  const std::string a = Text("user.a") + Text(""), b = Text("user.b") + Text("v");
  EXPECT_EQ(with(Number(2) + a + b), "");
  EXPECT_THAT(with(Number(0)), HasSubstr("extended attributes that are none"));
  EXPECT_THAT(with(Number(1) + Text("") + Text("")), HasSubstr("no fit name"));
  EXPECT_THAT(with(Number(1) + Text(std::string("a\0", 2)) + Text("")), HasSubstr("no fit name"));
  EXPECT_THAT(with(Number(2) + b + a), HasSubstr("extended attributes out of order"));
  EXPECT_THAT(with(Number(2) + a + a), HasSubstr("extended attributes out of order"));
}

TEST(LayerIndexByHand, IsRefusedForALink) {
  for (const std::string& target : {std::string(), std::string("a\0", 2), std::string("\xff")}) {
    EXPECT_THAT(Said(ByHand(Root(1, Text("a") + NewKind(2, 3) + Text(target)))),
                HasSubstr("a link without a fit target"));
  }
  EXPECT_THAT(Said(ByHand(Root(2, Name("a") + Text("b") + Number(0) + Number(1)))),
              HasSubstr("a file that is not there"));
  EXPECT_THAT(Said(ByHand(Root(1, Text("a") + Number(0) + Number(0)))), HasSubstr("a file that is not there"));
}

TEST(LayerIndexByHand, IsRefusedForContentThatHasNoPlaceOfItsOwn) {
  const auto two = [](const std::string& first, const std::string& second) {
    return Said(ByHand(Root(2, Text("a") + NewKind(2, 1) + first + Text("b") + "\x04" + second)));
  };
  EXPECT_EQ(two(Content(512, 1), Content(97 * 512, 1)), "");
  EXPECT_THAT(two(Content(512, 1), Content(97 * 512 + 1, 1)), HasSubstr("more content than the tar has"));
  EXPECT_THAT(two(Content(1, 0), Content(1, 9)), HasSubstr("content where none can be"));     // no header before it
  EXPECT_THAT(two(Content(1, 1), Content(1, 0)), HasSubstr("content where none can be"));     // none between them
  EXPECT_THAT(two(Content(513, 1), Content(1, -1)), HasSubstr("content where none can be"));  // in each other
  EXPECT_THAT(two(Content(1, 1), Content(1, -1)), HasSubstr("content where none can be"));    // the same
  EXPECT_THAT(two(Content(1, 1), Content(1, 99)), HasSubstr("content where none can be"));
  EXPECT_THAT(two(Content(1, -1), Content(1, 1)), HasSubstr("content where none can be"));
  EXPECT_THAT(two(Content(UINT64_MAX, 1), Content(1, 1)), StartsWith("the layer index is damaged"));
}

TEST(LayerIndexByHand, IsRefusedForReplacedContent) {
  const std::string object(32, 'o');
  const auto with = [&](const std::string& step, const std::string& size) {
    return Said(ByHand(Root(1, Text("a") + NewKind(2, 1) + Content(1, 5)) + step + size + object, {.replaced = 1}));
  };
  EXPECT_EQ(with(Number(1), Number(1)), "");
  EXPECT_THAT(with(Number(1), Number(0)), HasSubstr("replaced content that is none"));
  EXPECT_THAT(with(Number(0), Number(1)), HasSubstr("replaced content out of order"));
  EXPECT_THAT(with(Number(5), Number(1)), HasSubstr("content where none can be"));
  EXPECT_THAT(with(Number(UINT64_MAX), Number(1)), HasSubstr("content where none can be"));
}

TEST(LayerIndexByHand, IsRefusedForAnUnknownReason) {
  for (const uint64_t reason : {uint64_t{0}, uint64_t{5}}) {
    EXPECT_THAT(Said(ByHand(Root(0, "") + Text("dev/x") + Number(reason), {.dropped = 1})),
                HasSubstr("for no known reason"));
  }
}

}  // namespace
}  // namespace hostapp
