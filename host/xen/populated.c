/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a domain has pages.  Xen can only be asked page number by page number, about 2.4 us each on a slow host, and
 * the emulators' and Xen's own pages lie just below 4 GiB whatever the guest's size: asking for all of it costs a small
 * guest some seconds.  But Xen says how many pages the domain has: look everywhere that pages are likely to be, and
 * between RAM and the hole, which is most of a small guest's space, only when some have not been found. */
#include "base/clock.h"
#include "host/xen/types.h"
#include "host/xen/xen.h"
#include "vm/physmap.h"

/* VRAM, ROMs and special pages lie in the hole. */
#define HOLE_PFN (CV_HOLE_START >> CV_PFN_SHIFT)

struct search {
    struct xen_host *x;
    uint32_t domid;
    uint64_t *bitmap, count, found;
    int64_t deadline_ms;
    struct cv_cancel *cancel;
    xen_pfn_t info[XEN_TYPE_BATCH];
};

static uint64_t lower(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Every question about a page that was never touched (populate on demand) makes Xen give it one, also while the guest
 * runs, and a guest for which there is none left is ended by Xen ("out of PoD memory").  What Xen keeps for the guest
 * covers all such places when its balloon driver has given back what was beyond its target. */
int xen_check_pod(struct xen_host *x, uint32_t domid, struct cv_error *err)
{
    uint64_t total = 0, cached = 0, entries = 0;

    if (xc_domain_get_pod_target(x->xc, domid, &total, &cached, &entries) != 0)
        return xen_fail(x, err, "cannot ask for the pages of domain %u that are populated on demand", domid);
    if (entries <= cached)
        return 0;
    return cv_fail(
        err, CV_E_UNSUPPORTED, 0,
        "domain %u expects %llu MiB of memory that were never populated (maxmem is above memory), and Xen keeps "
        "%llu MiB for it: its balloon driver has to give back the rest first; without one it can run only with "
        "memory = maxmem",
        domid, (unsigned long long)entries / 256, (unsigned long long)cached / 256);
}

/* [from, to), as far as there is address space. */
static int look_at_pfns(struct search *s, uint64_t from, uint64_t to, struct cv_error *err)
{
    to = lower(to, s->count);
    while (from < to) {
        unsigned n = (unsigned)lower(XEN_TYPE_BATCH, to - from);

        if (cv_cancel_requested(s->cancel))
            return cv_fail(err, CV_E_CANCELLED, 0, "cancelled");
        if (cv_now_ms() >= s->deadline_ms)
            return cv_fail(err, CV_E_TIMEOUT, 0, "not done in time: at page %#llx of %#llx", (unsigned long long)from,
                           (unsigned long long)s->count);
        /* Each time: somebody may lower its target meanwhile. */
        if (xen_check_pod(s->x, s->domid, err) < 0)
            return -1;
        for (unsigned i = 0; i < n; i++)
            s->info[i] = from + i;
        if (xc_get_pfn_type_batch(s->x->xc, s->domid, n, s->info) != 0)
            return xen_fail(s->x, err, "cannot ask for the types of %u pages from %#llx", n, (unsigned long long)from);
        for (unsigned i = 0; i < n; i++) {
            if (xen_page_type(s->info[i]) == CV_PAGE_ABSENT)
                continue;
            s->bitmap[(from + i) / 64] |= UINT64_C(1) << ((from + i) % 64);
            s->found++;
        }
        from += n;
    }
    return 0;
}

int xen_populated(struct cv_host *h, uint32_t domid, uint64_t *bitmap, uint64_t count, uint64_t *pages_out,
                  int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_domain_info d;
    struct search s = {
        .x = xen_host(h), .domid = domid, .bitmap = bitmap, .count = count, .deadline_ms = deadline_ms, .cancel = cancel
    };

    if (xen_info(h, domid, &d, err) < 0)
        return -1;
    *pages_out = d.pages;
    for (uint64_t i = 0; i < (count + 63) / 64; i++)
        bitmap[i] = 0;
    uint64_t low = lower(d.pages, HOLE_PFN);
    if (look_at_pfns(&s, 0, low, err) < 0 || look_at_pfns(&s, HOLE_PFN, CV_FOUR_GIB_PFN, err) < 0 ||
        look_at_pfns(&s, CV_FOUR_GIB_PFN, count, err) < 0)
        return -1;
    return s.found >= d.pages ? 0 : look_at_pfns(&s, low, HOLE_PFN, err);
}
