# SPDX-License-Identifier: LGPL-2.1-or-later
if(NOT TARGET convoy_migrate OR NOT CHECK_FOUND OR NOT XLUTIL_LIBRARY)
  return()
endif()
convoy_test(test_offer
  SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_offer.c" ${fake_host}
  LINKS convoy_migrate)
convoy_test(test_peer SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_peer.c" LINKS convoy_migrate)
foreach(name migrate migrate_sweeps migrate_check recover admin names)
  convoy_test(test_${name}
    SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_${name}.c" "${PROJECT_SOURCE_DIR}/tests/support/two_hosts.c"
            "${PROJECT_SOURCE_DIR}/tests/support/one_host.c" "${PROJECT_SOURCE_DIR}/tests/support/emu_fixture.c"
            ${fake_host}
    LINKS convoy_migrate PkgConfig::JANSSON LABELS full TIMEOUT 1200)
  # Recovery sweeps /proc for a domain's emulators, and models of hosts number their domains alike: not beside another.
  set_tests_properties(test_${name} PROPERTIES RESOURCE_LOCK emulators ENVIRONMENT
    "FAKE_QEMU=$<TARGET_FILE_DIR:test_${name}>/fake-qemu")
  add_dependencies(test_${name} fake-qemu)
endforeach()
