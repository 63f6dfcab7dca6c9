/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/index.h"

#include <stdlib.h>

#include "stream-format/order.h"

void cv_index_dispose(struct cv_index *x)
{
    free(x->entries);
    *x = (struct cv_index){ .stride = 1 };
}

bool cv_index_lists(uint32_t type) { return !(type & CV_RECORD_OPTIONAL); }

/* Keeps every second PAGES entry and everything else.  The first one is that of PAGES record 0, always. */
static void thin_out(struct cv_index *x)
{
    size_t kept = 0, pages = 0;

    for (size_t i = 0; i < x->count; i++)
        if (x->entries[i].type != CV_REC_PAGES || pages++ % 2 == 0)
            x->entries[kept++] = x->entries[i];
    /* Nothing to be gained any more: PAGES record 0 alone stays. */
    x->stride = pages > 1 ? x->stride * 2 : UINT64_MAX;
    x->count = kept;
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
    bool pages = e->type == CV_REC_PAGES;
    uint64_t ordinal = pages ? x->pages_seen++ : 0;

    if (ordinal % x->stride != 0)
        return 0;
    if (x->count == CV_INDEX_ENTRIES_MAX && x->stride != UINT64_MAX)
        thin_out(x);
    /* It may be among those that have just become too many; or there is no room even so. */
    if (ordinal % x->stride != 0 || x->count == CV_INDEX_ENTRIES_MAX)
        return 0;
    if (x->count == x->cap && grow(x, err) < 0)
        return -1;
    x->entries[x->count++] = *e;
    return 0;
}

static bool same(const struct cv_index_entry *a, const struct cv_index_entry *b)
{
    return a->offset == b->offset && a->number == b->number && a->type == b->type && a->tag == b->tag &&
           a->key == b->key && a->chain == b->chain;
}

int cv_index_compare(const struct cv_index *x, const struct cv_rec_index *v, struct cv_error *err)
{
    for (uint32_t i = 0; i < v->count && i < x->count; i++) {
        struct cv_index_entry e = cv_index_at(v, i);
        if (!same(&e, &x->entries[i]))
            return cv_rule_fail(err, CV_E_STREAM, "index",
                                "entry %u says record %llu at offset %llu, due is record %llu at "
                                "offset %llu, or its other fields differ",
                                i, (unsigned long long)e.number, (unsigned long long)e.offset,
                                (unsigned long long)x->entries[i].number, (unsigned long long)x->entries[i].offset);
    }
    if (v->count != x->count)
        return cv_rule_fail(err, CV_E_STREAM, "index", "%u entries, %zu are due", v->count, x->count);
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
