# SPDX-License-Identifier: LGPL-2.1-or-later
if(NOT TARGET convoy_guest OR NOT CHECK_FOUND OR NOT XLUTIL_LIBRARY)
  return()
endif()
convoy_test(test_configs SOURCES test_configs.c LINKS convoy_guest)
target_compile_definitions(test_configs PRIVATE CONFIGS_DIR="${PROJECT_SOURCE_DIR}/tests/configs")
