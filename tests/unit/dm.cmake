# SPDX-License-Identifier: LGPL-2.1-or-later
if(NOT TARGET convoy_dm OR NOT XLUTIL_LIBRARY)
  return()
endif()
convoy_test(test_dm SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_dm.c" LINKS convoy_dm)
