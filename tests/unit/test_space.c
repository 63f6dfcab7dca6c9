/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is there room for the image (save/space.c)?  A guest's memory and a file system of any size are made up here: the
 * test's fstatvfs stands before the C library's. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "../support/run_suite.h"
#include "save/write.h"
#include "tests/support/rng.h"
#include "vm/physmap.h"

#define MIB (UINT64_C(1) << 20)

static uint64_t room;
static int fs_errno;

int fstatvfs(int fd, struct statvfs *out)
{
    ck_assert_int_eq(fd, 77);
    if (fs_errno != 0)
        return errno = fs_errno, -1;
    *out = (struct statvfs){ .f_bsize = 1 << 20, .f_frsize = 512, .f_bavail = room / 512 };
    return 0;
}

/* ---- memory: of each four pages so many random, so many of text, the others zero; every hole-th pfn has no page.
 * No random page comes again within a sample: it would compress ---- */

struct memory {
    struct cv_page_source base;
    unsigned random, text, hole;
    unsigned maps, unmaps, fail_at;
    uint64_t last;
    char pages[64][CV_PAGE_SIZE];
};

static int map(struct cv_page_source *b, const uint64_t *pfns, size_t n, uint8_t *types_out, const void **pages_out,
               void **handle_out, struct cv_error *err)
{
    struct memory *m = (struct memory *)b;

    if (++m->maps == m->fail_at)
        return cv_fail(err, CV_E_HYPERVISOR, EIO, "injected");
    for (size_t i = 0; i < n; i++) {
        types_out[i] = m->hole != 0 && pfns[i] % m->hole == 0 ? CV_PAGE_ABSENT : CV_PAGE_DATA;
        pages_out[i] = types_out[i] == CV_PAGE_DATA ? m->pages[pfns[i] % 64] : NULL;
        m->last = pfns[i] > m->last ? pfns[i] : m->last;
    }
    *handle_out = m;
    return 0;
}

static void unmap(struct cv_page_source *b, void *handle)
{
    ck_assert_ptr_eq(handle, b);
    ((struct memory *)b)->unmaps++;
}

static const struct cv_page_source_ops memory_ops = { .map = map, .unmap = unmap };

static struct memory memory(unsigned random, unsigned text)
{
    struct memory m = { .base = { .ops = &memory_ops }, .random = random, .text = text };
    struct rng r = rng_seed(11);

    for (unsigned i = 0; i < 64; i++)
        if (i % 4 < random)
            rng_fill(&r, m.pages[i], CV_PAGE_SIZE);
        else if (i % 4 < random + text)
            memset(m.pages[i], 'a', CV_PAGE_SIZE);
    return m;
}

/* ---- the guest ---- */

static uint64_t guest_pages;
static bool no_guest;

static int info(struct cv_host *h, uint32_t domid, struct cv_domain_info *out, struct cv_error *err)
{
    (void)h;
    ck_assert_uint_eq(domid, 5);
    *out = (struct cv_domain_info){ .domid = domid, .pages = guest_pages };
    return no_guest ? cv_fail(err, CV_E_NOT_FOUND, 0, "there is no domain 5") : 0;
}

static const struct cv_host_ops host_ops = { .info = info };
static struct cv_host host = { .ops = &host_ops };

/* A guest of mib MiB, whose image would come to a file system with room_bytes. */
static int check(struct memory *m, uint64_t mib, uint64_t room_bytes, enum cv_codec codec, bool has_parent,
                 struct cv_error *err)
{
    struct cv_save_options opt = { .mem = { .codec = codec, .level = 1 } };
    struct cv_save *s = calloc(1, sizeof *s);

    s->opt = &opt;
    s->source = &m->base;
    s->domid = s->g.domid = 5;
    s->g.host = &host;
    s->g.spec.ram_kib = mib * 1024;
    s->has_parent = has_parent;
    guest_pages = mib * 256;
    room = room_bytes;
    m->maps = m->unmaps = 0;
    int rc = cv_save_check_space(s, 77, err);
    ck_assert_uint_eq(m->unmaps, m->maps - (m->fail_at != 0));
    free(s);
    return rc;
}

