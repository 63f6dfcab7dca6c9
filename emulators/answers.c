/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/answers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int cv_answer_pci(const json_t *reply, const json_t **functions_out, struct cv_error *err)
{
    const json_t *functions = json_object_get(json_array_get(reply, 0), "devices");

    if (!json_is_array(functions))
        return cv_fail(err, CV_E_EMULATOR, 0, "query-pci: no devices in its answer");
    *functions_out = functions;
    return 0;
}

uint16_t cv_answer_bdf(const json_t *function)
{
    json_int_t slot = json_integer_value(json_object_get(function, "slot")),
               fn = json_integer_value(json_object_get(function, "function"));

    return (uint16_t)((slot & 31) << 3 | (fn & 7));
}

bool cv_answer_has_bdf(const json_t *functions, uint16_t bdf)
{
    size_t i;
    const json_t *f;

    json_array_foreach(functions, i, f) if (cv_answer_bdf(f) == bdf) return true;
    return false;
}

bool cv_answer_of_the_machine(uint16_t bdf) { return bdf >> 3 <= 2; }

/* False: a heading, or the guest's RAM. */
static bool parse_block(const char *line, char name[256], uint64_t *gfn_out, uint64_t *pages_out)
{
    uint64_t offset, used, total;

    if (sscanf(line, " %255s %*u %*s 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64, name, &offset, &used, &total) != 4 ||
        strcmp(name, "xen.ram") == 0)
        return false;
    *gfn_out = offset >> 12;
    *pages_out = (total + 4095) >> 12;
    return true;
}

int cv_answer_blocks(const json_t *reply,
                     int (*block)(void *user, const char *name, uint64_t gfn, uint64_t pages, struct cv_error *err),
                     void *user, struct cv_error *err)
{
    const char *text = json_string_value(reply);
    char line[512], name[256];
    uint64_t gfn, pages;
    int rc = 0;

    if (text == NULL || strstr(text, "xen.ram") == NULL)
        return cv_fail(err, CV_E_EMULATOR, 0, "info ramblock: no list of RAM blocks in its answer");
    while (*text && rc == 0) {
        size_t n = strcspn(text, "\r\n");
        snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), text);
        if (parse_block(line, name, &gfn, &pages))
            rc = block(user, name, gfn, pages, err);
        text += n + (text[n] != '\0');
    }
    return rc;
}
