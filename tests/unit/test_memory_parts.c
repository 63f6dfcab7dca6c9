/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the pipeline alone. */
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/fd.h"
#include "memory/auto_policy.h"
#include "memory/batch.h"
#include "memory/file_sink.h"
#include "tests/support/file_source.h"
#include "tests/support/generator.h"
#include "memory/incompressible.h"
#include "memory/zero.h"
#include "stream-format/bodies.h"
#include "tests/support/memory_model.h"

#define OK(call) ck_assert_msg((call) == 0, "%s", err.text)

START_TEST(any_single_byte_makes_a_page_not_zero)
{
    static _Alignas(64) uint8_t page[CV_PAGE_SIZE];

    ck_assert(cv_page_is_zero(page));
    for (unsigned i = 0; i < CV_PAGE_SIZE; i++) {
        page[i] = (uint8_t)(1u << i % 8);
        ck_assert(!cv_page_is_zero(page));
        page[i] = 0;
    }
}
END_TEST

START_TEST(batches_hold_the_set_bits_in_order)
{
    struct rng r = rng_seed((uint64_t)_i);
    uint64_t bitmap[64], pfns[CV_BATCH_PAGES], last = UINT64_MAX, end = 1 + rng_below(&r, 64 * 64), set = 0, got = 0;

    for (unsigned i = 0; i < 64; i++)
        bitmap[i] = rng_below(&r, 3) ? rng_next(&r) & rng_next(&r) & rng_next(&r) : rng_below(&r, 2) ? 0 : UINT64_MAX;
    for (uint64_t i = 0; i < end; i++)
        set += bitmap[i / 64] >> i % 64 & 1;
    struct cv_batch_cursor c = { .bitmap = bitmap, .end = end };
    for (size_t n, max = 1 + rng_below(&r, CV_BATCH_PAGES); (n = cv_batch_cut(&c, pfns, max)) > 0; got += n) {
        ck_assert(n == max || got + n == set);
        for (size_t i = 0; i < n; i++) {
            ck_assert(pfns[i] < end && (last == UINT64_MAX || pfns[i] > last));
            ck_assert(bitmap[pfns[i] / 64] >> pfns[i] % 64 & 1);
            last = pfns[i];
        }
    }
    ck_assert_uint_eq(got, set);
    ck_assert_uint_eq(c.next, end);
}
END_TEST

START_TEST(only_random_bytes_are_incompressible)
{
    static uint8_t data[64 * CV_PAGE_SIZE];
    struct rng r = rng_seed(1);
    struct cv_generator g;

    for (size_t pages = 2; pages <= 64; pages++) {
        rng_fill(&r, data, pages * CV_PAGE_SIZE);
        ck_assert(cv_incompressible(data, pages * CV_PAGE_SIZE));
    }
    memset(data, 0, sizeof data / 2);
    ck_assert(!cv_incompressible(data, sizeof data));
    ck_assert(!cv_incompressible(data, CV_PAGE_SIZE));
    cv_generator_init(&g, 1, false);
    for (uint64_t pfn = 0; pfn < 20000; pfn++) {
        enum cv_gen_kind kind = cv_generator_kind(&g, pfn);
        if (kind == CV_GEN_RANDOM || kind == CV_GEN_ZERO)
            continue;
        cv_generator_page(&g, pfn, data);
        cv_generator_page(&g, pfn, data + CV_PAGE_SIZE);
        ck_assert_msg(!cv_incompressible(data, 2 * CV_PAGE_SIZE), "kind %d", (int)kind);
    }
}
END_TEST

START_TEST(the_automatic_level_follows_the_output)
{
    unsigned first = cv_auto_first_rung(), last = cv_auto_rung_count - 1;

    ck_assert_uint_eq(cv_auto_next_rung(first, 1000), first + 1);
    ck_assert_uint_eq(cv_auto_next_rung(first, 600), first);
    ck_assert_uint_eq(cv_auto_next_rung(first, 0), first - 1);
    ck_assert_uint_eq(cv_auto_next_rung(0, 0), 0);
    ck_assert_uint_eq(cv_auto_next_rung(last, 1000), last);
    for (unsigned i = 0; i < cv_auto_rung_count; i++)
        ck_assert(i == 0 ? cv_auto_rungs[i].codec == CV_CODEC_NONE
                         : i == 1 || cv_auto_rungs[i].level > cv_auto_rungs[i - 1].level);
}
END_TEST

