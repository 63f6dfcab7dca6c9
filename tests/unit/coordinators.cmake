# SPDX-License-Identifier: LGPL-2.1-or-later
if(NOT TARGET convoy_save OR NOT CHECK_FOUND OR NOT XLUTIL_LIBRARY)
  return()
endif()
foreach(name create save_restore genid save_output still blockers freeze as_it_is adopt pvh)
  convoy_test(test_${name}
    SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_${name}.c" "${PROJECT_SOURCE_DIR}/tests/support/one_host.c"
            "${PROJECT_SOURCE_DIR}/tests/support/emu_fixture.c" ${fake_host}
    LINKS convoy_save convoy_restore convoy_guest PkgConfig::JANSSON LABELS full TIMEOUT 600)
  set_tests_properties(test_${name} PROPERTIES RESOURCE_LOCK emulators ENVIRONMENT
    "FAKE_QEMU=$<TARGET_FILE_DIR:test_${name}>/fake-qemu")
  add_dependencies(test_${name} fake-qemu)
endforeach()
convoy_test(test_space SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_space.c" LINKS convoy_save)
convoy_test(test_roms SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_roms.c" ${fake_host}
  LINKS convoy_guest PkgConfig::JANSSON PkgConfig::XXHASH)
if(TARGET convoy_convert)
  foreach(name incremental fixed)
    convoy_test(test_${name}
      SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_${name}.c" "${PROJECT_SOURCE_DIR}/tests/support/one_host.c"
              "${PROJECT_SOURCE_DIR}/tests/support/emu_fixture.c" ${fake_host}
      LINKS convoy_save convoy_restore convoy_convert convoy_guest PkgConfig::JANSSON LABELS full TIMEOUT 600)
    set_tests_properties(test_${name} PROPERTIES RESOURCE_LOCK emulators
      ENVIRONMENT "FAKE_QEMU=$<TARGET_FILE_DIR:test_${name}>/fake-qemu")
    add_dependencies(test_${name} fake-qemu)
  endforeach()
endif()
