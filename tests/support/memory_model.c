/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/memory_model.h"

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "memory/zero.h"
#include "stream-format/bodies.h"

static struct model *of_source(struct cv_page_source *s)
{
    return (struct model *)((char *)s - offsetof(struct model, source));
}

static struct model *of_sink(struct cv_page_sink *s)
{
    return (struct model *)((char *)s - offsetof(struct model, sink));
}

/* Counts a call and says whether it is the one to fail. */
static int trip(struct model *m, const char *what, struct cv_error *err)
{
    pthread_mutex_lock(&m->lock);
    unsigned call = ++m->calls;
    pthread_mutex_unlock(&m->lock);
    return call == m->fail_at ? cv_fail(err, CV_E_HYPERVISOR, 0, "call %u (%s) fails", call, what) : 0;
}

static void count_mapped(struct model *m, int change)
{
    pthread_mutex_lock(&m->lock);
    m->mapped += (unsigned)change;
    if (m->mapped > m->most_mapped)
        m->most_mapped = m->mapped;
    pthread_mutex_unlock(&m->lock);
}

static void check_pfns(const struct model *m, const uint64_t *pfns, size_t n)
{
    ck_assert_uint_ge(n, 1);
    ck_assert_uint_le(n, CV_MAP_MAX);
    for (size_t i = 0; i < n; i++)
        ck_assert(pfns[i] < m->pfn_count && (i == 0 || pfns[i] > pfns[i - 1]));
}

/* ---- source ---- */

