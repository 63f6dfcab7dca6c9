# SPDX-License-Identifier: LGPL-2.1-or-later
if(TARGET convoy_test_streams OR CHECK_FOUND)
  convoy_fuzz(fuzz_stream
    SOURCES fuzz_stream.c "${PROJECT_SOURCE_DIR}/tests/support/dump_vector.c"
    LINKS convoy_test_streams convoy_memory
    SEEDS tests/golden/valid tests/golden/invalid)
endif()
convoy_fuzz(fuzz_device_state SOURCES fuzz_device_state.c LINKS convoy_stream SEEDS tests/fuzz/seeds/device_state)
