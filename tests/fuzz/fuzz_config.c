/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration files: whatever they say, they are taken whole or refused with words; what is taken gives a layout that
 * passes its own check and survives the journey through JSON, or a refusal. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "layout/layout.h"
#include "tests/fuzz/forge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* libxlutil forgets some memory of files that it refuses; that is not ours to mend. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void) { return "leak:libxlutil"; }

static void journey(const struct cv_layout *l)
{
    struct cv_error err;
    struct cv_layout back;
    char *json;

    if (cv_layout_check(l, &err) < 0)
        abort();
    if (cv_layout_encode(l, &json, &err) < 0)
        return; /* a name that is not UTF-8 */
    if (cv_layout_decode(json, strlen(json), &back, &err) == 0)
        cv_layout_dispose(&back);
    free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cv_layout_host host = { .default_model = "/usr/bin/qemu" };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    struct cv_layout l;

    if (cv_guest_config_parse((const char *)data, size, "fuzz.cfg", &c, &err) < 0) {
        if (err.code == CV_OK || err.text[0] == '\0')
            abort();
        return 0;
    }
    if (c.dm_count < 1 || c.dm_count > CV_DM_MAX || c.memory_kib > c.maxmem_kib)
        abort();
    if (cv_layout_decide(&c, &host, &l, &err) == 0) {
        journey(&l);
        cv_layout_dispose(&l);
    }
    cv_guest_config_dispose(&c);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return forge_config(data, size, max, seed);
}
