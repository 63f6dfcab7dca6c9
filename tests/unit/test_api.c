/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every call of include/convoy/convoy.h that works on guests, on models of hosts: what it takes, gives out and refuses,
 * and that a guest that it starts gets its monitor.  Images: test_api_images.c. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "../support/two_hosts.h"
#include "convoy/convoy.h"
#include "handover/journal.h"

/* The library opens this one: what the link of libconvoy gets from host/xen. */
static _Thread_local struct cv_host *the_host;

int cv_host_open_xen(struct cv_host **h_out, struct cv_sink *log, struct cv_error *err)
{
    (void)log;
    if (the_host == NULL)
        return cv_fail(err, CV_E_HYPERVISOR, 0, "no Xen here");
    *h_out = the_host;
    return 0;
}

#define OK(call)                                                      \
    do {                                                              \
        int rc_ = (call);                                             \
        ck_assert_msg(rc_ == 0, "%s: %s (%d)", #call, err.text, rc_); \
    } while (0)
#define FAILS(call, wanted, words)                                                           \
    do {                                                                                     \
        memset(&err, 0, sizeof err);                                                         \
        ck_assert_msg((call) == -1, "%s succeeds", #call);                                   \
        ck_assert_msg(err.code == (wanted), "%s: %s", convoy_code_name(err.code), err.text); \
        ck_assert_msg(strstr(err.text, words) != NULL, "not '%s': %s", words, err.text);     \
    } while (0)

/* ---- a host through the library's door
 * ----------------------------------------------------------------------------------------------------- */

struct door {
    convoy_host *h;
    char fifo[128], program[128]; /* what is started in convoy's place writes its arguments there */
    int said;                     /* our end of fifo */
    unsigned messages, events;
    char last[2000];
};

static void on_message(void *user, int level, const char *text)
{
    struct door *d = user;
    (void)level;
    d->messages++;
    snprintf(d->last, sizeof d->last, "%s", text);
}

static void on_event(void *user, const char *json)
{
    struct door *d = user;
    json_t *o = json_loads(json, 0, NULL);
    ck_assert_msg(o != NULL, "%s", json);
    json_decref(o);
    d->events++;
}

static void open_door(struct door *d, struct one_host *s, bool watched)
{
    convoy_host_options o = { .size = sizeof o, .program = watched ? d->program : "", .journals = s->store };
    convoy_sink sink = { .size = sizeof sink, .message = on_message, .event = on_event, .user = d };
    convoy_error err;

    *d = (struct door){ 0 };
    snprintf(d->fifo, sizeof d->fifo, "%s/said", s->dir);
    snprintf(d->program, sizeof d->program, "%s/program", s->dir);
    ck_assert_int_eq(mkfifo(d->fifo, 0600), 0);
    d->said = open(d->fifo, O_RDWR | O_CLOEXEC);
    FILE *f = fopen(d->program, "w");
    fprintf(f, "#!/bin/sh\necho \"$*\" >%s\n", d->fifo);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(d->program, 0700), 0);
    the_host = &s->host->base;
    d->h = convoy_host_open(&sink, &o, &err);
    ck_assert_msg(d->h != NULL, "%s", err.text);
}

static void close_door(struct door *d, struct one_host *s)
{
    convoy_host_close(d->h);
    s->host->base.gate = NULL;
    close(d->said);
    unlink(d->fifo);
    unlink(d->program);
}

/* Some process was started as "convoy WORDS". */
static void was_started(struct door *d, const char *words)
{
    char text[400] = "";
    struct pollfd p = { .fd = d->said, .events = POLLIN };

    while (strstr(text, words) == NULL) {
        ck_assert_msg(poll(&p, 1, 20000) == 1, "'%s' was not started: %s", words, text);
        size_t n = strlen(text);
        ck_assert_uint_lt(n, sizeof text - 1);
        ssize_t got = read(d->said, text + n, sizeof text - 1 - n);
        ck_assert_int_gt(got, 0);
        text[n + (size_t)got] = '\0';
    }
}

static void nothing_was_started(struct door *d)
{
    struct pollfd p = { .fd = d->said, .events = POLLIN };
    ck_assert_int_eq(poll(&p, 1, 0), 0);
}

static void pattern(struct one_host *s, uint32_t domid)
{
    struct fake_domain *d = s->host->dom[domid];

    for (unsigned i = 0; i < FAKE_PFNS; i++) {
        d->there[i] = i % 7 != 6;
        memset(d->ram[i], i % 3 ? (int)i : 0, CV_PAGE_SIZE);
    }
}

static uint32_t create(struct door *d, struct one_host *s)
{
    convoy_started started = { .size = sizeof started };
    convoy_error err;

    OK(convoy_create(d->h, s->config, NULL, &started, &err));
    pattern(s, started.domid);
    return started.domid;
}

/* ---- the rules of all calls
 * ----------------------------------------------------------------------------------------------------- */

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

    one_host_begin(&s, NULL);
    open_door(&d, &s, false);
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
    close_door(&d, &s);
    one_host_is_bare(&s);
    one_host_end(&s);
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
    the_host = NULL;
    ck_assert_ptr_null(convoy_host_open(NULL, NULL, &err));
    ck_assert_int_eq(err.code, CONVOY_HYPERVISOR);
    ck_assert_str_eq(err.text, "no Xen here");
}
END_TEST

