/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of the model's guests: which pages there are, the log of what they write, sources and sinks. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/fake_host_internal.h"

int fake_pfn_count(struct cv_host *h, uint32_t domid, uint64_t *count_out, struct cv_error *err)
{
    TRIP(h, err);
    (void)fake_domain_of(h, domid);
    *count_out = fake(h)->grow_at != 0 && --fake(h)->grow_at == 0 ? FAKE_PFNS + 15 : FAKE_PFNS;
    if (fake(h)->pfns != 0)
        *count_out = fake(h)->pfns;
    return 0;
}

int fake_populated(struct cv_host *h, uint32_t domid, uint64_t *bitmap, uint64_t count, uint64_t *pages_out,
                   int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    TRIP(h, err);
    fake_contract(deadline_ms != CV_NEVER, "searched without an end");
    if (cv_cancel_requested(cancel))
        return cv_fail(err, CV_E_CANCELLED, 0, "cancelled");
    struct fake_domain *d = fake_domain_of(h, domid);

    fake_contract(d->logging || d->suspended, "searched while it changes and nobody keeps a log");
    fake_contract(count == FAKE_PFNS, "another size than pfn_count's");
    fake_contract(d->pod_missing == 0, "out of PoD memory: the guest was ended");
    memset(bitmap, 0, (FAKE_PFNS + 63) / 64 * 8);
    *pages_out = 0;
    for (unsigned i = 0; i < FAKE_PFNS; i++) {
        *pages_out += d->there[i];
        if (d->there[i])
            bitmap[i / 64] |= UINT64_C(1) << (i % 64);
    }
    return 0;
}

/* The running guest writes: a few pages change between any two calls. */
static void guest_writes(struct fake_domain *d)
{
    if (d->suspended || d->paused)
        return;
    for (unsigned i = 0; i < 5; i++) {
        unsigned pfn = (unsigned)rand() % FAKE_PFNS;
        if (!d->there[pfn])
            continue;
        d->ram[pfn][rand() % 4096]++;
        if (d->logging)
            d->dirty[pfn / 64] |= UINT64_C(1) << (pfn % 64);
    }
}

int fake_dirty_log(struct cv_host *h, uint32_t domid, bool on, struct cv_error *err)
{
    TRIP(h, err);
    fake_domain_of(h, domid)->logging = on;
    return 0;
}

int fake_dirty_take(struct cv_host *h, uint32_t domid, uint64_t *bitmap, uint64_t count, bool final,
                    struct cv_dirty_stats *stats, struct cv_error *err)
{
    TRIP(h, err);
    struct fake_domain *d = fake_domain_of(h, domid);

    fake_contract(d->logging && count == FAKE_PFNS, "dirty bitmap read without a log");
    if (d->log_taken)
        return cv_fail(err, CV_E_BUSY, 0, "somebody else has read or switched off the log of what domain %u writes",
                       domid);
    fake_contract(!final || d->suspended, "final bitmap of a guest that runs");
    guest_writes(d);
    memcpy(bitmap, d->dirty, sizeof d->dirty);
    memset(d->dirty, 0, sizeof d->dirty);
    *stats = (struct cv_dirty_stats){ 0 };
    for (unsigned i = 0; i < FAKE_PFNS; i++)
        stats->pages += d->there[i];
    return 0;
}

struct fake_source {
    struct cv_page_source base;
    struct cv_host *h;
    uint32_t domid;
};
struct fake_sink {
    struct cv_page_sink base;
    struct cv_host *h;
    uint32_t domid;
};

static int source_map(struct cv_page_source *b, const uint64_t *pfns, size_t n, uint8_t *types_out,
                      const void **pages_out, void **handle_out, struct cv_error *err)
{
    struct fake_source *s = (struct fake_source *)b;

    if (fake_trip(fake(s->h), "page_source.map", err) < 0)
        return -1;
    struct fake_domain *d = fake_domain_of(s->h, s->domid);
    fake_contract(d->logging || d->suspended || d->paused, "memory read while it changes and nobody keeps a log");
    for (size_t i = 0; i < n; i++) {
        types_out[i] = d->there[pfns[i]] ? CV_PAGE_DATA : CV_PAGE_ABSENT;
        pages_out[i] = d->ram[pfns[i]];
    }
    *handle_out = d;
    return 0;
}

