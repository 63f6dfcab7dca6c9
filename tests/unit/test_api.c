/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls of include/convoy/convoy.h: what all of them take and refuse, and those that make, watch, list and end
 * guests, on a model of a host.  test_api_save.c, test_api_migrate.c and test_api_images.c have the others. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "../support/api_door.h"
#include "../support/run_suite.h"

/* ---- the rules of all calls ---- */

static int take_sink(convoy_host *h, void *o, convoy_error *err)
{
    char *text;
    (void)h;
    return convoy_plan("/nonexistent", CONVOY_TEXT, o, &text, err);
}
static int take_host(convoy_host *h, void *o, convoy_error *err)
{
    convoy_host *other = convoy_host_open(NULL, o, err);

    (void)h;
    convoy_host_close(other);
    return other != NULL ? 0 : -1;
}
static int take_create(convoy_host *h, void *o, convoy_error *err)
{
    return convoy_create(h, "/nonexistent", o, NULL, err);
}
static int take_started(convoy_host *h, void *o, convoy_error *err)
{
    return convoy_create(h, "/nonexistent", NULL, o, err);
}
static int take_check(convoy_host *h, void *o, convoy_error *err)
{
    char *text;
    int rc = convoy_check(h, "g", o, &text, err);

    convoy_free(text);
    return rc;
}
static int take_save(convoy_host *h, void *o, convoy_error *err) { return convoy_save(h, "g", "/x", o, NULL, err); }
static int take_save_fd(convoy_host *h, void *o, convoy_error *err) { return convoy_save_fd(h, "g", 1, o, NULL, err); }
static int take_report(convoy_host *h, void *o, convoy_error *err) { return convoy_save(h, "g", "/x", NULL, o, err); }
static int take_quiesce(convoy_host *h, void *o, convoy_error *err)
{
    return convoy_quiesce(h, "g", o, NULL, NULL, NULL, err);
}
static int take_restore(convoy_host *h, void *o, convoy_error *err)
{
    return convoy_restore_fd(h, -1, o, NULL, NULL, err);
}
static int take_restored(convoy_host *h, void *o, convoy_error *err)
{
    return convoy_restore_fd(h, -1, NULL, NULL, o, err);
}
static int take_migrate(convoy_host *h, void *o, convoy_error *err)
{
    return convoy_migrate(h, "g", "x", o, NULL, err);
}
static int take_receive(convoy_host *h, void *o, convoy_error *err) { return convoy_migrate_receive(h, 0, 1, o, err); }
static int take_recover(convoy_host *h, void *o, convoy_error *err) { return convoy_recover(h, "g", o, NULL, err); }
static int take_image(convoy_host *h, void *o, convoy_error *err)
{
    (void)h;
    return convoy_verify_fd(-1, o, err);
}
static int take_inspect(convoy_host *h, void *o, convoy_error *err)
{
    char *text;
    (void)h;
    return convoy_inspect_fd(-1, o, &text, err);
}
static int take_convert(convoy_host *h, void *o, convoy_error *err)
{
    (void)h;
    return convoy_convert_fd(-1, -1, o, err);
}
static int take_merge(convoy_host *h, void *o, convoy_error *err)
{
    (void)h;
    return convoy_merge_fd(-1, -1, -1, o, NULL, err);
}

