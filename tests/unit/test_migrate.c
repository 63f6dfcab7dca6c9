/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both sides of a migration between two models of hosts, with models of QEMU, over a socket pair: every host call fails
 * once on either side, every emulator fails in turn, the channel is cut after every so many bytes.  Afterwards the guest
 * runs exactly once, perhaps after convoy recover, and nothing else is left. */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/emu_fixture.h"
#include "../support/fake_host.h"
#include "base/fd.h"
#include "migrate/destination.h"
#include "migrate/recover.h"
#include "migrate/source.h"

#define EMULATORS 3
#define CONNECTIONS 16

struct side {
    struct fake_host *host;
    struct cv_host_dirs dirs;
    char dir[64], config[96], store[96];
    unsigned others;                   /* domains that have nothing to do with us */
};

struct connection {
    struct world *w;
    pthread_t receiver, relay;
    int fd;                            /* the receiver's end */
    int a, b;                          /* of the relay, when the channel is to be cut */
    bool has_relay;
};

struct world {
    struct side src, dst;
    unsigned fds;
    struct connection conn[CONNECTIONS];
    unsigned connections;
    long cut_forth, cut_back;          /* bytes after which the first connection breaks; -1 = never */
    long passed_forth;                 /* bytes that the last relay carried */
    int64_t silence_ms;
    struct cv_sink *sink;              /* the source's */
    unsigned monitors;                 /* how often a guest's monitor was to be started */
    bool ran_there;                    /* then it still ran at the source */
    bool verbose;
};

/* ---- two hosts --------------------------------------------------------------------------------------------------- */

static void write_config(const char *path, const char *const faults[EMULATORS])
{
    const char *program = getenv("FAKE_QEMU");
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(program);
    fprintf(f, "type=\"hvm\"\nname=\"g\"\nuuid=\"11112222-3333-4444-5555-666677778888\"\nmemory=64\nvnc=0\nserial=\"null\"\ndevice_models=[");
    for (unsigned i = 0; i < EMULATORS; i++)
        fprintf(f, "\"name=dm%u,model=%s,%s,args=[--tag t%u %s]\",\n", i, program, i ? "device=edu" : "default=1", i,
                faults != NULL && faults[i] != NULL ? faults[i] : "");
    fprintf(f, "]\n");
    fclose(f);
}

