/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Codecs of the typed bodies: round trips, encoders that refuse what decoders refuse, no body is read beyond its end.
 * The single rules of each field are in tests/golden/invalid. */
#include <check.h>
#include <stdlib.h>

#include "../support/run_suite.h"
#include "stream-format/bodies.h"
#include "stream-format/index.h"
#include "tests/support/raw_stream.h"
#include "tests/support/rng.h"
#include "tests/support/sample_stream.h"

START_TEST(policy_round_trip)
{
    struct cv_policy_leaf leaves[CV_POLICY_MAX];
    struct cv_policy_msr msrs[CV_POLICY_MAX];
    struct rng r = rng_seed(2);

    for (unsigned turn = 0; turn < 50; turn++) {
        CV_AUTO_BUF b = { 0 };
        struct cv_rec_cpu_policy v;
        uint32_t n = (uint32_t)rng_below(&r, CV_POLICY_MAX + 1), m = (uint32_t)rng_below(&r, CV_POLICY_MAX + 1);
        for (uint32_t i = 0; i < n; i++)
            leaves[i] = (struct cv_policy_leaf){ i / 3, i % 3, (uint32_t)rng_next(&r), 1, 2, (uint32_t)rng_next(&r) };
        for (uint32_t i = 0; i < m; i++)
            msrs[i] = (struct cv_policy_msr){ i * 2, 0, rng_next(&r) };
        ck_assert_int_eq(cv_rec_cpu_policy_encode(leaves, n, msrs, m, &b, NULL), 0);
        ck_assert_int_eq(cv_rec_cpu_policy_decode(&v, b.data, b.len, NULL), 0);
        ck_assert_uint_eq(v.leaf_count, n);
        ck_assert_uint_eq(v.msr_count, m);
        for (uint32_t i = 0; i < n; i++) {
            struct cv_policy_leaf l = cv_cpu_policy_leaf(&v, i);
            ck_assert(memcmp(&l, &leaves[i], sizeof l) == 0);
        }
        for (uint32_t i = 0; i < m; i++)
            ck_assert(cv_cpu_policy_msr(&v, i).value == msrs[i].value);
    }
}
END_TEST

START_TEST(params_and_nodes_round_trip)
{
    CV_AUTO_BUF b = { 0 };
    const struct cv_hvm_param params[] = { { 0, 1 }, { 5, UINT64_MAX }, { UINT64_MAX, 0 } };
    struct cv_rec_hvm_params p;
    const struct cv_xs_node nodes[] = { { 0, 0, 7, "a", 1, "", 0 },
                                        { 0, 0, 0, "a/b", 3, "\0\xff", 2 },
                                        { 0, 255, 0, "a", 1, "x", 1 },
                                        { 1, 3, 0, "physmap/1/size", 14, "5", 1 } };
    struct cv_rec_xenstore x;
    struct cv_xs_node n;
    unsigned count = 0;

    ck_assert_int_eq(cv_rec_hvm_params_encode(params, 3, &b, NULL), 0);
    ck_assert_int_eq(cv_rec_hvm_params_decode(&p, b.data, b.len, NULL), 0);
    ck_assert(cv_hvm_params_at(&p, 2).index == UINT64_MAX);
    b.len = 0;
    ck_assert_int_eq(cv_rec_xenstore_encode(nodes, 4, &b, NULL), 0);
    ck_assert_int_eq(cv_rec_xenstore_decode(&x, b.data, b.len, NULL), 0);
    for (; cv_xs_next(&x, &n); count++) {
        ck_assert_uint_eq(n.key_len, nodes[count].key_len);
        ck_assert(memcmp(n.key, nodes[count].key, n.key_len) == 0);
        ck_assert(memcmp(n.value, nodes[count].value, n.value_len) == 0);
    }
    ck_assert_uint_eq(count, 4);
}
END_TEST

START_TEST(encoders_refuse_what_decoders_refuse)
{
    CV_AUTO_BUF b = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    const struct cv_hvm_param params[] = { { 5, 1 }, { 5, 2 } };
    const struct cv_xs_node climb = { 0, 0, 0, "a//b", 4, "", 0 };
    const struct cv_rec_guest guest = { .schema = 1, .type = 9, .json = "{}", .json_len = 2, .config = "" };
    const struct cv_rec_host host = { .schema = 1, .json = "[]", .json_len = 2 };
    const struct cv_rec_pass_end end = { .flags = CV_PASS_LAST, .dirty_left = 1 };
    const struct cv_rec_device_state state = { .dmid = 8, .blob = (const uint8_t *)"x", .blob_len = 1 };
    uint8_t head[CV_DEVICE_STATE_HEAD];

    ck_assert_int_lt(cv_rec_hvm_params_encode(params, 2, &b, &err), 0);
    ck_assert_int_eq(err.code, CV_E_INTERNAL);
    ck_assert_int_lt(cv_rec_xenstore_encode(&climb, 1, &b, &err), 0);
    ck_assert_int_lt(cv_rec_guest_encode(&guest, &b, &err), 0);
    ck_assert_int_lt(cv_rec_host_encode(&host, &b, &err), 0);
    ck_assert_int_lt(cv_rec_pass_end_encode(&end, &b, &err), 0);
    ck_assert_int_lt(cv_rec_device_state_head(&state, head, &err), 0);
    ck_assert_int_eq(err.code, CV_E_INTERNAL);
}
END_TEST

