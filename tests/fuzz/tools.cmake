# SPDX-License-Identifier: LGPL-2.1-or-later
if(TARGET convoy_convert)
  convoy_fuzz(fuzz_xl SOURCES fuzz_xl.c LINKS convoy_convert SEEDS "${CMAKE_CURRENT_SOURCE_DIR}/seeds/xl")
endif()