/* ---- guests
 * ----------------------------------------------------------------------------------------------------- */

START_TEST(a_guest_is_made_watched_listed_checked_paused_and_ended)
{
    convoy_started started = { .size = sizeof started };
    convoy_error err = { .code = CONVOY_OK };
    struct one_host s;
    struct door d;
    char *text = NULL, words[40];
    int ran = 0;

    one_host_begin(&s, NULL);
    open_door(&d, &s, true);
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
    was_started(&d, words);
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
    nothing_was_started(&d);
    close_door(&d, &s);
    one_host_is_bare(&s);
    one_host_end(&s);
}
END_TEST

/* The caller watches by itself. */
START_TEST(without_a_program_the_monitor_is_the_callers)
{
    convoy_started started = { .size = sizeof started };
    convoy_error err;
    struct one_host s;
    struct door d;

    one_host_begin(&s, NULL);
    open_door(&d, &s, false);
    OK(convoy_create(d.h, s.config, NULL, &started, &err));
    ck_assert_int_eq(started.unwatched, 1);
    nothing_was_started(&d);
    struct fake_domain *dom = s.host->dom[started.domid];
    dom->ended = true;
    dom->end_reason = CV_SHUTDOWN_POWEROFF;
    OK(convoy_monitor(d.h, started.domid, NULL, &err));
    reap();
    FAILS(convoy_monitor(d.h, started.domid, NULL, &err), CONVOY_UNSUPPORTED, "not convoy's");
    close_door(&d, &s);
    one_host_is_bare(&s);
    one_host_end(&s);
}
END_TEST

/* A program that is not there: the guest runs all the same, and the caller is told. */
START_TEST(a_monitor_that_cannot_be_started_is_told)
{
    convoy_started started = { .size = sizeof started };
    convoy_error err;
    struct one_host s;
    struct door d;

    one_host_begin(&s, NULL);
    open_door(&d, &s, true);
    ck_assert_int_eq(unlink(d.program), 0);
    OK(convoy_create(d.h, s.config, NULL, &started, &err));
    ck_assert_int_eq(started.unwatched, 1);
    ck_assert_msg(strstr(d.last, "nobody watches over it") != NULL, "%s", d.last);
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    close_door(&d, &s);
    one_host_is_bare(&s);
    one_host_end(&s);
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

    one_host_begin(&s, NULL);
    open_door(&d, &s, false);
    uint32_t domid = create(&d, &s);
    snprintf(path, sizeof path, "/local/domain/0/dms/%u/layout", domid);
    ck_assert_int_eq(s.host->base.ops->xs_remove(&s.host->base, path, &inner), 0);
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    /* Somebody else's is not ours to end. */
    fake_host_add_guest(s.host, "other");
    FAILS(convoy_destroy(d.h, "other", &err), CONVOY_UNSUPPORTED, "xl destroy");
    s.others = 1;
    close_door(&d, &s);
    one_host_end(&s);
}
END_TEST

/* ---- saving and restoring
 * ----------------------------------------------------------------------------------------------------- */

