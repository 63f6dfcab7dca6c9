/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/recover.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "migrate/effects.h"
#include "stream-format/stream.h"

/* Longer than one question takes: a watcher that asks holds the journal meanwhile. */
#define ASKER_MS 45000
#define LOOK_AGAIN_MS 100

struct search {
    const char *who; /* NULL: all */
    int role;
    struct cv_journal_record *found; /* count of them, in room for that many rounded up to a power of two */
    unsigned count, known;
    bool no_memory;
    struct cv_error damaged;
};

/* Of the 32 digits, as migrations and guests are named by people: with dashes, too. */
static bool is_id(const char *text, const uint8_t id[16])
{
    char want[CV_ID_TEXT];
    unsigned n = 0;

    cv_id_format(id, want);
    for (; *text; text++) {
        if (*text == '-')
            continue;
        if (n == 32 || tolower((unsigned char)*text) != want[n++])
            return false;
    }
    return n == 32;
}

static int keep(struct search *s, const struct cv_journal_record *rec)
{
    if ((s->count & (s->count - 1)) == 0) {
        struct cv_journal_record *more = reallocarray(s->found, s->count ? s->count * 2 : 1, sizeof *more);
        if (more == NULL) {
            s->no_memory = true;
            return -1;
        }
        s->found = more;
    }
    s->found[s->count++] = *rec;
    return 0;
}

static int see(void *user, const struct cv_journal_record *rec, const struct cv_error *why)
{
    struct search *s = user;

    if (why != NULL) {
        s->damaged = *why;
        return 0;
    }
    if (s->role >= 0 && rec->role != (enum cv_journal_role)s->role)
        return 0;
    if (s->who != NULL && strcmp(rec->name, s->who) != 0 && !is_id(s->who, rec->guest) &&
        !is_id(s->who, rec->migration))
        return 0;
    s->known++;
    return cv_journal_settled(rec->state) ? 0 : keep(s, rec);
}

static int source_first(const void *a, const void *b)
{
    const struct cv_journal_record *x = a, *y = b;
    return (int)x->role - (int)y->role;
}

static struct cv_handover machine_for(const struct cv_journal_record *rec, enum cv_assume assume)
{
    bool open = rec->state == CV_J_OPEN || rec->state == CV_J_ABORTED;

    if (rec->role == CV_ROLE_DESTINATION && open && assume != CV_ASSUME_NOTHING)
        return cv_ho_destination_told(assume == CV_ASSUME_RUNNING);
    if (rec->role == CV_ROLE_DESTINATION)
        return cv_ho_destination_recover(rec->state);
    if (rec->state == CV_J_COMMITTING && assume != CV_ASSUME_NOTHING)
        return cv_ho_source_told(assume == CV_ASSUME_RUNNING);
    return cv_ho_source_recover(rec->state);
}

/* Of a guest that is not here any more, and is not said to be lost unless somebody knows where it is. */
static enum cv_ho_event assumed_for(const struct cv_journal_record *rec, enum cv_assume assume)
{
    bool open = rec->state == CV_J_OPEN || rec->state == CV_J_ABORTED;

    if (rec->role != CV_ROLE_SOURCE || !open || assume == CV_ASSUME_NOTHING)
        return CV_EV_OK;
    return assume == CV_ASSUME_RUNNING ? CV_EV_YES : CV_EV_NO;
}

static void say_hello(struct cv_msg_hello *h, const struct cv_journal_record *rec, const uint8_t boot[16],
                      const char *host)
{
    *h = (struct cv_msg_hello){ .role = CV_PEER_SOURCE,
                                .version_min = CV_PROTOCOL_MIN,
                                .version_max = CV_PROTOCOL_MAX,
                                .stream_version = CV_STREAM_VERSION,
                                .features = CV_PROTOCOL_FEATURES,
                                .keepalive_ms = CV_KEEPALIVE_MS,
                                .host = host,
                                .software = "convoy " CONVOY_VERSION };
    memcpy(h->migration.b, rec->migration, 16);
    memcpy(h->guest.b, rec->guest, 16);
    memcpy(h->boot.b, boot, 16);
}

static int settle_record(struct cv_host *host, struct cv_journal *j, const struct cv_recover_options *opt,
                         const char *store, struct cv_sink *sink, struct cv_error *err)
{
    struct cv_effects e = { .host = host,
                            .sink = sink,
                            .store = store,
                            .force = opt->assume != CV_ASSUME_NOTHING,
                            .runs = opt->runs,
                            .user = opt->runs_user };
    struct cv_guest_ports ports = cv_effects_ports(&e);
    struct cv_msg_hello hello;
    struct cv_link link;
    char name[65] = "";
    struct cv_handover_run run = { .machine = machine_for(&j->rec, opt->assume),
                                   .journal = j,
                                   .guest = &ports,
                                   .connect = &link.port,
                                   .assumed = assumed_for(&j->rec, opt->assume),
                                   .cancel = opt->cancel,
                                   .sink = sink,
                                   .times = opt->times,
                                   .store = store,
                                   .hello = &hello };

    cv_link_init(&link, opt->dial, opt->dial_user);
    gethostname(name, sizeof name - 1);
    if (cv_journal_boot_id(run.boot, err) < 0)
        return -1;
    say_hello(&hello, &j->rec, run.boot, name);
    if (cv_journal_store_id(store, hello.store.b, err) < 0)
        return -1;
    enum cv_ho_outcome outcome = cv_handover_run(&run);
    cv_link_dispose(&link);
    if (opt->settled != NULL)
        opt->settled(opt->settled_user, &j->rec, outcome, &run.why);
    if (outcome != CV_OUT_UNKNOWN && outcome != CV_OUT_STUCK && outcome != CV_OUT_TAKEN_LEFT)
        return 0;
    return cv_fail_as(err, &run.why);
}

