/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images of fixed layout, against a model of a host: each restores the guest of its moment, an unchanged page has the
 * same bytes at the same place in the next, damage is found by the page's hash, and a range is read without the rest.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "base/fd.h"
#include "convert/merge.h"
#include "image/range.h"
#include "memory/check.h"
#include "memory/file_sink.h"
#include "restore/restore.h"
#include "save/save.h"

struct moment {
    uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE];
    bool there[FAKE_PFNS];
};
static struct moment moment;
static struct fake_domain *guest; /* the one that runs */

static int save_as(struct one_host *w, const char *path, struct cv_save_options o, struct cv_error *err)
{
    int rc = cv_save_to(&w->host->base, "g", path, -1, CV_SAVE_CONTINUE, &o, NULL, NULL, err);

    memcpy(moment.ram, guest->ram, sizeof moment.ram);
    memcpy(moment.there, guest->there, sizeof moment.there);
    return rc;
}

static void save(struct one_host *w, const char *path, bool live, unsigned threads)
{
    struct cv_save_options o = { .live = live, .layout = CV_SAVE_FIXED, .mem = { .threads = threads } };
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_msg(save_as(w, path, o, &err) == 0, "%s", emu_text(&err));
}

/* The guest that runs makes room for what is restored. */
static void is_moment(struct one_host *w, const char *path)
{
    const struct cv_chain_places places = { .dirs = { w->dir }, .dir_count = 1 };
    struct cv_restore_options o = { .mem = { .threads = 2 }, .incremental = true, .parents = &places };
    struct cv_error err = CV_ERROR_INIT;
    uint32_t domid;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    one_host_destroy(w);
    ck_assert_msg(cv_restore_from(&w->host->base, fd, &o, NULL, &domid, NULL, &err) == 0, "%s: %s", path,
                  emu_text(&err));
    close(fd);
    struct fake_domain *d = guest = w->host->dom[domid];
    for (unsigned i = 0; i < FAKE_PFNS; i++) {
        ck_assert_msg(d->there[i] == moment.there[i], "%s: page %u", path, i);
        ck_assert_msg(!moment.there[i] || memcmp(d->ram[i], moment.ram[i], CV_PAGE_SIZE) == 0, "%s: page %u", path, i);
    }
}

static void name(char out[160], const struct one_host *w, const char *base)
{
    snprintf(out, 160, "%s/%s", w->dir, base);
}

static void begin(struct one_host *w)
{
    one_host_begin(w, NULL);
    guest = one_host_guest(w);
}

static void end(struct one_host *w)
{
    one_host_destroy(w);
    one_host_is_bare(w);
    one_host_end(w);
}

/* row: live. */
START_TEST(it_restores)
{
    struct one_host w;
    char path[160];

    begin(&w);
    name(path, &w, "fixed.cvy");
    save(&w, path, _i, 2);
    is_moment(&w, path);
    ck_assert_int_eq(unlink(path), 0);
    end(&w);
}
END_TEST

static uint8_t *whole(const char *path, size_t *len)
{
    struct cv_error err = CV_ERROR_INIT;
    char *data;

    ck_assert_msg(cv_file_read(path, 1u << 30, &data, len, &err) == 0, "%s", err.text);
    return (uint8_t *)data;
}

START_TEST(an_unchanged_page_stays_where_it_is)
{
    struct one_host w;
    char paths[2][160];
    size_t len[2], differ = 0;

    begin(&w);
    name(paths[0], &w, "a.cvy");
    name(paths[1], &w, "b.cvy");
    save(&w, paths[0], false, 0);
    guest->ram[299][7]++;
    memset(guest->ram[3], 0, CV_PAGE_SIZE);
    save(&w, paths[1], false, 2);
    uint8_t *a = whole(paths[0], &len[0]), *b = whole(paths[1], &len[1]);
    uint64_t pages = cv_load64(a + 48);
    ck_assert_uint_eq(pages, cv_load64(b + 48));
    for (uint64_t i = 1; i <= pages; i++)
        differ += memcmp(a + i * CV_PAGE_SIZE, b + i * CV_PAGE_SIZE, CV_PAGE_SIZE) != 0;
    ck_assert_uint_ge(differ, 1);
    ck_assert_uint_le(differ, 2);
    free(a);
    free(b);
    ck_assert_int_eq(unlink(paths[0]), 0);
    ck_assert_int_eq(unlink(paths[1]), 0);
    end(&w);
}
END_TEST

