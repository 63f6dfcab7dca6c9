/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new domain's memory as a page sink: pages are populated when the image first names them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/xen/xen.h"

/* Populated pages, one bit each, in blocks that come into being when they are needed: the physical address space is
 * large (special pages lie near 4 GiB) and mostly empty. */
#define BLOCK_PAGES 32768u
#define MAX_PFN (UINT64_C(1) << 36) /* 256 TiB; the loader bounds pfns by the image's own count first */

struct xen_sink {
    struct cv_page_sink base;
    struct xen_host *x;
    uint32_t domid;
    pthread_mutex_t lock;
    uint64_t **blocks; /* under lock */
    size_t block_count;
};

struct sink_map {
    void *base;
    size_t pages;
};

static uint64_t *block_of(struct xen_sink *s, uint64_t pfn)
{
    size_t b = pfn / BLOCK_PAGES;

    if (pfn >= MAX_PFN)
        return NULL;
    if (b >= s->block_count) {
        size_t count = b + 1;
        uint64_t **grown = realloc(s->blocks, count * sizeof *grown);
        if (grown == NULL)
            return NULL;
        memset(grown + s->block_count, 0, (count - s->block_count) * sizeof *grown);
        s->blocks = grown;
        s->block_count = count;
    }
    if (s->blocks[b] == NULL)
        s->blocks[b] = calloc(BLOCK_PAGES / 64, sizeof(uint64_t));
    return s->blocks[b];
}

/* Populates those of n pages that are not there yet.  Called under the lock, so that no page is populated twice. */
static int populate_locked(struct xen_sink *s, const uint64_t *pfns, size_t n, struct cv_error *err)
{
    xen_pfn_t *missing = calloc(n, sizeof *missing);
    size_t count = 0;

    if (missing == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a list of %zu pages", n);
    for (size_t i = 0; i < n; i++) {
        uint64_t *block = block_of(s, pfns[i]);
        if (block == NULL) {
            free(missing);
            return cv_fail(err, CV_E_NOMEM, 0, "no memory to keep account of page %#llx", (unsigned long long)pfns[i]);
        }
        uint64_t bit = pfns[i] % BLOCK_PAGES;
        if (!(block[bit / 64] >> (bit % 64) & 1))
            missing[count++] = pfns[i];
    }
    int rc = 0;
    if (count > 0 && xc_domain_populate_physmap_exact(s->x->xc, s->domid, count, 0, 0, missing) != 0)
        rc = xen_fail_as(s->x, errno == ENOMEM ? CV_E_NOMEM : CV_E_HYPERVISOR, errno, err,
                         "cannot populate %zu pages from %#llx", count, (unsigned long long)missing[0]);
    free(missing);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        uint64_t bit = pfns[i] % BLOCK_PAGES;
        block_of(s, pfns[i])[bit / 64] |= UINT64_C(1) << (bit % 64);
    }
    return rc;
}

