/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/zero.h"

#include <stdint.h>

#include "memory/pages.h"

#define WORDS (CV_PAGE_SIZE / sizeof(uint64_t))
#define STEP 32u                     /* words looked at between two decisions: 256 bytes, four cache lines */

/* Plain ORs of a fixed count: the compiler makes vector code of it.  Pages that are not zero mostly show it in
 * their first words, so the first cache line is looked at alone. */
bool cv_page_is_zero(const void *page)
{
    const uint64_t *w = page;

    if ((w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]) != 0)
        return false;
    for (unsigned i = 0; i < WORDS; i += STEP) {
        uint64_t any = 0;
        for (unsigned j = 0; j < STEP; j++)
            any |= w[i + j];
        if (any != 0)
            return false;
    }
    return true;
}