static const struct {
    const char *name;
    size_t size;
    int (*call)(convoy_host *h, void *o, convoy_error *err);
    bool given_out; /* what is in it does not matter */
} structures[] = {
    { "convoy_sink", sizeof(convoy_sink), take_sink, false },
    { "convoy_host_options", sizeof(convoy_host_options), take_host, false },
    { "convoy_create_options", sizeof(convoy_create_options), take_create, false },
    { "convoy_started", sizeof(convoy_started), take_started, true },
    { "convoy_check_options", sizeof(convoy_check_options), take_check, false },
    { "convoy_save_options", sizeof(convoy_save_options), take_save, false },
    { "convoy_save_options", sizeof(convoy_save_options), take_save_fd, false },
    { "convoy_save_report", sizeof(convoy_save_report), take_report, true },
    { "convoy_save_options", sizeof(convoy_save_options), take_quiesce, false },
    { "convoy_restore_options", sizeof(convoy_restore_options), take_restore, false },
    { "convoy_restore_report", sizeof(convoy_restore_report), take_restored, true },
    { "convoy_migrate_options", sizeof(convoy_migrate_options), take_migrate, false },
    { "convoy_receive_options", sizeof(convoy_receive_options), take_receive, false },
    { "convoy_recover_options", sizeof(convoy_recover_options), take_recover, false },
    { "convoy_image_options", sizeof(convoy_image_options), take_image, false },
    { "convoy_image_options", sizeof(convoy_image_options), take_inspect, false },
    { "convoy_convert_options", sizeof(convoy_convert_options), take_convert, false },
    { "convoy_image_options", sizeof(convoy_image_options), take_merge, false },
};
#define STRUCTURES ((int)(sizeof structures / sizeof structures[0]))

/* Before anything else is looked at: none of the other arguments is good for anything. */
START_TEST(a_size_that_was_forgotten_is_an_error)
{
    union {
        size_t size;
        char bytes[2000];
    } o = { .size = 0 };
    struct one_host s;
    struct door d;
    convoy_error err;

    door_begin(&d, &s, false);
    FAILS(structures[_i].call(d.h, &o, &err), CONVOY_INVALID, structures[_i].name);
    ck_assert_msg(strstr(err.text, "sizeof (convoy_") != NULL, "%s", err.text);
    o.size = 1 << 20;
    FAILS(structures[_i].call(d.h, &o, &err), CONVOY_INVALID, structures[_i].name);
    if (!structures[_i].given_out) {
        o.size = structures[_i].size + 8;
        o.bytes[structures[_i].size + 1] = 1;
        FAILS(structures[_i].call(d.h, &o, &err), CONVOY_UNSUPPORTED, structures[_i].name);
        /* What is 0 is the default, whoever knows it: the call goes on, and fails for another reason. */
        o.bytes[structures[_i].size + 1] = 0;
        err.text[0] = '\0';
        ck_assert_int_eq(structures[_i].call(d.h, &o, &err), structures[_i].call == take_host ? 0 : -1);
        ck_assert_msg(strstr(err.text, "sizeof") == NULL && strstr(err.text, "does not know") == NULL, "%s", err.text);
    }
    ck_assert_int_eq(structures[_i].call(d.h, &o, NULL) != 0, structures[_i].call != take_host);
    door_end(&d, &s);
}
END_TEST

START_TEST(names_and_handles)
{
    convoy_error err = { .code = CONVOY_OK };
    char version[16];

    snprintf(version, sizeof version, "%d.%d.", CONVOY_VERSION_MAJOR, CONVOY_VERSION_MINOR);
    ck_assert_int_eq(strncmp(convoy_version(), version, strlen(version)), 0);
    ck_assert_str_eq(convoy_code_name(CONVOY_TIMEOUT), "timeout");
    ck_assert_str_eq(convoy_outcome_name(CONVOY_TAKEN_LEFT), "taken-left");
    convoy_cancel *c = convoy_cancel_new(&err);
    ck_assert_ptr_nonnull(c);
    convoy_cancel_request(c);
    convoy_cancel_request(c);
    convoy_cancel_free(c);
    convoy_cancel_free(NULL);
    convoy_host_close(NULL);
    convoy_migration_free(NULL);
    convoy_free(NULL);
    ck_assert_int_eq(err.code, CONVOY_OK);
    door_host = NULL;
    ck_assert_ptr_null(convoy_host_open(NULL, NULL, &err));
    ck_assert_int_eq(err.code, CONVOY_HYPERVISOR);
    ck_assert_str_eq(err.text, "no Xen here");
}
END_TEST

/* ---- guests ---- */