static int source_map(struct cv_page_source *s, const uint64_t *pfns, size_t n, uint8_t *types_out,
                      const void **pages_out, void **handle_out, struct cv_error *err)
{
    struct model *m = of_source(s);

    check_pfns(m, pfns, n);
    if (trip(m, "source map", err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        types_out[i] = m->types[pfns[i]];
        pages_out[i] = types_out[i] == CV_PAGE_DATA ? m->data + pfns[i] * CV_PAGE_SIZE : NULL;
    }
    *handle_out = malloc(1); /* found by the leak checker when unmap is forgotten */
    count_mapped(m, 1);
    return 0;
}

static void source_unmap(struct cv_page_source *s, void *handle)
{
    free(handle);
    count_mapped(of_source(s), -1);
}

/* Half of the zero pages are known to be zero; pages without contents get garbage. */
static int source_read(struct cv_page_source *s, const uint64_t *pfns, size_t n, uint8_t *types_out, void *to,
                       struct cv_error *err)
{
    struct model *m = of_source(s);

    check_pfns(m, pfns, n);
    if (trip(m, "source read", err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *page = m->data + pfns[i] * CV_PAGE_SIZE;
        types_out[i] = m->types[pfns[i]];
        if (types_out[i] == CV_PAGE_DATA && pfns[i] % 2 == 0 && cv_page_is_zero(page))
            types_out[i] = CV_PAGE_ZERO;
        if (types_out[i] == CV_PAGE_DATA)
            memcpy((uint8_t *)to + i * CV_PAGE_SIZE, page, CV_PAGE_SIZE);
        else
            memset((uint8_t *)to + i * CV_PAGE_SIZE, 0x5a, CV_PAGE_SIZE);
    }
    return 0;
}

/* ---- sink ---- */

struct scattered {
    size_t n;
    uint64_t pfns[CV_MAP_MAX];
    uint8_t *copy;
};

static int sink_map(struct cv_page_sink *s, const uint64_t *pfns, size_t n, void **pages_out, void **handle_out,
                    struct cv_error *err)
{
    struct model *m = of_sink(s);

    check_pfns(m, pfns, n);
    if (trip(m, "sink map", err) < 0)
        return -1;
    struct scattered *h = calloc(1, sizeof *h);
    h->copy = malloc(n * CV_PAGE_SIZE);
    h->n = n;
    for (size_t i = 0; i < n; i++) {
        m->state[pfns[i]] = MODEL_DATA;
        h->pfns[i] = pfns[i];
        pages_out[i] = m->scattered ? m->data + pfns[i] * CV_PAGE_SIZE : h->copy + i * CV_PAGE_SIZE;
    }
    *handle_out = h;
    count_mapped(m, 1);
    return 0;
}

static int sink_unmap(struct cv_page_sink *s, void *handle, struct cv_error *err)
{
    struct model *m = of_sink(s);
    struct scattered *h = handle;

    for (size_t i = 0; !m->scattered && i < h->n; i++)
        memcpy(m->data + h->pfns[i] * CV_PAGE_SIZE, h->copy + i * CV_PAGE_SIZE, CV_PAGE_SIZE);
    free(h->copy);
    free(h);
    count_mapped(m, -1);
    return trip(m, "sink unmap", err);
}

static int sink_zero(struct cv_page_sink *s, const uint64_t *pfns, size_t n, struct cv_error *err)
{
    struct model *m = of_sink(s);

    check_pfns(m, pfns, n);
    for (size_t i = 0; i < n; i++) {
        m->state[pfns[i]] = MODEL_ZERO;
        m->types[pfns[i]] = CV_PAGE_DATA;
        memset(m->data + pfns[i] * CV_PAGE_SIZE, 0, CV_PAGE_SIZE);
    }
    return trip(m, "sink zero", err);
}

static int sink_special(struct cv_page_sink *s, const uint64_t *pfns, const uint8_t *types, size_t n,
                        struct cv_error *err)
{
    struct model *m = of_sink(s);

    check_pfns(m, pfns, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert(types[i] != CV_PAGE_DATA && types[i] <= CV_PAGE_ALLOC);
        m->state[pfns[i]] = MODEL_SPECIAL;
        m->types[pfns[i]] = types[i];
    }
    return trip(m, "sink special", err);
}

static const struct cv_page_source_ops source_ops = { .map = source_map, .unmap = source_unmap };
static const struct cv_page_source_ops reading_ops = { .read = source_read };
static const struct cv_page_sink_ops sink_ops = {
    .map = sink_map, .unmap = sink_unmap, .zero = sink_zero, .special = sink_special
};

/* ---- life and contents ---- */

void model_init_shared(struct model *m, uint64_t pfn_count)
{
    *m = (struct model){ .source = { &source_ops }, .sink = { &sink_ops }, .pfn_count = pfn_count };
    m->data = mmap(NULL, pfn_count * CV_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    m->types = calloc(pfn_count, 1);
    m->state = calloc(pfn_count, 1);
    ck_assert(m->data != MAP_FAILED && m->types != NULL && m->state != NULL);
    pthread_mutex_init(&m->lock, NULL);
}

void model_init(struct model *m, uint64_t pfn_count) { model_init_shared(m, pfn_count); }

void model_read_instead(struct model *m) { m->source.ops = &reading_ops; }

void model_dispose(struct model *m)
{
    ck_assert_uint_eq(m->mapped, 0);
    munmap(m->data, m->pfn_count * CV_PAGE_SIZE);
    free(m->types);
    free(m->state);
    pthread_mutex_destroy(&m->lock);
}

static void fill_page(struct rng *r, uint8_t *page, unsigned kind)
{
    memset(page, 0, CV_PAGE_SIZE);
    if (kind < 5) /* zero */
        return;
    for (unsigned i = 0; i < CV_PAGE_SIZE; i += 8) {
        uint64_t v = rng_next(r);
        if (kind == 5)
            v &= 0x0f0f0f; /* compressible */
        memcpy(page + i, &v, 8);
        if (kind == 6 && i >= 64)
            break; /* a little at the start */
    }
    if (kind == 7) { /* one byte, at the very end */
        memset(page, 0, CV_PAGE_SIZE);
        page[CV_PAGE_SIZE - 1] = 1;
    }
}

void model_fill(struct model *m, struct rng *r)
{
    for (uint64_t pfn = 0; pfn < m->pfn_count;) {
        unsigned kind = (unsigned)rng_below(r, 9), type = rng_below(r, 10) == 0 ? 1 + (unsigned)rng_below(r, 3) : 0;
        for (uint64_t run = 1 + rng_below(r, 300); run > 0 && pfn < m->pfn_count; run--, pfn++) {
            m->types[pfn] = (uint8_t)type;
            fill_page(r, m->data + pfn * CV_PAGE_SIZE, type ? 0 : kind);
        }
    }
}

void model_dirty(struct model *m, struct rng *r, uint64_t *bitmap, unsigned percent)
{
    for (uint64_t pfn = 0; pfn < m->pfn_count; pfn++) {
        uint64_t bit = UINT64_C(1) << pfn % 64;
        bitmap[pfn / 64] &= ~bit;
        if (rng_below(r, 100) >= percent)
            continue;
        bitmap[pfn / 64] |= bit;
        m->types[pfn] = rng_below(r, 8) == 0 ? (uint8_t)(1 + rng_below(r, 3)) : CV_PAGE_DATA;
        fill_page(r, m->data + pfn * CV_PAGE_SIZE, m->types[pfn] ? 0 : (unsigned)rng_below(r, 9));
    }
}

bool model_same(const struct model *want, const struct model *got, uint64_t from, uint64_t to)
{
    for (uint64_t pfn = from; pfn < to; pfn++) {
        const uint8_t *page = want->data + pfn * CV_PAGE_SIZE;
        enum model_state state = want->types[pfn] != CV_PAGE_DATA ? MODEL_SPECIAL
                                 : cv_page_is_zero(page)          ? MODEL_ZERO
                                                                  : MODEL_DATA;
        if (got->state[pfn] != state)
            return false;
        if (state == MODEL_SPECIAL ? got->types[pfn] != want->types[pfn]
                                   : memcmp(got->data + pfn * CV_PAGE_SIZE, page, CV_PAGE_SIZE) != 0)
            return false;
    }
    return true;
}

/* ---- streams ---- */

static int put_memory(struct cv_writer *w, uint64_t pfn_count, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    const struct cv_rec_memory m = { .pfn_count = pfn_count };

    if (cv_rec_memory_encode(&m, &body, err) < 0)
        return -1;
    struct iovec iov = { .iov_base = body.data, .iov_len = body.len };
    return cv_writer_put(w, CV_REC_MEMORY, &iov, 1, err);
}

int model_save_begin(struct model_save *c, struct model *m, const struct cv_mem_options *opt, struct cv_error *err)
{
    static const uint8_t id[16] = "memory tests....";
    const struct cv_writer_options wopt = { .required_features = CV_FEATURE_MEMORY_ONLY, .stream_id = id };

    *c = (struct model_save){ .fd = memfd_create("stream", MFD_CLOEXEC) };
    ck_assert_int_ge(c->fd, 0);
    if (cv_writer_new(&c->w, c->fd, &wopt, err) < 0 || put_memory(c->w, m->pfn_count, err) < 0 ||
        cv_saver_new(&c->s, &m->source, c->w, opt, err) < 0) {
        model_save_drop(c);
        return -1;
    }
    return 0;
}

void model_save_drop(struct model_save *c)
{
    cv_saver_free(c->s);
    cv_writer_free(c->w);
    cv_fd_dispose(&c->fd);
    *c = (struct model_save){ .fd = -1 };
}

int model_save_end(struct model_save *c, struct cv_buf *out, struct cv_error *err)
{
    int rc = cv_writer_finish(c->w, err);

    if (rc == 0) {
        uint64_t len = cv_writer_bytes(c->w);
        ck_assert_int_eq(cv_buf_reserve(out, len, NULL), 0);
        ck_assert_int_eq(pread(c->fd, out->data, len, 0), (ssize_t)len);
        out->len = len;
    }
    model_save_drop(c);
    return rc;
}

int model_save_all(struct model *m, const struct cv_mem_options *opt, struct cv_buf *out, struct cv_error *err)
{
    struct model_save c;

    if (model_save_begin(&c, m, opt, err) < 0)
        return -1;
    if (cv_saver_pass(c.s, 0, NULL, m->pfn_count, NULL, NULL, err) < 0 || cv_saver_pass_end(c.s, true, 0, 0, err) < 0) {
        model_save_drop(&c);
        return -1;
    }
    return model_save_end(&c, out, err);
}

static int load_records(struct cv_reader *r, struct cv_loader **l, struct cv_page_sink *sink,
                        const struct cv_mem_options *opt, struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    struct cv_rec_memory m;
    int rc;

    while ((rc = cv_reader_next(r, &rec, err)) == 1) {
        if (rec.type == CV_REC_MEMORY)
            rc = cv_rec_memory_decode(&m, rec.body.data, rec.body.len, err) < 0
                     ? -1
                     : cv_loader_new(l, sink, m.pfn_count, opt, err);
        else
            rc = rec.type == CV_REC_PAGES ? cv_loader_record(*l, &rec, err) : cv_loader_pass_end(*l, &rec, err);
        if (rc < 0)
            return -1;
    }
    return rc;
}

int model_load(const struct cv_buf *stream, struct cv_page_sink *sink, const struct cv_mem_options *opt,
               struct cv_mem_stats *stats, struct cv_error *err)
{
    const struct cv_reader_options ropt = { .defer_hash_of_pages = true, .accept_features = CV_FEATURE_MEMORY_ONLY };
    CV_AUTO_FD fd = memfd_create("stream", MFD_CLOEXEC);
    struct cv_reader *r = NULL;
    struct cv_loader *l = NULL;

    ck_assert_int_eq(pwrite(fd, stream->data, stream->len, 0), (ssize_t)stream->len);
    int rc = cv_reader_new(&r, fd, &ropt, err);
    if (rc == 0)
        rc = load_records(r, &l, sink, opt, err);
    if (rc == 0 && stats != NULL)
        *stats = *cv_loader_stats(l);
    cv_loader_free(l);
    cv_reader_free(r);
    return rc;
}

static unsigned count_entries(const char *path)
{
    DIR *d = opendir(path);
    unsigned n = 0;

    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

unsigned model_thread_count(void) { return count_entries("/proc/self/task"); }

unsigned model_fd_count(void) { return count_entries("/proc/self/fd"); }