START_TEST(saved_verified_restored_and_watched)
{
    convoy_save_options o = {
        .size = sizeof o, .after = CONVOY_AFTER_CONTINUE, .live = 1, .compress = "none", .threads = CONVOY_NO_THREADS
    };
    convoy_save_report report = { .size = sizeof report };
    convoy_restore_options r = { .size = sizeof r, .threads = 2 };
    convoy_restore_report restored = { .size = sizeof restored };
    convoy_started started = { .size = sizeof started };
    convoy_error err;
    struct one_host s;
    struct door d;
    char words[40];

    one_host_begin(&s, NULL);
    open_door(&d, &s, true);
    create(&d, &s);
    was_started(&d, "monitor 1\n");
    OK(convoy_save(d.h, "g", s.image, &o, &report, &err));
    ck_assert_uint_ge(report.passes, 2);
    ck_assert(report.bytes > FAKE_PFNS / 2 * 4096 && report.down_ns > 0 && report.total_ns >= report.down_ns);
    ck_assert_uint_gt(d.events, 5);
    ck_assert(!s.host->dom[1]->paused && !s.host->dom[1]->suspended);

    o.after = CONVOY_AFTER_DESTROY;
    o.compress = NULL;
    o.live = 0;
    int fd = open(s.image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    OK(convoy_save_fd(d.h, "g", fd, &o, NULL, &err));
    ck_assert_uint_eq(fake_host_domains(s.host), 0);
    reap();
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    OK(convoy_restore_fd(d.h, fd, &r, &started, &restored, &err));
    close(fd);
    ck_assert_str_eq(started.name, "g");
    ck_assert_uint_eq(started.emulators, EMULATORS);
    ck_assert_int_eq(started.unwatched, 0);
    snprintf(words, sizeof words, "monitor %u\n", started.domid);
    was_started(&d, words);
    ck_assert(restored.bytes > 0 && restored.total_ns > 0);
    ck_assert(runs(s.host->dom[started.domid]));
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    close_door(&d, &s);
    one_host_is_bare(&s);
    one_host_end(&s);
}
END_TEST

/* A caller of an older library has smaller structures: what it has not asked for is not written, either. */
START_TEST(a_smaller_report_gets_what_it_has_room_for)
{
    struct {
        size_t size;
        uint64_t bytes;
        uint64_t guard;
    } small = { .size = 2 * sizeof(uint64_t), .guard = 0x1234567890abcdef };
    convoy_save_options o = { .size = sizeof o, .after = CONVOY_AFTER_PAUSE };
    convoy_error err;
    struct one_host s;
    struct door d;

    one_host_begin(&s, NULL);
    open_door(&d, &s, false);
    create(&d, &s);
    OK(convoy_save(d.h, "g", s.image, &o, (convoy_save_report *)&small, &err));
    ck_assert_uint_gt(small.bytes, 0);
    ck_assert(small.size == 2 * sizeof(uint64_t) && small.guard == 0x1234567890abcdef);
    ck_assert(s.host->dom[1]->paused || s.host->dom[1]->suspended);
    OK(convoy_unpause(d.h, "g", NULL, &err));
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    close_door(&d, &s);
    one_host_is_bare(&s);
    one_host_end(&s);
}
END_TEST

/* And merged into one that needs no other. */
START_TEST(an_incremental_image_and_what_is_below_it)
{
    const char *parents[2] = { NULL };
    convoy_save_options o = { .size = sizeof o, .after = CONVOY_AFTER_CONTINUE, .page_hashes = 1, .parents = parents };
    convoy_image_options i = { .size = sizeof i, .parents = parents };
    convoy_restore_options r = { .size = sizeof r, .parents = parents };
    convoy_error err;
    struct one_host s;
    struct door d;
    char young[128];

    one_host_begin(&s, NULL);
    open_door(&d, &s, false);
    create(&d, &s);
    OK(convoy_save(d.h, "g", s.image, &o, NULL, &err));
    memset(s.host->dom[1]->ram[17], 0xc5, CV_PAGE_SIZE);
    snprintf(young, sizeof young, "%s/young", s.dir);
    o.parent = s.image;
    o.after = CONVOY_AFTER_DESTROY;
    OK(convoy_save(d.h, "g", young, &o, NULL, &err));
    reap();
    int fd = open(young, O_RDONLY | O_CLOEXEC), full = open(s.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int scratch = open(s.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    FAILS(convoy_restore_fd(d.h, fd, NULL, NULL, NULL, &err), CONVOY_NOT_FOUND, "");
    parents[0] = s.dir;
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    OK(convoy_merge_fd(fd, full, scratch, &i, "zstd:3", &err));
    ck_assert_int_eq(lseek(full, 0, SEEK_SET), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    OK(convoy_restore_fd(d.h, _i ? full : fd, _i ? NULL : &r, NULL, NULL, &err));
    ck_assert_int_eq(guest_of(&s)->ram[17][5], 0xc5);
    ck_assert_int_eq(guest_of(&s)->ram[19][5], 19);
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    close(fd);
    close(full);
    close(scratch);
    close_door(&d, &s);
    one_host_is_bare(&s);
    one_host_end(&s);
}
END_TEST

START_TEST(what_a_save_refuses)
{
    static const char *const disks[] = { "xvda", NULL };
    convoy_save_options o = { .size = sizeof o, .after = (convoy_after)7 };
    convoy_restore_options r = { .size = sizeof r, .disks = disks };
    convoy_error err;
    struct one_host s;
    struct door d;

    one_host_begin(&s, NULL);
    open_door(&d, &s, false);
    create(&d, &s);
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_INVALID, "after: 7");
    o.after = CONVOY_AFTER_CONTINUE;
    o.compress = "gzip";
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_INVALID, "gzip");
    o.compress = NULL;
    o.threads = 1000;
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_INVALID, "threads: 1000");
    o.threads = 0;
    o.fixed_layout = 1;
    FAILS(convoy_save_fd(d.h, "g", 1, &o, NULL, &err), CONVOY_INVALID, "fixed_layout");
    o.compress = "zstd";
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_INVALID, "fixed_layout");
    o = (convoy_save_options){ .size = sizeof o };
    FAILS(convoy_quiesce(d.h, "g", &o, NULL, NULL, NULL, &err), CONVOY_INVALID, "at_freeze");
    FAILS(convoy_save(d.h, "nobody", s.image, NULL, NULL, &err), CONVOY_NOT_FOUND, "nobody");
    FAILS(convoy_restore_fd(d.h, -1, &r, NULL, NULL, &err), CONVOY_INVALID, "VDEV=PATH");
    ck_assert(runs(s.host->dom[1]));
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    close_door(&d, &s);
    one_host_is_bare(&s);
    one_host_end(&s);
}
END_TEST