static void side_begin(struct side *s)
{
    strcpy(s->dir, "/tmp/convoy-mi-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s->dir));
    snprintf(s->config, sizeof s->config, "%s/cfg", s->dir);
    snprintf(s->store, sizeof s->store, "%s/journals", s->dir);
    s->dirs = (struct cv_host_dirs){ s->dir, s->dir, s->dir, true };
    s->host = fake_host_new();
    s->host->base.dirs = &s->dirs;
}

static void side_end(struct side *s)
{
    char cmd[128];

    ck_assert_uint_eq(fake_host_domains(s->host), s->others);
    fake_host_free(s->host);
    snprintf(cmd, sizeof cmd, "rm -rf %s", s->dir);
    ck_assert_int_eq(system(cmd), 0);
}

static void world_begin(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->cut_forth = w->cut_back = -1;
    w->fds = emu_open_fds();
    side_begin(&w->src);
    side_begin(&w->dst);
    /* The same number on both hosts would make their emulators look like one guest's: both models share one /proc. */
    fake_host_add_guest(w->dst.host, "other");
    w->dst.others = 1;
}

static void reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

static void world_end(struct world *w)
{
    side_end(&w->src);
    side_end(&w->dst);
    reap();
    ck_assert_uint_eq(emu_children(), 0);
    ck_assert_uint_eq(emu_open_fds(), w->fds);
}

static void make_guest(struct side *s, const char *const faults[EMULATORS])
{
    struct cv_create_options o = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    write_config(s->config, faults);
    ck_assert_msg(cv_guest_create(&g, &s->host->base, s->config, &o, NULL, &err) == 0, "%s", emu_text(&err));
    struct fake_domain *d = s->host->dom[g.domid];
    cv_guest_dispose(&g);
    for (unsigned i = 0; i < FAKE_PFNS; i++) {
        d->there[i] = i % 7 != 6;
        memset(d->ram[i], i % 3 ? (int)i : 0, CV_PAGE_SIZE);
    }
}

static void end_guest(struct side *s)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    ck_assert_msg(cv_guest_open_to_end(&g, &s->host->base, "g", NULL, &err) == 0, "%s", emu_text(&err));
    /* Killed, not asked: some of them answer nothing any more. */
    ck_assert_msg(cv_guest_kill_emulators(&g, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(s->host->base.ops->destroy(&s->host->base, g.domid, &err), 0);
    cv_guest_dispose(&g);
    reap();
}

static struct fake_domain *guest_of(struct side *s)
{
    for (unsigned i = 1; i < 8; i++) {
        struct fake_domain *d = s->host->dom[i];
        if (d != NULL && d->exists && strncmp(d->spec.name, "g", 1) == 0)
            return d;
    }
    return NULL;
}

static bool runs(const struct fake_domain *d)
{
    return d != NULL && !d->paused && !d->suspended;
}

/* ---- the channel ----------------------------------------------------------------------------------------------------- */

/* Whoever dies from here on has left a record that is not settled: somebody comes by and starts the monitor again. */
static void monitor(void *user, uint32_t domid, const char *name)
{
    struct world *w = user;
    struct fake_domain *d = w->dst.host->dom[domid];
    struct cv_journal_record rec;
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_str_eq(name, "g");
    ck_assert(d != NULL && d->exists);
    ck_assert_int_eq(cv_journal_find(w->dst.store, d->spec.uuid, CV_ROLE_DESTINATION, &rec, &err), 0);
    ck_assert(d->paused ? rec.state == CV_J_OPEN : rec.state == CV_J_RUNNING);
    w->monitors++;
    w->ran_there = runs(guest_of(&w->src));
}

static void *receiver(void *arg)
{
    struct connection *c = arg;
    struct cv_receive_options o = { .store = c->w->dst.store, .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 },
                                    .watch_over = monitor, .watch_user = c->w,
                                    .times = { .commit_ms = 3000, .effect_ms = 5000 } };
    enum cv_ho_outcome outcome;
    struct cv_error err = CV_ERROR_INIT;

    int rc = cv_migrate_receive(&c->w->dst.host->base, c->fd, c->fd, &o, NULL, &outcome, &err);
    if (c->w->verbose)
        fprintf(stderr, "receiver: %d %s %s\n", rc, cv_ho_outcome_name(outcome), err.text);
    close(c->fd);
    return NULL;
}

static bool pump(int from, int to, long *left)
{
    char buf[4096];
    size_t most = *left >= 0 && *left < (long)sizeof buf ? (size_t)*left : sizeof buf;
    ssize_t n = most > 0 ? read(from, buf, most) : 0;

    if (n <= 0 || cv_write_full(to, buf, (size_t)n, CV_NEVER, NULL, NULL) < 0)
        return false;
    if (*left >= 0)
        *left -= n;
    return *left != 0;
}

/* Carries bytes both ways until so many have passed. */
static void *relay(void *arg)
{
    struct connection *c = arg;
    long forth = c->w->cut_forth, back = c->w->cut_back;

    for (bool on = true; on;) {
        struct pollfd p[2] = { { .fd = c->a, .events = POLLIN }, { .fd = c->b, .events = POLLIN } };
        if (poll(p, 2, -1) < 0)
            break;
        if (p[0].revents)
            on = pump(c->a, c->b, &forth);
        if (on && p[1].revents)
            on = pump(c->b, c->a, &back);
    }
    c->w->passed_forth = c->w->cut_forth - forth;
    close(c->a);
    close(c->b);
    return NULL;
}

static int dial(void *user, const char *command, struct cv_peer *out, struct cv_error *err)
{
    struct world *w = user;
    int pair[2], second[2];

    (void)command, (void)err;
    ck_assert_uint_lt(w->connections, CONNECTIONS);
    struct connection *c = &w->conn[w->connections];
    *c = (struct connection){ .w = w };
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    *out = (struct cv_peer){ .in = pair[0], .out = pair[0] };
    c->fd = pair[1];
    if (w->connections++ == 0 && (w->cut_forth >= 0 || w->cut_back >= 0)) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, second), 0);
        c->a = pair[1];
        c->b = second[0];
        c->fd = second[1];
        c->has_relay = true;
        ck_assert_int_eq(pthread_create(&c->relay, NULL, relay, c), 0);
    }
    ck_assert_int_eq(pthread_create(&c->receiver, NULL, receiver, c), 0);
    return 0;
}

