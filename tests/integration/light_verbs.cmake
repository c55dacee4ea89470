# SPDX-License-Identifier: Apache-2.0
add_test(NAME integration/light_verbs
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/light_verbs.py $<TARGET_FILE:hostapp> $<TARGET_FILE:make_tiny_image> ${CMAKE_BINARY_DIR})
set_tests_properties(integration/light_verbs PROPERTIES LABELS integration TIMEOUT 300)
