/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hand-over machines and their drivers: the tables, and two real ends over a socket pair with real journals. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/clock.h"
#include "base/fd.h"
#include "handover/ports.h"

static char store_s[64], store_d[64];

static void set_up(void)
{
    strcpy(store_s, "/tmp/convoy-test-s-XXXXXX");
    strcpy(store_d, "/tmp/convoy-test-d-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(store_s));
    ck_assert_ptr_nonnull(mkdtemp(store_d));
}

static void tear_down(void)
{
    char cmd[256];
    snprintf(cmd, sizeof cmd, "rm -rf %s %s", store_s, store_d);
    ck_assert_int_eq(system(cmd), 0);
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

START_TEST(every_path_ends)
{
    /* From each start, each event that is expected leads on, and the machine never gets stuck without an end. */
    struct cv_handover starts[20], seen[100];
    unsigned n = 0, count = 0;
    starts[n++] = cv_ho_source();
    starts[n++] = cv_ho_destination();
    for (enum cv_journal_state s = CV_J_OPEN; s < CV_J_STATES; s++) {
        if (s != CV_J_RUNNING && s != CV_J_RUNNING_SETTLED && s != CV_J_NEVER)
            starts[n++] = cv_ho_source_recover(s);
        if (s != CV_J_COMMITTING && s != CV_J_TAKEN && s != CV_J_TAKEN_SETTLED)
            starts[n++] = cv_ho_destination_recover(s);
    }
    for (unsigned i = 0; i < n; i++)
        seen[count++] = starts[i];
    for (unsigned at = 0; at < count; at++) {
        unsigned ways = 0;
        ck_assert_uint_ne(seen[at].state, 0);
        for (enum cv_ho_event e = 0; e < CV_EV_COUNT; e++) {
            struct cv_handover h = seen[at];
            bool known = false;
            if (!cv_ho_step(&h, e))
                continue;
            ways++;
            for (unsigned i = 0; i < count; i++)
                known |= seen[i].state == h.state;
            if (!known)
                seen[count++] = h;
        }
        ck_assert_msg((ways > 0) == (cv_ho_outcome(&seen[at]) == CV_OUT_NONE), "%s", cv_ho_state_name(&seen[at]));
    }
}
END_TEST

START_TEST(after_commit_only_a_definite_no_leads_back)
{
    char row[128];
    unsigned checked = 0;
    for (unsigned i = 0; cv_ho_table_row(i, row, sizeof row); i++) {
        char role[16], from[32], event[16], to[32];
        ck_assert_int_eq(sscanf(row, "%15s %31s %15s %31s", role, from, event, to), 4);
        bool after = !strcmp(from, "COMMIT") || !strcmp(from, "ANSWER") || !strcmp(from, "ASK");
        if (strcmp(role, "source") == 0 && after && strcmp(to, "DROP") == 0) {
            ck_assert_str_eq(event, "NO");
            checked++;
        }
    }
    ck_assert_uint_eq(checked, 2);
}
END_TEST

/* Each row of the docs' tables is a row of ours, and the other way round. */
START_TEST(docs_have_the_same_tables)
{
    char *text, row[128], line[160];
    size_t len;
    struct cv_error err;
    unsigned rows = 0, lines = 0;

    ck_assert_int_eq(cv_file_read("docs/migrate-protocol.md", 1 << 20, &text, &len, &err), 0);
    for (; cv_ho_table_row(rows, row, sizeof row); rows++) {
        char role[16], from[32], event[16], to[32];
        sscanf(row, "%15s %31s %15s %31s", role, from, event, to);
        snprintf(line, sizeof line, "\n| %s | %s | %s | %s |", role, from, event, to);
        ck_assert_msg(strstr(text, line) != NULL, "docs/migrate-protocol.md lacks%s", line);
    }
    for (const char *p = text; (p = strstr(p, "\n| ")) != NULL; p++)
        lines += strncmp(p + 3, "source |", 8) == 0 || strncmp(p + 3, "destination |", 13) == 0;
    ck_assert_uint_eq(lines, rows);
    free(text);
}
END_TEST

/* ---- two ends -------------------------------------------------------------------------------------------------- */

struct end {
    struct cv_handover_run run;
    struct cv_journal journal;
    struct cv_chan chan;
    int fd;
    bool runs, gone; /* the guest here */
    enum cv_effect run_result;
    struct end *other; /* for connect */
    pthread_t answerer;
    int ask_fd;
    struct cv_msg_hello hello;
    int die_at; /* destination: close before performing the n-th message (test of lost answers) */
    enum cv_ho_outcome outcome;
};

static enum cv_effect do_resume(void *user, const struct cv_journal_record *rec, int64_t d, struct cv_error *err)
{
    struct end *e = user;
    (void)rec;
    (void)d;
    (void)err;
    e->runs = true;
    return CV_EFFECT_DONE;
}

static enum cv_effect do_run(void *user, const struct cv_journal_record *rec, int64_t d, struct cv_error *err)
{
    struct end *e = user;
    (void)rec;
    (void)d;
    if (e->gone)
        return CV_EFFECT_GONE;
    if (e->run_result == CV_EFFECT_DONE)
        e->runs = true;
    else
        cv_fail(err, CV_E_HYPERVISOR, 0, "unpause failed");
    return e->run_result;
}

static enum cv_effect do_destroy(void *user, const struct cv_journal_record *rec, int64_t d, struct cv_error *err)
{
    struct end *e = user;
    (void)rec;
    (void)d;
    (void)err;
    ck_assert(!e->runs);
    e->gone = true;
    return CV_EFFECT_DONE;
}

static void *answer_thread(void *arg)
{
    struct end *d = arg;
    struct cv_error err = CV_ERROR_INIT;
    struct cv_chan c;
    struct cv_msg m;

    ck_assert_int_eq(cv_chan_init(&c, d->ask_fd, d->ask_fd, CV_PEER_DESTINATION, &err), 0);
    ck_assert_msg(cv_chan_hello_destination(&c, &d->hello, &m, cv_after_ms(5000), NULL, &err) == 0, "%s", err.text);
    uint8_t guest[16];
    memcpy(guest, m.hello.guest.b, 16);
    cv_msg_dispose(&m);
    if (cv_chan_recv(&c, &m, cv_after_ms(5000), NULL, &err) < 0) { /* it does not trust us */
        cv_chan_dispose(&c);
        close(d->ask_fd);
        return NULL;
    }
    ck_assert_int_eq(m.type, CV_MSG_QUERY);
    struct cv_handover_run r = d->run;
    struct cv_journal j = CV_JOURNAL_INIT;
    r.chan = &c;
    r.journal = &j;
    r.why = (struct cv_error)CV_ERROR_INIT;
    cv_handover_answer(&r, &m.query, guest);
    cv_journal_close(&j);
    cv_msg_dispose(&m);
    cv_chan_dispose(&c);
    close(d->ask_fd);
    return NULL;
}

static int do_connect(void *user, const struct cv_journal_record *rec, int *in, int *out, int64_t d,
                      struct cv_cancel *cancel, struct cv_error *err)
{
    struct end *s = user;
    int fds[2];
    (void)rec;
    (void)d;
    (void)cancel;
    (void)err;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    s->ask_fd = *in = *out = fds[0];
    s->other->ask_fd = fds[1];
    return pthread_create(&s->other->answerer, NULL, answer_thread, s->other) == 0 ? 0 : -1;
}

static void do_disconnect(void *user)
{
    struct end *s = user;
    close(s->ask_fd);
    pthread_join(s->other->answerer, NULL);
}

static void do_hang_up(void *user)
{
    struct end *s = user;
    shutdown(s->fd, SHUT_RDWR);
}

static struct cv_connect_port connect_port(struct end *s)
{
    return (struct cv_connect_port){ s, do_connect, do_disconnect, do_hang_up };
}

/* Both ends up to "everything was sent": channel state LOADING, journals OPEN. */
static void open_end(struct end *e, int role, int fd, struct cv_guest_ports *ports)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_journal_record rec = {
        .role = (enum cv_journal_role)role, .state = CV_J_OPEN, .domid = 7, .name = "g", .peer = "there"
    };
    memset(rec.migration, 0x11, 16);
    memset(rec.guest, 0x22, 16);
    ck_assert_int_eq(cv_journal_boot_id(rec.boot, &err), 0);
    ck_assert_int_eq(cv_journal_store_id(store_d, rec.peer_store, &err), 0);
    *e = (struct end){ .journal = CV_JOURNAL_INIT, .fd = fd };
    *ports = (struct cv_guest_ports){ .user = e, .resume = do_resume, .run = do_run, .destroy = do_destroy };
    const char *store = role == CV_ROLE_SOURCE ? store_s : store_d;
    ck_assert_msg(cv_journal_create(&e->journal, store, &rec, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cv_chan_init(&e->chan, fd, fd, role, &err), 0);
    e->chan.state = CV_CHAN_LOADING;
    e->hello = (struct cv_msg_hello){
        .role = (uint16_t)role, .version_min = 1, .version_max = 1, .stream_version = 1, .host = "h", .software = "test"
    };
    memcpy(e->hello.migration.b, rec.migration, 16);
    memcpy(e->hello.guest.b, rec.guest, 16);
    ck_assert_int_eq(cv_journal_store_id(store, e->hello.store.b, &err), 0);
    e->run = (struct cv_handover_run){ .journal = &e->journal,
                                       .chan = &e->chan,
                                       .guest = ports,
                                       .store = store,
                                       .hello = &e->hello,
                                       .times = { .answer_ms = 3000, .ask_ms = 3000, .ready_ms = 5000 } };
    memcpy(e->run.boot, rec.boot, 16);
    e->run.machine = role == CV_ROLE_SOURCE ? cv_ho_source() : cv_ho_destination();
}

static void *destination_thread(void *arg)
{
    struct end *d = arg;
    if (d->die_at) {
        /* Reads COMMIT and dies after its journal said RUNNING: the answer is lost. */
        struct cv_error err;
        struct cv_msg m = { .type = CV_MSG_READY }, got;
        ck_assert_int_eq(cv_chan_send(&d->chan, &m, cv_after_ms(5000), NULL, &err), 0);
        ck_assert_int_eq(cv_chan_recv(&d->chan, &got, cv_after_ms(5000), NULL, &err), 0);
        ck_assert_int_eq(got.type, CV_MSG_COMMIT);
        cv_msg_dispose(&got);
        if (d->die_at == 2)
            ck_assert_int_eq(cv_journal_set(&d->journal, CV_J_RUNNING, NULL, &err), 0);
        cv_journal_close(&d->journal);
        shutdown(d->fd, SHUT_RDWR);
        return NULL;
    }
    cv_ho_step(&d->run.machine, CV_EV_LOADED);
    d->outcome = cv_handover_run(&d->run);
    cv_journal_close(&d->journal);
    shutdown(d->fd, SHUT_RDWR);
    return NULL;
}

struct ends {
    struct end s, d;
    struct cv_guest_ports ps, pd;
    struct cv_connect_port cp;
};

static void begin(struct ends *e)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    open_end(&e->s, CV_ROLE_SOURCE, fds[0], &e->ps);
    open_end(&e->d, CV_ROLE_DESTINATION, fds[1], &e->pd);
    e->s.other = &e->d;
    e->cp = connect_port(&e->s);
    e->s.run.connect = &e->cp;
}

static void finish(struct ends *e)
{
    pthread_t t;
    ck_assert_int_eq(pthread_create(&t, NULL, destination_thread, &e->d), 0);
    cv_ho_step(&e->s.run.machine, CV_EV_SENT_ALL);
    e->s.outcome = cv_handover_run(&e->s.run);
    pthread_join(t, NULL);
    cv_journal_close(&e->s.journal);
    cv_chan_dispose(&e->s.chan);
    cv_chan_dispose(&e->d.chan);
    cv_fd_dispose(&e->s.fd);
    cv_fd_dispose(&e->d.fd);
}

static void journals(enum cv_journal_state s, enum cv_journal_state d)
{
    struct cv_journal_record r;
    uint8_t id[16];
    struct cv_error err = CV_ERROR_INIT;
    memset(id, 0x11, 16);
    ck_assert_int_eq(cv_journal_read(store_s, id, CV_ROLE_SOURCE, &r, &err), 0);
    ck_assert_str_eq(cv_journal_state_name(r.state), cv_journal_state_name(s));
    ck_assert_int_eq(cv_journal_read(store_d, id, CV_ROLE_DESTINATION, &r, &err), 0);
    ck_assert_str_eq(cv_journal_state_name(r.state), cv_journal_state_name(d));
}

START_TEST(all_goes_well)
{
    struct ends e;
    begin(&e);
    finish(&e);
    ck_assert_str_eq(cv_ho_outcome_name(e.s.outcome), "taken");
    ck_assert_str_eq(cv_ho_outcome_name(e.d.outcome), "running");
    ck_assert(e.d.runs && !e.s.runs && e.s.gone);
    journals(CV_J_TAKEN_SETTLED, CV_J_RUNNING_SETTLED);
}
END_TEST

START_TEST(the_guest_cannot_be_unpaused_there)
{
    struct ends e;
    begin(&e);
    e.d.run_result = CV_EFFECT_FAILED;
    finish(&e);
    ck_assert_str_eq(cv_ho_outcome_name(e.s.outcome), "kept");
    ck_assert(e.s.runs && !e.d.runs && e.d.gone);
    ck_assert_ptr_nonnull(strstr(e.s.run.why.text, "unpause failed"));
    journals(CV_J_ABORTED_SETTLED, CV_J_ABORTED_SETTLED);
}
END_TEST

/* The receiver dies with COMMIT read: asked anew, its journal decides: before RUNNING no, after it yes. */
START_TEST(the_answer_is_lost)
{
    struct ends e;
    begin(&e);
    e.d.die_at = _i + 1;
    finish(&e);
    bool taken = _i == 1;
    ck_assert_str_eq(cv_ho_outcome_name(e.s.outcome), taken ? "taken" : "kept");
    ck_assert_int_eq(e.d.runs, taken);
    ck_assert_int_eq(e.s.runs, !taken);
    if (taken)
        journals(CV_J_TAKEN_SETTLED, CV_J_RUNNING_SETTLED);
    else
        journals(CV_J_ABORTED_SETTLED, CV_J_ABORTED_SETTLED);
}
END_TEST

START_TEST(another_store_is_no_answer)
{
    struct ends e;
    begin(&e);
    e.d.die_at = 2;
    e.d.hello.store.b[3] ^= 1;
    finish(&e);
    ck_assert_str_eq(cv_ho_outcome_name(e.s.outcome), "unknown");
    ck_assert_int_eq(e.s.run.why.code, CV_E_OUTCOME_UNKNOWN);
    ck_assert(!e.s.runs && !e.s.gone);
    journals(CV_J_COMMITTING, CV_J_RUNNING);
}
END_TEST

/* A domain of an earlier boot is never touched by its number. */
START_TEST(after_a_reboot)
{
    struct ends e;
    begin(&e);
    e.s.run.boot[0] ^= 1;
    e.d.die_at = 1;
    finish(&e);
    ck_assert_str_eq(cv_ho_outcome_name(e.s.outcome), "lost");
    ck_assert(!e.s.runs && !e.s.gone);
}
END_TEST

START_TEST(trouble_before_the_commit)
{
    struct ends e;
    begin(&e);
    struct cv_cancel c;
    ck_assert_int_eq(cv_cancel_init(&c, NULL), 0);
    cv_cancel_request(&c);
    e.s.run.cancel = &c;
    finish(&e);
    ck_assert_str_eq(cv_ho_outcome_name(e.s.outcome), "kept");
    ck_assert_str_eq(cv_ho_outcome_name(e.d.outcome), "aborted");
    ck_assert(e.s.runs && !e.d.runs && e.d.gone);
    journals(CV_J_ABORTED_SETTLED, CV_J_ABORTED_SETTLED);
    cv_cancel_dispose(&c);
}
END_TEST

START_TEST(ready_of_another_stream)
{
    struct ends e;
    begin(&e);
    e.s.run.sent_bytes = 1000;
    e.s.run.sent_records = 10;
    e.d.run.ready.ready = (struct cv_msg_ready){ .stream_bytes = 999, .stream_records = 10 };
    finish(&e);
    ck_assert_str_eq(cv_ho_outcome_name(e.s.outcome), "kept");
    ck_assert(e.s.runs && !e.d.runs);
}
END_TEST

/* convoy recover on one side, from its journal alone. */
static void recover(struct end *e, bool source)
{
    struct cv_error err = CV_ERROR_INIT;
    uint8_t id[16];
    memset(id, 0x11, 16);
    ck_assert_msg(cv_journal_open(&e->journal, source ? store_s : store_d, id,
                                  source ? CV_ROLE_SOURCE : CV_ROLE_DESTINATION, &err) == 0,
                  "%s", err.text);
    enum cv_journal_state state = e->journal.rec.state;
    e->run.machine = source ? cv_ho_source_recover(state) : cv_ho_destination_recover(state);
    e->run.chan = NULL;
    e->run.why = (struct cv_error)CV_ERROR_INIT;
    e->outcome = cv_handover_run(&e->run);
    cv_journal_close(&e->journal);
}

struct nth {
    unsigned seen, at;
};

static int fail_nth(void *user, const char *step)
{
    struct nth *n = user;
    (void)step;
    return ++n->seen == n->at ? EIO : 0;
}

/* Every single step of every journal write fails once, on either side: never two, and after recover exactly one. */
START_TEST(every_journal_fault)
{
    for (unsigned at = 1;; at++) {
        struct ends e;
        struct nth n = { .at = at };
        struct cv_journal_fault fault = { fail_nth, &n };
        begin(&e);
        (_i ? &e.d : &e.s)->journal.fault = &fault;
        finish(&e);
        e.s.journal.fault = e.d.journal.fault = NULL;
        ck_assert_msg(!(e.s.runs && e.d.runs), "fault %u", at);
        recover(&e.s, true);
        recover(&e.d, false);
        recover(&e.s, true);
        ck_assert_msg(e.s.runs + e.d.runs == 1, "fault %u: %d and %d, %s and %s", at, e.s.runs, e.d.runs,
                      cv_ho_outcome_name(e.s.outcome), cv_ho_outcome_name(e.d.outcome));
        ck_assert_msg((e.s.runs || e.s.gone) && (e.d.runs || e.d.gone), "fault %u: something is left", at);
        tear_down();
        set_up();
        if (n.seen < at)
            break;
    }
}
END_TEST

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    Suite *s = suite_create("handover");
    TCase *t = tcase_create("tables"), *d = tcase_create("drivers");
    tcase_add_test(t, every_path_ends);
    tcase_add_test(t, after_commit_only_a_definite_no_leads_back);
    tcase_add_test(t, docs_have_the_same_tables);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(d, set_up, tear_down);
    tcase_set_timeout(d, 30);
    tcase_add_test(d, all_goes_well);
    tcase_add_test(d, the_guest_cannot_be_unpaused_there);
    tcase_add_loop_test(d, the_answer_is_lost, 0, 2);
    tcase_add_test(d, another_store_is_no_answer);
    tcase_add_test(d, after_a_reboot);
    tcase_add_test(d, trouble_before_the_commit);
    tcase_add_test(d, ready_of_another_stream);
    tcase_add_loop_test(d, every_journal_fault, 0, 2);
    suite_add_tcase(s, d);
    return run_suite(s);
}
