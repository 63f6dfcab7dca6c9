/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Save and restore against a model of a host and models of QEMU: every call fails once, every emulator in turn, and
 * after each failure the world is as the operation promises.  What they do on a real host is seen in tests/e2e. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "base/fd.h"
#include "restore/restore.h"
#include "save/save.h"

static int save(struct one_host *w, bool live, enum cv_save_after after, unsigned threads, struct cv_error *err)
{
    struct cv_save_options o = { .live = live,
                                 .emulator_timeout_ms = 5000,
                                 .mem = { .threads = threads, .codec = CV_CODEC_ZSTD, .level = 1 } };
    return cv_save_to(&w->host->base, "g", w->image, -1, after, &o, NULL, NULL, err);
}

/* What was left standing still, paused or not, goes on with what a person would say: convoy unpause. */
static void lets_go(struct one_host *w, struct fake_domain *d)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_domain_info info;
    bool ran = false;

    if (!d->suspended && !d->paused)
        return;
    ck_assert_int_eq(w->host->base.ops->info(&w->host->base, d->domid, &info, &err), 0);
    ck_assert_msg(cv_guest_unpause(&w->host->base, &info, &ran, NULL, &err) == 0, "%s", err.text);
    ck_assert(!d->suspended && !d->paused);
}

/* row: bit 0 live, bit 1 the guest goes on, bit 2 the call after the failing one (in the undo) fails too. */
START_TEST(save_leaves_the_guest_running)
{
    bool live = _i & 1;
    enum cv_save_after after = _i & 2 ? CV_SAVE_CONTINUE : CV_SAVE_DESTROY;
    static const char older[] = "an older image";
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    unsigned survived = 0;
    for (unsigned n = 1;; n++) {
        struct cv_error err = CV_ERROR_INIT;
        char text[32] = "";
        size_t len = 0;
        int fd = open(w.image, O_CREAT | O_TRUNC | O_RDWR, 0600);

        ck_assert_int_eq(write(fd, older, sizeof older), sizeof older);
        close(fd);
        one_host_faults(&w, n, _i & 4 ? 1 : 0);
        int rc = save(&w, live, after, (unsigned)_i % 3, &err);
        bool tripped = w.host->calls >= n;
        one_host_faults(&w, 0, 0);
        reap();
        if (rc == 0 && !tripped)
            break;
        fd = open(w.image, O_RDONLY);
        len = (size_t)read(fd, text, sizeof text);
        close(fd);
        if (len == sizeof older && memcmp(text, older, sizeof older) == 0) {
            survived++;
            ck_assert_int_lt(rc, 0);
            ck_assert_int_ne(err.code, CV_OK);
            ck_assert(d->exists && (!d->paused || (_i & 4)));
            /* With a fault in the undo as well, the guest may stand still or the log stay on; nothing else is lost. */
            if (!(_i & 4)) {
                ck_assert_msg(!d->suspended, "suspended after a fault in %s", w.host->failed_in);
                ck_assert_msg(!d->logging, "log on after a fault in %s", w.host->failed_in);
                one_host_emulators_run(&w);
            } else {
                lets_go(&w, d);
                d->logging = false;
            }
            ck_assert_uint_eq(one_host_leftovers(&w), 0);
            ck_assert_uint_eq(emu_open_fds(), w.fds);
            continue;
        }
        /* Past the commit point the image is there: a fault costs the tidying up at most. */
        ck_assert_uint_gt(len, 0);
        ck_assert_uint_eq(one_host_leftovers(&w), 0);
        if (!d->exists) {
            /* ended, though not everything could be removed */
            json_object_clear(w.host->store);
            d = one_host_guest(&w);
        } else if (_i & 2) {
            d->suspended = d->paused = d->logging = false;
        } else {
            one_host_destroy(&w);
            d = one_host_guest(&w);
        }
    }
    ck_assert_uint_gt(survived, 20);
    if (after == CV_SAVE_DESTROY)
        ck_assert(!d->exists);
    else
        one_host_destroy(&w);
    reap();
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

static int restore(struct one_host *w, const char *path, uint32_t *domid, struct cv_error *err)
{
    struct cv_restore_options o = { .mem = { .threads = 2 } };
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    int rc = cv_restore_from(&w->host->base, fd, &o, NULL, domid, NULL, err);
    close(fd);
    return rc;
}

static void save_one(struct one_host *w, uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE], bool there[FAKE_PFNS])
{
    struct cv_error err = CV_ERROR_INIT;
    struct fake_domain *d = one_host_guest(w);

    ck_assert_msg(save(w, true, CV_SAVE_DESTROY, 2, &err) == 0, "%s", emu_text(&err));
    memcpy(ram, d->ram, sizeof d->ram);
    memcpy(there, d->there, sizeof d->there);
    reap();
}

