/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A chain of images, each based on the one before it, with right checks: the input is one after the other, each behind
 * its length (4 bytes, little-endian; the youngest last). Links are made to fit (each names its parent's stream and
 * END) but for one in four, chosen by the input. Verify, inspect, merge and what restore reads go through all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "convert/merge.h"
#include "image/image.h"
#include "image/report.h"
#include "tests/support/ram.h"
#include "restore/internal.h"
#include "tests/fuzz/forge.h"
#include "tests/support/fake_host.h"
#include "tests/support/raw_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

#define LINKS 4u
/* Up to 4 GiB, where a guest's last pages are; an image with more is read by verify and merge only. */
#define PFNS (1u << 20)

static FILE *nowhere;
static struct fake_host *host;
static char dir[64], paths[LINKS][96];

static void remove_folder(void)
{
    for (unsigned i = 0; i < LINKS; i++)
        unlink(paths[i]);
    rmdir(dir);
}

static void begin(void)
{
    if (nowhere != NULL)
        return;
    nowhere = fopen("/dev/null", "w");
    host = fake_host_new();
    strcpy(dir, "/tmp/convoy-chain-XXXXXX");
    if (nowhere == NULL || host == NULL || mkdtemp(dir) == NULL)
        abort();
    for (unsigned i = 0; i < LINKS; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%u.cvy", dir, i);
    atexit(remove_folder);
}

static int judged(int rc, const struct cv_error *err)
{
    if (rc < 0 && (err->code == CV_OK || err->code == CV_E_INTERNAL || err->text[0] == '\0'))
        abort();
    return rc;
}

/* ---- the chain ---- */

/* PARENT's ids become those of the link below; what was decoded is written again. */
static void fit(struct raw_record *rec, const uint8_t stream_id[16], const uint8_t digest[16])
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_buf body = { 0 };
    struct cv_rec_parent p;

    if (rec->type != CV_REC_PARENT || cv_rec_parent_decode(&p, rec->body.data, rec->body.len, &err) < 0)
        return;
    memcpy(p.stream_id, stream_id, 16);
    memcpy(p.digest, digest, 16);
    if (cv_rec_parent_encode(&p, &body, &err) < 0)
        abort();
    cv_buf_dispose(&rec->body);
    rec->body = cv_buf_take(&body);
}

static void write_link(unsigned i, const struct cv_buf *b)
{
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_FD fd = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || cv_write_full(fd, b->data, b->len, CV_NEVER, NULL, &err) < 0)
        abort();
}

/* As far as they are streams; how many. */
static unsigned make_chain(const uint8_t *data, size_t size)
{
    uint8_t stream_id[16] = { 0 }, digest[16] = { 0 };
    unsigned n = 0;

    while (n < LINKS && size >= 4) {
        CV_AUTO_BUF sealed = { 0 };
        struct raw_stream *s = calloc(1, sizeof *s);
        size_t len = cv_load32(data);
        data += 4, size -= 4;
        len = len < size ? len : size;
        if (s == NULL)
            abort();
        bool ok = raw_parse(s, data, len) == 0;
        if (ok) {
            s->header.version = 1;
            for (size_t i = 0; n > 0 && (len & 3) != 3 && i < s->count; i++)
                fit(&s->record[i], stream_id, digest);
            raw_emit(s, &sealed);
            memcpy(stream_id, sealed.data + 32, 16);
            if (sealed.len >= 16)
                memcpy(digest, sealed.data + sealed.len - 16, 16);
            write_link(n++, &sealed);
        }
        raw_dispose(s);
        free(s);
        if (!ok)
            break;
        data += len, size -= len;
    }
    return n;
}

/* ---- what reads it ---- */

static void look(const struct cv_chain_places *places, unsigned child, bool check_pages)
{
    const struct cv_image_options opt = { .check_pages = check_pages, .parents = places };
    const struct cv_reader_options ro = { .accept_features = CV_FEATURE_MEMORY_ONLY | CV_FEATURE_INCREMENTAL,
                                          .defer_hash_of_pages = check_pages };
    CV_AUTO_FD fd = open(paths[child], O_RDONLY | O_CLOEXEC);
    struct cv_error err = CV_ERROR_INIT;
    struct cv_image *img = calloc(1, sizeof *img);
    struct cv_reader *r;

    if (fd < 0 || img == NULL)
        abort();
    if (judged(cv_reader_new(&r, fd, &ro, &err), &err) == 0) {
        int rc = judged(cv_image_read(img, r, &opt, &err), &err);
        cv_reader_free(r);
        if (rc == 0)
            judged(cv_image_check(img, &err), &err);
        cv_report_text(img, nowhere);
        json_t *o = cv_report_json(img, &err);
        json_decref(o);
        judged(cv_report_picture(img, nowhere, &err), &err);
    }
    cv_image_dispose(img);
    free(img);
}

