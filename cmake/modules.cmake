# SPDX-License-Identifier: Apache-2.0
# The floors and arrows of docs/architecture.md, kept by the configure step.
#
# Every module stands in this table with its floor and the modules that it may use. hostapp_module() refuses an arrow
# that is not here; tests/style/arrows reads the #includes against the same table, written to arrows.txt.
set(HOSTAPP_ARROWS
  "hostapp/base 0"
  "initramfs/bootsel 0"
  "hostapp/oci 1 hostapp/base"
  "initramfs/rootfs 1 initramfs/bootsel"
  "initramfs/helper 2 initramfs/rootfs initramfs/bootsel"
  "hostapp/layer 2 hostapp/oci hostapp/base"
  "hostapp/registry 2 hostapp/oci hostapp/base"
  "hostapp/disk 2 hostapp/base"
  "ostree-integration/glib 2 hostapp/base"
  "ostree-integration/composefs 2 hostapp/base"
  "ostree-integration/store 3 ostree-integration/glib ostree-integration/composefs hostapp/layer hostapp/oci hostapp/base"
  "ostree-integration/deploy/loaders 2 hostapp/base"
  "ostree-integration/sysroot 3 ostree-integration/deploy/loaders hostapp/oci hostapp/base initramfs/bootsel"
  "ostree-integration/deploy 4 ostree-integration/sysroot ostree-integration/deploy/loaders ostree-integration/store ostree-integration/glib ostree-integration/composefs hostapp/layer hostapp/oci hostapp/base initramfs/bootsel"
  "hostapp/boot 4 ostree-integration/sysroot ostree-integration/deploy/loaders hostapp/oci hostapp/base initramfs/rootfs initramfs/bootsel"
  "hostapp/lifecycle 5 hostapp/boot ostree-integration/deploy ostree-integration/sysroot ostree-integration/deploy/loaders ostree-integration/store ostree-integration/composefs hostapp/registry hostapp/layer hostapp/disk hostapp/oci hostapp/base initramfs/rootfs initramfs/bootsel"
  "tools/cli 6 hostapp/base"
  "tools/hostapp 6 tools/cli hostapp/boot ostree-integration/sysroot ostree-integration/deploy/loaders hostapp/oci hostapp/base initramfs/bootsel"
  "tools/hostapp/store 7 tools/hostapp tools/cli hostapp/lifecycle hostapp/boot ostree-integration/deploy ostree-integration/sysroot ostree-integration/deploy/loaders ostree-integration/store hostapp/registry hostapp/layer hostapp/disk hostapp/oci hostapp/base initramfs/bootsel"
  "tools/hostapp-image 6 tools/cli hostapp/lifecycle hostapp/boot ostree-integration/sysroot ostree-integration/deploy ostree-integration/deploy/loaders hostapp/registry hostapp/layer hostapp/disk hostapp/oci hostapp/base"
)

function(hostapp_target_name MODULE OUT)
  string(REPLACE "/" "_" name "${MODULE}")
  set(${OUT} "${name}" PARENT_SCOPE)
endfunction()

# Declares the module that lives in the current folder as a static library of all its *.cc files.
#   hostapp_module(USES hostapp/base hostapp/oci LINKS PkgConfig::CURL)
# HOT: a module whose own instructions are what takes time (not libcrypto's, zlib's or the kernel's); in a release it is compiled with
# -O2. For the rest -O1 takes two thirds of the time to compile, and an import takes as long.
# Stops the configure step where the table above has no such arrow, or the arrow does not point down.
function(hostapp_module)
  cmake_parse_arguments(ARG "HOT" "" "USES;LINKS" ${ARGN})
  file(RELATIVE_PATH module "${CMAKE_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  hostapp_check_arrows("${module}" "${ARG_USES}")
  hostapp_target_name("${module}" target)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  if(NOT sources)
    add_library(${target} INTERFACE)
    return()
  endif()
  add_library(${target} STATIC ${sources})
  target_link_libraries(${target} PUBLIC hostapp_flags hostapp_hardening)
  if(ARG_HOT AND CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${target} PRIVATE -O2)
  endif()
  foreach(used IN LISTS ARG_USES)
    hostapp_target_name("${used}" used_target)
    target_link_libraries(${target} PUBLIC ${used_target})
  endforeach()
  target_link_libraries(${target} PRIVATE ${ARG_LINKS})
  hostapp_unit_tests("${module}" ${target} "${ARG_LINKS}")
endfunction()

function(hostapp_check_arrows MODULE USES)
  hostapp_table_row("${MODULE}" floor allowed)
  if(floor STREQUAL "")
    message(FATAL_ERROR "${MODULE} has no floor: add it to the table in cmake/modules.cmake and docs/architecture.md")
  endif()
  foreach(used IN LISTS USES)
    hostapp_table_row("${used}" used_floor ignored)
    if(NOT used IN_LIST allowed)
      message(FATAL_ERROR "${MODULE} may not use ${used}: docs/architecture.md has no such arrow")
    endif()
    if(used_floor GREATER_EQUAL floor AND NOT used STREQUAL "tools/cli")
      message(FATAL_ERROR "${MODULE} (floor ${floor}) may not use ${used} (floor ${used_floor}): arrows point down")
    endif()
  endforeach()
endfunction()

function(hostapp_table_row MODULE FLOOR_OUT ALLOWED_OUT)
  set(${FLOOR_OUT} "" PARENT_SCOPE)
  set(${ALLOWED_OUT} "" PARENT_SCOPE)
  foreach(row IN LISTS HOSTAPP_ARROWS)
    string(REPLACE " " ";" fields "${row}")
    list(POP_FRONT fields name floor)
    if(name STREQUAL MODULE)
      set(${FLOOR_OUT} "${floor}" PARENT_SCOPE)
      set(${ALLOWED_OUT} "${fields}" PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

# One test binary a module, of every tests/unit/<module>/*_test.cc.
function(hostapp_unit_tests MODULE TARGET LINKS)
  if(NOT HOSTAPP_TESTS)
    return()
  endif()
  file(GLOB tests CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/unit/${MODULE}/*_test.cc")
  if(NOT tests)
    return()
  endif()
  add_executable(${TARGET}_test ${tests})
  set_target_properties(${TARGET}_test PROPERTIES UNITY_BUILD OFF) # as in tests/CMakeLists.txt
  # A third of the time that the compiler takes with -O2 -g; the code under test keeps those.
  target_compile_options(${TARGET}_test PRIVATE -O0 -g1 -U_FORTIFY_SOURCE)
  target_link_libraries(${TARGET}_test PRIVATE ${TARGET} ${LINKS} hostapp_test_support GTest::gmock GTest::gtest_main)
  if(HOSTAPP_SANITIZE) # a program takes longer to start than most of its tests take
    add_test(NAME unit/${MODULE} COMMAND ${TARGET}_test)
    set_tests_properties(unit/${MODULE} PROPERTIES LABELS unit TIMEOUT 600)
  else()
    gtest_discover_tests(${TARGET}_test TEST_PREFIX "unit/${MODULE}." DISCOVERY_TIMEOUT 60
      PROPERTIES LABELS unit TIMEOUT 120)
  endif()
endfunction()

# The table for tests/style/arrows.
function(hostapp_write_arrows)
  list(JOIN HOSTAPP_ARROWS "\n" text)
  file(WRITE "${CMAKE_BINARY_DIR}/arrows.txt" "${text}\n")
endfunction()
