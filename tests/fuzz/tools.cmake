# SPDX-License-Identifier: LGPL-2.1-or-later
if(TARGET convoy_convert)
  convoy_fuzz(fuzz_xl SOURCES fuzz_xl.c LINKS convoy_convert SEEDS "${CMAKE_CURRENT_SOURCE_DIR}/seeds/xl")
endif()
if(TARGET convoy_convert AND TARGET convoy_restore AND CHECK_FOUND)
  convoy_fuzz(fuzz_image
    SOURCES fuzz_image.c forge_stream.c forge_json.c ${fake_host}
    LINKS convoy_convert convoy_restore convoy_test_streams PkgConfig::JANSSON
    SEEDS "${CMAKE_CURRENT_SOURCE_DIR}/seeds/image" tests/golden/valid RUNS 60)
  convoy_fuzz(fuzz_chain
    SOURCES fuzz_chain.c forge_stream.c forge_json.c ${fake_host}
    LINKS convoy_made_memory convoy_convert convoy_restore convoy_test_streams PkgConfig::JANSSON
    SEEDS "${CMAKE_CURRENT_SOURCE_DIR}/seeds/chain" RUNS 60)
endif()
# Writes tests/fuzz/seeds/{talk,emulators,image} anew, by hand: what is committed stays.
if(TARGET convoy_convert AND TARGET convoy_migrate AND CHECK_FOUND)
  convoy_program(make-fuzz-seeds SOURCES make_seeds.c make_image_seeds.c LINKS convoy_migrate convoy_test_images
    convoy_test_streams)
endif()
