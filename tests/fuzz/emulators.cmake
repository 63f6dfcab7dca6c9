# SPDX-License-Identifier: LGPL-2.1-or-later
if(TARGET convoy_emulators AND XLUTIL_LIBRARY)
  set(fuzz_dir "${PROJECT_SOURCE_DIR}/tests/fuzz")
  convoy_fuzz(fuzz_config SOURCES "${fuzz_dir}/fuzz_config.c" "${fuzz_dir}/forge_config.c" LINKS convoy_emulators
    SEEDS "${fuzz_dir}/seeds/config" "${PROJECT_SOURCE_DIR}/tests/configs" RUNS 60)
  convoy_fuzz(fuzz_layout SOURCES "${fuzz_dir}/fuzz_layout.c" "${fuzz_dir}/forge_json.c" LINKS convoy_emulators
    PkgConfig::JANSSON SEEDS "${fuzz_dir}/seeds/layout")
  convoy_fuzz(fuzz_qmp SOURCES "${fuzz_dir}/fuzz_qmp.c" LINKS convoy_emulators SEEDS "${fuzz_dir}/seeds/qmp")
  convoy_fuzz(fuzz_emulators SOURCES "${fuzz_dir}/fuzz_emulators.c" LINKS convoy_emulators PkgConfig::JANSSON
    Threads::Threads
    SEEDS "${fuzz_dir}/seeds/emulators" RUNS 40)
endif()
