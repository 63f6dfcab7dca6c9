# SPDX-License-Identifier: LGPL-2.1-or-later
if(NOT TARGET convoy_dm OR NOT XLUTIL_LIBRARY)
  return()
endif()
convoy_test(test_dm SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_dm.c" LINKS convoy_dm)
convoy_test(test_dm_life SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_dm_life.c"
  "${PROJECT_SOURCE_DIR}/tests/support/dm_world.c"
  "${PROJECT_SOURCE_DIR}/tests/support/emu_fixture.c"
  ${fake_host} LINKS convoy_dm PkgConfig::JANSSON TIMEOUT 600)
if(CHECK_FOUND)
  set_tests_properties(test_dm_life PROPERTIES RESOURCE_LOCK emulators ENVIRONMENT
    "FAKE_QEMU=$<TARGET_FILE_DIR:test_dm_life>/fake-qemu")
  add_dependencies(test_dm_life fake-qemu)
endif()