START_TEST(a_cancelled_save_leaves_the_guest_running)
{
    convoy_save_options o = { .size = sizeof o };
    convoy_error err;
    struct one_host s;
    struct door d;

    one_host_begin(&s, NULL);
    open_door(&d, &s, false);
    create(&d, &s);
    o.cancel = convoy_cancel_new(&err);
    convoy_cancel_request(o.cancel);
    FAILS(convoy_save(d.h, "g", s.image, &o, NULL, &err), CONVOY_CANCELLED, "cancelled");
    convoy_cancel_free(o.cancel);
    ck_assert(runs(s.host->dom[1]));
    ck_assert_int_eq(access(s.image, F_OK), -1);
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    close_door(&d, &s);
    one_host_is_bare(&s);
    one_host_end(&s);
}
END_TEST

START_TEST(quiesced_with_what_the_command_printed)
{
    convoy_save_options o = { .size = sizeof o, .at_freeze = "echo seen; echo again" };
    convoy_save_report report = { .size = sizeof report };
    convoy_error err;
    struct one_host s;
    struct door d;
    char *output = NULL;
    size_t length = 0;

    one_host_begin(&s, NULL);
    open_door(&d, &s, false);
    create(&d, &s);
    OK(convoy_quiesce(d.h, "g", &o, &report, &output, &length, &err));
    ck_assert_str_eq(output, "seen\nagain\n");
    ck_assert_uint_eq(length, strlen(output));
    ck_assert(report.down_ns > 0 && report.freeze_ns > 0);
    convoy_free(output);
    o.at_freeze = "echo no; exit 3";
    FAILS(convoy_quiesce(d.h, "g", &o, &report, &output, &length, &err), CONVOY_IO, "3");
    ck_assert_str_eq(output, "no\n");
    convoy_free(output);
    ck_assert(runs(s.host->dom[1]));
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    close_door(&d, &s);
    one_host_is_bare(&s);
    one_host_end(&s);
}
END_TEST

/* ---- moving
 * ----------------------------------------------------------------------------------------------------- */

struct other_side {
    struct world *w;
    char forth[128], back[128];
    int rc;
    convoy_error err;
    struct door door;
};

/* What the command at the other host is: here a thread, between two named pipes. */
static void *other_side(void *arg)
{
    struct other_side *o = arg;
    int in = open(o->forth, O_RDONLY | O_CLOEXEC), out = open(o->back, O_WRONLY | O_CLOEXEC);

    open_door(&o->door, &o->w->dst, true);
    o->rc = convoy_migrate_receive(o->door.h, in, out, NULL, &o->err);
    close(in);
    close(out);
    return NULL;
}

