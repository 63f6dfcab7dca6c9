# SPDX-License-Identifier: LGPL-2.1-or-later
foreach(name base base_steps error)
  convoy_test(test_${name} SOURCES test_${name}.c LINKS convoy_base)
endforeach()

find_program(PYTHON3 python3)
if(PYTHON3)
  add_test(NAME limits COMMAND "${PYTHON3}" "${PROJECT_SOURCE_DIR}/tests/check-limits")
  set_tests_properties(limits PROPERTIES LABELS quick)
endif()
