/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/run_suite.h"
#include "migrate/timeline.h"

#define MS 1000000ll

static struct cv_timeline sample(void)
{
    struct cv_timeline t = { .guest = "db <1> & \"co\"",
                             .source = "host1",
                             .destination = "host2",
                             .outcome = "taken",
                             .why_stopped = "the rest fits into the down time",
                             .total_ns = 8000 * MS,
                             .down = { 7500 * MS, 7900 * MS },
                             .bytes_raw = 300 << 20,
                             .emulator_count = 2 };
    static const int at[CV_TL_PARTS][2] = { { 7500, 7650 }, { 7650, 7670 }, { 7670, 7700 }, { 7670, 7720 },
                                            { 7720, 7730 }, { 7730, 7830 }, { 7830, 7850 }, { 7850, 7900 } };
    for (int p = 0; p < CV_TL_PARTS; p++)
        t.part[p] = (struct cv_span){ at[p][0] * MS, at[p][1] * MS };
    cv_tl_add_pass(&t, &(struct cv_pass){ 65536, 40000, 100 << 20, 5000 * MS, 3000 }, 100 * MS, 100);
    cv_tl_add_pass(&t, &(struct cv_pass){ 3000, 0, 6 << 20, 300 * MS, 90 }, 5100 * MS, 60);
    strcpy(t.emulators[0].name, "default");
    t.emulators[0].save = (struct cv_span){ 7670 * MS, 7715 * MS };
    t.emulators[0].load = (struct cv_span){ 7730 * MS, 7820 * MS };
    t.emulators[0].state_bytes = 8000;
    strcpy(t.emulators[1].name, "net");
    return t;
}

static char *render(int (*fn)(const struct cv_timeline *, struct cv_buf *, struct cv_error *),
                    const struct cv_timeline *t)
{
    struct cv_buf b = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    ck_assert_msg(fn(t, &b, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cv_buf_put_u8(&b, 0, &err), 0);
    return (char *)b.data;
}

START_TEST(text)
{
    struct cv_timeline t = sample();
    char *s = render(cv_tl_text, &t);
    static const char *const want[] = { "down time      400.0 ms",
                                        "suspend           150.0 ms",
                                        "load              100.0 ms",
                                        "68536 pages",
                                        "vCPUs held to 60 %",
                                        "default",
                                        "45.0" };
    for (unsigned i = 0; i < 7; i++)
        ck_assert_msg(strstr(s, want[i]) != NULL, "no '%s' in\n%s", want[i], s);
    free(s);
}
END_TEST

START_TEST(json)
{
    struct cv_timeline t = sample();
    char *s = render(cv_tl_json, &t);
    json_t *o = json_loads(s, 0, NULL);
    ck_assert_ptr_nonnull(o);
    double ms;
    ck_assert_int_eq(json_unpack(o, "{s:{s:{s:f}}}", "down_parts", "device_states", "ms", &ms), 0);
    ck_assert(ms > 49.9 && ms < 50.1);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "passes")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(o, "guest")), t.guest);
    json_decref(o);
    free(s);
    strcpy(t.guest, "\xff\xfe");
    struct cv_buf b = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    ck_assert_int_eq(cv_tl_json(&t, &b, &err), -1);
}
END_TEST

START_TEST(svg)
{
    struct cv_timeline t = sample();
    char *s = render(cv_tl_svg, &t);
    ck_assert_int_eq(strncmp(s, "<svg ", 5), 0);
    ck_assert_ptr_nonnull(strstr(s, "</svg>\n"));
    ck_assert_ptr_nonnull(strstr(s, "db &#60;1&#62; &#38; &#34;co&#34;"));
    ck_assert_ptr_nonnull(strstr(s, "device states"));
    /* Well-formed: every tag that opens closes. */
    unsigned open = 0, close = 0;
    for (char *p = s; (p = strstr(p, "<text")) != NULL; p++)
        open++;
    for (char *p = s; (p = strstr(p, "</text>")) != NULL; p++)
        close++;
    ck_assert_uint_eq(open, close);
    const char *path = getenv("CONVOY_TEST_SVG");
    FILE *f = path ? fopen(path, "w") : NULL;
    if (f != NULL) {
        fputs(s, f);
        fclose(f);
    }
    free(s);
}
END_TEST

START_TEST(empty_and_overfull)
{
    struct cv_timeline t = { 0 };
    free(render(cv_tl_text, &t));
    free(render(cv_tl_json, &t));
    free(render(cv_tl_svg, &t));
    for (int i = 0; i < 1000; i++)
        cv_tl_add_pass(&t, &(struct cv_pass){ 10, 0, 100, 1, 10 }, i, 100);
    ck_assert_uint_eq(t.pass_count, CV_TL_PASSES);
    ck_assert_uint_eq(t.pages, 10000);
    free(render(cv_tl_svg, &t));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("report");
    TCase *t = tcase_create("report");
    tcase_add_test(t, text);
    tcase_add_test(t, json);
    tcase_add_test(t, svg);
    tcase_add_test(t, empty_and_overfull);
    suite_add_tcase(s, t);
    return run_suite(s);
}
