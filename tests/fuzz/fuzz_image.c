/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image from anywhere, with right checks (forge.h makes them right, and so does this target): all that verify,
 * inspect (text,
 * --json, --raw, --picture), extract and convert --to xl do with it, and what restore reads of it before and behind the
 * memory. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "convert/convert.h"
#include "image/image.h"
#include "image/report.h"
#include "restore/restore.h"
#include "tests/fuzz/forge.h"
#include "tests/support/fake_host.h"
#include "tests/support/raw_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static FILE *nowhere;
static struct fake_host *host;

/* A refusal has words, and is nobody's mistake but the image's. */
static int judged(int rc, const struct cv_error *err)
{
    if (rc < 0 && (err->code == CV_OK || err->code == CV_E_INTERNAL || err->text[0] == '\0'))
        abort();
    return rc;
}

static struct cv_image *read_image(int fd, const struct cv_image_options *opt, int *rc_out, struct cv_error *err)
{
    const struct cv_reader_options ro = { .accept_features = CV_FEATURE_MEMORY_ONLY | CV_FEATURE_FIXED_OFFSETS,
                                          .defer_hash_of_pages = opt->check_pages };
    struct cv_image *img = calloc(1, sizeof *img);
    struct cv_reader *r;

    if (img == NULL || lseek(fd, 0, SEEK_SET) < 0)
        abort();
    *rc_out = judged(cv_reader_new(&r, fd, &ro, err), err);
    if (*rc_out < 0)
        return img;
    *rc_out = judged(cv_image_read(img, r, opt, err), err);
    cv_reader_free(r);
    return img;
}

static void free_image(struct cv_image *img)
{
    cv_image_dispose(img);
    free(img);
}

static void verify(int fd)
{
    const struct cv_image_options opt = { .check_pages = true };
    struct cv_error err = CV_ERROR_INIT;
    int rc;
    struct cv_image *img = read_image(fd, &opt, &rc, &err);

    if (rc == 0)
        judged(cv_image_check(img, &err), &err);
    if (img->has_freeze) {
        CV_AUTO_BUF again = { 0 };
        if (cv_rec_freeze_encode(&img->freeze, &again, &err) < 0)
            abort();
    }
    free_image(img);
}

/* Also what is damaged is shown, as far as it could be read. */
static void inspect(int fd)
{
    const struct cv_image_options opt = { .keep_states = true };
    struct cv_error err = CV_ERROR_INIT;
    int rc;
    struct cv_image *img = read_image(fd, &opt, &rc, &err);

    if (img->header.version != 0) {
        cv_report_text(img, nowhere);
        json_t *o = cv_report_json(img, &err);
        if (o != NULL && json_dumpf(o, nowhere, JSON_INDENT(2)) < 0)
            abort(); /* text that is no UTF-8 got into it */
        json_decref(o);
        judged(cv_report_picture(img, nowhere, &err), &err);
    }
    free_image(img);
}

static void inspect_raw(int fd)
{
    const struct cv_reader_options ro = { .accept_features = CV_FEATURE_MEMORY_ONLY | CV_FEATURE_FIXED_OFFSETS };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_reader *r;

    if (lseek(fd, 0, SEEK_SET) < 0)
        abort();
    if (judged(cv_reader_new(&r, fd, &ro, &err), &err) < 0)
        return;
    judged(cv_report_raw(r, nowhere, &err), &err);
    cv_reader_free(r);
}

static void convert(int fd)
{
    static const struct cv_convert_options opt = { .mem = { .codec = CV_CODEC_NONE },
                                                   .default_model = "/usr/bin/qemu-system-i386",
                                                   .version = "fuzz" };
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_FD out = memfd_create("xl", MFD_CLOEXEC);

    if (out < 0 || lseek(fd, 0, SEEK_SET) < 0)
        abort();
    judged(cv_convert_to_xl(fd, out, &opt, &err), &err);
}

/* The reading half: nothing is made but a decision. */
static void restore(int fd)
{
    const struct cv_restore_options opt = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_restore r;

    if (lseek(fd, 0, SEEK_SET) < 0)
        abort();
    if (judged(cv_restore_init(&r, &host->base, fd, &opt, NULL, &err), &err) == 0 &&
        judged(cv_restore_read_head(&r, CV_NEVER, &err), &err) == 0 &&
        judged(cv_restore_verify(&r, CV_NEVER, &err), &err) == 0) {
        (void)!cv_restore_check_host(&r, CV_NEVER, &err);
        for (unsigned i = 0; i < r.g.layout.count; i++)
            r.state_fd[i] = memfd_create("state", MFD_CLOEXEC);
        judged(cv_restore_states(&r, CV_NEVER, &err), &err);
    }
    cv_restore_dispose(&r);
}

static void all(const struct cv_buf *stream)
{
    CV_AUTO_FD fd = memfd_create("cvy", MFD_CLOEXEC);
    struct cv_error err = CV_ERROR_INIT;

    if (fd < 0 || cv_write_full(fd, stream->data, stream->len, CV_NEVER, NULL, &err) < 0)
        abort();
    verify(fd);
    inspect(fd);
    inspect_raw(fd);
    convert(fd);
    restore(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct raw_stream *raw = calloc(1, sizeof *raw);
    CV_AUTO_BUF sealed = { 0 };

    if (nowhere == NULL) {
        nowhere = fopen("/dev/null", "w");
        host = fake_host_new();
    }
    if (raw == NULL || nowhere == NULL)
        abort();
    if (raw_parse(raw, data, size) == 0) {
        raw->header.version = 1;
        raw_emit(raw, &sealed);
        all(&sealed);
    }
    raw_dispose(raw);
    free(raw);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return forge_stream(data, size, max, seed);
}