/* clang-format off */
static const struct { const char *text; int rc; enum cv_codec codec; int level; } compress_texts[] = {
    { "none", 0, CV_CODEC_NONE, 1 },     { "zstd", 0, CV_CODEC_ZSTD, 1 },      { "zstd:3", 0, CV_CODEC_ZSTD, 3 },
    { "zstd:-5", 0, CV_CODEC_ZSTD, -5 }, { "auto", 0, CV_CODEC_AUTO, 1 },      { "zstd:", -1, 0, 0 },
    { "zstd:x", -1, 0, 0 },              { "zstd:3 ", -1, 0, 0 },              { "zstd:99", -1, 0, 0 },
    { "zstd:99999999999", -1, 0, 0 },    { "lz4", -1, 0, 0 },                  { "", -1, 0, 0 },
};
/* clang-format on */

START_TEST(compression_is_chosen_by_text)
{
    struct cv_mem_options opt = { .threads = 3, .level = 77 };
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(cv_mem_parse_compress(compress_texts[_i].text, &opt, &err), compress_texts[_i].rc);
    if (compress_texts[_i].rc < 0) {
        ck_assert_int_eq(err.code, CV_E_INVALID);
        ck_assert_int_eq(opt.level, 77);
        return;
    }
    ck_assert_int_eq(opt.codec, compress_texts[_i].codec);
    ck_assert_int_eq(opt.level, compress_texts[_i].level);
    ck_assert_uint_eq(opt.threads, 3);
}
END_TEST

START_TEST(the_generator_makes_the_same_mix_again)
{
    static uint64_t a[CV_PAGE_SIZE / 8], b[CV_PAGE_SIZE / 8];
    struct cv_generator g, same, other;
    unsigned zero = 0, differ = 0;
    const unsigned pages = 100000;

    cv_generator_init(&g, 42, false);
    cv_generator_init(&same, 42, false);
    cv_generator_init(&other, 43, false);
    for (uint64_t pfn = 0; pfn < pages; pfn++) {
        zero += cv_generator_kind(&g, pfn) == CV_GEN_ZERO;
        if (pfn % 16 != 0)
            continue;
        cv_generator_page(&g, pfn, a);
        cv_generator_page(&same, pfn, b);
        ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
        cv_generator_page(&other, pfn, b);
        differ += memcmp(a, b, sizeof a) != 0;
        ck_assert_int_eq(cv_page_is_zero(a), cv_generator_kind(&g, pfn) == CV_GEN_ZERO);
    }
    ck_assert_uint_ge(zero, pages * 74 / 100);
    ck_assert_uint_le(zero, pages * 82 / 100);
    ck_assert_uint_gt(differ, pages / 16 / 5);
}
END_TEST

/* ---- images in files ---- */

