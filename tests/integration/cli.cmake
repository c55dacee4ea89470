# SPDX-License-Identifier: Apache-2.0
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME integration/cli_life
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/cli_life.py $<TARGET_FILE:hostapp> $<TARGET_FILE:hostapp-image>)
set_tests_properties(integration/cli_life PROPERTIES LABELS integration TIMEOUT 900)
foreach(tool hostapp hostapp-image)
  file(GLOB page "${CMAKE_SOURCE_DIR}/tools/${tool}/${tool}.[18]")
  add_test(NAME integration/${tool}_is_documented
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/cli_documented.py $<TARGET_FILE:${tool}> ${page}
            ${CMAKE_SOURCE_DIR}/tools/${tool}/completions/${tool}.bash)
  set_tests_properties(integration/${tool}_is_documented PROPERTIES LABELS integration TIMEOUT 60)
endforeach()

add_test(NAME integration/hostile_environment
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/hostile_environment.py $<TARGET_FILE:hostapp> $<TARGET_FILE:make_tiny_image>)
set_tests_properties(integration/hostile_environment PROPERTIES LABELS integration TIMEOUT 600 SKIP_RETURN_CODE 77)
