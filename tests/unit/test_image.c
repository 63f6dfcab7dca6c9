/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images looked at: the map of pages, the cross checks, the reports. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "../support/run_suite.h"
#include "image/report.h"
#include "tests/support/guest_image.h"
#include "tests/support/raw_stream.h"

static struct cv_error err;

static void setup(void) { err = (struct cv_error)CV_ERROR_INIT; }

static int look(const struct cv_buf *b, struct cv_image *img)
{
    struct cv_reader_options ro = { .accept_features = CV_FEATURE_MEMORY_ONLY };
    struct cv_image_options opt = { .check_pages = true, .keep_states = true, .mem = { .threads = 1 } };
    struct cv_reader *r;

    *img = (struct cv_image){ 0 };
    if (cv_reader_new_memory(&r, b->data, b->len, &ro, &err) < 0)
        return -1;
    int rc = cv_image_read(img, r, &opt, &err);
    cv_reader_free(r);
    return rc == 0 ? cv_image_check(img, &err) : -1;
}

/* ---- the map ---- */

static void take(struct cv_pagemap *m, const uint64_t *pfns, const uint8_t *kinds, size_t n)
{
    uint8_t runs[CV_PAGES_RUNS_MAX];
    struct cv_pages p = { .runs = runs, .first_pfn = pfns[0], .span = pfns[n - 1] + 1 - pfns[0] };

    p.runs_length = cv_pages_put_runs(pfns, kinds, n, runs);
    for (size_t i = 0; i < n; i++)
        p.data_pages += kinds[i] == CV_RUN_DATA;
    p.payload_length = p.data_pages * 1000;
    ck_assert_int_eq(cv_pagemap_take(m, &p, &err), 0);
}

START_TEST(map_keeps_the_last_kind)
{
    struct cv_pagemap m;
    uint64_t counts[CV_RUN_KINDS], raw, stored;
    enum cv_run_kind kind;
    const uint64_t pfns[] = { 5, 6, 7, 200000 };

    ck_assert_int_eq(cv_pagemap_init(&m, 300000, &err), 0);
    ck_assert_int_eq(cv_pagemap_kind(&m, 5), CV_PAGEMAP_NONE);
    take(&m, pfns, (uint8_t[]){ CV_RUN_DATA, CV_RUN_DATA, CV_RUN_ZERO, CV_RUN_ALLOC }, 4);
    take(&m, pfns, (uint8_t[]){ CV_RUN_ABSENT }, 1);
    ck_assert_int_eq(cv_pagemap_kind(&m, 5), CV_RUN_ABSENT);
    ck_assert_int_eq(cv_pagemap_kind(&m, 6), CV_RUN_DATA);
    ck_assert_int_eq(cv_pagemap_kind(&m, 200000), CV_RUN_ALLOC);
    cv_pagemap_count(&m, 0, 300000, counts);
    ck_assert_uint_eq(counts[CV_RUN_DATA], 1);
    ck_assert_uint_eq(counts[CV_RUN_ZERO], 1);
    ck_assert_uint_eq(counts[CV_PAGEMAP_NONE], 300000 - 4);
    ck_assert_uint_eq(cv_pagemap_run(&m, 8, 300000, &kind), 200000);
    ck_assert_int_eq(kind, CV_PAGEMAP_NONE);
    cv_pagemap_density(&m, 100, &raw, &stored);
    ck_assert_uint_eq(raw, 2 * 4096);
    ck_assert_uint_eq(stored, 2000);
    cv_pagemap_dispose(&m);
}
END_TEST

START_TEST(map_of_a_claimed_giant_costs_nothing)
{
    struct cv_pagemap m;
    const uint64_t pfns[] = { CV_PFN_COUNT_MAX - 1 };

    ck_assert_int_eq(cv_pagemap_init(&m, CV_PFN_COUNT_MAX, &err), 0);
    ck_assert(m.left_out);
    take(&m, pfns, (uint8_t[]){ CV_RUN_DATA }, 1);
    ck_assert_int_eq(cv_pagemap_kind(&m, pfns[0]), CV_PAGEMAP_NONE);
    cv_pagemap_dispose(&m);
}
END_TEST

