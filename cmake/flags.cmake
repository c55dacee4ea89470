# SPDX-License-Identifier: Apache-2.0
# Language, warnings and hardening, the same for every target. `hostapp_flags` is linked by hostapp_module().

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
# What is packaged is the same wherever it was built. (A build with tests leaves the paths in: compiler caches then serve
# several checkouts.)
if(NOT HOSTAPP_TESTS)
  add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
endif()

find_program(HOSTAPP_CCACHE ccache)
if(HOSTAPP_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HOSTAPP_CCACHE})
endif()

add_library(hostapp_flags INTERFACE)
target_include_directories(hostapp_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(hostapp_flags INTERFACE
  _FILE_OFFSET_BITS=64 HOSTAPP_VERSION="${PROJECT_VERSION}")
target_compile_options(hostapp_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  # Designated initializers name what differs from the default; the rest is meant to be left out.
  -Wno-missing-field-initializers
  -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(hostapp_flags INTERFACE -fstack-clash-protection -fcf-protection)
endif()

# What the shared programs get on top; the helper, static and freestanding-ish, has its own (initramfs/helper).
add_library(hostapp_hardening INTERFACE)
target_compile_definitions(hostapp_hardening INTERFACE _GLIBCXX_ASSERTIONS)
target_link_options(hostapp_hardening INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
if(HOSTAPP_SANITIZE)
  target_compile_options(hostapp_hardening INTERFACE
    -fsanitize=${HOSTAPP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(hostapp_hardening INTERFACE -fsanitize=${HOSTAPP_SANITIZE})
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
  target_compile_definitions(hostapp_hardening INTERFACE _FORTIFY_SOURCE=2)
endif()
