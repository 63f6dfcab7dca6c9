/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm/genid.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <uuid/uuid.h>

#include "base/bytes.h"

void cv_genid_text(const uint8_t bytes[CV_GENID_BYTES], char text_out[CV_GENID_MAX])
{
    uint64_t low = cv_load64(bytes), high = cv_load64(bytes + 8);

    *text_out = '\0';
    if (low != 0 || high != 0)
        snprintf(text_out, CV_GENID_MAX, "%" PRIu64 ":%" PRIu64, low, high);
}

void cv_genid_make(char text_out[CV_GENID_MAX])
{
    uuid_t bytes;

    uuid_generate_random(bytes);
    cv_genid_text(bytes, text_out);
}

/* strtoull alone takes signs and blanks. */
static int parse_half(const char **at, char end, uint64_t *out)
{
    char *stop;

    if (**at < '0' || **at > '9')
        return -1;
    errno = 0;
    *out = strtoull(*at, &stop, 10);
    if (errno != 0 || *stop != end)
        return -1;
    *at = stop + 1;
    return 0;
}

int cv_genid_parse(const char *text, uint8_t bytes_out[CV_GENID_BYTES], struct cv_error *err)
{
    const char *at = text;
    uint64_t low, high;

    if (parse_half(&at, ':', &low) < 0 || parse_half(&at, '\0', &high) < 0)
        return cv_fail(err, CV_E_INVALID, 0, "'%.60s' is no VM generation ID", text);
    cv_store64(bytes_out, low);
    cv_store64(bytes_out + 8, high);
    return 0;
}
