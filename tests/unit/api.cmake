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
foreach(check paths habits)
  add_test(NAME ${check} COMMAND "${PROJECT_SOURCE_DIR}/tests/check-${check}")
  set_tests_properties(${check} PROPERTIES LABELS quick TIMEOUT 300)
endforeach()
