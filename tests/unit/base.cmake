# SPDX-License-Identifier: LGPL-2.1-or-later
foreach(name base base_steps error)
  convoy_test(test_${name} SOURCES test_${name}.c LINKS convoy_base)
endforeach()