static void join_all(struct world *w)
{
    for (unsigned i = 0; i < w->connections; i++) {
        pthread_join(w->conn[i].receiver, NULL);
        if (w->conn[i].has_relay)
            pthread_join(w->conn[i].relay, NULL);
    }
    w->connections = 0;
}

/* ---- a migration and its end ---------------------------------------------------------------------------------------- */

static const struct cv_handover_times quick = { .ready_ms = 10000, .answer_ms = 3000, .ask_ms = 5000, .effect_ms = 5000 };

static int migrate(struct world *w, bool live, struct cv_migrate_result *r, struct cv_error *err)
{
    struct cv_migrate_options o = { .command = "none", .peer = "there", .store = w->src.store, .live = live,
                                    .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 }, .dial = dial, .dial_user = w,
                                    .times = quick };
    o.times.silence_ms = w->silence_ms;
    o.times.ready_ms = 20000;
    int rc = cv_migrate(&w->src.host->base, "g", &o, w->sink, r, err);

    join_all(w);
    reap();
    if (w->verbose)
        fprintf(stderr, "source: %d %s %s\n", rc, cv_ho_outcome_name(r->outcome), err->text);
    return rc;
}

static void recover(struct world *w, struct side *s)
{
    struct cv_recover_options o = { .store = s->store, .role = -1, .dial = dial, .dial_user = w, .times = quick };
    struct cv_error err = CV_ERROR_INIT;
    unsigned count;

    int rc = cv_recover(&s->host->base, "g", &o, NULL, &count, &err);
    join_all(w);
    reap();
    ck_assert_msg(rc == 0 || err.code == CV_E_NOT_FOUND, "recover: %s", emu_text(&err));
}

/* Exactly one runs, and it is whole; ends it. */
static bool one_runs(struct world *w, bool after_recovery)
{
    struct fake_domain *s = guest_of(&w->src), *d = guest_of(&w->dst);

    ck_assert_msg(!(runs(s) && runs(d)), "the guest runs twice");
    if (!runs(s) && !runs(d)) {
        ck_assert_msg(!after_recovery, "the guest runs nowhere");
        return false;
    }
    if ((runs(s) && d != NULL) || (runs(d) && s != NULL))
        return false;                  /* the other one's copy is still there */
    struct fake_domain *one = runs(s) ? s : d;
    ck_assert_str_eq(one->spec.name, "g");
    ck_assert(!one->logging || one == d);
    ck_assert_uint_eq(one->cap, 0);
    end_guest(one == s ? &w->src : &w->dst);
    return true;
}

static void settle(struct world *w)
{
    if (one_runs(w, false))
        return;
    recover(w, &w->src);
    recover(w, &w->dst);
    ck_assert_msg(one_runs(w, true), "a copy is left after recovery");
}

static void start_faults(struct side *s, unsigned n)
{
    s->host->calls = 0;
    s->host->fail_at = n;
    s->host->failed_in = "(none)";
}