START_TEST(a_guest_is_made_watched_listed_checked_paused_and_ended)
{
    convoy_started started = { .size = sizeof started };
    convoy_error err = { .code = CONVOY_OK };
    struct one_host s;
    struct door d;
    char *text = NULL, words[40];
    int ran = 0;

    door_begin(&d, &s, true);
    OK(convoy_plan(s.config, CONVOY_TEXT, NULL, &text, &err));
    ck_assert_ptr_nonnull(strstr(text, "'g' would have 3 emulators"));
    convoy_free(text);
    OK(convoy_plan(s.config, CONVOY_JSON, NULL, &text, &err));
    ck_assert_ptr_nonnull(strstr(text, "\"taken\": true"));
    convoy_free(text);
    text = NULL;
    FAILS(convoy_plan("/nonexistent", CONVOY_JSON, NULL, &text, &err), CONVOY_NOT_FOUND, "/nonexistent");
    ck_assert_ptr_nonnull(strstr(text, "\"taken\": false"));
    convoy_free(text);

    OK(convoy_create(d.h, s.config, &(convoy_create_options){ .size = sizeof(convoy_create_options), .paused = 1 },
                     &started, &err));
    ck_assert_str_eq(started.name, "g");
    ck_assert_uint_eq(started.emulators, EMULATORS);
    ck_assert_int_eq(started.unwatched, 0);
    ck_assert(s.host->dom[started.domid]->paused);
    snprintf(words, sizeof words, "monitor %u\n", started.domid);
    door_was_started(&d, words);
    FAILS(convoy_create(d.h, s.config, NULL, &started, &err), CONVOY_BUSY, "g");

    OK(convoy_unpause(d.h, "g", &ran, &err));
    ck_assert(!s.host->dom[started.domid]->paused && ran == 0);
    OK(convoy_unpause(d.h, "g", &ran, &err));
    ck_assert_int_eq(ran, 1);
    OK(convoy_pause(d.h, "g", &err));
    ck_assert(s.host->dom[started.domid]->paused);
    OK(convoy_unpause(d.h, "g", NULL, &err));

    OK(convoy_list(d.h, NULL, &text, &err));
    json_t *all = json_loads(text, 0, NULL), *one = json_array_get(all, 0);
    ck_assert_uint_eq(json_array_size(all), 1);
    ck_assert_str_eq(json_string_value(json_object_get(one, "name")), "g");
    ck_assert_uint_eq(json_array_size(json_object_get(one, "emulators")), EMULATORS);
    json_decref(all);
    convoy_free(text);
    OK(convoy_list(d.h, "g", &text, &err));
    convoy_free(text);
    FAILS(convoy_list(d.h, "nobody", &text, &err), CONVOY_NOT_FOUND, "nobody");

    OK(convoy_check(d.h, "g", NULL, &text, &err));
    ck_assert_ptr_nonnull(strstr(text, "\"blocked\": false"));
    convoy_free(text);
    FAILS(convoy_check(d.h, "nobody", NULL, &text, &err), CONVOY_NOT_FOUND, "nobody");
    ck_assert_ptr_nonnull(strstr(text, "\"blocked\": true"));
    convoy_free(text);

    FAILS(convoy_pause(d.h, "nobody", &err), CONVOY_NOT_FOUND, "pause 'nobody'");
    FAILS(convoy_unpause(d.h, "nobody", NULL, &err), CONVOY_NOT_FOUND, "unpause 'nobody'");
    FAILS(convoy_destroy(d.h, "nobody", &err), CONVOY_NOT_FOUND, "destroy 'nobody'");
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    door_nothing_was_started(&d);
    door_end(&d, &s);
}
END_TEST

/* The caller watches by itself. */
START_TEST(without_a_program_the_monitor_is_the_callers)
{
    convoy_started started = { .size = sizeof started };
    convoy_error err;
    struct one_host s;
    struct door d;

    door_begin(&d, &s, false);
    OK(convoy_create(d.h, s.config, NULL, &started, &err));
    ck_assert_int_eq(started.unwatched, 1);
    door_nothing_was_started(&d);
    struct fake_domain *dom = s.host->dom[started.domid];
    dom->ended = true;
    dom->end_reason = CV_SHUTDOWN_POWEROFF;
    OK(convoy_monitor(d.h, started.domid, NULL, &err));
    reap();
    FAILS(convoy_monitor(d.h, started.domid, NULL, &err), CONVOY_UNSUPPORTED, "not convoy's");
    door_end(&d, &s);
}
END_TEST

