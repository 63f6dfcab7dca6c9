# SPDX-License-Identifier: LGPL-2.1-or-later
if(TARGET convoy_dm AND XLUTIL_LIBRARY)
  set(fuzz_dir "${PROJECT_SOURCE_DIR}/tests/fuzz")
  convoy_fuzz(fuzz_dm_args SOURCES "${fuzz_dir}/fuzz_dm_args.c" LINKS convoy_dm SEEDS "${fuzz_dir}/seeds/dm_args")
  convoy_fuzz(fuzz_dm_states SOURCES "${fuzz_dir}/fuzz_dm_states.c" LINKS convoy_dm
    SEEDS "${PROJECT_SOURCE_DIR}/tests/golden/valid" RUNS 20)
endif()
