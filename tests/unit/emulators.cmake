# SPDX-License-Identifier: LGPL-2.1-or-later
if(NOT TARGET convoy_emulators OR NOT XLUTIL_LIBRARY)
  return()
endif()
set(emu_tests "${PROJECT_SOURCE_DIR}/tests/unit")
convoy_program(fake-qemu SOURCES "${PROJECT_SOURCE_DIR}/tests/support/fake_qemu.c"
  "${PROJECT_SOURCE_DIR}/tests/support/fake_qemu_options.c" "${PROJECT_SOURCE_DIR}/tests/support/fake_machine.c" LINKS
    PkgConfig::JANSSON)

convoy_test(test_config SOURCES "${emu_tests}/test_config.c" LINKS convoy_config)
convoy_test(test_config_whole SOURCES "${emu_tests}/test_config_whole.c" LINKS convoy_config)
convoy_test(test_layout SOURCES "${emu_tests}/test_layout.c" LINKS convoy_emulators)
convoy_test(test_interrupts SOURCES "${emu_tests}/test_interrupts.c" LINKS convoy_layout)
convoy_test(test_rules SOURCES "${emu_tests}/test_rules.c" LINKS convoy_emulators)
convoy_test(test_qmp SOURCES "${emu_tests}/test_qmp.c" LINKS convoy_emulators)
foreach(name set set_attach set_waits)
  convoy_test(test_${name} SOURCES "${emu_tests}/test_${name}.c" "${PROJECT_SOURCE_DIR}/tests/support/emu_fixture.c"
    LINKS convoy_emulators TIMEOUT 600)
  if(CHECK_FOUND)
    set_tests_properties(test_${name} PROPERTIES ENVIRONMENT "FAKE_QEMU=$<TARGET_FILE:fake-qemu>")
    add_dependencies(test_${name} fake-qemu)
  endif()
endforeach()