static void merge(const struct cv_chain_places *places, unsigned child)
{
    struct cv_merge_options o = { .mem = { .codec = CV_CODEC_NONE }, .parents = places };
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_FD in = open(paths[child], O_RDONLY | O_CLOEXEC);
    CV_AUTO_FD out = memfd_create("merged", MFD_CLOEXEC);
    CV_AUTO_FD scratch = memfd_create("scratch", MFD_CLOEXEC);

    if (in < 0 || out < 0 || scratch < 0)
        abort();
    judged(cv_merge(in, out, scratch, &o, &err), &err);
}

/* Its memory, and that of all below, into a guest of PFNS pages. */
static void fill(struct cv_restore *r, struct cv_error *err)
{
    const struct cv_mem_options mem = { 0 };
    size_t size = (size_t)r->pfn_count * CV_PAGE_SIZE;
    struct cv_ram ram;

    if (r->pfn_count == 0 || r->pfn_count > PFNS || cv_cancel_init(&r->fill_cancel, err) < 0)
        return;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        abort();
    cv_ram_init(&ram, pages, r->pfn_count);
    judged(cv_restore_fill_parents(r, &ram.sink, &mem, err), err);
    cv_cancel_dispose(&r->fill_cancel);
    munmap(pages, size);
}

static void restore(const struct cv_chain_places *places, unsigned child, bool moved)
{
    static const struct cv_restore_disk disks[] = { { "xvdb", "/tmp/elsewhere" }, { "hda", "elsewhere" } };
    const struct cv_restore_options opt = {
        .incremental = true, .parents = places, .disks = disks, .disk_count = moved ? 2 : 0
    };
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_FD fd = open(paths[child], O_RDONLY | O_CLOEXEC);
    struct cv_restore r;

    if (fd < 0)
        abort();
    if (judged(cv_restore_init(&r, &host->base, fd, &opt, NULL, &err), &err) == 0 &&
        judged(cv_restore_read_head(&r, CV_NEVER, &err), &err) == 0) {
        fill(&r, &err);
        err = (struct cv_error)CV_ERROR_INIT;
        if (judged(cv_restore_verify(&r, CV_NEVER, &err), &err) == 0)
            (void)!cv_restore_check_host(&r, CV_NEVER, &err);
    }
    cv_restore_dispose(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_chain_places places = { .dirs = { dir }, .dir_count = 1 };

    begin();
    unsigned n = make_chain(data, size);
    if (n == 0)
        return 0;
    if (size & 1) { /* by name, one of them twice and one not at all */
        places = (struct cv_chain_places){ .files = { paths[0], paths[0] }, .file_count = 2 };
        if (n > 2)
            places.files[1] = paths[1];
    }
    look(&places, n - 1, true);
    look(&places, n - 1, false);
    merge(&places, n - 1);
    restore(&places, n - 1, false);
    restore(&places, n - 1, true);
    for (unsigned i = 0; i < n; i++)
        unlink(paths[i]);
    return 0;
}

/* One of the links, and then all of them behind their lengths again. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct rng r = rng_seed(seed);
    size_t at[LINKS + 1] = { 0 };
    unsigned n = 0;

    for (size_t p = 0; n < LINKS && p + 4 <= size; n++) {
        size_t len = cv_load32(data + p);
        at[n] = p;
        p += 4 + (len < size - p - 4 ? len : size - p - 4);
        at[n + 1] = p;
    }
    if (n == 0)
        return LLVMFuzzerMutate(data, size, max);
    unsigned k = (unsigned)rng_below(&r, n);
    size_t from = at[k] + 4, len = at[k + 1] - from, rest = size - at[k + 1], room = max - size + len;
    uint8_t *one = malloc(room ? room : 1), *tail = malloc(rest ? rest : 1);
    if (one == NULL || tail == NULL)
        abort();
    memcpy(one, data + from, len);
    memcpy(tail, data + at[k + 1], rest);
    size_t now = forge_stream(one, len, room, seed * 2654435761u + 1);
    cv_store32(data + at[k], (uint32_t)now);
    memcpy(data + from, one, now);
    memcpy(data + from + now, tail, rest);
    free(one);
    free(tail);
    return from + now + rest;
}
