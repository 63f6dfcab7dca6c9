/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "migrate/destination.h"
#include "migrate/source.h"

/* Of the down time, without pages: what the policy expects before it has seen any. */
#define FIXED_MS 150

struct convoy_migration {
    struct cv_migrate_result result;
};

_Static_assert((int)CONVOY_KEPT == (int)CV_OUT_KEPT && (int)CONVOY_UNKNOWN == (int)CV_OUT_UNKNOWN &&
                   (int)CONVOY_GONE == (int)CV_OUT_GONE,
               "public outcomes are the inner ones");
_Static_assert((int)CONVOY_STUCK_STOP == (int)CV_STUCK_COPY && (int)CONVOY_STUCK_THROTTLE == (int)CV_STUCK_THROTTLE &&
                   (int)CONVOY_STUCK_GIVE_UP == (int)CV_STUCK_GIVE_UP,
               "and so are the policy's words");

const char *convoy_outcome_name(convoy_outcome outcome) { return cv_ho_outcome_name((enum cv_ho_outcome)outcome); }

static int take_options(const convoy_host *h, struct cv_migrate_options *m, const convoy_migrate_options *o,
                        const char *peer, char *ssh, size_t size, struct cv_error *e)
{
    *m = (struct cv_migrate_options){ .command = o->command,
                                      .peer = peer,
                                      .store = h->gate.store,
                                      .live = !o->not_live,
                                      .force = o->force != 0,
                                      .limits = { .downtime_ms = o->downtime_limit_ms,
                                                  .max_time_ms = (int64_t)o->max_time_s * 1000,
                                                  .when_stuck = (enum cv_when_stuck)o->on_timeout,
                                                  .fixed_ms = FIXED_MS,
                                                  .bandwidth_bytes_s = o->bandwidth_bytes_s },
                                      .cancel = api_cancel(o->cancel),
                                      .watcher = h->program };
    if ((unsigned)o->on_timeout > CONVOY_STUCK_GIVE_UP)
        return cv_fail(e, CV_E_INVALID, 0, "on_timeout: %d is not one of enum convoy_stuck", (int)o->on_timeout);
    if (api_mem(&m->mem, o->threads, o->compress, o->cancel, e) < 0)
        return -1;
    if (o->command == NULL) {
        m->command = ssh;
        return cv_peer_ssh_command(peer, ssh, size, e);
    }
    return 0;
}

int convoy_migrate(convoy_host *h, const char *who, const char *peer, const convoy_migrate_options *given,
                   convoy_migration **migration_out, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_migrate_options opt;
    convoy_migrate_options o;
    char ssh[1024];

    if (migration_out != NULL)
        *migration_out = NULL;
    if (api_options(&o, sizeof o, given, "convoy_migrate_options", &e) < 0 ||
        take_options(h, &opt, &o, peer, ssh, sizeof ssh, &e) < 0)
        return api_fail(&e, err);
    convoy_migration *m = calloc(1, sizeof *m);
    if (m == NULL) {
        cv_fail(&e, CV_E_NOMEM, 0, "no memory for a migration");
        return api_fail(&e, err);
    }
    int rc = cv_migrate(h->host, who, &opt, &h->out.sink, &m->result, &e);
    if (migration_out != NULL)
        *migration_out = m;
    else
        free(m);
    return api_result(rc, &e, err);
}

int convoy_migration_result(const convoy_migration *m, convoy_migrate_result *result, convoy_error *err)
{
    const struct cv_timeline *t = &m->result.timeline;
    struct cv_error e = CV_ERROR_INIT;
    convoy_migrate_result full = { .size = sizeof full,
                                   .outcome = (convoy_outcome)m->result.outcome,
                                   .domid = m->result.domid,
                                   .bytes = t->bytes_wire,
                                   .pages = t->pages,
                                   .total_ns = t->total_ns,
                                   .down_ns =
                                       t->down.end_ns > t->down.start_ns ? t->down.end_ns - t->down.start_ns : 0 };

    if (api_room(result, "convoy_migrate_result", &e) < 0)
        return api_fail(&e, err);
    api_give(result, &full, sizeof full);
    return 0;
}

int convoy_migration_report(const convoy_migration *m, convoy_format format, char **text_out, convoy_error *err)
{
    static int (*const writers[])(const struct cv_timeline *, struct cv_buf *, struct cv_error *) = {
        [CONVOY_TEXT] = cv_tl_text, [CONVOY_JSON] = cv_tl_json, [CONVOY_SVG] = cv_tl_svg
    };
    static const uint8_t end;
    struct cv_error e = CV_ERROR_INIT;
    struct cv_buf text = { 0 };
    int rc;

    if ((unsigned)format > CONVOY_SVG)
        rc = cv_fail(&e, CV_E_INVALID, 0, "format: %d is not one of enum convoy_format", (int)format);
    else
        rc = writers[format](&m->result.timeline, &text, &e);
    if (rc < 0 || cv_buf_append(&text, &end, 1, &e) < 0) {
        cv_buf_dispose(&text);
        return api_fail(&e, err);
    }
    *text_out = (char *)text.data;
    return 0;
}

void convoy_migration_free(convoy_migration *m) { free(m); }

static void runs(void *user, uint32_t domid, const char *name) { (void)api_watch_over(user, domid, name); }

int convoy_migrate_receive(convoy_host *h, int in, int out, const convoy_receive_options *given, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    enum cv_ho_outcome outcome;
    convoy_receive_options o;
    struct cv_receive_options r;

    if (api_options(&o, sizeof o, given, "convoy_receive_options", &e) < 0)
        return api_fail(&e, err);
    r = (struct cv_receive_options){ .store = h->gate.store,
                                     .cancel = api_cancel(o.cancel),
                                     .watcher = h->program,
                                     .watch_over = runs,
                                     .watch_user = h };
    if (api_mem(&r.mem, o.threads, NULL, o.cancel, &e) < 0)
        return api_fail(&e, err);
    return api_result(cv_migrate_receive(h->host, in, out, &r, &h->out.sink, &outcome, &e), &e, err);
}
