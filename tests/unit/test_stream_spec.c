/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* docs/stream-format.md and the source say the same: the table of records, and the stream that it lists byte by byte.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../support/run_suite.h"
#include "base/auto.h"
#include "base/fd.h"
#include "layout/fields.h"
#include "vm/spec.h"
#include "stream-format/stream.h"

#define SPEC "docs/stream-format.md" /* ctest runs tests in the checkout */

static char *spec;

static void load(void)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_msg(cv_file_read(SPEC, 1 << 20, &spec, NULL, &err) == 0, "%s", err.text);
}

static void unload(void) { free(spec); }

static const char *presence_word(enum cv_presence p)
{
    static const char *const words[] = { "ONE", "MAYBE", "SOME", "ANY", "EMULATORS", "INCREMENTAL", "FIXED" };
    return words[p];
}

START_TEST(table_of_records)
{
    size_t rows = 0;

    for (size_t i = 0; i < cv_record_rules_count; i++) {
        const struct cv_record_rule *r = &cv_record_rules[i];
        char row[256];
        snprintf(row, sizeof row, "\n| %s | 0x%08x | %s | %s | %u | %u | %u | %s | %s |\n", r->name, r->id,
                 presence_word(r->presence), r->profile == CV_PROFILE_FULL ? "FULL" : "BOTH", r->min, r->max, r->rank,
                 r->tag == CV_TAG_BODY ? "BODY" : "NONE", r->section);
        ck_assert_msg(strstr(spec, row) != NULL, SPEC " lacks the row%s", row);
        char heading[64];
        snprintf(heading, sizeof heading, "\n### %s %s\n", r->section, r->name);
        ck_assert_msg(strstr(spec, heading) != NULL, SPEC " lacks the section%s", heading);
    }
    for (const char *p = spec; (p = strstr(p, " | 0x")) != NULL; p++)
        rows++;
    ck_assert_uint_eq(rows, cv_record_rules_count);
}
END_TEST

/* The rules follow each other in the table: records of rank 0 and INDEX aside, ranks ascend with the order of writing.
 */
START_TEST(table_is_sane)
{
    for (size_t i = 0; i < cv_record_rules_count; i++) {
        const struct cv_record_rule *r = &cv_record_rules[i];
        ck_assert_uint_le(r->min, r->max);
        ck_assert_uint_ne(r->id, 0);
        ck_assert_uint_lt(i, 32); /* stream-format/order.c keeps a bit for each */
        bool optional = r->id & CV_RECORD_OPTIONAL;
        ck_assert(!optional || r->presence == CV_PRESENCE_ANY || r->presence == CV_PRESENCE_MAYBE);
        ck_assert(r->tag != CV_TAG_BODY || r->min >= 4);
        for (size_t j = 0; j < i; j++) {
            ck_assert_uint_ne(cv_record_rules[j].id, r->id);
            ck_assert_str_ne(cv_record_rules[j].name, r->name);
        }
        ck_assert_ptr_eq(cv_record_rule(r->id), r);
    }
}
END_TEST

/* The numbers behind the offset of each line of the listing. */
static size_t parse_listing(uint8_t *out, size_t max)
{
    char *p = strstr(spec, "```hex\n");
    size_t n = 0;

    ck_assert(p != NULL);
    p = strchr(p, '\n') + 1;
    while (strncmp(p, "```", 3) != 0) {
        ck_assert_uint_eq(strtoul(p, &p, 16), n);
        while (*p != '\n') {
            ck_assert_uint_lt(n, max);
            out[n++] = (uint8_t)strtoul(p, &p, 16);
        }
        p++;
    }
    return n;
}

START_TEST(listing_is_a_stream)
{
    struct cv_reader_options opt = { .accept_features = CV_FEATURE_MEMORY_ONLY };
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_RECORD rec = { 0 };
    struct cv_reader *r;
    uint8_t bytes[1024];
    char *golden;
    size_t len = parse_listing(bytes, sizeof bytes), golden_len;
    int rc, n = 0;

    ck_assert_int_eq(cv_reader_new_memory(&r, bytes, len, &opt, &err), 0);
    while ((rc = cv_reader_next(r, &rec, &err)) == 1)
        n++;
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_int_eq(n, 3);
    cv_reader_free(r);
    ck_assert_int_eq(cv_file_read("tests/golden/valid/tiny.cvy", sizeof bytes, &golden, &golden_len, &err), 0);
    ck_assert_uint_eq(golden_len, len);
    ck_assert(memcmp(golden, bytes, len) == 0);
    free(golden);
}
END_TEST

/* name stands in backquotes in the section that begins with heading. */
static void documented(const char *heading, const char *name)
{
    const char *begin = strstr(spec, heading);
    ck_assert_msg(begin != NULL, SPEC " lacks %s", heading);
    const char *end = strstr(begin + 4, "\n### ");
    char word[80];

    snprintf(word, sizeof word, "`%s`", name);
    const char *at = strstr(begin, word);
    ck_assert_msg(at != NULL && (end == NULL || at < end), SPEC ",%s: member %s is not described", heading, name);
}

/* A number that its member has no room for is refused, not cut. */
START_TEST(numbers_have_bounds)
{
    static const struct {
        const char *key;
        json_int_t value;
        bool taken;
    } tries[] = {
        { "vcpus_online", 2, true },     { "viridian", UINT32_MAX, true }, { "viridian", 1LL + UINT32_MAX, false },
        { "viridian", -1, false },       { "max_kb", -1, false },          { "max_kb", INT64_MAX, true },
        { "rtc_offset_s", -3600, true }, { "ram_kb", 1LL << 40, false },   { "vcpus", (1LL << 32) + 2, false },
    };
    struct cv_domain_spec s = { .name = "g", .vcpus = 2 }, back;
    struct cv_error err = CV_ERROR_INIT;
    char *text;

    ck_assert_int_eq(cv_spec_encode(&s, &text, &err), 0);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        json_t *o = json_loads(text, 0, NULL);
        json_object_set_new(o, tries[i].key, json_integer(tries[i].value));
        char *changed = json_dumps(o, JSON_COMPACT);
        err = (struct cv_error)CV_ERROR_INIT;
        ck_assert_msg((cv_spec_decode(changed, strlen(changed), &back, &err) == 0) == tries[i].taken, "%s: %lld: %s",
                      tries[i].key, (long long)tries[i].value, err.text);
        ck_assert(tries[i].taken || err.code == CV_E_STREAM);
        free(changed);
        json_decref(o);
    }
    free(text);
}
END_TEST

/* Every member of the JSON documents that a restore reads is described. */
START_TEST(json_members)
{
    const struct cv_field *tables[] = { cv_layout_fields, cv_dm_fields, cv_device_fields, cv_region_fields };
    struct cv_domain_spec s = { .name = "x" };
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_FREE char *text = NULL;
    const char *key;
    json_t *value;

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct cv_field *f = tables[i]; f->name != NULL; f++)
            documented("\n### 5.3 LAYOUT", f->name);
    ck_assert_int_eq(cv_spec_encode(&s, &text, &err), 0);
    json_t *o = json_loads(text, 0, NULL);
    json_object_foreach(o, key, value) documented("\n### 5.2 GUEST", key);
    json_decref(o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream-spec");
    TCase *tc = tcase_create("spec");

    tcase_add_checked_fixture(tc, load, unload);
    tcase_add_test(tc, table_of_records);
    tcase_add_test(tc, table_is_sane);
    tcase_add_test(tc, listing_is_a_stream);
    tcase_add_test(tc, numbers_have_bounds);
    tcase_add_test(tc, json_members);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