/* ---- whole images ---- */

START_TEST(good_images_are_good)
{
    const struct guest_image_options options[] = {
        { .seed = 1 },
        { .seed = 2, .passes = 3 },
        { .seed = 3, .config = guest_image_config3 },
        { .seed = 4, .no_policy = true, .no_nodes = true },
    };
    struct cv_image *img = calloc(1, sizeof *img);
    CV_AUTO_BUF b = { 0 };

    guest_image(&b, &options[_i]);
    ck_assert_msg(look(&b, img) == 0, "%s", err.text);
    ck_assert(img->whole && img->has_spec && img->has_layout);
    for (unsigned i = 0; i < img->layout.count; i++)
        ck_assert(img->states[i].taken_apart);
    cv_image_dispose(img);
    free(img);
}
END_TEST

/* One change to a good image that every record survives by itself. */
static void other_uuid(struct raw_stream *s) { s->record[raw_find(s, CV_REC_GUEST, 0)].body.data[9] ^= 1; }
static void other_order(struct raw_stream *s)
{
    struct cv_buf *b = &s->record[raw_find(s, CV_REC_LAYOUT, 0)].body;
    uint8_t pair[8];
    memcpy(pair, b->data + 16, 8);
    memcpy(b->data + 16, b->data + 24, 8);
    memcpy(b->data + 24, pair, 8);
}
static void other_vcpus(struct raw_stream *s) { s->record[raw_find(s, CV_REC_VCPUS, 0)].body.data[0]++; }
static void other_max(struct raw_stream *s) { s->record[raw_find(s, CV_REC_MEMORY, 0)].body.data[33]++; }
static void no_store_page(struct raw_stream *s) { s->record[raw_find(s, CV_REC_HVM_PARAMS, 0)].body.data[16] = 0x55; }
static void bad_context(struct raw_stream *s) { s->record[raw_find(s, CV_REC_HVM_CONTEXT, 0)].body.data[36] ^= 1; }
static void foreign_node(struct raw_stream *s)
{
    struct cv_buf *b = &s->record[raw_find(s, CV_REC_XENSTORE, 0)].body;
    b->data[9] = 7;
    b->data[9 + 8 + 21 + 8] = 7;
}
static void bad_spec(struct raw_stream *s)
{
    struct cv_buf *b = &s->record[raw_find(s, CV_REC_GUEST, 0)].body;
    memcpy(strstr((char *)b->data + 32, "\"acpi\""), "\"acpj\"", 6);
}
static void bad_layout(struct raw_stream *s)
{
    struct cv_buf *b = &s->record[raw_find(s, CV_REC_LAYOUT, 0)].body;
    char *at = memmem(b->data, b->len, "\"schema\"", 8);
    memcpy(at, "\"scheme\"", 8);
}

static const struct {
    void (*change)(struct raw_stream *s);
    const char *text;
} faults[] = {
    { other_uuid, "record GUEST: the guest's UUID" },
    { other_order, "record LAYOUT: its head and its JSON differ" },
    { other_vcpus, "record VCPUS: " },
    { other_max, "record MEMORY: static-max" },
    { no_store_page, "record HVM_PARAMS: STORE_PFN is" },
    { bad_context, "record HVM_CONTEXT: " },
    { foreign_node, "record XENSTORE: " },
    { bad_spec, "record GUEST: guest: " },
    { bad_layout, "record LAYOUT: " },
};

