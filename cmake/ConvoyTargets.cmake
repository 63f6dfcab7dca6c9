# SPDX-License-Identifier: LGPL-2.1-or-later
# Helpers that keep each folder's CMakeLists.txt at a few lines.

add_library(convoy_options INTERFACE)
target_compile_features(convoy_options INTERFACE c_std_17)
target_compile_definitions(convoy_options INTERFACE _GNU_SOURCE)
target_compile_options(convoy_options INTERFACE
  -Wall -Wextra -Wshadow -Wformat=2 $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wundef -Wpointer-arith
  -fvisibility=hidden -fno-strict-overflow $<$<BOOL:${CONVOY_WERROR}>:-Werror>)
if(CONVOY_SANITIZE)
  target_compile_options(convoy_options INTERFACE -fsanitize=${CONVOY_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(convoy_options INTERFACE -fsanitize=${CONVOY_SANITIZE})
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# convoy_library(NAME SOURCES a.c b.c [LINKS x y]): a static library convoy_NAME; include root is the checkout.
function(convoy_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LINKS" ${ARGN})
  add_library(convoy_${name} STATIC ${A_SOURCES})
  target_include_directories(convoy_${name} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_link_libraries(convoy_${name} PUBLIC convoy_options ${A_LINKS})
  set_property(GLOBAL APPEND PROPERTY CONVOY_LIBRARIES convoy_${name})
endfunction()

# convoy_program(NAME SOURCES ... [LINKS ...]): an executable that is not installed.
function(convoy_program name)
  cmake_parse_arguments(A "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE convoy_options ${A_LINKS})
endfunction()

# convoy_test(NAME SOURCES ... [LINKS ...] [LABELS quick|full|long] [TIMEOUT s]): a Check program run by ctest.
function(convoy_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT CHECK_FOUND)
    return()
  endif()
  convoy_program(${name} SOURCES ${A_SOURCES} LINKS ${A_LINKS} PkgConfig::CHECK Threads::Threads)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  if(NOT A_LABELS)
    set(A_LABELS quick)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}" SKIP_RETURN_CODE 77)
endfunction()
