// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. Status: nothing or an Error. Both are [[nodiscard]]: an ignored error does not
// compile.
//
//   Result<UniqueFd> OpenSpool(…);
//   ASSIGN_OR_RETURN(UniqueFd fd, OpenSpool(…).While("resuming ", digest.ToString()));
//   TRY(sys.Fsync(fd));
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "hostapp/base/check.h"
#include "hostapp/base/error.h"
#include "hostapp/base/strings.h"

namespace hostapp {

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: an Error is a Status

  bool ok() const { return !error_.has_value(); }
  const Error& error() const& {
    CHECK(error_.has_value());
    return *error_;
  }
  Error error() && {
    CHECK(error_.has_value());
    return std::move(*error_);
  }

  // Adds what the caller was doing, pieces of text put together only if there is an error.
  template <typename... Pieces>
  Status While(const Pieces&... pieces) && {
    if (error_) error_->Prefix(StrCat(pieces...));
    return std::move(*this);
  }

 private:
  std::optional<Error> error_;
};

inline Status Ok() { return {}; }

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: a value is a Result
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: so is an Error

  bool ok() const { return state_.index() == 0; }
  const Error& error() const& {
    CHECK(!ok());
    return std::get<1>(state_);
  }
  Error error() && {
    CHECK(!ok());
    return std::get<1>(std::move(state_));
  }
  const T& value() const& {
    CHECK(ok());
    return std::get<0>(state_);
  }
  T& value() & {
    CHECK(ok());
    return std::get<0>(state_);
  }
  T value() && {
    CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  template <typename... Pieces>
  Result While(const Pieces&... pieces) && {
    if (!ok()) std::get<1>(state_).Prefix(StrCat(pieces...));
    return std::move(*this);
  }
  // Forgets the value.
  Status status() && {
    if (ok()) return Ok();
    return std::get<1>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

}  // namespace hostapp

#define HOSTAPP_CONCAT_(a, b) a##b
#define HOSTAPP_CONCAT(a, b) HOSTAPP_CONCAT_(a, b)

// Every use gets a variable of its own (__COUNTER__): one may stand in a lambda inside another's expression.
#define HOSTAPP_TRY(status, expression)             \
  do {                                              \
    if (auto status = (expression); !status.ok()) { \
      return std::move(status).error();             \
    }                                               \
  } while (false)

#define HOSTAPP_ASSIGN_OR_RETURN(result, lhs, expression) \
  auto result = (expression);                             \
  if (!result.ok()) return std::move(result).error();     \
  lhs = std::move(result).value()

// Returns the error from the calling function, if there is one.
#define TRY(...) HOSTAPP_TRY(HOSTAPP_CONCAT(hostapp_status_, __COUNTER__), (__VA_ARGS__))

// ASSIGN_OR_RETURN(auto x, F()): x is F's value, or the calling function returns F's error.
#define ASSIGN_OR_RETURN(lhs, ...) \
  HOSTAPP_ASSIGN_OR_RETURN(HOSTAPP_CONCAT(hostapp_result_, __COUNTER__), lhs, (__VA_ARGS__))
