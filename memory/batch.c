/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/batch.h"

static size_t cut_all(struct cv_batch_cursor *c, uint64_t *pfns, size_t max)
{
    size_t n = 0;

    while (n < max && c->next < c->end)
        pfns[n++] = c->next++;
    return n;
}

size_t cv_batch_cut(struct cv_batch_cursor *c, uint64_t *pfns, size_t max)
{
    size_t n = 0;

    if (c->bitmap == NULL)
        return cut_all(c, pfns, max);
    while (n < max && c->next < c->end) {
        uint64_t word = c->bitmap[c->next / 64] >> (c->next % 64);
        if (word == 0) {
            c->next = (c->next / 64 + 1) * 64;
            continue;
        }
        c->next += (uint64_t)__builtin_ctzll(word);
        if (c->next >= c->end)
            break;
        pfns[n++] = c->next++;
    }
    if (c->next > c->end)
        c->next = c->end;
    return n;
}
