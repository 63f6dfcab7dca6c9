# SPDX-License-Identifier: LGPL-2.1-or-later
convoy_fuzz(fuzz_pages SOURCES fuzz_pages.c LINKS convoy_made_memory SEEDS "${CMAKE_CURRENT_SOURCE_DIR}/seeds/pages")
