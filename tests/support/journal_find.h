/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the product never asks like this: it lists the records, and decides over all of them. */
#ifndef CONVOY_TESTS_JOURNAL_FIND_H
#define CONVOY_TESTS_JOURNAL_FIND_H

#include <string.h>

#include "handover/journal.h"

struct wanted {
    const uint8_t *guest;
    int role;
    bool found;
    struct cv_journal_record best;
    struct cv_error damaged;
};

static inline int see_wanted(void *user, const struct cv_journal_record *rec, const struct cv_error *why)
{
    struct wanted *w = user;

    if (w->role >= 0 && (int)rec->role != w->role)
        return 0;
    if (why != NULL) {
        w->damaged = *why;
        return 0;
    }
    if (memcmp(rec->guest, w->guest, 16) != 0 || cv_journal_settled(rec->state))
        return 0;
    if (!w->found || rec->updated > w->best.updated)
        w->best = *rec;
    w->found = true;
    return 0;
}

/* Finds the newest unsettled record of a guest; role < 0: either.  CV_E_NOT_FOUND if there is none; damaged records
 * are CV_E_STREAM, since one of them may be the guest's. */
static inline int journal_find(const char *store, const uint8_t guest[16], int role, struct cv_journal_record *rec_out,
                               struct cv_error *err)
{
    struct wanted w = { .guest = guest, .role = role };

    if (cv_journal_list(store, see_wanted, &w, err) < 0)
        return -1;
    if (w.damaged.code != CV_OK)
        return cv_fail(err, w.damaged.code, w.damaged.sys, "%s", w.damaged.text);
    if (!w.found)
        return cv_fail(err, CV_E_NOT_FOUND, 0, "no migration of this guest is unsettled here");
    *rec_out = w.best;
    return 0;
}

#endif
