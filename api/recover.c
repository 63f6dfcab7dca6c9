/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include <uuid/uuid.h>

#include "api/internal.h"
#include "migrate/recover.h"
#include "migrate/watch.h"

/* Of one call, for its callbacks. */
struct recovery {
    convoy_host *h;
    convoy_recover_options o;
};

static void runs(void *user, uint32_t domid, const char *name)
{
    struct recovery *r = user;
    (void)api_watch_over(r->h, domid, name);
}

static void settled(void *user, const struct cv_journal_record *rec, enum cv_ho_outcome outcome,
                    const struct cv_error *why)
{
    struct recovery *r = user;
    char migration[CV_ID_TEXT], uuid[37];
    convoy_error public_why;

    cv_id_format(rec->migration, migration);
    uuid_unparse_lower(rec->guest, uuid);
    api_fail(why, &public_why);
    convoy_settled what = { .outcome = (convoy_outcome)outcome,
                            .role = rec->role == CV_ROLE_SOURCE ? CONVOY_SOURCE : CONVOY_DESTINATION,
                            .guest = rec->name,
                            .uuid = uuid,
                            .migration = migration,
                            .state = cv_journal_state_name(rec->state),
                            .peer = rec->peer,
                            .why = why->code != CV_OK ? &public_why : NULL };
    r->o.settled(r->o.user, &what);
}

static int check_options(const convoy_recover_options *o, const char *who, struct cv_error *e)
{
    if ((unsigned)o->assume > CONVOY_ASSUME_ABORTED)
        return cv_fail(e, CV_E_INVALID, 0, "assume: %d is not one of enum convoy_assume", (int)o->assume);
    if ((unsigned)o->role > CONVOY_DESTINATION)
        return cv_fail(e, CV_E_INVALID, 0, "role: %d is not one of enum convoy_role", (int)o->role);
    if (o->assume != CONVOY_ASSUME_NOTHING && who == NULL)
        return cv_fail(e, CV_E_INVALID, 0, "assume is about one guest that you have looked at, not about all");
    if (o->persist && (who == NULL || o->role == CONVOY_EITHER))
        return cv_fail(e, CV_E_INVALID, 0, "persist is about one migration, in one role");
    return 0;
}

static int recover(struct recovery *r, const char *who, unsigned *count, struct cv_error *e)
{
    struct cv_recover_options opt = { .store = r->h->gate.store,
                                      .cancel = api_cancel(r->o.cancel),
                                      .assume = (enum cv_assume)r->o.assume,
                                      .role = r->o.role == CONVOY_EITHER   ? -1
                                              : r->o.role == CONVOY_SOURCE ? CV_ROLE_SOURCE
                                                                           : CV_ROLE_DESTINATION,
                                      .runs = runs,
                                      .runs_user = r,
                                      .settled = r->o.settled != NULL ? settled : NULL,
                                      .settled_user = r };
    uint8_t migration[16];

    if (!r->o.persist)
        return cv_recover(r->h->host, who, &opt, &r->h->out.sink, count, e);
    if (cv_id_parse(who, migration) < 0)
        return cv_fail(e, CV_E_INVALID, 0, "'%s' is not a migration's id", who);
    *count = 1;
    return cv_recover_persist(r->h->host, migration, &opt, &r->h->out.sink, e);
}

int convoy_recover(convoy_host *h, const char *who, const convoy_recover_options *given, unsigned *count_out,
                   convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct recovery r = { .h = h };
    unsigned count = 0;

    if (api_options(&r.o, sizeof r.o, given, "convoy_recover_options", &e) < 0 || check_options(&r.o, who, &e) < 0 ||
        recover(&r, who, &count, &e) < 0)
        return api_fail(&e, err);
    if (count_out != NULL)
        *count_out = count;
    return 0;
}

int convoy_watch_wait(int fd) { return cv_watch_wait(fd); }
