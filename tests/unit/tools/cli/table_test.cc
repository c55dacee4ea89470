// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/table.h"

#include <gtest/gtest.h>

namespace hostapp::cli {
namespace {

TEST(Table, AlignsColumnsByCharactersAndEndsLinesAtTheirText) {
  EXPECT_EQ(Table({{"serial", "version", ""}, {"12", "ä", "x"}, {"3", "longer-one"}}),
            "serial  version\n"
            "12      ä           x\n"
            "3       longer-one\n");
}

TEST(Table, HasNoLinesWithoutRows) { EXPECT_EQ(Table({}), ""); }

}  // namespace
}  // namespace hostapp::cli