static int populate(struct xen_sink *s, const uint64_t *pfns, size_t n, struct cv_error *err)
{
    pthread_mutex_lock(&s->lock);
    int rc = populate_locked(s, pfns, n, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static void *map_pages(struct xen_sink *s, const uint64_t *pfns, size_t n, struct cv_error *err)
{
    xen_pfn_t *gfns = calloc(n, sizeof *gfns);
    int *errs = malloc(n * sizeof *errs);
    void *base = NULL;

    if (gfns == NULL || errs == NULL) {
        cv_fail(err, CV_E_NOMEM, 0, "no memory to map %zu pages", n);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        gfns[i] = pfns[i];
    base = xenforeignmemory_map(s->x->fmem, s->domid, PROT_READ | PROT_WRITE, n, gfns, errs);
    if (base == NULL) {
        xen_fail(s->x, err, "cannot map %zu pages from %#llx", n, (unsigned long long)pfns[0]);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        if (errs[i] == 0)
            continue;
        xen_fail_as(s->x, CV_E_HYPERVISOR, -errs[i], err, "cannot map page %#llx", (unsigned long long)pfns[i]);
        xenforeignmemory_unmap(s->x->fmem, base, n);
        base = NULL;
        break;
    }
out:
    free(gfns);
    free(errs);
    return base;
}

static int sink_map_pages(struct cv_page_sink *base, const uint64_t *pfns, size_t n, void **pages_out,
                          void **handle_out, struct cv_error *err)
{
    struct xen_sink *s = (struct xen_sink *)base;
    struct sink_map *m = malloc(sizeof *m);

    if (m == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory to map %zu pages", n);
    if (populate(s, pfns, n, err) < 0 || (m->base = map_pages(s, pfns, n, err)) == NULL) {
        free(m);
        return -1;
    }
    m->pages = n;
    for (size_t i = 0; i < n; i++)
        pages_out[i] = (char *)m->base + i * XC_PAGE_SIZE;
    *handle_out = m;
    return 0;
}

static int sink_unmap(struct cv_page_sink *base, void *handle, struct cv_error *err)
{
    struct xen_sink *s = (struct xen_sink *)base;
    struct sink_map *m = handle;
    int rc = xenforeignmemory_unmap(s->x->fmem, m->base, m->pages);

    if (rc != 0)
        xen_fail(s->x, err, "cannot unmap %zu pages", m->pages);
    free(m);
    return rc != 0 ? -1 : 0;
}

static bool is_zero(const void *page)
{
    const uint64_t *w = page;
    for (size_t i = 0; i < XC_PAGE_SIZE / sizeof *w; i += 8)
        if ((w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] | w[i + 7]) != 0)
            return false;
    return true;
}

/* Xen scrubs pages of dead domains, but not those that a living one gave back: a new page is looked at, and
 * written only when it has to be. */
static int sink_zero(struct cv_page_sink *base, const uint64_t *pfns, size_t n, struct cv_error *err)
{
    struct xen_sink *s = (struct xen_sink *)base;

    if (populate(s, pfns, n, err) < 0)
        return -1;
    char *p = map_pages(s, pfns, n, err);
    if (p == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (!is_zero(p + i * XC_PAGE_SIZE))
            memset(p + i * XC_PAGE_SIZE, 0, XC_PAGE_SIZE);
    if (xenforeignmemory_unmap(s->x->fmem, p, n) != 0)
        return xen_fail(s->x, err, "cannot unmap %zu pages", n);
    return 0;
}

static bool is_populated(const struct xen_sink *s, uint64_t pfn)
{
    uint64_t bit = pfn % BLOCK_PAGES;

    return pfn / BLOCK_PAGES < s->block_count && s->blocks[pfn / BLOCK_PAGES] != NULL &&
           (s->blocks[pfn / BLOCK_PAGES][bit / 64] >> (bit % 64) & 1);
}

static int depopulate_locked(struct xen_sink *s, uint64_t pfn, struct cv_error *err)
{
    xen_pfn_t gfn = pfn;
    uint64_t bit = pfn % BLOCK_PAGES;

    if (!is_populated(s, pfn))
        return 0;
    if (xc_domain_decrease_reservation_exact(s->x->xc, s->domid, 1, 0, &gfn) != 0)
        return xen_fail(s->x, err, "cannot take page %#llx out again", (unsigned long long)pfn);
    s->blocks[pfn / BLOCK_PAGES][bit / 64] &= ~(UINT64_C(1) << (bit % 64));
    return 0;
}

static int sink_special(struct cv_page_sink *base, const uint64_t *pfns, const uint8_t *types, size_t n,
                        struct cv_error *err)
{
    struct xen_sink *s = (struct xen_sink *)base;
    int rc = 0;

    /* One lock for all: the holes of an address space come by the hundred thousand. */
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n && rc == 0; i++) {
        /* A broken page is left out: reading it on the old host would have killed the guest as well. */
        if (types[i] == CV_PAGE_ABSENT || types[i] == CV_PAGE_BROKEN)
            rc = depopulate_locked(s, pfns[i], err);
        else
            rc = populate_locked(s, &pfns[i], 1, err);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int xen_page_sink(struct cv_host *h, uint32_t domid, struct cv_page_sink **out, struct cv_error *err)
{
    static const struct cv_page_sink_ops ops = {
        .map = sink_map_pages, .unmap = sink_unmap, .zero = sink_zero, .special = sink_special
    };
    struct xen_sink *s = calloc(1, sizeof *s);

    if (s == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a page sink");
    s->base.ops = &ops;
    s->x = xen_host(h);
    s->domid = domid;
    pthread_mutex_init(&s->lock, NULL);
    *out = &s->base;
    return 0;
}

void xen_page_sink_free(struct cv_host *h, struct cv_page_sink *base)
{
    struct xen_sink *s = (struct xen_sink *)base;

    (void)h;
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->block_count; i++)
        free(s->blocks[i]);
    free(s->blocks);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int xen_write_memory(struct cv_host *h, uint32_t domid, uint64_t address, const void *data, size_t len,
                     struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    xen_pfn_t gfn = address / XC_PAGE_SIZE;
    int sys = 0;

    if (address % XC_PAGE_SIZE + len > XC_PAGE_SIZE)
        return cv_fail(err, CV_E_INVALID, 0, "%zu bytes at %#llx lie in two pages", len, (unsigned long long)address);
    char *page = xenforeignmemory_map(x->fmem, domid, PROT_READ | PROT_WRITE, 1, &gfn, &sys);
    if (page == NULL || sys != 0) {
        if (page != NULL)
            xenforeignmemory_unmap(x->fmem, page, 1);
        return xen_fail_as(x, CV_E_HYPERVISOR, page == NULL ? errno : -sys, err, "cannot map the guest's page %#llx",
                           (unsigned long long)gfn);
    }
    memcpy(page + address % XC_PAGE_SIZE, data, len);
    xenforeignmemory_unmap(x->fmem, page, 1);
    return 0;
}
