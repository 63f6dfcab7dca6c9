/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's address space and its CPU policy, as data. */
#include <check.h>
#include <stdlib.h>

#include "../support/run_suite.h"
#include "vm/genid.h"
#include "vm/physmap.h"
#include "vm/policy.h"

#define MIB UINT64_C(0x100000)
#define GIB UINT64_C(0x40000000)

/* As libxl writes it and the firmware reads it. */
START_TEST(a_generation_id_is_two_numbers)
{
    static const uint8_t bytes[CV_GENID_BYTES] = { 1,    0,    0,    0,    0,    0,    0,    0,
                                                   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t none[CV_GENID_BYTES];
    static const char *const wrong[] = {
        "", "1", "1:", ":1", "-1:1", "1: 1", "1:2:3", "1:18446744073709551616", "1:2x"
    };
    char text[CV_GENID_MAX], other[CV_GENID_MAX];
    uint8_t back[CV_GENID_BYTES];

    cv_genid_text(bytes, text);
    ck_assert_str_eq(text, "1:18446744073709551615");
    ck_assert_int_eq(cv_genid_parse(text, back, NULL), 0);
    ck_assert_mem_eq(back, bytes, sizeof back);
    cv_genid_text(none, text);
    ck_assert_str_eq(text, "");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(cv_genid_parse(wrong[i], back, NULL) < 0, "'%s'", wrong[i]);
    cv_genid_make(text);
    cv_genid_make(other);
    ck_assert_int_eq(cv_genid_parse(text, back, NULL), 0);
    ck_assert_str_ne(text, other);
}
END_TEST

/* What Xen's tools do with a guest of so much RAM. */
static const struct {
    uint64_t ram, hole_start, low_end, high_end, end;
    unsigned ranges;
} maps[] = {
    { 64 * MIB, CV_HOLE_START, 64 * MIB, 4 * GIB, 64 * MIB, 1 },
    { 3840 * MIB, CV_HOLE_START, 3840 * MIB, 4 * GIB, 3840 * MIB, 1 }, /* up to the hole */
    { 3841 * MIB, CV_HOLE_START, 3840 * MIB, 4 * GIB + MIB, 4 * GIB + MIB, 2 },
    { 4 * GIB, CV_HOLE_START, 3840 * MIB, 4 * GIB + 256 * MIB, 4 * GIB + 256 * MIB, 2 },
    { 1024 * GIB, CV_HOLE_START, 3840 * MIB, 1024 * GIB + 256 * MIB, 1024 * GIB + 256 * MIB, 2 },
    { 3 * GIB, 2 * GIB, 2 * GIB, 5 * GIB, 5 * GIB, 2 }, /* a hole of 2 GiB */
    { 2 * GIB, 2 * GIB, 2 * GIB, 4 * GIB, 2 * GIB, 1 },
};

START_TEST(ram_lies_around_the_hole)
{
    struct cv_physmap m = cv_physmap(maps[_i].ram, maps[_i].hole_start);
    struct cv_ram_range ram[2];
    uint64_t sum = MIB;

    ck_assert_uint_eq(m.low_end, maps[_i].low_end);
    ck_assert_uint_eq(m.high_end, maps[_i].high_end);
    ck_assert_uint_eq(cv_physmap_end(&m), maps[_i].end);
    unsigned n = cv_physmap_ram(&m, ram);
    ck_assert_uint_eq(n, maps[_i].ranges);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_uint_gt(ram[i].size, 0);
        ck_assert(!cv_physmap_in_hole(m.hole_start, ram[i].start, ram[i].size));
        sum += ram[i].size;
    }
    ck_assert_uint_eq(sum, maps[_i].ram); /* nothing is lost, nothing counted twice */
}
END_TEST

START_TEST(the_hole_ends_at_4_gib)
{
    ck_assert_uint_eq(cv_hole_start(0), CV_HOLE_START);
    ck_assert_uint_eq(cv_hole_start(2 * GIB), 2 * GIB);
    ck_assert(!cv_physmap_in_hole(CV_HOLE_START, CV_HOLE_START - 4096, 4096));
    ck_assert(cv_physmap_in_hole(CV_HOLE_START, CV_HOLE_START - 4096, 4097));
    ck_assert(cv_physmap_in_hole(CV_HOLE_START, CV_FOUR_GIB - 1, 1));
    ck_assert(!cv_physmap_in_hole(CV_HOLE_START, CV_FOUR_GIB, GIB));
    ck_assert(cv_physmap_in_hole(CV_HOLE_START, 0, CV_FOUR_GIB));
}
END_TEST

START_TEST(a_policy_is_put_in_order)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_cpu_policy p;

    ck_assert_int_eq(cv_cpu_policy_init(&p, 4, 2, &err), 0);
    p.leaves[0] = (struct cv_policy_leaf){ 0x80000000, 0xffffffff, 1, 0, 0, 0 };
    p.leaves[1] = (struct cv_policy_leaf){ 4, 1, 2, 0, 0, 0 };
    p.leaves[2] = (struct cv_policy_leaf){ 4, 0, 3, 0, 0, 0 };
    p.leaves[3] = (struct cv_policy_leaf){ 0, 0xffffffff, 4, 0, 0, 0 };
    p.msrs[0] = (struct cv_policy_msr){ 0x10a, 0, 5 };
    p.msrs[1] = (struct cv_policy_msr){ 0xce, 0, 6 };
    cv_cpu_policy_sort(&p);
    static const uint32_t order[] = { 4, 3, 2, 1 };
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(p.leaves[i].a, order[i]);
    ck_assert(p.msrs[0].value == 6 && p.msrs[1].value == 5);
    cv_cpu_policy_dispose(&p);
    cv_cpu_policy_dispose(&p);
    cv_cpu_policy_sort(&p); /* of an empty one */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vm");
    TCase *t = tcase_create("vm");

    tcase_add_test(t, a_generation_id_is_two_numbers);
    tcase_add_loop_test(t, ram_lies_around_the_hole, 0, sizeof maps / sizeof maps[0]);
    tcase_add_test(t, the_hole_ends_at_4_gib);
    tcase_add_test(t, a_policy_is_put_in_order);
    suite_add_tcase(s, t);
    return run_suite(s);
}
