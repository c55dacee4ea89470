# SPDX-License-Identifier: Apache-2.0
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME integration/composefs
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/composefs.py $<TARGET_FILE:composefs_image>)
set_tests_properties(integration/composefs PROPERTIES LABELS integration TIMEOUT 300 SKIP_RETURN_CODE 77)

add_test(NAME integration/composefs_digest
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/composefs_digest.py $<TARGET_FILE:hostapp> $<TARGET_FILE:hostapp-image>
          $<TARGET_FILE:make_tiny_image>)
set_tests_properties(integration/composefs_digest PROPERTIES LABELS integration TIMEOUT 300)
