/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The chain's memory is put together in a scratch file with holes, as convoy extract does; then it is saved again, with
 * the youngest image's other records around it. */
#include "convert/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/image.h"
#include "memory/area.h"
#include "memory/file_sink.h"
#include "memory/hashes.h"

/* The folded memory as a page source: kinds from the map, contents from the scratch file. */
struct folded {
    struct cv_page_source source; /* first member: the port */
    int fd;
    const struct cv_pagemap *map;
};

static int read_page(int fd, uint64_t pfn, uint8_t *to, struct cv_error *err)
{
    for (size_t got = 0; got < CV_PAGE_SIZE;) {
        ssize_t n = pread(fd, to + got, CV_PAGE_SIZE - got, (off_t)(pfn * CV_PAGE_SIZE + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return cv_fail(err, CV_E_IO, n < 0 ? errno : 0, "read the scratch file");
        got += (size_t)n;
    }
    return 0;
}

static int read_folded(struct cv_page_source *source, const uint64_t *pfns, size_t n, uint8_t *types_out, void *to,
                       struct cv_error *err)
{
    struct folded *f = (struct folded *)source;

    for (size_t i = 0; i < n; i++) {
        enum cv_run_kind kind = cv_pagemap_kind(f->map, pfns[i]);
        types_out[i] = kind == CV_PAGEMAP_NONE ? CV_PAGE_ABSENT : (uint8_t)kind;
        if (kind == CV_RUN_DATA && read_page(f->fd, pfns[i], (uint8_t *)to + i * CV_PAGE_SIZE, err) < 0)
            return -1;
    }
    return 0;
}

static const struct cv_page_source_ops folded_ops = { .read = read_folded };

struct merge {
    const struct cv_merge_options *opt;
    struct cv_image *img;
    struct cv_file_sink *sink;
    int scratch_fd;
    struct cv_writer *w;
    struct cv_hashes hashes;
    bool memory_written;
};

static int open_sink(void *user, const struct cv_rec_memory *m, struct cv_page_sink **sink_out, struct cv_error *err)
{
    struct merge *t = user;

    if (m->pfn_count > CV_PAGEMAP_PFNS_MAX)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "%llu pages: more memory than can be put together (%llu)",
                       (unsigned long long)m->pfn_count, (unsigned long long)CV_PAGEMAP_PFNS_MAX);
    if (cv_file_sink_new(&t->sink, t->scratch_fd, m->pfn_count, err) < 0)
        return -1;
    *sink_out = cv_file_sink_port(t->sink);
    return 0;
}

static int open_reader(int fd, bool defer, struct cv_reader **r, struct cv_error *err)
{
    struct cv_reader_options ro = { .defer_hash_of_pages = defer,
                                    .accept_features =
                                        CV_FEATURE_INCREMENTAL | CV_FEATURE_MEMORY_ONLY | CV_FEATURE_FIXED_OFFSETS };

    if (lseek(fd, 0, SEEK_SET) < 0)
        return cv_fail(err, CV_E_IO, errno, "rewind the image: is it a file?");
    return cv_reader_new(r, fd, &ro, err);
}

static int fold(struct merge *t, int in_fd, struct cv_error *err)
{
    struct cv_image_options io = {
        .mem = t->opt->mem, .open_sink = open_sink, .sink_user = t, .want_parents = true, .parents = t->opt->parents
    };
    struct cv_reader *r;

    if (open_reader(in_fd, true, &r, err) < 0)
        return -1;
    int rc = cv_image_read(t->img, r, &io, err);
    cv_reader_free(r);
    if (rc == 0 && t->img->map.left_out)
        rc = cv_fail(err, CV_E_UNSUPPORTED, 0, "more memory than can be put together");
    return rc;
}

static size_t bitmap_bytes(const struct cv_pagemap *map) { return (map->pfn_count / 64 + 1) * sizeof(uint64_t); }

static uint64_t *present(const struct cv_pagemap *map, struct cv_error *err)
{
    uint64_t *bits = (uint64_t *)cv_area_new(bitmap_bytes(map));

    if (bits == NULL)
        (void)!cv_fail(err, CV_E_NOMEM, 0, "no memory for a bitmap of pages");
    for (uint64_t pfn = 0, next; bits != NULL && pfn < map->pfn_count; pfn = next) {
        enum cv_run_kind kind;
        next = cv_pagemap_run(map, pfn, map->pfn_count, &kind);
        for (uint64_t i = pfn; kind != CV_PAGEMAP_NONE && kind != CV_RUN_ABSENT && i < next; i++)
            bits[i / 64] |= UINT64_C(1) << i % 64;
    }
    return bits;
}

/* Everything in one pass, and its hashes. */
static int put_memory(struct merge *t, struct cv_error *err)
{
    struct folded source = { { &folded_ops }, t->scratch_fd, &t->img->map };
    struct cv_mem_options mem = t->opt->mem;
    struct cv_saver *saver = NULL;

    if (t->memory_written)
        return 0;
    t->memory_written = true;
    uint64_t *bits = present(&t->img->map, err);
    int rc = bits != NULL ? cv_hashes_init(&t->hashes, t->img->map.pfn_count, err) : -1;
    mem.hashes = &t->hashes;
    if (rc == 0)
        rc = cv_saver_new(&saver, &source.source, t->w, &mem, err);
    if (rc == 0)
        rc = cv_saver_pass(saver, 0, bits, t->img->map.pfn_count, NULL, NULL, err);
    if (rc == 0)
        rc = cv_saver_pass_end(saver, true, 0, 0, err);
    if (rc == 0)
        rc = cv_hashes_put(&t->hashes, false, t->w, err);
    cv_saver_free(saver);
    cv_area_free((uint8_t *)bits, bitmap_bytes(&t->img->map));
    return rc;
}

static int merge_record(struct merge *t, const struct cv_record *rec, struct cv_error *err)
{
    struct iovec iov = { rec->body.data, rec->body.len };

    switch (rec->raw_type) {
    case CV_REC_PARENT:
    case CV_REC_PLACES:
    case CV_REC_PAGES:
    case (uint32_t)CV_REC_PAGE_HASHES:
    case (uint32_t)CV_REC_INDEX: return 0;
    case CV_REC_PASS_END: return put_memory(t, err);
    default: return rec->known ? cv_writer_put(t->w, rec->type, &iov, 1, err) : 0;
    }
}

static int write_all(struct merge *t, int in_fd, int out_fd, struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    struct cv_reader *r;
    int n, rc = 0;

    if (open_reader(in_fd, true, &r, err) < 0)
        return -1;
    const struct cv_stream_header *h = cv_reader_header(r);
    struct cv_writer_options wo = {
        .cancel = t->opt->mem.cancel,
        .required_features = h->required_features & ~(CV_FEATURE_INCREMENTAL | CV_FEATURE_FIXED_OFFSETS),
        .optional_features = (h->optional_features & CV_OPTIONAL_LIVE) | CV_OPTIONAL_PAGE_HASHES,
        .index = true,
    };
    rc = cv_writer_new(&t->w, out_fd, &wo, err);
    while (rc == 0 && (n = cv_reader_next(r, &rec, err)) != 0)
        rc = n < 0 ? -1 : merge_record(t, &rec, err);
    if (rc == 0)
        rc = cv_writer_finish(t->w, err);
    cv_reader_free(r);
    cv_writer_free(t->w);
    return rc;
}

int cv_merge(int in_fd, int out_fd, int scratch_fd, const struct cv_merge_options *opt, struct cv_error *err)
{
    struct merge t = { .opt = opt, .img = calloc(1, sizeof *t.img), .scratch_fd = scratch_fd };

    if (t.img == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory");
    int rc = fold(&t, in_fd, err);
    if (rc == 0)
        rc = write_all(&t, in_fd, out_fd, err);
    cv_hashes_dispose(&t.hashes);
    cv_file_sink_free(t.sink);
    cv_image_dispose(t.img);
    free(t.img);
    return rc;
}