/* Held by somebody who is done soon: who settles it already (a watcher, another recover), or a migration that has come
 * to its decision.  One whose pages still flow is none of these.  Without the lock, so that it may be over meanwhile.
 */
static bool soon_over(const char *store, const struct cv_journal_record *rec)
{
    struct cv_journal_record now;
    struct cv_error ignored;

    return cv_journal_in_hand(store, rec->migration, rec->role) ||
           cv_journal_read(store, rec->migration, rec->role, &now, &ignored) < 0 || now.state != CV_J_OPEN;
}

/* It says in whose hand it is when it has the lock: a moment later.  So one look is none. */
#define LOOKS 2

static int open_record(struct cv_journal *j, const char *store, const struct cv_journal_record *rec,
                       struct cv_cancel *cancel, struct cv_sink *sink, struct cv_error *err)
{
    int64_t end = cv_after_ms(ASKER_MS);
    unsigned in_vain = 0, waited = 0;
    char id[CV_ID_TEXT];

    cv_id_format(rec->migration, id);
    for (;;) {
        struct cv_error why = CV_ERROR_INIT, slept = CV_ERROR_INIT;
        if (cv_journal_open(j, store, rec->migration, rec->role, &why) == 0)
            return 0;
        if (why.code != CV_E_BUSY)
            return cv_fail_as(err, &why);
        in_vain = soon_over(store, rec) ? 0 : in_vain + 1;
        if (in_vain == 0 && waited++ == 0)
            cv_log(sink, CV_LOG_INFO, "migration %s of '%s' is being settled by somebody else: he is waited for", id,
                   rec->name);
        if (in_vain == LOOKS || cv_now_ms() >= end ||
            (cv_poll_one(-1, 0, cv_after_ms(LOOK_AGAIN_MS), cancel, &slept) < 0 && slept.code == CV_E_CANCELLED))
            return cv_fail(err, CV_E_BUSY, 0, "migration %s of '%s' is still under way here", id, rec->name);
    }
}

static int recover_one(struct cv_host *host, const struct cv_journal_record *rec, const struct cv_recover_options *opt,
                       const char *store, struct cv_sink *sink, struct cv_error *err)
{
    struct cv_journal j = CV_JOURNAL_INIT;
    struct cv_error nothing = CV_ERROR_INIT;
    char id[CV_ID_TEXT];
    int rc = 0;

    cv_id_format(rec->migration, id);
    if (open_record(&j, store, rec, opt->cancel, sink, err) < 0)
        return -1;
    if (!cv_journal_settled(j.rec.state))
        rc = settle_record(host, &j, opt, store, sink, err);
    else if (opt->settled != NULL)
        opt->settled(opt->settled_user, &j.rec, CV_OUT_NONE, &nothing);
    cv_journal_close(&j);
    return rc < 0 ? cv_context(err, "migration %s of '%s'", id, rec->name) : 0;
}

/* The records of who; -1: there is nothing to be worked on.  1: there is, and one that cannot be read. */
static int find_records(struct search *s, const char *store, struct cv_error *err)
{
    if (cv_journal_list(store, see, s, err) < 0)
        return s->no_memory ? cv_fail(err, CV_E_NOMEM, 0, "no memory for the journals") : -1;
    if (s->damaged.code != CV_OK && (s->known == 0 || s->who == NULL)) {
        cv_fail_as(err, &s->damaged);
        return s->who == NULL ? 1 : -1;
    }
    if (s->known == 0 && s->who != NULL)
        return cv_fail(err, CV_E_NOT_FOUND, 0, "no migration of '%s' is known here", s->who);
    return 0;
}

int cv_recover(struct cv_host *host, const char *who, const struct cv_recover_options *opt, struct cv_sink *sink,
               unsigned *count_out, struct cv_error *err)
{
    const char *store = opt->store ? opt->store : CV_JOURNAL_DIR;
    struct search s = { .who = who, .role = opt->role };

    int rc = find_records(&s, store, err);
    if (s.count > 0)
        qsort(s.found, s.count, sizeof s.found[0], source_first);
    *count_out = s.count;
    for (unsigned i = 0; rc >= 0 && i < s.count; i++) {
        struct cv_error e = CV_ERROR_INIT;
        if (recover_one(host, &s.found[i], opt, store, sink, &e) == 0)
            continue;
        cv_fail_as(cv_if_first(err, rc), &e);
        rc = 1; /* the others are tried as well */
    }
    free(s.found);
    return rc != 0 ? -1 : 0;
}