/* Each body of a sample, cut at every length and with every byte changed, from a buffer of exactly its size: the
 * sanitizers see any read beyond.  What a cut body may not do is decode, except where its end is free text or bytes. */
START_TEST(damaged_bodies_are_read_within_their_bounds)
{
    struct sample_options opt = {
        .seed = 4, .emulators = 8, .passes = 1, .pages_records = 1, .index = true, .notes = true, .zstd = 2
    };
    CV_AUTO_BUF s = { 0 };
    struct raw_stream *raw = calloc(1, sizeof *raw);

    sample_stream(&s, &opt);
    ck_assert_int_eq(raw_parse(raw, s.data, s.len), 0);
    for (size_t i = 0; i < raw->count; i++) {
        const struct raw_record *r = &raw->record[i];
        bool free_end = r->type == CV_REC_NOTE || r->type == CV_REC_HVM_CONTEXT;
        for (size_t len = 0; len < r->body.len; len++) {
            uint8_t *copy = malloc(len + 1);
            memcpy(copy, r->body.data, len);
            copy = realloc(copy, len ? len : 1);
            struct cv_error err = CV_ERROR_INIT;
            int rc = cv_body_check(r->type, copy, len, &err);
            ck_assert_msg(rc < 0 || free_end, "%s of %zu bytes", cv_record_name(r->type), len);
            ck_assert(rc == 0 || strncmp(err.text, "body: ", 6) == 0);
            free(copy);
        }
        for (size_t at = 0; at < r->body.len; at++)
            for (unsigned v = 0; v < 256; v += 51) {
                uint8_t *copy = malloc(r->body.len);
                memcpy(copy, r->body.data, r->body.len);
                copy[at] = (uint8_t)v;
                (void)!cv_body_check(r->type, copy, r->body.len, NULL);
                free(copy);
            }
    }
    raw_dispose(raw);
    free(raw);
}
END_TEST

START_TEST(text_is_utf8)
{
    static const char *const good[] = { "", "plain\ttext\n",
                                        "b\xc3\xbc"
                                        "cher",
                                        "\xe2\x82\xac", "\xf0\x9f\x9a\x9a" };
    static const char *const bad[] = { "\x01",
                                       "\x7f",
                                       "\xff",
                                       "\xc3",
                                       "\xc0\xaf",
                                       "\xe0\x80\xaf",
                                       "\xed\xa0\x80",
                                       "\xf4\x90\x80\x80",
                                       "\xf0\x8f\xbf\xbf",
                                       "a\x80" };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_int_eq(cv_body_check(CV_REC_NOTE, good[i], strlen(good[i]), NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_lt(cv_body_check(CV_REC_NOTE, bad[i], strlen(bad[i]), NULL), 0);
}
END_TEST

START_TEST(index_stays_bounded)
{
    struct cv_index x = { .stride = 1 };
    uint64_t n = 5ull * CV_INDEX_ENTRIES_MAX;
    CV_AUTO_BUF b = { 0 };
    struct cv_rec_index v;
    unsigned others = 0;

    for (uint64_t i = 0; i < n; i++) {
        struct cv_index_entry e = { .offset = 64 + 48 * i,
                                    .number = i,
                                    .type = i % 1000 ? CV_REC_PAGES : CV_REC_PASS_END };
        ck_assert_int_eq(cv_index_add(&x, &e, NULL), 0);
    }
    ck_assert_uint_le(x.count, CV_INDEX_ENTRIES_MAX);
    ck_assert_uint_gt(x.count, CV_INDEX_ENTRIES_MAX / 4);
    ck_assert_int_eq(cv_index_encode(&x, &b, NULL), 0);
    ck_assert_int_eq(cv_rec_index_decode(&v, b.data, b.len, NULL), 0);
    for (uint32_t i = 0; i < v.count; i++)
        others += cv_index_at(&v, i).type != CV_REC_PAGES;
    ck_assert_uint_eq(others, (n + 999) / 1000); /* only PAGES are thinned out */
    cv_index_dispose(&x);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream-bodies");
    TCase *tc = tcase_create("bodies");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, policy_round_trip);
    tcase_add_test(tc, params_and_nodes_round_trip);
    tcase_add_test(tc, encoders_refuse_what_decoders_refuse);
    tcase_add_test(tc, damaged_bodies_are_read_within_their_bounds);
    tcase_add_test(tc, text_is_utf8);
    tcase_add_test(tc, index_stays_bounded);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
