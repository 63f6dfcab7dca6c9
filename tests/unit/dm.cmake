# SPDX-License-Identifier: LGPL-2.1-or-later
if(NOT TARGET convoy_dm OR NOT XLUTIL_LIBRARY)
  return()
endif()
convoy_test(test_dm SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_dm.c" LINKS convoy_dm)
foreach(name test_dm_life test_dm_faults)
  convoy_test(${name} SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/${name}.c"
    "${PROJECT_SOURCE_DIR}/tests/support/dm_world.c"
    "${PROJECT_SOURCE_DIR}/tests/support/emu_fixture.c"
    ${fake_host} LINKS convoy_dm PkgConfig::JANSSON TIMEOUT 600)
  if(CHECK_FOUND)
    set_tests_properties(${name} PROPERTIES RESOURCE_LOCK emulators ENVIRONMENT
      "FAKE_QEMU=$<TARGET_FILE_DIR:${name}>/fake-qemu")
    add_dependencies(${name} fake-qemu)
  endif()
endforeach()
if(TARGET checksum-emulator)
  convoy_test(test_check_emulator SOURCES "${PROJECT_SOURCE_DIR}/tests/unit/test_check_emulator.c"
    "${PROJECT_SOURCE_DIR}/examples/emulator/checksum.c" LINKS convoy_dm PkgConfig::JANSSON LABELS full TIMEOUT 600)
  if(CHECK_FOUND)
    set_tests_properties(test_check_emulator PROPERTIES ENVIRONMENT
      "FAKE_QEMU=$<TARGET_FILE_DIR:test_check_emulator>/fake-qemu;EXAMPLE_EMULATOR=$<TARGET_FILE:checksum-emulator>")
    add_dependencies(test_check_emulator fake-qemu checksum-emulator)
  endif()
endif()