static int check(const char *path, struct cv_error *err)
{
    const struct cv_reader_options ro = { .accept_features = CV_FEATURE_FIXED_OFFSETS };
    const struct cv_mem_options mem = { .threads = 1 };
    struct cv_reader *r;
    CV_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);

    if (cv_reader_new(&r, fd, &ro, err) < 0)
        return -1;
    int rc = cv_memory_check(r, &mem, err);
    cv_reader_free(r);
    return rc;
}

static void flip(const char *path, off_t at)
{
    uint8_t byte;
    CV_AUTO_FD fd = open(path, O_RDWR | O_CLOEXEC);

    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 16;
    ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
}

START_TEST(damage_is_found_wherever_it_is)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;
    struct stat st;
    char path[160];

    begin(&w);
    name(path, &w, "fixed.cvy");
    save(&w, path, false, 1);
    ck_assert_msg(check(path, &err) == 0, "%s", err.text);
    ck_assert_int_eq(stat(path, &st), 0);
    for (off_t at = 1; at < st.st_size; at += at < 1300000 ? 4099 : st.st_size / 50) {
        struct cv_error e = CV_ERROR_INIT;
        flip(path, at);
        ck_assert_msg(check(path, &e) < 0, "byte %lld", (long long)at);
        ck_assert_int_eq(e.code, CV_E_STREAM);
        flip(path, at);
    }
    /* and no domain is made of it */
    struct cv_restore_options o = { .mem = { .threads = 2 } };
    flip(path, 5 * 4096);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    w.host->calls = 0;
    ck_assert_int_lt(cv_restore_from(&w.host->base, fd, &o, NULL, NULL, NULL, &err), 0);
    ck_assert_msg(strstr(err.text, "PAGE_HASHES") && strstr(err.text, "hash: page 0x4"), "%s", err.text);
    ck_assert_uint_eq(w.host->calls, 0);
    close(fd);
    ck_assert_int_eq(truncate(path, 100000), 0);
    struct cv_error cut = CV_ERROR_INIT;
    ck_assert_int_lt(check(path, &cut), 0);
    ck_assert_msg(strstr(cut.text, "truncated") != NULL, "%s", cut.text);
    ck_assert_int_eq(unlink(path), 0);
    end(&w);
}
END_TEST