START_TEST(only_a_clear_shortage_is_refused)
{
    static const struct {
        unsigned random, text;
        enum cv_codec codec;
        uint64_t refused, taken; /* MiB of room, for a guest of 1024 */
    } rooms[] = {
        { 4, 0, CV_CODEC_ZSTD, 700, 730 },                                    /* 70 % of what it would need */
        { 4, 0, CV_CODEC_NONE, 700, 730 }, { 2, 2, CV_CODEC_NONE, 700, 730 }, /* not compressed: all that is not zero */
        { 2, 2, CV_CODEC_ZSTD, 340, 380 }, { 2, 0, CV_CODEC_NONE, 340, 380 }, { 1, 0, CV_CODEC_ZSTD, 170, 190 },
    };
    struct memory m = memory(rooms[_i].random, rooms[_i].text);
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_msg(check(&m, 1024, rooms[_i].taken * MIB, rooms[_i].codec, false, &err) == 0, "%s", err.text);
    ck_assert_uint_gt(m.maps, 0);
    ck_assert_int_eq(check(&m, 1024, rooms[_i].refused * MIB, rooms[_i].codec, false, &err), -1);
    ck_assert_int_eq(err.code, CV_E_IO);
    ck_assert_int_eq(err.sys, ENOSPC);
    ck_assert_msg(strstr(err.text, "the image needs some ") != NULL, "%s", err.text);
}
END_TEST

START_TEST(zeros_need_nothing)
{
    struct memory m = memory(0, 0);
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(check(&m, 1024, MIB, CV_CODEC_ZSTD, false, &err), 0);
    ck_assert_uint_gt(m.maps, 0);
}
END_TEST

/* No page of a guest that runs is mapped without a reason. */
START_TEST(where_there_is_room_nobody_looks)
{
    struct memory m = memory(4, 0);
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(check(&m, 1024, (1024 + 64) * MIB, CV_CODEC_ZSTD, false, &err), 0);
    ck_assert_uint_eq(m.maps, 0);
    ck_assert_int_eq(check(&m, 8, 0, CV_CODEC_ZSTD, false, &err), 0); /* too small to be sampled */
    ck_assert_uint_eq(m.maps, 0);
    ck_assert_int_eq(check(&m, 1024, 0, CV_CODEC_ZSTD, true, &err), 0); /* nobody can tell what differs */
    ck_assert_uint_eq(m.maps, 0);
}
END_TEST

/* The hole below 4 GiB has nothing to sample, and what is absent is not counted. */
START_TEST(samples_are_of_memory)
{
    struct memory m = memory(4, 0);
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(check(&m, 8192, 8192 * MIB, CV_CODEC_ZSTD, false, &err), 0);
    ck_assert_uint_gt(m.maps, 0);
    ck_assert_uint_lt(m.last, CV_HOLE_START >> CV_PFN_SHIFT);
    m.hole = 3;
    ck_assert_int_eq(check(&m, 1024, 700 * MIB, CV_CODEC_ZSTD, false, &err), -1);
    ck_assert_int_eq(check(&m, 1024, 730 * MIB, CV_CODEC_ZSTD, false, &err), 0);
    m.hole = 1; /* none at all */
    ck_assert_int_eq(check(&m, 1024, MIB, CV_CODEC_ZSTD, false, &err), 0);
}
END_TEST

START_TEST(whatever_fails_is_said)
{
    struct memory m = memory(4, 0);
    struct cv_error err = CV_ERROR_INIT;

    fs_errno = EACCES;
    ck_assert_int_eq(check(&m, 1024, 0, CV_CODEC_ZSTD, false, &err), -1);
    ck_assert(err.code == CV_E_IO && err.sys == EACCES && m.maps == 0);
    fs_errno = 0;
    no_guest = true;
    ck_assert_int_eq(check(&m, 1024, 0, CV_CODEC_ZSTD, false, &err), -1);
    ck_assert(err.code == CV_E_NOT_FOUND && m.maps == 0);
    no_guest = false;
    for (unsigned at = 1; at <= 64; at += 21) {
        m.fail_at = at;
        ck_assert_int_eq(check(&m, 1024, 0, CV_CODEC_ZSTD, false, &err), -1);
        ck_assert(err.code == CV_E_HYPERVISOR && m.maps == at);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("space");
    TCase *t = tcase_create("space");

    tcase_add_loop_test(t, only_a_clear_shortage_is_refused, 0, 6);
    tcase_add_test(t, zeros_need_nothing);
    tcase_add_test(t, where_there_is_room_nobody_looks);
    tcase_add_test(t, samples_are_of_memory);
    tcase_add_test(t, whatever_fails_is_said);
    suite_add_tcase(s, t);
    return run_suite(s);
}