START_TEST(parts_of_different_guests_are_found)
{
    struct raw_stream *s = calloc(1, sizeof *s);
    struct cv_image *img = calloc(1, sizeof *img);
    CV_AUTO_BUF b = { 0 }, changed = { 0 };

    guest_image(&b, &(struct guest_image_options){ .config = guest_image_config3 });
    ck_assert_int_eq(raw_parse(s, b.data, b.len), 0);
    faults[_i].change(s);
    raw_emit(s, &changed);
    ck_assert_int_eq(look(&changed, img), -1);
    ck_assert_msg(strncmp(err.text, faults[_i].text, strlen(faults[_i].text)) == 0, "'%s', not '%s'", err.text,
                  faults[_i].text);
    ck_assert(err.code == CV_E_STREAM || err.code == CV_E_STREAM_VERSION);
    cv_image_dispose(img);
    raw_dispose(s);
    free(s);
    free(img);
}
END_TEST

START_TEST(a_device_without_state_is_found)
{
    struct cv_image *img = calloc(1, sizeof *img);
    CV_AUTO_BUF b = { 0 };

    guest_image(&b, &(struct guest_image_options){ .config = guest_image_config3, .without_section = "0000:00:04.0/" });
    ck_assert_int_eq(look(&b, img), -1);
    ck_assert_str_eq(
        err.text,
        "record DEVICE_STATE dmid 1: emulator 'net': the layout has e1000 at 00:04.0, and the device state says "
        "nothing of it");
    cv_image_dispose(img);
    free(img);
}
END_TEST

/* ---- reports ---- */

START_TEST(reports_of_images_cut_anywhere)
{
    CV_AUTO_BUF b = { 0 };
    struct cv_image *img = calloc(1, sizeof *img);

    guest_image(&b, &(struct guest_image_options){ .config = guest_image_config3, .passes = 2 });
    for (size_t len = 64; len <= b.len; len += len < 4096 ? 61 : 4099) {
        struct cv_buf cut = { .data = b.data, .len = len };
        char *text = NULL;
        size_t text_len;
        look(&cut, img);
        FILE *f = open_memstream(&text, &text_len);
        cv_report_text(img, f);
        json_t *o = cv_report_json(img, &err);
        ck_assert_ptr_nonnull(o);
        json_decref(o);
        if (cv_report_picture(img, f, &err) < 0)
            ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
        fclose(f);
        free(text);
        cv_image_dispose(img);
    }
    free(img);
}
END_TEST

START_TEST(names_reach_no_terminal_as_commands)
{
    struct cv_image *img = calloc(1, sizeof *img);
    CV_AUTO_BUF b = { 0 };
    char *text = NULL;
    size_t len;

    guest_image(&b, &(struct guest_image_options){ .seed = 1 });
    ck_assert_int_eq(look(&b, img), 0);
    strcpy(img->spec.name, "a\x1b[2Jb\xc2\x9b"
                           "c");
    FILE *f = open_memstream(&text, &len);
    cv_report_text(img, f);
    ck_assert_int_eq(cv_report_picture(img, f, &err), 0);
    fclose(f);
    ck_assert_ptr_null(memchr(text, 0x1b, len));
    ck_assert_ptr_nonnull(strstr(text, "a?[2Jb"));
    free(text);
    cv_image_dispose(img);
    free(img);
}
END_TEST

START_TEST(sizes_read_well)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = { { 0, "0 bytes" },
                 { 1, "1 bytes" },
                 { 4096, "4 KiB" },
                 { 9999, "9999 bytes" },
                 { 1536 * 1024, "1.50 MiB" },
                 { UINT64_C(3) << 40, "3 TiB" } };
    char buf[32];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_str_eq(cv_report_size(rows[i].bytes, buf, sizeof buf), rows[i].text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("image");
    TCase *t = tcase_create("image");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, map_keeps_the_last_kind);
    tcase_add_test(t, map_of_a_claimed_giant_costs_nothing);
    tcase_add_loop_test(t, good_images_are_good, 0, 4);
    tcase_add_loop_test(t, parts_of_different_guests_are_found, 0, (int)(sizeof faults / sizeof *faults));
    tcase_add_test(t, a_device_without_state_is_found);
    tcase_add_test(t, reports_of_images_cut_anywhere);
    tcase_add_test(t, names_reach_no_terminal_as_commands);
    tcase_add_test(t, sizes_read_well);
    suite_add_tcase(s, t);
    return run_suite(s);
}
