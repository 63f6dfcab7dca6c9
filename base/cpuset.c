/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cpuset.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void set_range(struct cv_cpuset *set, unsigned long first, unsigned long last, bool on)
{
    for (unsigned long n = first; n <= last; n++) {
        uint8_t bit = (uint8_t)(1u << (n & 7));
        set->map[n / 8] = (uint8_t)(on ? set->map[n / 8] | bit : set->map[n / 8] & ~bit);
    }
}

/* "N" or "N-M" at *p, which is moved behind it.  false: something else, or too large. */
static bool take_range(const char **p, unsigned cpus, unsigned long *first, unsigned long *last)
{
    char *end;

    if (!isdigit((unsigned char)**p))
        return false;
    *first = *last = strtoul(*p, &end, 10);
    if (*end == '-') {
        if (!isdigit((unsigned char)end[1]))
            return false;
        *last = strtoul(end + 1, &end, 10);
    }
    *p = end;
    return *first <= *last && *last < cpus;
}

int cv_cpuset_parse(const char *text, unsigned cpus, struct cv_cpuset *out, struct cv_error *err)
{
    static const struct cv_cpuset none;
    const char *p = text;

    *out = none;
    for (;;) {
        unsigned long first = 0, last = cpus - 1;
        bool on = *p != '^';

        p += !on;
        if (strncmp(p, "node", 4) == 0)
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "'%.80s': NUMA nodes are not supported, CPU numbers are", text);
        if (on && strncmp(p, "all", 3) == 0)
            p += 3;
        else if (!take_range(&p, cpus, &first, &last))
            break;
        set_range(out, first, last, on);
        if (*p == '\0' && memcmp(out, &none, sizeof none) == 0)
            return cv_fail(err, CV_E_INVALID, 0, "'%.80s' leaves no CPU", text);
        if (*p == '\0')
            return 0;
        if (*p++ != ',')
            break;
    }
    return cv_fail(err, CV_E_INVALID, 0, "'%.80s' is no list of CPUs from 0 to %u (such as 0-3,6,^2)", text, cpus - 1);
}
