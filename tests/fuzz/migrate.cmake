# SPDX-License-Identifier: LGPL-2.1-or-later
convoy_fuzz(fuzz_channel SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/fuzz_channel.c" LINKS convoy_handover
  SEEDS "${CMAKE_CURRENT_SOURCE_DIR}/seeds/channel")
if(TARGET convoy_migrate)
  convoy_fuzz(fuzz_talk
    SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/fuzz_talk.c" ${fake_host}
    LINKS convoy_migrate PkgConfig::JANSSON SEEDS "${CMAKE_CURRENT_SOURCE_DIR}/seeds/talk" RUNS 100)
endif()
