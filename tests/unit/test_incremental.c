/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images that are based on others, against a model of a host: a chain is made of a guest whose memory changes, and the
 * restore of each image gives the memory of its moment; a chain that is not whole gives no domain. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "base/fd.h"
#include "convert/merge.h"
#include "restore/restore.h"
#include "save/save.h"

#define LINKS 4u

struct moment {
    uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE];
    bool there[FAKE_PFNS];
};

static struct moment moments[LINKS];
static char paths[LINKS][160];

static int save(struct one_host *w, bool live, unsigned i, struct cv_error *err)
{
    struct cv_save_options o = { .live = live,
                                 .parent = i > 0 ? paths[i - 1] : NULL,
                                 .page_hashes = i == 0,
                                 .mem = { .threads = i, .codec = CV_CODEC_ZSTD, .level = 1 } };

    return cv_save_to(&w->host->base, "g", paths[i], -1, i + 1 == LINKS ? CV_SAVE_DESTROY : CV_SAVE_CONTINUE, &o, NULL,
                      NULL, err);
}

/* Some pages other, some zero, some gone, some new. */
static void change(struct fake_domain *d, unsigned round)
{
    for (unsigned i = 0; i < FAKE_PFNS; i++) {
        unsigned what = (i * 7 + round * 13) % 29;
        if (what == 0 && d->there[i])
            memset(d->ram[i], (int)(i + 100 * round), CV_PAGE_SIZE);
        else if (what == 1 && d->there[i])
            memset(d->ram[i], 0, CV_PAGE_SIZE);
        else if (what == 2)
            d->there[i] = false;
        else if (what == 3 && !d->there[i]) {
            d->there[i] = true;
            memset(d->ram[i], (int)(i + round), CV_PAGE_SIZE);
        }
    }
    d->ram[299][7]++;
}

static void make_chain(struct one_host *w, bool live)
{
    struct cv_error err = CV_ERROR_INIT;
    struct fake_domain *d = one_host_guest(w);

    for (unsigned i = 0; i < LINKS; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/day%u.cvy", w->dir, i);
        if (i > 0)
            change(d, i);
        ck_assert_msg(save(w, live, i, &err) == 0, "%s", emu_text(&err));
        /* The model's guest writes to its memory while it is saved live: what it has now is what it had at the end. */
        memcpy(moments[i].ram, d->ram, sizeof d->ram);
        memcpy(moments[i].there, d->there, sizeof d->there);
    }
    reap();
}

static int restore(struct one_host *w, const char *path, const char *parents, uint32_t *domid, struct cv_error *err)
{
    const struct cv_chain_places places = { .dirs = { parents }, .dir_count = 1 };
    struct cv_restore_options o = { .mem = { .threads = 2 }, .incremental = true, .parents = &places };
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    int rc = cv_restore_from(&w->host->base, fd, &o, NULL, domid, NULL, err);
    close(fd);
    return rc;
}

static void is_moment(struct one_host *w, const char *path, const struct moment *m)
{
    struct cv_error err = CV_ERROR_INIT;
    uint32_t domid;

    ck_assert_msg(restore(w, path, w->dir, &domid, &err) == 0, "%s: %s", path, emu_text(&err));
    struct fake_domain *d = w->host->dom[domid];
    for (unsigned i = 0; i < FAKE_PFNS; i++) {
        ck_assert_msg(d->there[i] == m->there[i], "%s: page %u", path, i);
        ck_assert_msg(!m->there[i] || memcmp(d->ram[i], m->ram[i], CV_PAGE_SIZE) == 0, "%s: page %u differs", path, i);
    }
    one_host_destroy(w);
    one_host_is_bare(w);
}

static off_t size_of(const char *path)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_size;
}

