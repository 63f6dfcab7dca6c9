/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest, one call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "guest/guest.h"
#include "guest/monitor.h"
#include "guest/verbs.h"
#include "migrate/check.h"

int convoy_create(convoy_host *h, const char *config_path, const convoy_create_options *given, convoy_started *started,
                  convoy_error *err)
{
    convoy_started s = { .size = sizeof s };
    struct cv_error e = CV_ERROR_INIT;
    convoy_create_options o;
    struct cv_guest g;

    if (api_options(&o, sizeof o, given, "convoy_create_options", &e) < 0 ||
        api_room(started, "convoy_started", &e) < 0)
        return api_fail(&e, err);
    struct cv_create_options c = { .paused = o.paused != 0, .cancel = api_cancel(o.cancel) };
    if (cv_guest_create(&g, h->host, config_path, &c, &h->out.sink, &e) < 0)
        return api_fail(&e, err);
    s.domid = g.domid;
    s.emulators = g.layout.count;
    snprintf(s.name, sizeof s.name, "%s", g.spec.name);
    s.unwatched = !api_watch_over(h, g.domid, g.spec.name);
    cv_guest_dispose(&g);
    api_give(started, &s, sizeof s);
    return 0;
}

int convoy_pause(convoy_host *h, const char *who, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    return api_result(cv_guest_pause_named(h->host, who, &h->out.sink, &e), &e, err);
}

int convoy_unpause(convoy_host *h, const char *who, int *ran_out, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    bool ran = false;

    if (cv_guest_unpause_named(h->host, who, &ran, &h->out.sink, &e) < 0)
        return api_fail(&e, err);
    if (ran_out != NULL)
        *ran_out = ran;
    return 0;
}

int convoy_destroy(convoy_host *h, const char *who, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    return api_result(cv_guest_destroy_named(h->host, who, &h->out.sink, &e), &e, err);
}

int convoy_monitor(convoy_host *h, uint32_t domid, convoy_cancel *cancel, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    return api_result(cv_monitor_guest(h->host, domid, api_cancel(cancel), &h->out.sink, &e), &e, err);
}

static char *check_json(const char *who, const struct cv_guest *g, const struct cv_findings *found)
{
    json_t *o = json_object();

    json_object_set_new(o, "domain", api_json_text(g->domid != 0 ? g->spec.name : who));
    if (g->domid != 0)
        json_object_set_new(o, "domid", json_integer(g->domid));
    json_object_set_new(o, "blocked", json_boolean(cv_findings_errors(found) > 0));
    json_object_set_new(o, "findings", api_json_findings(found));
    return api_json_dump(o);
}

int convoy_check(convoy_host *h, const char *who, const convoy_check_options *given, char **json_out, convoy_error *err)
{
    struct cv_findings found = { 0 };
    struct cv_error e = CV_ERROR_INIT;
    convoy_check_options o;
    struct cv_guest g;

    *json_out = NULL;
    if (api_options(&o, sizeof o, given, "convoy_check_options", &e) < 0)
        return api_fail(&e, err);
    struct cv_check_request q = {
        .who = who, .store = h->gate.store, .peer = o.peer, .command = o.command, .cancel = api_cancel(o.cancel)
    };
    cv_check_guest(h->host, &q, &h->out.sink, &g, &found);
    int rc = cv_findings_verdict(&found, &e);
    if (!found.lost)
        *json_out = check_json(who, &g, &found);
    cv_guest_dispose(&g);
    cv_findings_dispose(&found);
    return api_result(rc, &e, err);
}