START_TEST(restore_leaves_nothing_behind)
{
    static uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE];
    bool there[FAKE_PFNS];
    struct one_host w;

    one_host_begin(&w, NULL);
    save_one(&w, ram, there);
    for (unsigned n = 1;; n++) {
        struct cv_error err = CV_ERROR_INIT;
        uint32_t domid = 0;

        one_host_faults(&w, n, 0);
        int rc = restore(&w, w.image, &domid, &err);
        bool tripped = w.host->calls >= n;
        one_host_faults(&w, 0, 0);
        if (rc == 0 && tripped) {
            /* Only what comes after the guest runs may fail and be passed over. */
            one_host_destroy(&w);
            continue;
        }
        if (rc == 0) {
            struct fake_domain *d = w.host->dom[domid];
            ck_assert(d->has_policy && d->has_state && d->introduced && !d->paused);
            for (unsigned i = 0; i < FAKE_PFNS; i++) {
                ck_assert_msg(d->there[i] == there[i], "page %u", i);
                ck_assert_msg(!there[i] || memcmp(d->ram[i], ram[i], CV_PAGE_SIZE) == 0, "page %u differs", i);
            }
            one_host_emulators_run(&w);
            one_host_destroy(&w);
            break;
        }
        ck_assert_int_ne(err.code, CV_OK);
        one_host_is_bare(&w);
    }
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* A damaged image is refused before there is a domain. */
START_TEST(damaged_images_make_no_domain)
{
    static uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE];
    bool there[FAKE_PFNS];
    struct one_host w;
    char bad[96];
    char *data;
    size_t len;
    struct cv_error err = CV_ERROR_INIT;

    one_host_begin(&w, NULL);
    save_one(&w, ram, there);
    snprintf(bad, sizeof bad, "%s/bad", w.dir);
    ck_assert_int_eq(cv_file_read(w.image, 1 << 24, &data, &len, &err), 0);
    for (unsigned i = 0; i < 120; i++) {
        size_t at = len * i / 120, size = i % 2 ? len : at;
        int fd = open(bad, O_CREAT | O_TRUNC | O_WRONLY, 0600);

        data[at] ^= (char)(1 << (i % 8));
        ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
        close(fd);
        data[at] ^= (char)(1 << (i % 8));
        w.host->calls = 0;
        err = (struct cv_error)CV_ERROR_INIT;
        ck_assert_int_lt(restore(&w, bad, NULL, &err), 0);
        ck_assert_msg(err.code == CV_E_STREAM || err.code == CV_E_STREAM_VERSION, "%s", err.text);
        ck_assert_msg(w.host->calls == 0, "the host was asked for something: %s", err.text);
        one_host_is_bare(&w);
    }
    free(data);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* An older Xen would refuse the guest's state in the middle of its restore, or misread it. */
START_TEST(newer_xens_images_make_no_domain)
{
    static uint8_t ram[FAKE_PFNS][CV_PAGE_SIZE];
    struct cv_error err = CV_ERROR_INIT;
    bool there[FAKE_PFNS];
    struct one_host w;

    one_host_begin(&w, NULL);
    w.host->xen_minor = 20;
    save_one(&w, ram, there);
    w.host->xen_minor = 17;
    ck_assert_int_lt(restore(&w, w.image, NULL, &err), 0);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "comes from Xen 1.20") != NULL, "%s", err.text);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

static json_t *last_event;

static void keep_event(struct cv_sink *sink, const char *text)
{
    (void)sink;
    json_decref(last_event);
    last_event = json_loads(text, 0, NULL);
    ck_assert_msg(last_event != NULL, "no JSON: %s", text);
}

/* Every member, and those of its objects and of the first of its lists, stands in backquotes in the manual. */
static void all_documented(const char *manual, json_t *o)
{
    const char *key;
    json_t *value;

    json_object_foreach(o, key, value)
    {
        char word[64];
        snprintf(word, sizeof word, "`%s`", key);
        ck_assert_msg(strstr(manual, word) != NULL, "the manual lacks %s", word);
        all_documented(manual, json_is_array(value) ? json_array_get(value, 0) : value);
    }
}

static void report_is_documented(const char *path)
{
    struct cv_error err = CV_ERROR_INIT;
    char *manual;

    ck_assert_int_eq(cv_file_read(path, 1 << 20, &manual, NULL, &err), 0);
    ck_assert_str_eq(json_string_value(json_object_get(last_event, "event")), "report");
    ck_assert_uint_eq(json_array_size(json_object_get(last_event, "emulators")), EMULATORS);
    all_documented(manual, last_event);
    free(manual);
}