START_TEST(moved_received_reported_and_watched)
{
    convoy_migrate_options opt = { .size = sizeof opt, .threads = 1, .compress = "none", .not_live = _i };
    convoy_migrate_result result = { .size = sizeof result };
    convoy_migration *m = NULL;
    struct other_side there = { 0 };
    convoy_error err;
    struct world w;
    struct door here;
    pthread_t thread;
    char command[600], *text;

    world_begin(&w);
    there.w = &w;
    open_door(&here, &w.src, true);
    create(&here, &w.src);
    was_started(&here, "monitor 1\n");
    snprintf(there.forth, sizeof there.forth, "%s/forth", w.dst.dir);
    snprintf(there.back, sizeof there.back, "%s/back", w.dst.dir);
    ck_assert(mkfifo(there.forth, 0600) == 0 && mkfifo(there.back, 0600) == 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, other_side, &there), 0);
    snprintf(command, sizeof command, "exec 3<&0; cat <&3 >%s & exec 3<&-; exec cat %s", there.forth, there.back);
    opt.command = command;
    OK(convoy_migrate(here.h, "g", "there", &opt, &m, &err));
    pthread_join(thread, NULL);
    ck_assert_msg(there.rc == 0, "%s", there.err.text);
    OK(convoy_migration_result(m, &result, &err));
    ck_assert_int_eq(result.outcome, CONVOY_TAKEN);
    ck_assert(result.bytes > 0 && result.pages > 0 && result.down_ns > 0 && result.total_ns >= result.down_ns);
    struct fake_domain *g = guest_of(&w.dst);
    ck_assert(g != NULL && runs(g) && g->domid == result.domid);
    ck_assert_ptr_null(guest_of(&w.src));
    was_started(&here, "recover --watch source");
    snprintf(command, sizeof command, "monitor %u\n", g->domid);
    was_started(&there.door, command);
    static const char *const words[] = { "down time", "{", "<svg" };
    for (unsigned i = 0; i < 3; i++) {
        OK(convoy_migration_report(m, (convoy_format)i, &text, &err));
        ck_assert_msg(strstr(text, words[i]) != NULL, "%s", text);
        convoy_free(text);
    }
    FAILS(convoy_migration_report(m, (convoy_format)3, &text, &err), CONVOY_INVALID, "format");
    result.size = 0;
    FAILS(convoy_migration_result(m, &result, &err), CONVOY_INVALID, "convoy_migrate_result");
    convoy_migration_free(m);
    close_door(&here, &w.src);
    close_door(&there.door, &w.dst);
    end_guest(&w.dst);
    world_end(&w);
}
END_TEST

START_TEST(a_peer_that_is_not_there_leaves_the_guest_alone)
{
    convoy_migrate_options opt = { .size = sizeof opt, .command = "exit 7" };
    convoy_migrate_result result = { .size = sizeof result };
    convoy_check_options check = { .size = sizeof check, .peer = "there", .command = "exit 7" };
    convoy_migration *m = NULL;
    convoy_error err;
    struct one_host s;
    struct door d;
    char *text;

    one_host_begin(&s, NULL);
    open_door(&d, &s, true);
    create(&d, &s);
    was_started(&d, "monitor 1\n");
    FAILS(convoy_migrate(d.h, "g", "there", &opt, &m, &err), CONVOY_PEER, "");
    OK(convoy_migration_result(m, &result, &err));
    ck_assert_int_eq(result.outcome, CONVOY_NOT_BEGUN);
    convoy_migration_free(m);
    opt.on_timeout = (convoy_stuck)9;
    FAILS(convoy_migrate(d.h, "g", "there", &opt, &m, &err), CONVOY_INVALID, "on_timeout: 9");
    ck_assert_ptr_null(m);
    FAILS(convoy_check(d.h, "g", &check, &text, &err), CONVOY_PEER, "there");
    ck_assert_ptr_nonnull(strstr(text, "\"check\": \"host\""));
    convoy_free(text);
    ck_assert(runs(s.host->dom[1]));
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    close_door(&d, &s);
    one_host_end(&s);
}
END_TEST

/* ---- after a crash
 * ----------------------------------------------------------------------------------------------------- */

