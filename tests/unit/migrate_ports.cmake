# SPDX-License-Identifier: LGPL-2.1-or-later
if(NOT TARGET convoy_migrate OR NOT CHECK_FOUND OR NOT XLUTIL_LIBRARY)
  return()
endif()
convoy_test(test_migrate
  SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_migrate.c" "${PROJECT_SOURCE_DIR}/tests/support/emu_fixture.c"
          "${PROJECT_SOURCE_DIR}/tests/support/fake_host.c"
  LINKS convoy_migrate PkgConfig::JANSSON LABELS full TIMEOUT 1200)
set_tests_properties(test_migrate PROPERTIES ENVIRONMENT "FAKE_QEMU=$<TARGET_FILE_DIR:test_migrate>/fake-qemu")
add_dependencies(test_migrate fake-qemu)
