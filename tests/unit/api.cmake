# SPDX-License-Identifier: LGPL-2.1-or-later
# Installed as a packager would, then a program outside of this tree is built with pkg-config alone, in C and in C++.
if(TARGET libconvoy)
  add_test(NAME installed_library COMMAND "${PROJECT_SOURCE_DIR}/tests/installed-library" "${PROJECT_BINARY_DIR}")
  set_tests_properties(installed_library PROPERTIES LABELS quick TIMEOUT 300)
endif()
add_test(NAME dependencies COMMAND "${PROJECT_SOURCE_DIR}/tests/check-deps")
add_test(NAME format COMMAND "${PROJECT_SOURCE_DIR}/tests/check-format")
set_tests_properties(format PROPERTIES LABELS quick SKIP_RETURN_CODE 77)
set_tests_properties(dependencies PROPERTIES LABELS quick TIMEOUT 300)
# What is written names only what is there, and rules that a machine can hold.
foreach(check paths habits used)
  add_test(NAME ${check} COMMAND "${PROJECT_SOURCE_DIR}/tests/check-${check}")
  set_tests_properties(${check} PROPERTIES LABELS quick TIMEOUT 300)
endforeach()
# Every call, on models of hosts: the test is the host that libconvoy gets from host/xen.
if(TARGET convoy_api AND CHECK_FOUND)
  foreach(calls api api_rules api_save api_migrate)
    convoy_test(test_${calls}
      SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/test_${calls}.c" "${PROJECT_SOURCE_DIR}/tests/support/api_door.c"
              "${PROJECT_SOURCE_DIR}/tests/support/two_hosts.c" "${PROJECT_SOURCE_DIR}/tests/support/one_host.c"
              "${PROJECT_SOURCE_DIR}/tests/support/emu_fixture.c" ${fake_host}
      LINKS convoy_api PkgConfig::JANSSON LABELS full TIMEOUT 600)
    set_tests_properties(test_${calls} PROPERTIES RESOURCE_LOCK emulators ENVIRONMENT
      "FAKE_QEMU=${CMAKE_CURRENT_BINARY_DIR}/fake-qemu")
  endforeach()
  if(TARGET convoy_convert)
    convoy_test(test_api_images SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/test_api_images.c" LINKS convoy_api
      convoy_test_images)
  endif()
endif()
# HACKING.md's list for a record type, followed by somebody who knows nothing else.
if(TARGET convoy AND TARGET convoy_convert)
  add_test(NAME recipe COMMAND "${PROJECT_SOURCE_DIR}/tests/recipe" $<TARGET_FILE:convoy>)
  set_tests_properties(recipe PROPERTIES LABELS full TIMEOUT 900)
endif()
