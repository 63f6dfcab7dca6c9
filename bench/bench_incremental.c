/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* incremental [MIB [PERCENT...]]: how large and how fast is the second image of a guest of which so much has changed?
 * Memory is generated (tests/support/generator.h); the changed pages lie apart, which is the hardest case for a
 * compressor. One JSON line for each percentage: bytes of the full image with and without hashes, of the incremental
 * one, and of the changed pages alone, compressed as densely as a full image is; seconds of a full and of the
 * incremental save. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "tests/support/generator.h"
#include "memory/hashes.h"
#include "memory/pipeline.h"
#include "stream-format/bodies.h"

/* Two moments of a guest: the pages that changed in between come from another seed. */
struct moments {
    struct cv_page_source source; /* first member: the port */
    uint8_t *ram;
};

static int map(struct cv_page_source *s, const uint64_t *pfns, size_t n, uint8_t *types_out, const void **pages_out,
               void **handle_out, struct cv_error *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++) {
        types_out[i] = CV_PAGE_DATA;
        pages_out[i] = ((struct moments *)s)->ram + pfns[i] * CV_PAGE_SIZE;
    }
    *handle_out = NULL;
    return 0;
}

static void unmap(struct cv_page_source *s, void *handle) { (void)s, (void)handle; }

static const struct cv_page_source_ops ops = { .map = map, .unmap = unmap };

struct bench {
    struct moments m;
    uint64_t pages;
    unsigned threads;
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x7fb5d329728ea185);
    x = (x ^ x >> 27) * UINT64_C(0x81dadef4bc2dd44d);
    return x ^ x >> 33;
}

static void fill(struct bench *b)
{
    struct cv_generator g;

    cv_generator_init(&g, 1, false);
    for (uint64_t pfn = 0; pfn < b->pages; pfn++)
        cv_generator_page(&g, pfn, b->m.ram + pfn * CV_PAGE_SIZE);
}

/* Sets the bits of the pages that were changed.  Contents as of another guest's page, none of them zero. */
static void change(struct bench *b, unsigned percent, uint64_t *bits)
{
    struct cv_generator g;
    uint64_t other = 0;

    cv_generator_init(&g, 2, false);
    for (uint64_t pfn = 0; pfn < b->pages; pfn++) {
        if (mix(pfn + 1) % 100 >= percent)
            continue;
        while (cv_generator_kind(&g, other) == CV_GEN_ZERO)
            other++;
        cv_generator_page(&g, other++, b->m.ram + pfn * CV_PAGE_SIZE);
        bits[pfn / 64] |= UINT64_C(1) << pfn % 64;
    }
}

/* A memory-only stream into a file in memory.  bits NULL: everything.  compare: of bits only what hashes do not know.
 */