static void source_unmap(struct cv_page_source *b, void *handle) { (void)b, (void)handle; }

static int sink_map(struct cv_page_sink *b, const uint64_t *pfns, size_t n, void **pages_out, void **handle_out,
                    struct cv_error *err)
{
    struct fake_sink *s = (struct fake_sink *)b;

    if (fake_trip(fake(s->h), "page_sink.map", err) < 0)
        return -1;
    struct fake_domain *d = fake_domain_of(s->h, s->domid);
    for (size_t i = 0; i < n; i++) {
        d->there[pfns[i]] = true;
        pages_out[i] = d->ram[pfns[i]];
    }
    *handle_out = d;
    return 0;
}

static int sink_unmap(struct cv_page_sink *b, void *handle, struct cv_error *err)
{
    (void)handle;
    return fake_trip(fake(((struct fake_sink *)b)->h), "page_sink.unmap", err);
}

static int sink_zero(struct cv_page_sink *b, const uint64_t *pfns, size_t n, struct cv_error *err)
{
    struct fake_sink *s = (struct fake_sink *)b;

    if (fake_trip(fake(s->h), "page_sink.zero", err) < 0)
        return -1;
    struct fake_domain *d = fake_domain_of(s->h, s->domid);
    for (size_t i = 0; i < n; i++) {
        d->there[pfns[i]] = true;
        memset(d->ram[pfns[i]], 0, CV_PAGE_SIZE);
    }
    return 0;
}

static int sink_special(struct cv_page_sink *b, const uint64_t *pfns, const uint8_t *types, size_t n,
                        struct cv_error *err)
{
    struct fake_sink *s = (struct fake_sink *)b;

    if (fake_trip(fake(s->h), "page_sink.special", err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        fake_domain_of(s->h, s->domid)->there[pfns[i]] = types[i] == CV_PAGE_ALLOC;
    return 0;
}

int fake_page_source(struct cv_host *h, uint32_t domid, struct cv_page_source **out, struct cv_error *err)
{
    static const struct cv_page_source_ops ops = { .map = source_map, .unmap = source_unmap };
    TRIP(h, err);
    struct fake_source *s = calloc(1, sizeof *s);
    *s = (struct fake_source){ .base = { .ops = &ops }, .h = h, .domid = domid };
    *out = &s->base;
    return 0;
}

void fake_page_source_free(struct cv_host *h, struct cv_page_source *s)
{
    (void)h;
    free(s);
}

int fake_page_sink(struct cv_host *h, uint32_t domid, struct cv_page_sink **out, struct cv_error *err)
{
    static const struct cv_page_sink_ops ops = {
        .map = sink_map, .unmap = sink_unmap, .zero = sink_zero, .special = sink_special
    };
    TRIP(h, err);
    struct fake_sink *s = calloc(1, sizeof *s);
    *s = (struct fake_sink){ .base = { .ops = &ops }, .h = h, .domid = domid };
    *out = &s->base;
    return 0;
}

void fake_page_sink_free(struct cv_host *h, struct cv_page_sink *s)
{
    (void)h;
    free(s);
}

int fake_write_memory(struct cv_host *h, uint32_t domid, uint64_t address, const void *data, size_t len,
                      struct cv_error *err)
{
    TRIP(h, err);
    struct fake_domain *d = fake_domain_of(h, domid);
    uint64_t pfn = address / CV_PAGE_SIZE;

    fake_contract(d->suspended || d->paused, "memory written while the guest runs");
    if (address % CV_PAGE_SIZE + len > CV_PAGE_SIZE)
        return cv_fail(err, CV_E_INVALID, 0, "two pages");
    if (pfn >= FAKE_PFNS || !d->there[pfn])
        return cv_fail(err, CV_E_HYPERVISOR, 0, "no page %llu", (unsigned long long)pfn);
    memcpy(d->ram[pfn] + address % CV_PAGE_SIZE, data, len);
    return 0;
}
