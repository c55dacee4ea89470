// SPDX-License-Identifier: Apache-2.0
// The few functions that the C++ headers call and the C++ library would bring. Linking without that library proves that
// the helper neither allocates nor throws.
#include <stdlib.h>

namespace std {

// From string_view::substr() and its like, for a position beyond the end: our bug, never input.
[[noreturn]] void __throw_out_of_range_fmt(const char* /*format*/, ...) { abort(); }  // NOLINT: the library's name

}  // namespace std
