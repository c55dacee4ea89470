# SPDX-License-Identifier: Apache-2.0
add_test(NAME integration/composefs-root
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/composefs_root.py $<TARGET_FILE:hostapp-init>
    $<TARGET_FILE:ledger_tool> $<TARGET_FILE:composefs_image>)
set_tests_properties(integration/composefs-root PROPERTIES LABELS integration TIMEOUT 300 SKIP_RETURN_CODE 77)
