# SPDX-License-Identifier: Apache-2.0
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME integration/real_disk
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/real_disk.py $<TARGET_FILE:hostapp> $<TARGET_FILE:hostapp-image>)
set_tests_properties(integration/real_disk PROPERTIES LABELS integration TIMEOUT 900 SKIP_RETURN_CODE 77)