START_TEST(it_moves)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, NULL);
    uint8_t before[CV_PAGE_SIZE];
    memcpy(before, guest_of(&w.src)->ram[1], sizeof before);
    ck_assert_msg(migrate(&w, _i & 1, &r, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(r.outcome, CV_OUT_TAKEN);
    ck_assert_ptr_null(guest_of(&w.src));
    ck_assert_uint_eq(w.monitors, 1);
    struct fake_domain *d = guest_of(&w.dst);
    ck_assert(runs(d) && d->has_policy && d->has_state);
    ck_assert_uint_eq(r.domid, d->domid);
    if (!(_i & 1))
        ck_assert_mem_eq(before, d->ram[1], sizeof before);
    ck_assert_uint_gt(r.timeline.bytes_wire, 0);
    ck_assert_int_gt(r.timeline.down.end_ns, r.timeline.down.start_ns);
    ck_assert_uint_eq(r.timeline.emulator_count, EMULATORS);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* Bit 0: live; bit 1: the call fails at the destination. */
START_TEST(every_host_call_fails)
{
    unsigned taken = 0, kept = 0;
    struct world w;

    world_begin(&w);
    for (unsigned n = 1;; n++) {
        struct side *bad = _i & 2 ? &w.dst : &w.src;
        struct cv_migrate_result r;
        struct cv_error err = CV_ERROR_INIT;

        make_guest(&w.src, NULL);
        start_faults(bad, n);
        int rc = migrate(&w, _i & 1, &r, &err);
        unsigned calls = bad->host->calls;
        bad->host->fail_at = 0;
        ck_assert_msg(rc == 0 || err.code != CV_OK, "call %u", n);
        if (rc == 0)
            taken++;
        else
            kept++;
        settle(&w);
        if (calls < n)
            break;
    }
    ck_assert_uint_gt(kept, 10);
    ck_assert_uint_gt(taken, 0);
    world_end(&w);
}
END_TEST

/* The destination takes longer for its checks than the source can keep silent: no keep-alive lies in the stream. */
START_TEST(a_slow_offer_does_no_harm)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, NULL);
    setenv("FAKE_QEMU_VERSION_DELAY", "5", 1);
    int rc = migrate(&w, true, &r, &err);
    unsetenv("FAKE_QEMU_VERSION_DELAY");
    ck_assert_msg(rc == 0, "%s", emu_text(&err));
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* Emulators take their time to start, longer than this guest's memory to arrive: it does not stand still for them. */
START_TEST(it_runs_until_the_emulators_wait)
{
    const char *faults[EMULATORS] = { NULL, "--delay qmp_capabilities:700", "--delay qmp_capabilities:300" };
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, faults);
    ck_assert_msg(migrate(&w, true, &r, &err) == 0, "%s", emu_text(&err));
    ck_assert_uint_eq(w.monitors, 1);
    ck_assert(w.ran_there);
    end_guest(&w.dst);
    world_end(&w);
}
END_TEST

/* Somebody destroys the guest while it is on its way, or it ends by itself and its monitor clears it away: nothing is left on
 * either side, nothing waits for a recovery, unless it had been taken before. */
