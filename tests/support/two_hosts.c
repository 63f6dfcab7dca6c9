/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "two_hosts.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "migrate/recover.h"
#include "tests/support/journal_find.h"

/* ---- two hosts --------------------------------------------------------------------------------------------------- */

void world_begin(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->cut_forth = w->cut_back = -1;
    w->fds = emu_open_fds();
    one_host_begin(&w->src, NULL);
    one_host_begin(&w->dst, NULL);
    /* The same number on both hosts would make their emulators look like one guest's: both models share one /proc. */
    fake_host_add_guest(w->dst.host, "other");
    w->dst.others = 1;
    w->gate[0] = (struct cv_gate){ w->src.store };
    w->gate[1] = (struct cv_gate){ w->dst.store };
    w->src.host->base.gate = &w->gate[0];
    w->dst.host->base.gate = &w->gate[1];
}

void world_end(struct world *w)
{
    one_host_end(&w->src);
    one_host_end(&w->dst);
    reap();
    ck_assert_uint_eq(emu_children(), 0);
    ck_assert_uint_eq(emu_open_fds(), w->fds);
}

void make_guest(struct one_host *s, const char *const faults[EMULATORS])
{
    one_host_config(s, faults);
    one_host_guest(s);
}

void end_guest(struct one_host *s)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    ck_assert_msg(cv_guest_open_to_check(&g, &s->host->base, "g", NULL, NULL, &err) == 0, "%s", emu_text(&err));
    /* Killed, not asked: some of them answer nothing any more. */
    ck_assert_msg(cv_guest_kill_emulators(&g, &err) == 0, "%s", emu_text(&err));
    ck_assert_int_eq(s->host->base.ops->destroy(&s->host->base, g.domid, &err), 0);
    cv_guest_dispose(&g);
    reap();
}

struct fake_domain *guest_of(struct one_host *s)
{
    for (unsigned i = 1; i < 8; i++) {
        struct fake_domain *d = s->host->dom[i];
        if (d != NULL && d->exists && strncmp(d->spec.name, "g", 1) == 0)
            return d;
    }
    return NULL;
}

bool runs(const struct fake_domain *d) { return d != NULL && !d->paused && !d->suspended; }

/* ---- the channel ---- */

/* Whoever dies from here on has left a record that is not settled: somebody comes by and starts the monitor again. */
static void monitor(void *user, uint32_t domid, const char *name)
{
    struct world *w = user;
    struct fake_domain *d = w->dst.host->dom[domid];
    struct cv_journal_record rec;
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_str_eq(name, "g");
    ck_assert(d != NULL && d->exists);
    ck_assert_int_eq(journal_find(w->dst.store, d->spec.uuid, CV_ROLE_DESTINATION, &rec, &err), 0);
    ck_assert(d->paused ? rec.state == CV_J_OPEN : rec.state == CV_J_RUNNING);
    w->monitors++;
    w->ran_there = runs(guest_of(&w->src));
}

static void *receiver(void *arg)
{
    struct connection *c = arg;
    struct cv_receive_options o = { .store = c->w->dst.store,
                                    .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 },
                                    .watch_over = monitor,
                                    .watch_user = c->w,
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

int dial_world(void *user, const char *command, struct cv_peer *out, struct cv_error *err)
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

void join_all(struct world *w)
{
    for (unsigned i = 0; i < w->connections; i++) {
        pthread_join(w->conn[i].receiver, NULL);
        if (w->conn[i].has_relay)
            pthread_join(w->conn[i].relay, NULL);
    }
    w->connections = 0;
}

/* ---- a migration and its end ---- */

static const struct cv_handover_times quick = {
    .ready_ms = 10000, .answer_ms = 3000, .ask_ms = 5000, .effect_ms = 5000
};

int migrate(struct world *w, bool live, struct cv_migrate_result *r, struct cv_error *err)
{
    struct cv_migrate_options o = { .command = "none",
                                    .peer = "there",
                                    .store = w->src.store,
                                    .live = live,
                                    .limits = w->limits,
                                    .cancel = w->cancel,
                                    .mem = { .threads = 1, .codec = CV_CODEC_ZSTD, .level = 1 },
                                    .dial = dial_world,
                                    .dial_user = w,
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

void recover(struct world *w, struct one_host *s)
{
    struct cv_recover_options o = { .store = s->store, .role = -1, .dial = dial_world, .dial_user = w, .times = quick };
    struct cv_error err = CV_ERROR_INIT;
    unsigned count;

    int rc = cv_recover(&s->host->base, "g", &o, NULL, &count, &err);
    join_all(w);
    reap();
    ck_assert_msg(rc == 0 || err.code == CV_E_NOT_FOUND, "recover: %s", emu_text(&err));
}

bool one_runs(struct world *w, bool after_recovery)
{
    struct fake_domain *s = guest_of(&w->src), *d = guest_of(&w->dst);

    ck_assert_msg(!(runs(s) && runs(d)), "the guest runs twice");
    if (!runs(s) && !runs(d)) {
        ck_assert_msg(!after_recovery, "the guest runs nowhere");
        return false;
    }
    if ((runs(s) && d != NULL) || (runs(d) && s != NULL))
        return false; /* the other one's copy is still there */
    struct fake_domain *one = runs(s) ? s : d;
    ck_assert_str_eq(one->spec.name, "g");
    ck_assert(!one->logging || one == d);
    ck_assert_uint_eq(one->cap, 0);
    end_guest(one == s ? &w->src : &w->dst);
    return true;
}

void settle(struct world *w)
{
    if (one_runs(w, false))
        return;
    recover(w, &w->src);
    recover(w, &w->dst);
    ck_assert_msg(one_runs(w, true), "a copy is left after recovery");
}