static int save(struct bench *b, struct cv_hashes *hashes, bool compare, const uint64_t *bits, uint64_t *bytes_out,
                double *seconds_out, struct cv_error *err)
{
    struct cv_mem_options mem = { .threads = b->threads, .codec = CV_CODEC_ZSTD, .level = 1, .hashes = hashes };
    struct cv_writer_options wo = { .required_features =
                                        CV_FEATURE_MEMORY_ONLY | (compare ? CV_FEATURE_INCREMENTAL : 0) };
    struct cv_rec_memory memory = { .pfn_count = b->pages };
    struct cv_rec_parent parent = { .name = "" };
    CV_AUTO_FREE uint64_t *changed = calloc(b->pages / 64 + 1, sizeof *changed);
    CV_AUTO_FD fd = memfd_create("image", MFD_CLOEXEC);
    struct cv_saver *s = NULL;
    struct cv_writer *w = NULL;
    CV_AUTO_BUF body = { 0 };
    int64_t begin = cv_now_ns();

    if (compare)
        cv_hashes_begin_child(hashes);
    int rc = cv_writer_new(&w, fd, &wo, err);
    if (rc == 0 && compare)
        rc = cv_rec_parent_encode(&parent, &body, err);
    struct iovec iov = { body.data, body.len };
    if (rc == 0 && compare)
        rc = cv_writer_put(w, CV_REC_PARENT, &iov, 1, err);
    body.len = 0;
    if (rc == 0)
        rc = cv_rec_memory_encode(&memory, &body, err);
    iov = (struct iovec){ body.data, body.len };
    if (rc == 0)
        rc = cv_writer_put(w, CV_REC_MEMORY, &iov, 1, err);
    if (rc == 0)
        rc = cv_saver_new(&s, &b->m.source, w, &mem, err);
    if (rc == 0 && compare) {
        rc = cv_saver_compare(s, NULL, b->pages, changed, err);
        bits = changed;
    }
    if (rc == 0)
        rc = cv_saver_pass(s, 0, bits, b->pages, NULL, NULL, err);
    if (rc == 0)
        rc = cv_saver_pass_end(s, true, 0, 0, err);
    if (rc == 0 && hashes != NULL)
        rc = cv_hashes_put(hashes, compare, w, err);
    if (rc == 0)
        rc = cv_writer_finish(w, err);
    *bytes_out = w != NULL ? cv_writer_bytes(w) : 0;
    *seconds_out = (double)(cv_now_ns() - begin) / 1e9;
    cv_saver_free(s);
    cv_writer_free(w);
    return rc;
}

static int measure(struct bench *b, unsigned percent, struct cv_error *err)
{
    CV_AUTO_FREE uint64_t *bits = calloc(b->pages / 64 + 1, sizeof *bits);
    uint64_t plain, full, child, alone;
    double plain_s, full_s, child_s, alone_s;
    struct cv_hashes hashes;

    fill(b);
    int rc = cv_hashes_init(&hashes, b->pages, err);
    if (rc == 0)
        rc = save(b, NULL, false, NULL, &plain, &plain_s, err);
    if (rc == 0)
        rc = save(b, &hashes, false, NULL, &full, &full_s, err);
    change(b, percent, bits);
    if (rc == 0)
        rc = save(b, &hashes, true, NULL, &child, &child_s, err);
    if (rc == 0)
        rc = save(b, NULL, false, bits, &alone, &alone_s, err);
    cv_hashes_dispose(&hashes);
    if (rc == 0)
        printf("{\"mib\":%" PRIu64 ",\"percent\":%u,\"plain_bytes\":%" PRIu64 ",\"full_bytes\":%" PRIu64
               ",\"incremental_bytes\":%" PRIu64 ",\"changed_alone_bytes\":%" PRIu64 ",\"ratio\":%.3f,\"plain_s\":%.3f"
               ",\"full_s\":%.3f,\"incremental_s\":%.3f}\n",
               b->pages / 256, percent, plain, full, child, alone, (double)child / (double)alone, plain_s, full_s,
               child_s);
    return rc;
}

int main(int argc, char **argv)
{
    uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 1024;
    static const unsigned usual[] = { 0, 1, 5, 20 };
    struct cv_error err = CV_ERROR_INIT;
    struct bench b = { .m = { .source = { &ops } },
                       .pages = mib * 256,
                       .threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) };
    int rc = 0, count = argc > 2 ? argc - 2 : 4;

    b.m.ram = mmap(NULL, b.pages * CV_PAGE_SIZE + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b.m.ram == MAP_FAILED || b.pages == 0) {
        fprintf(stderr, "incremental: no memory for %" PRIu64 " MiB\n", mib);
        return 1;
    }
    for (int i = 0; i < count && rc == 0; i++)
        rc = measure(&b, argc > 2 ? (unsigned)strtoul(argv[i + 2], NULL, 10) : usual[i], &err);
    if (rc < 0)
        fprintf(stderr, "incremental: %s\n", err.text);
    return rc < 0;
}
