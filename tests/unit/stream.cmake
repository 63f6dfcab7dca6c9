# SPDX-License-Identifier: LGPL-2.1-or-later
add_library(convoy_test_streams STATIC
  "${PROJECT_SOURCE_DIR}/tests/support/raw_stream.c" "${PROJECT_SOURCE_DIR}/tests/support/sample_stream.c")
target_link_libraries(convoy_test_streams PUBLIC convoy_stream convoy_options PkgConfig::ZSTD)

convoy_test(test_stream SOURCES test_stream.c LINKS convoy_test_streams)
convoy_test(test_stream_order SOURCES test_stream_order.c LINKS convoy_test_streams)
convoy_test(test_stream_bodies SOURCES test_stream_bodies.c LINKS convoy_test_streams)
convoy_test(test_stream_spec SOURCES test_stream_spec.c LINKS convoy_stream convoy_guest convoy_emulators
  PkgConfig::JANSSON)
convoy_test(test_qemu_state SOURCES test_qemu_state.c LINKS convoy_stream)
