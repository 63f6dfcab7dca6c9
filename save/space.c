/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is there room for the image?  Asked before the guest is touched, when an image of incompressible memory would not
 * fit: a sample of the memory says how large it may become.  The file system's own answer comes only when it is full;
 * a sample that errs must not stand in the way of a save that would fit, so only a clear shortage is refused. */
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include <zstd.h>

#include "save/write.h"
#include "vm/physmap.h"

#define SAMPLES 64u
#define SAMPLE_PAGES 64u
#define STATES_BYTES (UINT64_C(64) << 20) /* device states and the rest, generously */
#define CLEAR_SHORTAGE_PERCENT 70u

struct sample {
    uint64_t pages, stored; /* looked at; bytes that they would take */
    char raw[SAMPLE_PAGES * CV_PAGE_SIZE];
    char packed[SAMPLE_PAGES * CV_PAGE_SIZE * 2];
};

static bool is_zero(const char *page) { return page[0] == 0 && memcmp(page, page + 1, CV_PAGE_SIZE - 1) == 0; }

static int take_sample(struct cv_save *s, struct sample *m, uint64_t first, struct cv_error *err)
{
    uint64_t pfns[SAMPLE_PAGES];
    uint8_t types[SAMPLE_PAGES];
    const void *pages[SAMPLE_PAGES];
    void *handle;
    size_t raw = 0;

    for (unsigned i = 0; i < SAMPLE_PAGES; i++)
        pfns[i] = first + i;
    if (s->source->ops->map(s->source, pfns, SAMPLE_PAGES, types, pages, &handle, err) < 0)
        return -1;
    for (unsigned i = 0; i < SAMPLE_PAGES; i++) {
        if (types[i] != CV_PAGE_DATA)
            continue;
        m->pages++;
        /* Copied before it is judged: the guest is running. */
        memcpy(m->raw + raw, pages[i], CV_PAGE_SIZE);
        raw += is_zero(m->raw + raw) ? 0 : CV_PAGE_SIZE;
    }
    s->source->ops->unmap(s->source, handle);
    size_t packed = raw;
    if (s->opt->mem.codec != CV_CODEC_NONE && raw > 0) {
        packed = ZSTD_compress(m->packed, sizeof m->packed, m->raw, raw, 1);
        if (ZSTD_isError(packed) || packed > raw)
            packed = raw;
    }
    m->stored += packed;
    return 0;
}

int cv_save_check_space(struct cv_save *s, int dir_fd, struct cv_error *err)
{
    struct statvfs fs;
    struct cv_domain_info d;
    uint64_t low_pages = s->g.spec.ram_kib / 4;

    if (s->has_parent) /* what differs cannot be told from a sample */
        return 0;
    if (fstatvfs(dir_fd, &fs) < 0)
        return cv_fail(err, CV_E_IO, errno, "ask for the free space");
    if (s->g.host->ops->info(s->g.host, s->g.domid, &d, err) < 0)
        return -1;
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room >= d.pages * CV_PAGE_SIZE + STATES_BYTES || low_pages < SAMPLES * SAMPLE_PAGES)
        return 0;
    struct cv_physmap map = cv_physmap(s->g.spec.ram_kib << 10, cv_hole_start(s->g.spec.mmio_hole_kib << 10));
    low_pages = map.low_end >> CV_PFN_SHIFT;
    struct sample *m = calloc(1, sizeof *m);
    if (m == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a sample of the guest's");
    int rc = 0;
    for (unsigned i = 0; i < SAMPLES && rc == 0; i++)
        rc = take_sample(s, m, low_pages / SAMPLES * i, err);
    uint64_t needed = m->pages ? m->stored * d.pages / m->pages : 0;
    free(m);
    if (rc == 0 && room < needed / 100 * CLEAR_SHORTAGE_PERCENT)
        return cv_fail(err, CV_E_IO, ENOSPC, "the image needs some %llu MiB, and there are %llu MiB free",
                       (unsigned long long)needed >> 20, (unsigned long long)room >> 20);
    return rc;
}
