/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/index.h"

#include <stdlib.h>

void cv_index_dispose(struct cv_index *x)
{
    free(x->entries);
    *x = (struct cv_index){ .stride = 1 };
}

/* Keeps every second PAGES entry and everything else. */
static void thin_out(struct cv_index *x)
{
    size_t kept = 0;
    bool keep = true;

    for (size_t i = 0; i < x->count; i++) {
        bool pages = x->entries[i].type == CV_REC_PAGES;
        if (!pages || keep)
            x->entries[kept++] = x->entries[i];
        if (pages)
            keep = !keep;
    }
    x->count = kept;
    x->stride *= 2;
}

static int grow(struct cv_index *x, struct cv_error *err)
{
    size_t cap = x->cap ? x->cap * 2 : 64;
    struct cv_index_entry *entries = realloc(x->entries, cap * sizeof *entries);

    if (entries == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "index of %zu entries", cap);
    x->entries = entries;
    x->cap = cap;
    return 0;
}

int cv_index_add(struct cv_index *x, const struct cv_index_entry *e, struct cv_error *err)
{
    if (e->type == CV_REC_PAGES && x->pages_seen++ % x->stride != 0)
        return 0;
    if (x->count == CV_INDEX_ENTRIES_MAX)
        thin_out(x);
    if (x->count == CV_INDEX_ENTRIES_MAX)
        return 0;                      /* no PAGES among them: an index need not be complete */
    if (x->count == x->cap && grow(x, err) < 0)
        return -1;
    x->entries[x->count++] = *e;
    return 0;
}

int cv_index_encode(const struct cv_index *x, struct cv_buf *out, struct cv_error *err)
{
    if (cv_buf_put_u32(out, (uint32_t)x->count, err) < 0 || cv_buf_put_u32(out, 0, err) < 0)
        return -1;
    for (size_t i = 0; i < x->count; i++)
        if (cv_index_entry_encode(&x->entries[i], out, err) < 0)
            return -1;
    return 0;
}
