/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fixed layout: which pfns have places.  It follows from what the guest is and not from where it has pages just now, so
 * that a page has the same place in each image of it: RAM, the PCI hole from its beginning on (firmware's and Xen's own
 * pages), every emulator's window.  What lies between costs nothing. */
#include <stdlib.h>

#include "save/write.h"
#include "vm/physmap.h"

#define RANGES_MAX (CV_DM_MAX + 3u)

struct ranges {
    struct cv_place list[RANGES_MAX];
    uint32_t count;
};

static void add_range(struct ranges *r, uint64_t first_pfn, uint64_t pages)
{
    if (pages > 0)
        r->list[r->count++] = (struct cv_place){ first_pfn, pages };
}

static int by_pfn(const void *a, const void *b)
{
    const struct cv_place *x = a, *y = b;

    return x->first_pfn < y->first_pfn ? -1 : x->first_pfn > y->first_pfn;
}

/* Ascending, neighbours made one, nothing from pfn_count on. */
static void tidy(struct ranges *r, uint64_t pfn_count)
{
    uint32_t kept = 0;

    qsort(r->list, r->count, sizeof r->list[0], by_pfn);
    for (uint32_t i = 0; i < r->count; i++) {
        struct cv_place p = r->list[i], *before = &r->list[kept > 0 ? kept - 1 : 0];
        if (p.first_pfn >= pfn_count)
            break;
        if (p.pages > pfn_count - p.first_pfn)
            p.pages = pfn_count - p.first_pfn;
        if (kept == 0 || p.first_pfn > before->first_pfn + before->pages)
            r->list[kept++] = p;
        else if (p.first_pfn + p.pages > before->first_pfn + before->pages)
            before->pages = p.first_pfn + p.pages - before->first_pfn;
    }
    r->count = kept;
}

static void guest_ranges(const struct cv_save *s, struct ranges *r)
{
    const struct cv_domain_spec *spec = &s->g.spec;
    const struct cv_layout *l = &s->g.layout;
    uint64_t hole = cv_hole_start(spec->mmio_hole_kib << 10),
             most = l->max_kib > spec->ram_kib ? l->max_kib : spec->ram_kib;
    struct cv_physmap map = cv_physmap(most << 10, hole);

    r->count = 0;
    add_range(r, 0, map.low_end >> CV_PFN_SHIFT);
    add_range(r, CV_FOUR_GIB_PFN, (map.high_end - CV_FOUR_GIB) >> CV_PFN_SHIFT);
    add_range(r, hole >> CV_PFN_SHIFT, CV_FOUR_GIB_PFN - (hole >> CV_PFN_SHIFT));
    for (unsigned i = 0; i < l->count; i++)
        add_range(r, l->dms[i].window_gfn, l->dms[i].window_pages);
    tidy(r, s->pfn_count);
}

int cv_save_find_places(struct cv_save *s, struct cv_error *err)
{
    struct cv_rec_places v;
    CV_AUTO_BUF body = { 0 };
    struct ranges r;

    if (s->g.host->ops->pfn_count(s->g.host, s->g.domid, &s->pfn_count, err) < 0)
        return -1;
    guest_ranges(s, &r);
    if (cv_rec_places_encode(r.list, r.count, &body, err) < 0 || cv_rec_places_decode(&v, body.data, body.len, err) < 0)
        return cv_context(err, "places of pages");
    return cv_fixed_init(&s->fixed, &v, err);
}

int cv_save_put_places(struct cv_save *s, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    struct ranges r;

    if (!cv_fixed_is_open(&s->fixed))
        return 0;
    guest_ranges(s, &r);
    return cv_rec_places_encode(r.list, r.count, &body, err) < 0 ? -1 : cv_save_put_body(s, CV_REC_PLACES, &body, err);
}