START_TEST(it_is_a_parent_and_can_be_merged)
{
    struct cv_error err = CV_ERROR_INIT;
    char path[160], child[160], merged[160];
    struct one_host w;
    struct stat st;

    begin(&w);
    name(path, &w, "fixed.cvy");
    name(child, &w, "child.cvy");
    name(merged, &w, "merged.cvy");
    save(&w, path, false, 2);
    guest->ram[299][7]++;
    struct cv_save_options o = { .parent = path, .mem = { .codec = CV_CODEC_ZSTD, .level = 1 } };
    ck_assert_msg(save_as(&w, child, o, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(stat(child, &st), 0);
    ck_assert_int_lt(st.st_size, 100000);
    is_moment(&w, child);
    const struct cv_chain_places beside = { .dirs = { w.dir }, .dir_count = 1 };
    struct cv_merge_options mo = { .mem = { .codec = CV_CODEC_ZSTD, .level = 1 }, .parents = &beside };
    int in = open(child, O_RDONLY | O_CLOEXEC), out = open(merged, O_RDWR | O_CREAT | O_CLOEXEC, 0600),
        scratch = memfd_create("scratch", MFD_CLOEXEC);
    ck_assert_msg(cv_merge(in, out, scratch, &mo, &err) == 0, "%s", err.text);
    close(in);
    close(out);
    close(scratch);
    is_moment(&w, merged);
    ck_assert_int_eq(unlink(child), 0);
    ck_assert_int_eq(unlink(merged), 0);
    ck_assert_int_eq(unlink(path), 0);
    end(&w);
}
END_TEST

/* Where the image is not to be read it holds rubbish; what is extracted is right all the same. */
START_TEST(a_range_is_read_without_the_rest)
{
    const uint64_t from = 100, to = 140;
    const struct cv_mem_options mem = { .threads = 2 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_file_sink *sink;
    uint8_t page[CV_PAGE_SIZE], rubbish[CV_PAGE_SIZE];
    struct one_host w;
    char path[160];
    uint64_t bytes;

    begin(&w);
    name(path, &w, "fixed.cvy");
    save(&w, path, false, 2);
    memset(rubbish, 0x5a, sizeof rubbish);
    int fd = open(path, O_RDWR | O_CLOEXEC), out = memfd_create("range", MFD_CLOEXEC);
    for (uint64_t pfn = 0; pfn < FAKE_PFNS; pfn++)
        if (pfn < from || pfn >= to)
            ck_assert_int_eq(pwrite(fd, rubbish, sizeof rubbish, (off_t)((pfn + 1) * CV_PAGE_SIZE)), CV_PAGE_SIZE);
    ck_assert_int_eq(cv_file_sink_new_window(&sink, out, from, to - from, &err), 0);
    int rc = cv_image_read_range(fd, from, to, cv_file_sink_port(sink), &mem, &bytes, &err);
    ck_assert_msg(rc == 1, "%s", err.text);
    ck_assert_uint_le(bytes, (to - from) * CV_PAGE_SIZE);
    ck_assert_uint_gt(bytes, 0);
    for (uint64_t pfn = from; pfn < to; pfn++) {
        static const uint8_t zeros[CV_PAGE_SIZE];
        ck_assert_int_eq(pread(out, page, sizeof page, (off_t)((pfn - from) * CV_PAGE_SIZE)), CV_PAGE_SIZE);
        ck_assert_int_eq(memcmp(page, moment.there[pfn] ? moment.ram[pfn] : zeros, sizeof page), 0);
    }
    cv_file_sink_free(sink);
    close(out);
    close(fd);
    ck_assert_int_eq(unlink(path), 0);
    end(&w);
}
END_TEST

static void refused(struct one_host *w, const char *path, int fd, struct cv_save_options o, enum cv_code code,
                    const char *text)
{
    struct cv_error err = CV_ERROR_INIT;

    o.layout = CV_SAVE_FIXED;
    ck_assert_int_lt(cv_save_to(&w->host->base, "g", path, fd, CV_SAVE_CONTINUE, &o, NULL, NULL, &err), 0);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    ck_assert_int_eq(err.code, code);
    ck_assert_uint_eq(one_host_leftovers(w), 0);
    ck_assert(guest->exists && !guest->suspended);
}

START_TEST(what_cannot_be)
{
    struct rlimit before, limit;
    struct one_host w;
    char path[160];
    int p[2];

    begin(&w);
    name(path, &w, "fixed.cvy");
    ck_assert_int_eq(pipe(p), 0);
    refused(&w, "-", p[1], (struct cv_save_options){ 0 }, CV_E_INVALID, "not to a pipe");
    refused(&w, path, -1, (struct cv_save_options){ .mem = { .codec = CV_CODEC_ZSTD, .level = 1 } }, CV_E_INVALID,
            "nothing is compressed");
    close(p[0]);
    close(p[1]);
    /* no room: when the file is made, and when a page is written */
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 8192;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    refused(&w, path, -1, (struct cv_save_options){ 0 }, CV_E_IO, "make room for");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    end(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fixed");
    TCase *tc = tcase_create("fixed");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, it_restores, 0, 2);
    tcase_add_test(tc, an_unchanged_page_stays_where_it_is);
    tcase_add_test(tc, damage_is_found_wherever_it_is);
    tcase_add_test(tc, it_is_a_parent_and_can_be_merged);
    tcase_add_test(tc, a_range_is_read_without_the_rest);
    tcase_add_test(tc, what_cannot_be);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