static int temporary(char *path)
{
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* An image with a cut-off last page through a file, the pipeline, and a file again. */
START_TEST(an_image_goes_through_files)
{
    char in_path[] = "/tmp/convoy-test-XXXXXX", out_path[] = "/tmp/convoy-test-XXXXXX";
    CV_AUTO_FD in = temporary(in_path);
    CV_AUTO_FD out = temporary(out_path);
    struct cv_error err = CV_ERROR_INIT;
    struct cv_file_source *source = NULL;
    struct cv_file_sink *sink = NULL;
    struct model_save c;
    struct model m;
    struct rng r = rng_seed(9);
    CV_AUTO_BUF stream = { 0 };
    const struct cv_mem_options opt = { .threads = 2, .codec = CV_CODEC_ZSTD, .level = 1 };
    const uint64_t pages = 5000, cut = 100;

    model_init(&m, pages);
    model_fill(&m, &r);
    memset(m.data + (pages - 1) * CV_PAGE_SIZE, 7, CV_PAGE_SIZE - cut);
    memset(m.data + pages * CV_PAGE_SIZE - cut, 0, cut);
    ck_assert_int_eq(write(in, m.data, pages * CV_PAGE_SIZE - cut), (ssize_t)(pages * CV_PAGE_SIZE - cut));
    OK(cv_file_source_open(&source, in_path, &err));
    ck_assert_uint_eq(cv_file_source_pages(source), pages);
    OK(model_save_begin(&c, &m, &opt, &err));
    cv_saver_free(c.s);
    OK(cv_saver_new(&c.s, cv_file_source_port(source), c.w, &opt, &err));
    OK(cv_saver_pass(c.s, 0, NULL, pages, NULL, NULL, &err));
    OK(cv_saver_pass_end(c.s, true, 0, 0, &err));
    OK(model_save_end(&c, &stream, &err));

    OK(cv_file_sink_new(&sink, out, pages, &err));
    OK(model_load(&stream, cv_file_sink_port(sink), &opt, NULL, &err));
    uint8_t *got = mmap(NULL, pages * CV_PAGE_SIZE, PROT_READ, MAP_SHARED, out, 0);
    ck_assert_ptr_ne(got, MAP_FAILED);
    ck_assert_int_eq(memcmp(got, m.data, pages * CV_PAGE_SIZE), 0);
    munmap(got, pages * CV_PAGE_SIZE);
    cv_file_source_close(source);
    cv_file_sink_free(sink);
    model_dispose(&m);
    unlink(in_path);
    unlink(out_path);
}
END_TEST

/* Holes at every place of a run of pages, some pfns left out; data that starts and ends inside a page. */
START_TEST(holes_of_a_file_are_zero_pages)
{
    enum { PAGES = 200 };
    char path[] = "/tmp/convoy-test-XXXXXX";
    CV_AUTO_FD fd = temporary(path);
    struct cv_error err = CV_ERROR_INIT;
    struct cv_file_source *s = NULL;
    struct rng r = rng_seed((uint64_t)_i);
    static uint8_t want[PAGES * CV_PAGE_SIZE], got[PAGES * CV_PAGE_SIZE];
    uint64_t pfns[PAGES];
    uint8_t types[PAGES];
    size_t bytes = sizeof want - rng_below(&r, CV_PAGE_SIZE), n = 0;

    memset(want, 0, sizeof want);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    for (unsigned i = 0; i < 30; i++) {
        size_t at = rng_below(&r, bytes - 1), len = 1 + rng_below(&r, 3 * CV_PAGE_SIZE);
        len = len < bytes - at ? len : bytes - at;
        rng_fill(&r, want + at, len);
        ck_assert_int_eq(pwrite(fd, want + at, len, (off_t)at), (ssize_t)len);
    }
    for (uint64_t pfn = 0; pfn < PAGES; pfn++)
        if (rng_below(&r, 8) != 0)
            pfns[n++] = pfn;
    OK(cv_file_source_open(&s, path, &err));
    struct cv_page_source *p = cv_file_source_port(s);
    memset(got, 0x5a, sizeof got);
    OK(p->ops->read(p, pfns, n, types, got, &err));
    for (size_t i = 0; i < n; i++) {
        ck_assert(types[i] == CV_PAGE_DATA || types[i] == CV_PAGE_ZERO);
        if (types[i] == CV_PAGE_ZERO)
            memset(got + i * CV_PAGE_SIZE, 0, CV_PAGE_SIZE);
        ck_assert(memcmp(got + i * CV_PAGE_SIZE, want + pfns[i] * CV_PAGE_SIZE, CV_PAGE_SIZE) == 0);
    }
    ck_assert_int_eq(p->ops->read(p, (const uint64_t[]){ PAGES }, 1, types, got, &err), -1);
    cv_file_source_close(s);
    unlink(path);
}
END_TEST

START_TEST(an_image_that_shrinks_is_an_error)
{
    char path[] = "/tmp/convoy-test-XXXXXX";
    CV_AUTO_FD fd = temporary(path);
    struct cv_error err = CV_ERROR_INIT;
    struct cv_file_source *s = NULL;
    uint8_t data[4 * CV_PAGE_SIZE], types[4];

    memset(data, 1, sizeof data);
    ck_assert_int_eq(write(fd, data, sizeof data), sizeof data);
    OK(cv_file_source_open(&s, path, &err));
    struct cv_page_source *p = cv_file_source_port(s);
    ck_assert_int_eq(ftruncate(fd, 5000), 0);
    ck_assert_int_eq(p->ops->read(p, (const uint64_t[]){ 0, 1, 2, 3 }, 4, types, data, &err), -1);
    ck_assert_int_eq(err.code, CV_E_IO);
    ck_assert_msg(strstr(err.text, "ends at byte 5000") != NULL, "%s", err.text);
    cv_file_source_close(s);
    unlink(path);
}
END_TEST

START_TEST(a_page_becomes_zero_again_in_a_file)
{
    char path[] = "/tmp/convoy-test-XXXXXX";
    CV_AUTO_FD fd = temporary(path);
    struct cv_error err = CV_ERROR_INIT;
    struct cv_file_sink *s = NULL;
    const uint64_t pfns[] = { 1, 3 };
    const uint8_t types[] = { CV_PAGE_ABSENT, CV_PAGE_ABSENT };
    uint8_t page[CV_PAGE_SIZE];
    void *pages[2], *handle;

    OK(cv_file_sink_new(&s, fd, 5, &err));
    struct cv_page_sink *p = cv_file_sink_port(s);
    for (int way = 0; way < 2; way++) {
        OK(p->ops->map(p, pfns, 2, pages, &handle, &err));
        memset(pages[0], 1, CV_PAGE_SIZE);
        memset(pages[1], 3, CV_PAGE_SIZE);
        OK(p->ops->unmap(p, handle, &err));
        ck_assert_int_eq(pread(fd, page, sizeof page, 3 * CV_PAGE_SIZE), sizeof page);
        ck_assert_uint_eq(page[5], 3);
        OK(way ? p->ops->zero(p, pfns, 2, &err) : p->ops->special(p, pfns, types, 2, &err));
        ck_assert_int_eq(pread(fd, page, sizeof page, 3 * CV_PAGE_SIZE), sizeof page);
        ck_assert(cv_page_is_zero(page));
    }
    ck_assert_int_eq(p->ops->zero(p, (const uint64_t[]){ 5 }, 1, &err), -1);
    cv_file_sink_free(s);
    unlink(path);
}
END_TEST

/* An image says that its guest reaches to the last page that the format has: no memory for that before a page comes. */
START_TEST(the_length_that_an_image_claims_costs_nothing)
{
    CV_AUTO_FD fd = memfd_create("image", MFD_CLOEXEC);
    struct cv_error err = CV_ERROR_INIT;
    struct cv_file_sink *s = NULL;
    const uint64_t last[] = { CV_PFN_COUNT_MAX - 1 };
    void *page, *handle;
    struct stat st;

    OK(cv_file_sink_new(&s, fd, CV_PFN_COUNT_MAX, &err));
    struct cv_page_sink *p = cv_file_sink_port(s);
    OK(p->ops->zero(p, last, 1, &err));
    OK(p->ops->map(p, last, 1, &page, &handle, &err));
    memset(page, 1, CV_PAGE_SIZE);
    OK(p->ops->unmap(p, handle, &err));
    OK(p->ops->zero(p, last, 1, &err));
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_size / CV_PAGE_SIZE, CV_PFN_COUNT_MAX);
    ck_assert_int_eq(st.st_blocks, 0);
    cv_file_sink_free(s);
}
END_TEST

