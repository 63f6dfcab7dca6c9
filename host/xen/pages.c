/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's memory as a page source: foreign mappings, a batch at a time, from any number of workers. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "host/xen/types.h"
#include "host/xen/xen.h"

/* One for each worker that is inside map or unmap at the same time.  xc_interface is not for concurrent use,
 * and opening one costs several opens, so they are kept on a free list. */
struct slot {
    struct slot *next;
    xc_interface *xc;
    xen_pfn_t gfns[CV_MAP_MAX];
    int errs[CV_MAP_MAX];
    void *base; /* the mapping handed out, or NULL */
    size_t pages;
};

struct xen_source {
    struct cv_page_source base;
    struct xen_host *x;
    uint32_t domid;
    pthread_mutex_t lock;
    struct slot *idle; /* under lock */
};

static struct slot *slot_get(struct xen_source *s)
{
    pthread_mutex_lock(&s->lock);
    struct slot *slot = s->idle;
    if (slot != NULL)
        s->idle = slot->next;
    pthread_mutex_unlock(&s->lock);
    if (slot != NULL)
        return slot;
    slot = calloc(1, sizeof *slot);
    if (slot == NULL)
        return NULL;
    slot->xc = xc_interface_open(s->x->logger, s->x->logger, 0);
    if (slot->xc == NULL) {
        free(slot);
        return NULL;
    }
    return slot;
}

static void slot_put(struct xen_source *s, struct slot *slot)
{
    pthread_mutex_lock(&s->lock);
    slot->next = s->idle;
    s->idle = slot;
    pthread_mutex_unlock(&s->lock);
}

/* Xen's page types for an HVM guest; n <= CV_MAP_MAX.  A page of Xen's own heap (shared info, grant frames) that the
 * guest has mapped counts as absent: the guest maps those anew when it resumes. */
static int get_types(struct xen_source *s, struct slot *slot, const uint64_t *pfns, size_t n, uint8_t *types_out,
                     struct cv_error *err)
{
    for (size_t done = 0; done < n;) {
        size_t step = n - done > XEN_TYPE_BATCH ? XEN_TYPE_BATCH : n - done;
        for (size_t i = 0; i < step; i++)
            slot->gfns[i] = pfns[done + i];
        if (xc_get_pfn_type_batch(slot->xc, s->domid, (unsigned)step, slot->gfns) != 0)
            return xen_fail(s->x, err, "cannot ask for the types of %zu pages from %#llx", step,
                            (unsigned long long)pfns[done]);
        for (size_t i = 0; i < step; i++)
            types_out[done + i] = xen_page_type(slot->gfns[i]);
        done += step;
    }
    return 0;
}

static int source_map(struct cv_page_source *base, const uint64_t *pfns, size_t n, uint8_t *types_out,
                      const void **pages_out, void **handle_out, struct cv_error *err)
{
    struct xen_source *s = (struct xen_source *)base;
    struct slot *slot = slot_get(s);
    size_t mapped = 0;

    if (slot == NULL)
        return xen_fail_as(s->x, CV_E_NOMEM, errno, err, "cannot open another handle to Xen");
    slot->base = NULL;
    slot->pages = 0;
    if (get_types(s, slot, pfns, n, types_out, err) < 0)
        goto fail;
    for (size_t i = 0; i < n; i++) {
        pages_out[i] = NULL;
        if (types_out[i] == CV_PAGE_DATA)
            slot->gfns[mapped++] = pfns[i];
    }
    if (mapped > 0) {
        slot->base = xenforeignmemory_map(s->x->fmem, s->domid, PROT_READ, mapped, slot->gfns, slot->errs);
        if (slot->base == NULL) {
            xen_fail(s->x, err, "cannot map %zu pages from %#llx", mapped, (unsigned long long)slot->gfns[0]);
            goto fail;
        }
        slot->pages = mapped;
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
            if (types_out[i] != CV_PAGE_DATA)
                continue;
            /* It went away between the two calls: the guest balloons while we read. */
            if (slot->errs[k] != 0)
                types_out[i] = CV_PAGE_ABSENT;
            else
                pages_out[i] = (const char *)slot->base + k * XC_PAGE_SIZE;
            k++;
        }
    }
    *handle_out = slot;
    return 0;
fail:
    slot_put(s, slot);
    return -1;
}

static void source_unmap(struct cv_page_source *base, void *handle)
{
    struct xen_source *s = (struct xen_source *)base;
    struct slot *slot = handle;

    if (slot->base != NULL)
        xenforeignmemory_unmap(s->x->fmem, slot->base, slot->pages);
    slot_put(s, slot);
}

int xen_page_source(struct cv_host *h, uint32_t domid, struct cv_page_source **out, struct cv_error *err)
{
    static const struct cv_page_source_ops ops = { .map = source_map, .unmap = source_unmap };
    struct xen_source *s = calloc(1, sizeof *s);

    if (s == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a page source");
    s->base.ops = &ops;
    s->x = xen_host(h);
    s->domid = domid;
    pthread_mutex_init(&s->lock, NULL);
    *out = &s->base;
    return 0;
}

void xen_page_source_free(struct cv_host *h, struct cv_page_source *base)
{
    struct xen_source *s = (struct xen_source *)base;

    (void)h;
    if (s == NULL)
        return;
    while (s->idle != NULL) {
        struct slot *slot = s->idle;
        s->idle = slot->next;
        xc_interface_close(slot->xc);
        free(slot);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}
