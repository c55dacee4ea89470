# SPDX-License-Identifier: Apache-2.0
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME integration/disk_image
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/disk_image.py $<TARGET_FILE:hostapp> $<TARGET_FILE:hostapp-image>)
set_tests_properties(integration/disk_image PROPERTIES LABELS integration TIMEOUT 600)
