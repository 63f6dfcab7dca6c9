/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/unsettled.h"

#include <stdbool.h>
#include <string.h>

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
    return 1;
}

int cv_unsettled_refuse(const char *store, const uint8_t guest[16], const uint8_t migration[16], struct cv_error *err)
{
    struct search s = { .guest = guest, .migration = migration };
    char id[CV_ID_TEXT];

    if (cv_journal_list(store, see, &s, err) < 0)
        return -1;
    if (s.any) {
        cv_id_format(s.found.migration, id);
        return cv_fail(err, CV_E_BUSY, 0, "migration %s of '%s' is still %s here: convoy recover first", id, s.found.name,
                       cv_journal_state_name(s.found.state));
    }
    if (s.damaged.code != CV_OK) {
        if (err != NULL)
            *err = s.damaged;
        return -1;
    }
    return 0;
}
