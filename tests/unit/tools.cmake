# SPDX-License-Identifier: LGPL-2.1-or-later
if(NOT TARGET convoy_convert OR NOT CHECK_FOUND)
  return()
endif()
add_library(convoy_test_images STATIC "${PROJECT_SOURCE_DIR}/tests/support/guest_image.c")
target_link_libraries(convoy_test_images PUBLIC convoy_convert convoy_options)

convoy_test(test_image SOURCES test_image.c LINKS convoy_test_images convoy_test_streams)
convoy_test(test_convert SOURCES test_convert.c LINKS convoy_test_images TIMEOUT 600)
convoy_test(test_convert_xenopsd SOURCES test_convert_xenopsd.c LINKS convoy_test_images TIMEOUT 600)
convoy_test(test_libxl_json SOURCES test_libxl_json.c LINKS convoy_convert)
# Writes tests/tools and tests/fuzz/seeds/xl anew, by hand: what is committed stays.
convoy_program(make-tool-seeds SOURCES make_seeds.c LINKS convoy_test_images)
