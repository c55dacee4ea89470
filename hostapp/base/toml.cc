// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/toml.h"

#include <set>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr size_t kMaxDepth = 32;

using Key = std::vector<std::string>;

bool IsBare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void AppendUtf8(std::string& out, uint32_t c) {
  const auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0 | (c >> 6));
  } else {
    if (c < 0x10000) {
      put(0xe0 | (c >> 12));
    } else {
      put(0xf0 | (c >> 18));
      put(0x80 | ((c >> 12) & 0x3f));
    }
    put(0x80 | ((c >> 6) & 0x3f));
  }
  put(0x80 | (c & 0x3f));
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  Result<Json> Parse() {
    Json root{Json::Object()};
    Json* table = &root;
    for (SkipToStatement(); !AtEnd(); SkipToStatement()) {
      if (Peek() == '[') {
        ASSIGN_OR_RETURN(table, Header(root));
      } else {
        TRY(KeyValue(*table));
      }
      TRY(EndOfLine());
    }
    return root;
  }

 private:
  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool Take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  Error Wrong(std::string_view rule) const { return Error(Errc::kCorrupt, StrCat(what_, ":", line_, ": ", rule)); }

  void SkipBlanks() {
    while (Peek() == ' ' || Peek() == '\t') ++at_;
  }
  bool TakeNewline() {
    if (!Take("\n") && !Take("\r\n")) return false;
    ++line_;
    return true;
  }
  void SkipComment() {
    if (Peek() != '#') return;
    while (!AtEnd() && Peek() != '\n') ++at_;
  }
  void SkipToStatement() {
    do {
      SkipBlanks();
      SkipComment();
    } while (TakeNewline());
  }
  Status EndOfLine() {
    SkipBlanks();
    SkipComment();
    if (AtEnd() || Peek() == '\n' || Peek() == '\r') return Ok();
    return Wrong(StrCat("\"", Escape(text_.substr(at_, 1)), "\" after the end of a value"));
  }

  // [a.b] or [[a.b]]; gives the table that the lines below it fill.
  Result<Json*> Header(Json& root) {
    const bool array = Take("[[");
    if (!array) (void)Take("[");
    ASSIGN_OR_RETURN(const Key key, DottedKey());
    if (!Take(array ? "]]" : "]")) return Wrong(array ? "\"]]\" is missing" : "\"]\" is missing");
    Json* table = &root;
    for (size_t i = 0; i + 1 < key.size(); ++i) {
      ASSIGN_OR_RETURN(table, Below(*table, key[i]));
    }
    if (array) return NewElement(*table, key.back());
    ASSIGN_OR_RETURN(table, Below(*table, key.back()));
    if (!defined_.insert(table).second) return Wrong(StrCat("the table \"", Escape(key.back()), "\" twice"));
    return table;
  }

  // The table `key` in `table`, made when missing; of an array of tables, the last one.
  Result<Json*> Below(Json& table, const std::string& key) {
    Json::Object& members = *table.AsObject();
    const auto [place, made] = members.emplace(key, Json::Object());
    Json* found = &place->second;
    if (found->AsArray() != nullptr && tables_.contains(found)) found = &found->AsArray()->back();
    if (found->AsObject() == nullptr) return Wrong(StrCat("\"", Escape(key), "\" is no table"));
    return found;
  }

  Result<Json*> NewElement(Json& table, const std::string& key) {
    const auto [place, made] = table.AsObject()->emplace(key, Json::Array());
    Json* array = &place->second;
    if (made) tables_.insert(array);
    if (!tables_.contains(array)) return Wrong(StrCat("\"", Escape(key), "\" is no array of tables"));
    ForgetElements(*array->AsArray());
    return &array->AsArray()->emplace_back(Json::Object());
  }

  // A vector that grows moves its elements, so what was known about their places is void. Only the last element is ever
  // looked into again, and that is a new one. (Members of tables do not move with them.)
  void ForgetElements(const Json::Array& elements) {
    if (elements.size() < elements.capacity()) return;
    for (const Json& element : elements) defined_.erase(&element);
  }

  Status KeyValue(Json& table) {
    ASSIGN_OR_RETURN(const Key key, DottedKey());
    SkipBlanks();
    if (!Take("=")) return Wrong("\"=\" is missing");
    Json* place = &table;
    for (size_t i = 0; i + 1 < key.size(); ++i) {
      ASSIGN_OR_RETURN(place, Below(*place, key[i]));
    }
    SkipBlanks();
    ASSIGN_OR_RETURN(Json value, Value(0));
    if (!place->AsObject()->emplace(key.back(), std::move(value)).second) {
      return Wrong(StrCat("the key \"", Escape(key.back()), "\" twice"));
    }
    return Ok();
  }

  Result<Key> DottedKey() {
    Key key;
    do {
      SkipBlanks();
      ASSIGN_OR_RETURN(std::string part, OneKey());
      key.push_back(std::move(part));
      SkipBlanks();
      if (key.size() > kMaxDepth) return Wrong(StrCat("nested deeper than ", kMaxDepth));
    } while (Take("."));
    return key;
  }

  Result<std::string> OneKey() {
    if (Peek() == '"' || Peek() == '\'') return String();
    const size_t begin = at_;
    while (IsBare(Peek())) ++at_;
    if (at_ == begin) return Wrong("a key is missing");
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<Json> Value(size_t depth) {
    if (depth > kMaxDepth) return Wrong(StrCat("nested deeper than ", kMaxDepth));
    if (Peek() == '"' || Peek() == '\'') {
      ASSIGN_OR_RETURN(std::string text, String());
      return Json(std::move(text));
    }
    if (Peek() == '[') return Array(depth);
    if (Peek() == '{') return Wrong("inline tables are not read here; write a [table]");
    const size_t begin = at_;
    while (IsBare(Peek()) || Peek() == '+' || Peek() == '.' || Peek() == ':') ++at_;
    return Word(text_.substr(begin, at_ - begin));
  }

  Result<Json> Word(std::string_view word) const {
    if (word == "true") return Json(true);
    if (word == "false") return Json(false);
    const bool negative = word.starts_with('-');
    std::string digits;
    for (const char c : word.substr(negative || word.starts_with('+') ? 1 : 0)) {
      if (c == '_' && (digits.empty() || digits.back() == '_')) return NoValue(word);
      digits += c;
    }
    if (digits.ends_with('_')) return NoValue(word);
    std::erase(digits, '_');
    const std::optional<uint64_t> value = ParseUint64(digits);
    if (!value || *value > uint64_t{INT64_MAX} || (digits.size() > 1 && digits[0] == '0')) return NoValue(word);
    const auto number = static_cast<int64_t>(*value);
    return Json(negative ? -number : number);
  }
  Error NoValue(std::string_view word) const {
    if (word.empty()) return Wrong("a value is missing");
    return Wrong(StrCat("\"", Escape(word), "\" is no string, boolean, whole number or array"));
  }

  Result<Json> Array(size_t depth) {
    Json::Array elements;
    (void)Take("[");
    for (;;) {
      SkipToStatement();
      if (Take("]")) return Json(std::move(elements));
      if (AtEnd()) return Wrong("\"]\" is missing");
      ASSIGN_OR_RETURN(Json element, Value(depth + 1));
      elements.push_back(std::move(element));
      SkipToStatement();
      if (!Take(",") && Peek() != ']') return Wrong("\",\" or \"]\" is missing");
    }
  }

  Result<std::string> String() {
    if (Take("\"\"\"") || Take("'''")) return Wrong("multi-line strings are not read here");
    const char quote = Peek();
    ++at_;
    std::string out;
    while (Peek() != quote || AtEnd()) {
      const char c = Peek();
      if (AtEnd() || c == '\n' || c == '\r') return Wrong("a string does not end on its line");
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
        return Wrong("a control character in a string");
      ++at_;
      if (c == '\\' && quote == '"') {
        TRY(EscapeSequence(out));
      } else {
        out += c;
      }
    }
    ++at_;
    return out;
  }

  Status EscapeSequence(std::string& out) {
    constexpr std::string_view kLetters = "btnfr\"\\";
    constexpr std::string_view kMeanings = "\b\t\n\f\r\"\\";
    const char c = Peek();
    ++at_;
    if (const size_t i = kLetters.find(c); i != std::string_view::npos && c != '\0') {
      out += kMeanings[i];
      return Ok();
    }
    if (c != 'u' && c != 'U') return Wrong("an unknown escape sequence in a string");
    const size_t digits = c == 'u' ? 4 : 8;
    uint32_t value = 0;
    for (size_t i = 0; i < digits; ++i, ++at_) {
      const std::string digit = ToLower(std::string_view(&text_[at_ < text_.size() ? at_ : 0], AtEnd() ? 0 : 1));
      const size_t nibble = std::string_view("0123456789abcdef").find(digit);
      if (digit.empty() || nibble == std::string_view::npos) return Wrong("an unknown escape sequence in a string");
      value = value * 16 + static_cast<uint32_t>(nibble);
    }
    if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return Wrong("an escape sequence for no character");
    AppendUtf8(out, value);
    return Ok();
  }

  std::string_view text_;
  std::string_view what_;
  size_t at_ = 0;
  int line_ = 1;
  std::set<const Json*> tables_;   // arrays made by [[…]], which alone may be extended by it
  std::set<const Json*> defined_;  // tables that had their own [header]
};

}  // namespace

Result<Json> ParseToml(std::string_view text, std::string_view what) {
  if (text.size() > kMaxBytes)
    return Error(Errc::kCorrupt, StrCat(what, ": more than the ", kMaxBytes, " bytes allowed"));
  if (!IsValidUtf8(text)) return Error(Errc::kCorrupt, StrCat(what, ": not UTF-8"));
  if (text.find('\0') != std::string_view::npos) return Error(Errc::kCorrupt, StrCat(what, ": a NUL byte in it"));
  return Parser(text, what).Parse();
}

}  // namespace hostapp