START_TEST(the_guest_ends_meanwhile)
{
    unsigned lost = 0, taken = 0, unsettled = 0;
    struct world w;

    world_begin(&w);
    for (unsigned n = 1;; n++) {
        struct cv_migrate_result r;
        struct cv_error err = CV_ERROR_INIT;

        make_guest(&w.src, NULL);
        struct cv_guest held;
        ck_assert_int_eq(cv_guest_open_to_end(&held, &w.src.host->base, "g", NULL, &err), 0);
        w.src.host->calls = 0;
        w.src.host->vanish_at = n;
        int rc = migrate(&w, _i & 1, &r, &err);
        bool vanished = w.src.host->calls >= n;
        w.src.host->vanish_at = 0;
        lost += r.outcome == CV_OUT_LOST;
        taken += r.outcome == CV_OUT_TAKEN;
        ck_assert_msg(r.outcome != CV_OUT_STUCK, "call %u: %s", n, err.text);
        unsettled += r.outcome == CV_OUT_STUCK || r.outcome == CV_OUT_UNKNOWN || r.outcome == CV_OUT_TAKEN_LEFT;
        ck_assert_msg((rc == 0) == (r.outcome == CV_OUT_TAKEN), "call %u: %s", n, err.text);
        if (rc == 0) {
            ck_assert(runs(guest_of(&w.dst)));
            end_guest(&w.dst);
        }
        ck_assert_msg(guest_of(&w.dst) == NULL, "call %u: a copy is left at the destination: %s", n, err.text);
        if (!vanished) {
            ck_assert_ptr_null(guest_of(&w.src));
            cv_guest_dispose(&held);
            break;
        }
        ck_assert_int_eq(cv_guest_kill_emulators(&held, &err), 0);     /* its monitor's business */
        cv_guest_dispose(&held);
        reap();
    }
    ck_assert_uint_gt(lost, 3);
    ck_assert_uint_gt(taken, 0);
    ck_assert_uint_eq(unsettled, 0);
    world_end(&w);
}
END_TEST

