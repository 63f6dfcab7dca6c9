# SPDX-License-Identifier: LGPL-2.1-or-later
add_library(convoy_test_memory STATIC "${PROJECT_SOURCE_DIR}/tests/support/memory_model.c")
target_link_libraries(convoy_test_memory PUBLIC convoy_memory convoy_options PkgConfig::CHECK)

convoy_test(test_memory SOURCES test_memory.c LINKS convoy_test_memory TIMEOUT 600)
convoy_test(test_memory_codec SOURCES test_memory_codec.c LINKS convoy_test_memory)
convoy_test(test_memory_faults SOURCES test_memory_faults.c LINKS convoy_test_memory TIMEOUT 600)
convoy_test(test_memory_parts SOURCES test_memory_parts.c LINKS convoy_test_memory convoy_made_memory)