START_TEST(what_is_no_image_is_refused)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_file_source *s;

    ck_assert_int_eq(cv_file_source_open(&s, "/nonexistent/image", &err), -1);
    ck_assert_int_eq(err.code, CV_E_NOT_FOUND);
    ck_assert_int_eq(cv_file_source_open(&s, "/dev/null", &err), -1);
    ck_assert_int_eq(err.code, CV_E_INVALID);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory_parts");
    TCase *t = tcase_create("parts");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, any_single_byte_makes_a_page_not_zero);
    tcase_add_loop_test(t, batches_hold_the_set_bits_in_order, 0, 50);
    tcase_add_test(t, only_random_bytes_are_incompressible);
    tcase_add_test(t, the_automatic_level_follows_the_output);
    tcase_add_loop_test(t, compression_is_chosen_by_text, 0, sizeof compress_texts / sizeof compress_texts[0]);
    tcase_add_test(t, the_generator_makes_the_same_mix_again);
    tcase_add_test(t, an_image_goes_through_files);
    tcase_add_loop_test(t, holes_of_a_file_are_zero_pages, 0, 20);
    tcase_add_test(t, an_image_that_shrinks_is_an_error);
    tcase_add_test(t, a_page_becomes_zero_again_in_a_file);
    tcase_add_test(t, the_length_that_an_image_claims_costs_nothing);
    tcase_add_test(t, what_is_no_image_is_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
