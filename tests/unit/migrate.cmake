# SPDX-License-Identifier: LGPL-2.1-or-later
set(model "${PROJECT_SOURCE_DIR}/tests/model")
foreach(name journal channel handover)
  convoy_test(test_${name} SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/test_${name}.c" LINKS convoy_handover m)
endforeach()
foreach(name policy report)
  convoy_test(test_${name} SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/test_${name}.c" LINKS convoy_passes m)
endforeach()

# The hand-over, explored: every loss, delay, repetition, crash and reboot within a budget; and mistakes that it must
# find.
convoy_program(handover_model SOURCES "${model}/handover_model.c" "${model}/explore.c" "${model}/world.c"
  "${model}/guests.c" "${model}/acts.c"
  "${model}/hears.c" "${model}/successors.c" "${model}/recover.c" "${model}/administrator.c"
  LINKS convoy_handover m)
target_compile_options(handover_model PRIVATE -O2)
add_test(NAME handover_model_quick COMMAND handover_model quick)
add_test(NAME handover_model_full COMMAND handover_model full)
set_tests_properties(handover_model_quick PROPERTIES LABELS quick TIMEOUT 300)
set_tests_properties(handover_model_full PROPERTIES LABELS full TIMEOUT 1200)
foreach(mutation source-skips-journal source-skips-fsync destination-skips-fsync destination-unpauses-first
        destination-ignores-write-error resume-on-lost-channel resume-on-send-error source-destroys-early
        destination-aborts-late no-lock read-without-sync running-is-no-decision wrong-host-is-no destination-forgets
        no-hold source-looks-not destination-looks-not failed-is-never-ran paused-is-never-ran old-record-is-believed
        gone-by-domid left-by-domid create-asks-nobody unpause-asks-nobody lost-asks-nobody)
  add_test(NAME handover_model_finds_${mutation} COMMAND handover_model mutation ${mutation})
  set_tests_properties(handover_model_finds_${mutation} PROPERTIES LABELS quick TIMEOUT 300)
endforeach()