/* A program that is not there: the guest runs all the same, and the caller is told. */
START_TEST(a_monitor_that_cannot_be_started_is_told)
{
    convoy_started started = { .size = sizeof started };
    convoy_error err;
    struct one_host s;
    struct door d;

    door_begin(&d, &s, true);
    ck_assert_int_eq(unlink(d.program), 0);
    OK(convoy_create(d.h, s.config, NULL, &started, &err));
    ck_assert_int_eq(started.unwatched, 1);
    ck_assert_msg(strstr(d.last, "nobody watches over it") != NULL, "%s", d.last);
    door_destroy_and_end(&d, &s);
}
END_TEST

/* Torn nodes are no reason to keep it. */
START_TEST(what_is_left_of_a_guest_is_ended)
{
    struct cv_error inner = CV_ERROR_INIT;
    convoy_error err;
    struct one_host s;
    struct door d;
    char path[80];

    door_begin(&d, &s, false);
    uint32_t domid = door_create(&d, &s);
    snprintf(path, sizeof path, "/local/domain/0/dms/%u/layout", domid);
    ck_assert_int_eq(s.host->base.ops->xs_remove(&s.host->base, path, &inner), 0);
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    /* Somebody else's is not ours to end. */
    fake_host_add_guest(s.host, "other");
    FAILS(convoy_destroy(d.h, "other", &err), CONVOY_UNSUPPORTED, "xl destroy");
    s.others = 1;
    door_close(&d, &s);
    one_host_end(&s);
}
END_TEST

/* Under a toolstack's own guest: its emulators, and which of them has died. */
START_TEST(convoy_dms_emulators_are_listed)
{
    static const struct {
        const char *leaf, *value;
    } nodes[] = { { "0/name", "main" },     { "0/pid", "1" },
                  { "0/state", "running" }, { "1/name", "net" },
                  { "1/pid", "1" },         { "1/state", "its process 7 was killed by signal 9" },
                  { "2/name", "store" },    { "2/pid", "2147483646" },
                  { "2/state", "running" } };
    static const char *const states[] = { "running", "its process 7 was killed by signal 9", "its process has ended" };
    convoy_error err;
    struct one_host s;
    struct door d;
    char *text = NULL, path[128];

    door_begin(&d, &s, false);
    uint32_t domid = fake_host_add_guest(s.host, "x");
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        snprintf(path, sizeof path, "/local/domain/0/device-model/%u/convoy/%s", domid, nodes[i].leaf);
        ck_assert_int_eq(s.host->base.ops->xs_write(&s.host->base, path, nodes[i].value, NULL), 0);
    }
    OK(convoy_list(d.h, "x", &text, &err));
    json_t *all = json_loads(text, 0, NULL), *emus = json_object_get(json_array_get(all, 0), "emulators");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(all, 0), "made_by")), "libxl");
    ck_assert_uint_eq(json_array_size(emus), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *one = json_array_get(emus, i);
        ck_assert_str_eq(json_string_value(json_object_get(one, "name")), nodes[3 * i].value);
        ck_assert_str_eq(json_string_value(json_object_get(one, "state")), states[i]);
    }
    json_decref(all);
    convoy_free(text);
    s.host->dom[domid]->exists = false;
    json_object_clear(s.host->store);
    door_end(&d, &s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api");
    TCase *t = tcase_create("calls");

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, names_and_handles);
    tcase_add_loop_test(t, a_size_that_was_forgotten_is_an_error, 0, STRUCTURES);
    tcase_add_test(t, a_guest_is_made_watched_listed_checked_paused_and_ended);
    tcase_add_test(t, without_a_program_the_monitor_is_the_callers);
    tcase_add_test(t, a_monitor_that_cannot_be_started_is_told);
    tcase_add_test(t, what_is_left_of_a_guest_is_ended);
    tcase_add_test(t, convoy_dms_emulators_are_listed);
    suite_add_tcase(s, t);
    return run_suite(s);
}