static void a_record(struct one_host *s, const struct fake_domain *d)
{
    struct cv_journal_record rec = { .role = CV_ROLE_SOURCE,
                                     .state = CV_J_OPEN,
                                     .domid = d->domid,
                                     .migration = { 7 },
                                     .name = "g",
                                     .peer = "there",
                                     .command = "exit 7" };
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_error err = CV_ERROR_INIT;

    memcpy(rec.guest, d->spec.uuid, 16);
    ck_assert_int_eq(cv_journal_boot_id(rec.boot, &err), 0);
    ck_assert_int_eq(cv_journal_store_id(s->store, rec.peer_store, &err), 0);
    ck_assert_msg(cv_journal_create(&j, s->store, &rec, &err) == 0, "%s", err.text);
    cv_journal_close(&j);
}

struct heard {
    convoy_host *h;
    unsigned count;
};

static void hear(void *user, const convoy_settled *what)
{
    struct heard *heard = user;
    convoy_error err;
    char *text;

    heard->count++;
    ck_assert_int_eq(what->outcome, CONVOY_KEPT);
    ck_assert_int_eq(what->role, CONVOY_SOURCE);
    ck_assert_str_eq(what->guest, "g");
    ck_assert_str_eq(what->uuid, "11112222-3333-4444-5555-666677778888");
    ck_assert_str_eq(what->migration, "07000000000000000000000000000000");
    ck_assert_str_eq(what->peer, "there");
    ck_assert_ptr_null(what->why);
    OK(convoy_list(heard->h, NULL, &text, &err)); /* the one call that a callback may make */
    convoy_free(text);
}

/* In three ways: by name, all of them, and as the process does that stands beside a migration. */
START_TEST(a_migration_that_was_cut_off_is_settled)
{
    convoy_recover_options o = { .size = sizeof o, .settled = hear };
    struct heard heard = { 0 };
    convoy_error err;
    unsigned count = 9;
    struct one_host s;
    struct door d;

    one_host_begin(&s, NULL);
    open_door(&d, &s, false);
    o.user = &heard;
    heard.h = d.h;
    OK(convoy_recover(d.h, NULL, &o, &count, &err));
    ck_assert_uint_eq(count, 0);
    uint32_t domid = create(&d, &s);
    a_record(&s, s.host->dom[domid]);
    s.host->dom[domid]->suspended = true;
    FAILS(convoy_recover(d.h, "nobody", &o, &count, &err), CONVOY_NOT_FOUND, "nobody");
    o.assume = CONVOY_ASSUME_RUNNING;
    FAILS(convoy_recover(d.h, NULL, &o, &count, &err), CONVOY_INVALID, "assume");
    o.assume = (convoy_assume)5;
    FAILS(convoy_recover(d.h, "g", &o, &count, &err), CONVOY_INVALID, "assume: 5");
    o.assume = CONVOY_ASSUME_NOTHING;
    o.persist = 1;
    FAILS(convoy_recover(d.h, "g", &o, &count, &err), CONVOY_INVALID, "persist");
    o.role = CONVOY_SOURCE;
    FAILS(convoy_recover(d.h, "g", &o, &count, &err), CONVOY_INVALID, "id");
    o.persist = _i == 2;
    OK(convoy_recover(d.h, _i == 0 ? "g" : _i == 1 ? NULL : "07000000000000000000000000000000", &o, &count, &err));
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(heard.count, 1);
    ck_assert(runs(s.host->dom[domid]));
    OK(convoy_destroy(d.h, "g", &err));
    reap();
    close_door(&d, &s);
    one_host_end(&s);
}
END_TEST

START_TEST(a_watcher_waits_for_a_word_or_an_end)
{
    for (int well = 0; well < 2; well++) {
        int fds[2];
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        if (well)
            ck_assert_int_eq(write(fds[1], "k", 1), 1);
        close(fds[1]);
        ck_assert_int_eq(convoy_watch_wait(fds[0]), !well);
        close(fds[0]);
    }
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
    tcase_add_test(t, saved_verified_restored_and_watched);
    tcase_add_test(t, a_smaller_report_gets_what_it_has_room_for);
    tcase_add_loop_test(t, an_incremental_image_and_what_is_below_it, 0, 2);
    tcase_add_test(t, what_a_save_refuses);
    tcase_add_test(t, a_cancelled_save_leaves_the_guest_running);
    tcase_add_test(t, quiesced_with_what_the_command_printed);
    tcase_add_loop_test(t, moved_received_reported_and_watched, 0, 2);
    tcase_add_test(t, a_peer_that_is_not_there_leaves_the_guest_alone);
    tcase_add_loop_test(t, a_migration_that_was_cut_off_is_settled, 0, 3);
    tcase_add_test(t, a_watcher_waits_for_a_word_or_an_end);
    suite_add_tcase(s, t);
    return run_suite(s);
}
