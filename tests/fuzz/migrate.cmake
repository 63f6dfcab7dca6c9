# SPDX-License-Identifier: LGPL-2.1-or-later
convoy_fuzz(fuzz_channel SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/fuzz_channel.c" LINKS convoy_handover
  SEEDS "${CMAKE_CURRENT_SOURCE_DIR}/seeds/channel")
