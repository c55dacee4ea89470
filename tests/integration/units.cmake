# SPDX-License-Identifier: Apache-2.0
add_test(NAME integration/units COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/units.py ${CMAKE_BINARY_DIR})
set_tests_properties(integration/units PROPERTIES LABELS integration TIMEOUT 60 SKIP_RETURN_CODE 77)