static int merge(const char *path, const char *dir, const char *out, struct cv_error *err)
{
    const struct cv_chain_places places = { .dirs = { dir }, .dir_count = 1 };
    struct cv_merge_options o = { .mem = { .codec = CV_CODEC_ZSTD, .level = 1 }, .parents = &places };
    int in = open(path, O_RDONLY | O_CLOEXEC), fd = open(out, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
        scratch = memfd_create("scratch", MFD_CLOEXEC);

    int rc = cv_merge(in, fd, scratch, &o, err);
    close(in);
    close(fd);
    close(scratch);
    return rc;
}

/* row: live. */
START_TEST(each_link_is_its_moment)
{
    struct cv_error err = CV_ERROR_INIT;
    char merged[160];
    struct one_host w;

    one_host_begin(&w, NULL);
    make_chain(&w, _i);
    for (unsigned i = 1; i < LINKS; i++)
        ck_assert_int_lt(size_of(paths[i]), size_of(paths[0]));
    for (unsigned i = 0; i < LINKS; i++)
        is_moment(&w, paths[i], &moments[i]);
    snprintf(merged, sizeof merged, "%s/merged.cvy", w.dir);
    ck_assert_msg(merge(paths[LINKS - 1], w.dir, merged, &err) == 0, "%s", err.text);
    for (unsigned i = 0; i < LINKS; i++)
        ck_assert_int_eq(unlink(paths[i]), 0);
    is_moment(&w, merged, &moments[LINKS - 1]);
    one_host_end(&w);
}
END_TEST

static void refused(struct one_host *w, enum cv_code code, const char *text)
{
    struct cv_error err = CV_ERROR_INIT;
    uint32_t domid;

    w->host->calls = 0;
    ck_assert_int_lt(restore(w, paths[LINKS - 1], w->dir, &domid, &err), 0);
    ck_assert_msg(strstr(err.text, text) != NULL, "'%s' is not in: %s", text, err.text);
    ck_assert_msg(err.code == code, "%s: %s", cv_code_name(err.code), err.text);
    ck_assert_uint_eq(w->host->calls, 0);
    one_host_is_bare(w);
}

static void flip(const char *path, off_t at)
{
    uint8_t byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 4;
    ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

START_TEST(a_chain_that_is_not_whole_makes_no_domain)
{
    struct cv_error err = CV_ERROR_INIT;
    char aside[170], merged[170];
    struct one_host w;

    one_host_begin(&w, NULL);
    make_chain(&w, false);
    /* missing, and under another name it is found */
    snprintf(aside, sizeof aside, "%s.old", paths[1]);
    snprintf(merged, sizeof merged, "%s/merged.cvy", w.dir);
    ck_assert_int_eq(rename(paths[1], aside), 0);
    is_moment(&w, paths[LINKS - 1], &moments[LINKS - 1]);
    ck_assert_int_eq(unlink(aside), 0);
    refused(&w, CV_E_NOT_FOUND, "day2.cvy: the image is based on 'day1.cvy'");
    ck_assert_int_lt(merge(paths[LINKS - 1], w.dir, merged, &err), 0);
    ck_assert_msg(strstr(err.text, "'day1.cvy'") != NULL, "%s", err.text);
    /* another image of its name */
    ck_assert_int_eq(link(paths[0], paths[1]), 0);
    refused(&w, CV_E_NOT_FOUND, "the file of that name is another image");
    /* damaged: in its memory, in its head, cut off */
    one_host_end(&w);
    one_host_begin(&w, NULL);
    make_chain(&w, false);
    off_t size = size_of(paths[1]);
    for (off_t at = 70; at < size; at += size / 7) {
        flip(paths[1], at);
        refused(&w, CV_E_STREAM, "parent ");
        flip(paths[1], at);
    }
    ck_assert_int_eq(truncate(paths[0], size_of(paths[0]) - 1), 0);
    refused(&w, CV_E_STREAM, "day0.cvy");
    one_host_end(&w);
}
END_TEST

/* The same stream_id, and all in it right; but not the bytes that its child was made from. */
START_TEST(a_changed_parent_is_found)
{
    struct one_host w;
    char *data;
    size_t len;
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_RECORD rec = { 0 };
    struct cv_reader_options ro = { 0 };
    struct cv_reader *r;
    struct cv_writer *out;

    one_host_begin(&w, NULL);
    make_chain(&w, false);
    ck_assert_int_eq(cv_file_read(paths[0], 1 << 24, &data, &len, &err), 0);
    ck_assert_int_eq(cv_reader_new_memory(&r, data, len, &ro, &err), 0);
    int fd = open(paths[0], O_RDWR | O_TRUNC | O_CLOEXEC);
    struct cv_writer_options wo = { .stream_id = cv_reader_header(r)->stream_id,
                                    .optional_features = CV_OPTIONAL_PAGE_HASHES };
    ck_assert_int_eq(cv_writer_new(&out, fd, &wo, &err), 0);
    while (cv_reader_next(r, &rec, &err) > 0) {
        struct iovec iov = { rec.body.data, rec.body.len };
        if (rec.raw_type != CV_REC_INDEX)
            ck_assert_int_eq(cv_writer_put(out, rec.type, &iov, 1, &err), 0);
        if (rec.raw_type == CV_REC_HOST) {
            iov = (struct iovec){ "changed", 7 };
            ck_assert_int_eq(cv_writer_put(out, CV_REC_NOTE, &iov, 1, &err), 0);
        }
    }
    ck_assert_int_eq(cv_writer_finish(out, &err), 0);
    cv_writer_free(out);
    cv_reader_free(r);
    close(fd);
    free(data);
    refused(&w, CV_E_STREAM, "its digest differs");
    one_host_end(&w);
}
END_TEST

static void cannot_save(struct one_host *w, const char *parent, const char *path, enum cv_code code, const char *text)
{
    struct cv_save_options o = { .parent = parent, .mem = { .codec = CV_CODEC_ZSTD, .level = 1 } };
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_lt(cv_save_to(&w->host->base, "g", path, -1, CV_SAVE_CONTINUE, &o, NULL, NULL, &err), 0);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    ck_assert_int_eq(err.code, code);
    ck_assert_uint_eq(one_host_leftovers(w), 0);
}

/* The place of the first record of a type. */
static off_t place_of(const char *path, uint32_t type)
{
    struct cv_reader_options ro = { .accept_features = CV_FEATURE_INCREMENTAL };
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_RECORD rec = { 0 };
    struct cv_reader *r;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(cv_reader_new(&r, fd, &ro, &err), 0);
    do
        ck_assert_int_eq(cv_reader_next(r, &rec, &err), 1);
    while (rec.raw_type != type);
    cv_reader_free(r);
    close(fd);
    return (off_t)rec.offset;
}

/* Of a file head and hashes are read: damage in its memory is for verify and restore.  Through a pipe there is no
 * INDEX. */
START_TEST(what_a_save_reads_of_its_parent)
{
    struct cv_save_options o = { .page_hashes = true, .mem = { .codec = CV_CODEC_ZSTD, .level = 1 } };
    struct cv_error err = CV_ERROR_INIT;
    char piped[160];
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    snprintf(paths[0], sizeof paths[0], "%s/day0.cvy", w.dir);
    snprintf(paths[1], sizeof paths[1], "%s/day1.cvy", w.dir);
    snprintf(piped, sizeof piped, "%s/piped.cvy", w.dir);
    ck_assert_int_eq(cv_save_to(&w.host->base, "g", paths[0], -1, CV_SAVE_CONTINUE, &o, NULL, NULL, &err), 0);
    int fd = open(piped, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(cv_save_to(&w.host->base, "g", "-", fd, CV_SAVE_CONTINUE, &o, NULL, NULL, &err), 0);
    close(fd);
    off_t pages = place_of(paths[0], CV_REC_PAGES) + 60, hashes = place_of(paths[0], CV_REC_PAGE_HASHES) + 60;
    o.parent = paths[0];
    flip(paths[0], pages);
    ck_assert_msg(cv_save_to(&w.host->base, "g", paths[1], -1, CV_SAVE_CONTINUE, &o, NULL, NULL, &err) == 0, "%s",
                  err.text);
    flip(paths[0], pages);
    flip(paths[0], hashes);
    cannot_save(&w, paths[0], w.image, CV_E_STREAM, "PAGE_HASHES");
    flip(paths[0], hashes);
    flip(piped, place_of(piped, CV_REC_PAGES) + 60);
    cannot_save(&w, piped, w.image, CV_E_STREAM, "PAGES");
    ck_assert(d->exists && !d->suspended);
    one_host_destroy(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(parents_that_are_none)
{
    struct cv_save_options o = { .mem = { .codec = CV_CODEC_ZSTD, .level = 1 } };
    struct cv_error err = CV_ERROR_INIT;
    char other[160], second[160], aside[160];
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    snprintf(other, sizeof other, "%s/other.cvy", w.dir);
    cannot_save(&w, other, w.image, CV_E_NOT_FOUND, other);
    ck_assert_int_eq(cv_save_to(&w.host->base, "g", other, -1, CV_SAVE_CONTINUE, &o, NULL, NULL, &err), 0);
    cannot_save(&w, other, w.image, CV_E_UNSUPPORTED, "--page-hashes");
    cannot_save(&w, other, other, CV_E_INVALID, "its own parent");
    o.page_hashes = true;
    ck_assert_int_eq(cv_save_to(&w.host->base, "g", other, -1, CV_SAVE_CONTINUE, &o, NULL, NULL, &err), 0);
    flip(other, size_of(other) - 1);
    cannot_save(&w, other, w.image, CV_E_STREAM, other);
    flip(other, size_of(other) - 1);
    /* what is below the parent has to be there, too */
    o.parent = other;
    snprintf(second, sizeof second, "%s/second.cvy", w.dir);
    ck_assert_int_eq(cv_save_to(&w.host->base, "g", second, -1, CV_SAVE_CONTINUE, &o, NULL, NULL, &err), 0);
    snprintf(aside, sizeof aside, "%s/aside", w.dir);
    ck_assert_int_eq(mkdir(aside, 0700), 0);
    snprintf(aside, sizeof aside, "%s/aside/moved.cvy", w.dir);
    ck_assert_int_eq(rename(other, aside), 0);
    cannot_save(&w, second, w.image, CV_E_NOT_FOUND, "based on 'other.cvy'");
    ck_assert_int_eq(rename(aside, other), 0);
    ck_assert(d->exists && !d->suspended);
    one_host_destroy(&w);
    one_host_lines(&w, "uuid=\"99992222-3333-4444-5555-666677778888\"");
    one_host_guest(&w);
    cannot_save(&w, other, w.image, CV_E_INVALID, "another guest");
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("incremental");
    TCase *t = tcase_create("incremental");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, each_link_is_its_moment, 0, 2);
    tcase_add_test(t, a_chain_that_is_not_whole_makes_no_domain);
    tcase_add_test(t, a_changed_parent_is_found);
    tcase_add_test(t, parents_that_are_none);
    tcase_add_test(t, what_a_save_reads_of_its_parent);
    suite_add_tcase(s, t);
    return run_suite(s);
}
