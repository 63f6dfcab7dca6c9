/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "handover/unsettled.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/fd.h"

/* Long enough for people to look at what has happened. */
#define FORGET_S (30u * 24 * 3600)

struct search {
    const uint8_t *guest, *migration;
    struct cv_journal_record found;
    struct cv_error damaged;
    bool any;
};

static int see(void *user, const struct cv_journal_record *rec, const struct cv_error *why)
{
    struct search *s = user;

    if (why != NULL) {
        s->damaged = *why;
        return 0;
    }
    if (memcmp(rec->guest, s->guest, sizeof rec->guest) != 0 || cv_journal_settled(rec->state) ||
        memcmp(rec->migration, s->migration, sizeof rec->migration) == 0)
        return 0;
    s->found = *rec;
    s->any = true;
    return 0;
}

int cv_unsettled_refuse(const char *store, const uint8_t guest[16], const uint8_t migration[16], struct cv_error *err)
{
    struct search s = { .guest = guest, .migration = migration };
    char id[CV_ID_TEXT];

    if (cv_journal_list(store, see, &s, err) < 0)
        return -1;
    if (s.any) {
        cv_id_format(s.found.migration, id);
        return cv_fail(err, CV_E_BUSY, 0, "migration %s of '%s' is still %s here: convoy recover first", id,
                       s.found.name, cv_journal_state_name(s.found.state));
    }
    if (s.damaged.code != CV_OK) {
        cv_fail_as(err, &s.damaged);
        return cv_context(err, "a damaged record in %s may be this guest's: look where it runs, then remove the record",
                          store);
    }
    return 0;
}

int cv_unsettled_begin(struct cv_journal *j, const char *store, const struct cv_journal_record *rec,
                       struct cv_sink *sink, struct cv_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    /* Held for as long as it takes to look and to write one record. */
    CV_AUTO_FD lock = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return cv_fail(err, CV_E_IO, errno, "lock %s", store);
    if (cv_journal_prune(store, (uint64_t)time(NULL), FORGET_S, &e) < 0)
        cv_log(sink, CV_LOG_DEBUG, "%s", e.text);
    if (cv_unsettled_refuse(store, rec->guest, rec->migration, err) < 0)
        return -1;
    return cv_journal_create(j, store, rec, err);
}