/* A guest that did not suspend in time, and may do so when nobody waits any more, is its monitor's to resume. */
START_TEST(a_late_suspension_is_expected)
{
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;
    char path[96], *value = NULL;

    world_begin(&w);
    make_guest(&w.src, NULL);
    w.src.host->suspends_late = true;
    ck_assert_int_lt(migrate(&w, true, &r, &err), 0);
    ck_assert_int_eq(r.outcome, CV_OUT_KEPT);
    snprintf(path, sizeof path, CV_GUEST_LATE_SUSPEND, guest_of(&w.src)->domid);
    ck_assert_int_eq(w.src.host->base.ops->xs_read(&w.src.host->base, path, &value, &err), 0);
    ck_assert_ptr_nonnull(value);
    free(value);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* The receiver was killed after the guest's first instruction and before it had its name: recovery gives it the name. */
START_TEST(it_runs_and_has_no_name_yet)
{
    struct cv_journal_record rec = { .role = CV_ROLE_DESTINATION, .state = CV_J_OPEN, .name = "g", .migration = { 7 } };
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    make_guest(&w.dst, NULL);
    struct fake_domain *d = guest_of(&w.dst);
    memcpy(rec.guest, d->spec.uuid, 16);
    rec.domid = d->domid;
    snprintf(d->spec.name, sizeof d->spec.name, "g--incoming");
    ck_assert_int_eq(cv_journal_boot_id(rec.boot, &err), 0);
    ck_assert_int_eq(cv_journal_create(&j, w.dst.store, &rec, &err), 0);
    ck_assert_int_eq(cv_journal_set(&j, CV_J_RUNNING, NULL, &err), 0);
    cv_journal_close(&j);
    recover(&w, &w.dst);
    ck_assert_str_eq(d->spec.name, "g");
    ck_assert_int_eq(cv_journal_read(w.dst.store, rec.migration, CV_ROLE_DESTINATION, &rec, &err), 0);
    ck_assert_int_eq(rec.state, CV_J_RUNNING_SETTLED);
    ck_assert(one_runs(&w, true));
    world_end(&w);
}
END_TEST

/* Emulators that take longer to load than the other side may be silent: the destination says that it is alive. */
START_TEST(a_slow_load_is_no_silence)
{
    const char *faults[EMULATORS] = { NULL, "--delay load:8000" };
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    w.silence_ms = 6000;
    make_guest(&w.src, faults);
    ck_assert_msg(migrate(&w, true, &r, &err) == 0, "%s", emu_text(&err));
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

static int keep_record(void *user, const struct cv_journal_record *rec, const struct cv_error *why)
{
    ck_assert_ptr_null(why);
    *(struct cv_journal_record *)user = *rec;
    return 0;
}

/* A destination that has said no is told that nobody will ask it any more: its record may be forgotten one day. */
START_TEST(a_no_is_acknowledged)
{
    const char *faults[EMULATORS] = { "--fail migrate-incoming" };
    struct cv_journal_record rec = { .name = "" };
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    make_guest(&w.src, faults);
    ck_assert_int_lt(migrate(&w, true, &r, &err), 0);
    ck_assert_int_eq(r.outcome, CV_OUT_KEPT);
    ck_assert_int_eq(cv_journal_list(w.dst.store, keep_record, &rec, &err), 0);
    ck_assert_int_eq(rec.state, CV_J_ABORTED_SETTLED);
    ck_assert(rec.acknowledged);
    ck_assert_int_eq(cv_journal_prune(w.dst.store, UINT64_MAX, 1, &err), 1);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

#define MANUAL "docs/man/convoy-migrate.1.md"       /* ctest runs tests in the checkout */

static char *manual;
static unsigned events_seen[4];

/* In the line of the manual's table that begins so. */
static void documented(const char *line_start, const char *member)
{
    char word[64];
    const char *line = strstr(manual, line_start);

    snprintf(word, sizeof word, "`%s`", member);
    ck_assert_msg(line != NULL, MANUAL " lacks the line %s", line_start);
    const char *at = strstr(line, word), *end = strchr(line, '\n');
    ck_assert_msg(at != NULL && at < end, MANUAL ": %s lacks %s", line_start, word);
}

static void note_event(struct cv_sink *s, const char *text)
{
    static const char *const names[] = { "phase", "pages", "pass", "decision" };
    json_t *o = json_loads(text, 0, NULL), *value;
    const char *name = json_string_value(json_object_get(o, "event")), *key;
    char start[64];

    (void)s;
    ck_assert_msg(name != NULL, "no event: %s", text);
    snprintf(start, sizeof start, "| `%s` |", name);
    json_object_foreach(o, key, value)
        if (strcmp(key, "event") != 0)
            documented(start, key);
    for (unsigned i = 0; i < 4; i++)
        events_seen[i] += strcmp(names[i], name) == 0;
    json_decref(o);
}

/* What programs may rely on is in the manual: every member of every event, and of the report. */
START_TEST(events_and_report_are_documented)
{
    struct cv_sink sink = { .event = note_event };
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF report = { 0 };
    struct world w;
    const char *key;
    json_t *value;

    ck_assert_int_eq(cv_file_read(MANUAL, 1 << 20, &manual, NULL, &err), 0);
    world_begin(&w);
    w.sink = &sink;
    make_guest(&w.src, NULL);
    ck_assert_msg(migrate(&w, true, &r, &err) == 0, "%s", emu_text(&err));
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_gt(events_seen[i], 0);
    ck_assert_int_eq(cv_tl_json(&r.timeline, &report, &err), 0);
    json_t *o = json_loadb((const char *)report.data, report.len, 0, NULL);
    json_object_foreach(o, key, value) {
        char word[64];
        snprintf(word, sizeof word, "`%s`", key);
        ck_assert_msg(strstr(manual, word) != NULL, MANUAL " lacks %s", word);
    }
    json_object_foreach(json_object_get(o, "down_parts"), key, value)
        documented("| `down_parts` |", key);
    json_object_foreach(json_array_get(json_object_get(o, "passes"), 0), key, value)
        documented("| `passes` |", key);
    json_object_foreach(json_array_get(json_object_get(o, "emulators"), 0), key, value)
        documented("| `emulators` |", key);
    json_decref(o);
    ck_assert(one_runs(&w, false));
    world_end(&w);
    free(manual);
}
END_TEST

static const char *const emulator_faults[] = {
    "--fail stop", "--fail xen-save-devices-state", "--die-at stop", "--die-at xen-save-devices-state", "--no-eof",
    "--fail migrate-incoming", "--die-at migrate-incoming", "--die-at migrate-set-capabilities",
    "--fail xen-set-global-dirty-log", "--die-at getfd", "--blocked no", "--garbage-at add-fd", "--close-at stop",
};
#define FAULTS (sizeof emulator_faults / sizeof emulator_faults[0])

START_TEST(every_emulator_fails)
{
    const char *faults[EMULATORS] = { NULL };
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    faults[(unsigned)_i / FAULTS] = emulator_faults[(unsigned)_i % FAULTS];
    make_guest(&w.src, faults);
    ck_assert_int_lt(migrate(&w, true, &r, &err), 0);
    ck_assert(r.outcome == CV_OUT_KEPT || r.outcome == CV_OUT_NONE);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* Bit 0: which way is counted. */
START_TEST(the_channel_is_cut_anywhere)
{
    bool back = _i & 1;
    struct world w;
    long step = 1;

    world_begin(&w);
    for (long at = 1;; at += step) {
        struct cv_migrate_result r;
        struct cv_error err = CV_ERROR_INIT;

        w.cut_forth = back ? -1 : at;
        w.cut_back = back ? at : -1;
        make_guest(&w.src, NULL);
        int rc = migrate(&w, true, &r, &err);
        settle(&w);
        if (rc == 0)
            break;
        /* Every message backwards is small; forwards, the stream lies between OFFER and COMMIT. */
        step = back ? 29 : at < 100 ? 33 : at < 20000 ? 1777 : 9001;
    }
    world_end(&w);
}
END_TEST

/* The end of the conversation forwards: within DONE, COMMIT and END. */
START_TEST(the_channel_is_cut_near_its_end)
{
    struct world w;
    long whole = 0;
    unsigned kept = 0, taken = 0;

    world_begin(&w);
    for (long at = 0; at < 160; at += 7) {
        struct cv_migrate_result r;
        struct cv_error err = CV_ERROR_INIT;

        make_guest(&w.src, NULL);
        w.cut_forth = whole != 0 ? whole - at : 1L << 40;
        int rc = migrate(&w, false, &r, &err);
        if (whole == 0)                /* the same each time: the guest stands still */
            whole = w.passed_forth;
        ck_assert(rc == 0 || err.code != CV_OK);
        kept += r.outcome == CV_OUT_KEPT;
        taken += r.outcome == CV_OUT_TAKEN;
        settle(&w);
    }
    ck_assert_uint_gt(kept, 2);
    ck_assert_uint_gt(taken, 2);
    world_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("migrate");
    TCase *t = tcase_create("migrate"), *one = tcase_create("one"), *ends = tcase_create("ends");
    /* CK_RUN_CASE=one: those that take seconds */

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 900);
    tcase_set_timeout(one, 300);
    tcase_set_timeout(ends, 900);
    tcase_add_loop_test(one, it_moves, 0, 2);
    tcase_add_test(one, it_runs_until_the_emulators_wait);
    tcase_add_test(one, a_slow_offer_does_no_harm);
    tcase_add_test(one, events_and_report_are_documented);
    tcase_add_test(one, a_no_is_acknowledged);
    tcase_add_test(one, a_slow_load_is_no_silence);
    tcase_add_test(one, a_late_suspension_is_expected);
    tcase_add_test(one, it_runs_and_has_no_name_yet);
    tcase_add_loop_test(ends, the_guest_ends_meanwhile, 0, 2);
    tcase_add_loop_test(t, every_emulator_fails, 0, (int)(EMULATORS * FAULTS));
    tcase_add_loop_test(t, every_host_call_fails, 0, 4);
    tcase_add_loop_test(t, the_channel_is_cut_anywhere, 0, 2);
    tcase_add_test(t, the_channel_is_cut_near_its_end);
    suite_add_tcase(s, one);
    suite_add_tcase(s, ends);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