START_TEST(reports_are_documented)
{
    struct cv_save_options save_options = { .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 } };
    struct cv_restore_options restore_options = { .mem = { .threads = 1 } };
    struct cv_sink sink = { .event = keep_event };
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;
    uint32_t domid;

    one_host_begin(&w, NULL);
    one_host_guest(&w);
    ck_assert_int_eq(cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_DESTROY, &save_options, &sink, NULL, &err), 0);
    reap();
    report_is_documented("docs/man/convoy-save.1.md");
    ck_assert_int_gt(json_integer_value(json_object_get(last_event, "bytes")), 0);
    int fd = open(w.image, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(cv_restore_from(&w.host->base, fd, &restore_options, &sink, &domid, NULL, &err), 0);
    close(fd);
    report_is_documented("docs/man/convoy-restore.1.md");
    ck_assert_int_eq(json_integer_value(json_object_get(last_event, "domid")), domid);
    json_decref(last_event);
    last_event = NULL;
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* The devices that the guest has when it is saved are those of the restored one. */
START_TEST(pv_devices_travel)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;
    uint32_t domid;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    ck_assert_uint_eq(d->device_count, 2);
    json_t *o = json_loads(d->devices, 0, NULL);
    json_array_remove(json_object_get(o, "disks"), 0);
    free(d->devices);
    d->devices = json_dumps(o, 0);
    d->device_count = 1;
    json_decref(o);
    ck_assert_msg(save(&w, true, CV_SAVE_DESTROY, 1, &err) == 0, "%s", emu_text(&err));
    reap();
    one_host_is_bare(&w);
    ck_assert_msg(restore(&w, w.image, &domid, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(w.host->dom[domid]->device_count, 1);
    ck_assert_ptr_nonnull(strstr(w.host->dom[domid]->devices, "xvdf"));
    ck_assert_ptr_null(strstr(w.host->dom[domid]->devices, "xvde"));
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(a_device_attached_during_the_save)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    w.host->attaches = true;
    ck_assert_int_lt(save(&w, true, CV_SAVE_DESTROY, 1, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert_msg(strstr(err.text, "a device was attached or detached") != NULL, "%s", err.text);
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    one_host_emulators_run(&w);
    w.host->attaches = false;
    ck_assert_msg(save(&w, true, CV_SAVE_DESTROY, 1, &err) == 0, "%s", emu_text(&err));
    reap();
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

struct killer {
    pid_t victim;
    unsigned passes;
};

static int kill_one_and_go_on(void *user, const struct cv_pass_stats *p, enum cv_pass_verdict *out,
                              struct cv_error *err)
{
    struct killer *k = user;

    (void)p, (void)err;
    if (k->passes++ == 0) {
        kill(k->victim, SIGKILL);
        waitid(P_PID, (id_t)k->victim, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
    }
    *out = k->passes < 20 ? CV_PASS_AGAIN : CV_PASS_STOP_NOW;
    return 0;
}

/* An emulator that dies while memory is written ends the save at the next pass, not at the end of them all. */
START_TEST(an_emulator_dies_between_passes)
{
    struct killer k = { 0 };
    struct cv_save_options o = { .live = true,
                                 .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 },
                                 .decide = kill_one_and_go_on,
                                 .decide_user = &k };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    ck_assert_int_eq(cv_guest_open(&g, &w.host->base, "g", NULL, &err), 0);
    k.victim = g.set.emus[1].pid;
    cv_guest_dispose(&g);
    ck_assert_int_lt(cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_DESTROY, &o, NULL, NULL, &err), 0);
    ck_assert_msg(strstr(err.text, "step 'passes': emulator 1 'dm1'") != NULL, "%s", err.text);
    ck_assert_uint_eq(k.passes, 1);
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    ck_assert_int_ne(access(w.image, F_OK), 0);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* Ctrl-C while a step is under way. */
struct cancels_at {
    struct cv_sink sink;
    struct cv_cancel cancel;
    const char *step;
};

static void cancel_there(struct cv_sink *sink, const char *json)
{
    struct cancels_at *c = (struct cancels_at *)((char *)sink - offsetof(struct cancels_at, sink));
    char event[64];

    snprintf(event, sizeof event, "{\"event\":\"phase\",\"name\":\"%s\",", c->step);
    if (strncmp(json, event, strlen(event)) == 0)
        cv_cancel_request(&c->cancel);
}

/* Before the image is whole the guest goes on and the older image stays; from then on the save is carried to its end: a
 * guest that is neither ended nor let go on would stand still for ever. */
START_TEST(cancelled_while_a_step_is_under_way)
{
    static const char *const names[] = { "connect", "preflight",  "open",   "head", "track",   "passes", "suspend",
                                         "stop",    "last-pages", "states", "tail", "durable", "after" };
    struct cancels_at c = { .sink = { .event = cancel_there } };
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct cv_save_options o = { .live = true,
                                     .cancel = &c.cancel,
                                     .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 } };
        bool whole = strcmp(names[i], "durable") == 0 || strcmp(names[i], "after") == 0;
        c.step = names[i];
        ck_assert_int_eq(cv_cancel_init(&c.cancel, &err), 0);
        int rc = cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_CONTINUE, &o, &c.sink, NULL, &err);
        ck_assert_msg(cv_cancel_requested(&c.cancel), "%s: never reached", names[i]);
        cv_cancel_dispose(&c.cancel);
        ck_assert_msg(d->exists && !d->paused && !d->suspended && !d->logging, "%s: the guest stands still", names[i]);
        one_host_emulators_run(&w);
        ck_assert_msg(rc == (whole ? 0 : -1), "%s: %s", names[i], emu_text(&err));
        ck_assert_msg(whole || err.code == CV_E_CANCELLED, "%s: %s", names[i], emu_text(&err));
        ck_assert_int_eq(access(w.image, F_OK), whole ? 0 : -1);
        unlink(w.image);
    }
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* One emulator fails or dies at one command of a save: the guest goes on with the others, the error names it. */
/* clang-format off */
static const struct { const char *fault; const char *step; bool dies; } emulator_faults[] = {
    { "--fail query-status", "connect", false },
    { "--fail stop", "stop", false },
    { "--fail xen-save-devices-state", "states", false },
    { "--fail xen-set-global-dirty-log", "track", false },
    { "--die-at stop", "stop", true },
    { "--die-at xen-save-devices-state", "states", true },
    { "--garbage-at stop", "stop", false },
    /* It answered when the save began: it is asked again before the guest is. */
    { "--silent-at query-status:3", "suspend", false },
};
/* clang-format on */

START_TEST(an_emulator_fails_while_saving)
{
    unsigned dmid = (unsigned)_i % EMULATORS, row = (unsigned)_i / EMULATORS;
    const char *faults[EMULATORS] = { NULL };
    struct cv_error err = CV_ERROR_INIT;
    char name[32];
    struct one_host w;

    faults[dmid] = emulator_faults[row].fault;
    one_host_begin(&w, faults);
    struct fake_domain *d = one_host_guest(&w);
    ck_assert_int_lt(save(&w, true, CV_SAVE_DESTROY, 1, &err), 0);
    snprintf(name, sizeof name, "emulator %u 'dm%u'", dmid, dmid);
    ck_assert_msg(strstr(err.text, name) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, emulator_faults[row].step) != NULL, "%s", err.text);
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    ck_assert_int_ne(access(w.image, F_OK), 0);
    ck_assert_uint_eq(one_host_leftovers(&w), 0);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* n-th question: 1 is the head's, then one after each pass, and one when nothing runs any more. */
START_TEST(a_guest_that_grows_meanwhile_goes_on)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    bool live = _i < 4;
    w.host->grow_at = live ? (unsigned)_i : 2;
    ck_assert_int_lt(save(&w, live, CV_SAVE_DESTROY, 1, &err), 0);
    ck_assert_uint_eq(w.host->grow_at, 0);
    ck_assert_msg(strstr(err.text, "has grown meanwhile") != NULL && err.code == CV_E_BUSY, "%s", err.text);
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    one_host_emulators_run(&w);
    ck_assert_int_ne(access(w.image, F_OK), 0);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* The guest says how far its memory reaches. */
START_TEST(a_guest_that_reaches_too_far_is_refused)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    w.host->pfns = UINT64_C(1) << 36;
    ck_assert_int_lt(save(&w, _i, CV_SAVE_DESTROY, 1, &err), 0);
    ck_assert_msg(strstr(err.text, "step 'head': the guest's highest page is 0xfffffffff") != NULL, "%s", err.text);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    w.host->pfns = 0;
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("save-restore");
    TCase *t = tcase_create("save-restore");

    tcase_set_timeout(t, 200);
    tcase_add_loop_test(t, save_leaves_the_guest_running, 0, 8);
    tcase_add_test(t, restore_leaves_nothing_behind);
    tcase_add_test(t, cancelled_while_a_step_is_under_way);
    tcase_add_test(t, reports_are_documented);
    tcase_add_test(t, an_emulator_dies_between_passes);
    tcase_add_test(t, damaged_images_make_no_domain);
    tcase_add_test(t, newer_xens_images_make_no_domain);
    tcase_add_loop_test(t, an_emulator_fails_while_saving, 0,
                        (int)(sizeof emulator_faults / sizeof emulator_faults[0]) * EMULATORS);
    tcase_add_loop_test(t, a_guest_that_grows_meanwhile_goes_on, 2, 5);
    tcase_add_loop_test(t, a_guest_that_reaches_too_far_is_refused, 0, 2);
    tcase_add_test(t, pv_devices_travel);
    tcase_add_test(t, a_device_attached_during_the_save);
    suite_add_tcase(s, t);
    return run_suite(s);
}
