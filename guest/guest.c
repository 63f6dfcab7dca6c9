/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening, starting the emulators of, and ending a guest. */
#include "guest/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "emulators/paths.h"
#include "emulators/spawn.h"
#include "guest/adopt.h"
#include "guest/devices.h"
#include "guest/sweep.h"

#define QUIT_TIMEOUT_MS 5000
#define QUIT_CONNECT_MS 2000

static int attach_all(struct cv_guest *g, bool dead_ok, struct cv_error *err)
{
    if (cv_emuset_init(&g->set, &g->layout, g->domid, g->sink, err) < 0)
        return -1;
    g->has_set = true;
    if (g->adopted)
        return cv_guest_adopt_emulator(g, dead_ok, err);
    for (unsigned i = 0; i < g->layout.count; i++) {
        char path[128];
        CV_AUTO_FREE char *pid = NULL, *qmp = NULL;

        snprintf(path, sizeof path, "/local/domain/0/dms/%u/%u/pid", g->domid, i);
        if (g->host->ops->xs_read(g->host, path, &pid, err) < 0)
            return -1;
        snprintf(path, sizeof path, "/local/domain/0/dms/%u/%u/qmp", g->domid, i);
        if (g->host->ops->xs_read(g->host, path, &qmp, err) < 0)
            return -1;
        if (cv_emuset_attach(&g->set, i, pid ? (pid_t)atoi(pid) : 0, qmp, dead_ok ? NULL : err) < 0 && !dead_ok)
            return -1;
    }
    return 0;
}

static int read_facts(struct cv_guest *g, struct cv_findings *found, struct cv_error *err)
{
    return cv_guest_is_ours(g->host, g->domid) ? cv_guest_nodes_read(g, err) : cv_guest_adopt(g, found, err);
}

static int open_found(struct cv_guest *g, struct cv_host *host, const struct cv_domain_info *d, bool dead_ok,
                      struct cv_sink *sink, struct cv_findings *found, struct cv_error *err)
{
    *g = (struct cv_guest){ .host = host, .sink = sink, .domid = d->domid };
    if (!d->hvm)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "domain %u '%s' is a PV guest, which is not supported: xl save and xl migrate are for it",
                       d->domid, d->name);
    if (read_facts(g, found, err) < 0 || attach_all(g, dead_ok, err) < 0) {
        cv_guest_dispose(g);
        return -1;
    }
    snprintf(g->made_as, sizeof g->made_as, "%s", g->spec.name);
    /* xl rename changes only the xenstore node. */
    if (d->name[0] != '\0')
        snprintf(g->spec.name, sizeof g->spec.name, "%s", d->name);
    return 0;
}

static int open_guest(struct cv_guest *g, struct cv_host *host, const char *who, bool dead_ok, struct cv_sink *sink,
                      struct cv_findings *found, struct cv_error *err)
{
    struct cv_domain_info d;

    *g = (struct cv_guest){ .host = host, .sink = sink };
    if (host->ops->find(host, who, &d, err) < 0)
        return -1;
    return open_found(g, host, &d, dead_ok, sink, found, err);
}

int cv_guest_open_domain(struct cv_guest *g, struct cv_host *host, uint32_t domid, struct cv_sink *sink,
                         struct cv_error *err)
{
    struct cv_domain_info d;

    *g = (struct cv_guest){ .host = host, .sink = sink };
    if (host->ops->info(host, domid, &d, err) < 0)
        return -1;
    return open_found(g, host, &d, true, sink, NULL, err);
}

int cv_guest_open(struct cv_guest *g, struct cv_host *host, const char *who, struct cv_sink *sink, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT, first;
    struct cv_findings found = { 0 };

    int rc = open_guest(g, host, who, false, sink, &found, &why);
    if (rc < 0)
        rc = cv_findings_errors(&found) > 1 && cv_findings_tell(&found, sink, &first) < 0 ? cv_fail_as(err, &first)
                                                                                          : cv_fail_as(err, &why);
    cv_findings_dispose(&found);
    return rc;
}

int cv_guest_open_to_check(struct cv_guest *g, struct cv_host *host, const char *who, struct cv_sink *sink,
                           struct cv_findings *found, struct cv_error *err)
{
    return open_guest(g, host, who, true, sink, found, err);
}

void cv_guest_dispose(struct cv_guest *g)
{
    if (g->has_set)
        cv_emuset_dispose(&g->set);
    g->has_set = false;
    cv_now_dispose(&g->now);
    if (g->has_layout)
        cv_layout_dispose(&g->layout);
    g->has_layout = false;
    free(g->config_text);
    g->config_text = NULL;
    free(g->devices);
    g->devices = NULL;
    free(g->devices_list);
    g->devices_list = NULL;
}

int cv_guest_start_emulators(struct cv_guest *g, enum cv_spawn_mode mode, int64_t deadline_ms, struct cv_cancel *cancel,
                             struct cv_error *err)
{
    struct cv_emu_rules rules;
    struct cv_spawn_options opt = { .mode = mode,
                                    .guest_name = g->spec.name,
                                    .run_dir = g->host->dirs->run,
                                    .log_dir = g->host->dirs->log,
                                    .tap = cv_host_tap,
                                    .tap_user = g->host,
                                    .rules = &rules };
    struct cv_emu_wait wait = { .deadline_ms = deadline_ms, .cancel = cancel };

    if (cv_guest_rules(g->host, &rules, err) < 0 || cv_emuset_init(&g->set, &g->layout, g->domid, g->sink, err) < 0)
        return -1;
    g->has_set = true;
    if (cv_emuset_start(&g->set, &g->layout, &opt, &wait, err) < 0)
        return -1;
    if (cv_emuset_survey(&g->set, &g->layout, &wait, err) == 0)
        return 0;
    if (cv_guest_kill_emulators(g, NULL) < 0)
        cv_log(g->sink, CV_LOG_WARN, "an emulator of domain %u could not be ended", g->domid);
    return -1;
}

int cv_guest_kill_emulators(struct cv_guest *g, struct cv_error *err)
{
    if (!g->has_set)
        return 0;
    cv_guest_unguard(g->host, g->domid);
    int rc = cv_emuset_kill(&g->set, err);
    cv_emuset_dispose(&g->set);
    g->has_set = false;
    return rc;
}

/* Asked first, so that image formats with caches of their own (qcow2) write them back, and so that one which is
 * attached hears of it at all. */
int cv_guest_quit_emulators(struct cv_guest *g, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(QUIT_CONNECT_MS) };
    struct cv_error e = CV_ERROR_INIT;

    if (!g->has_set)
        return 0;
    cv_guest_unguard(g->host, g->domid);
    w.mask = cv_emuset_unconnected(&g->set);
    if (w.mask != 0 && cv_emuset_connect(&g->set, &w, NULL, &e) < 0)
        cv_log(g->sink, CV_LOG_DEBUG, "%s", e.text);
    w = (struct cv_emu_wait){ .deadline_ms = cv_after_ms(QUIT_TIMEOUT_MS) };
    int rc = cv_emuset_quit(&g->set, &w, err);
    cv_emuset_dispose(&g->set);
    g->has_set = false;
    return rc;
}

int cv_guest_destroy(struct cv_guest *g, struct cv_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    int rc = 0;

    if (g->domid == 0)
        return cv_guest_kill_emulators(g, err);
    /* Paused first: a guest whose emulators die under it logs nonsense on its disks at best. */
    if (g->host->ops->pause(g->host, g->domid, &e) < 0)
        cv_log(g->sink, CV_LOG_DEBUG, "%s", e.text);
    rc |= cv_guest_quit_emulators(g, cv_if_first(err, rc));
    rc |= g->host->ops->destroy(g->host, g->domid, cv_if_first(err, rc));
    if (rc == 0) {
        cv_guest_unwatch(g->host, g->domid);
        g->domid = 0;
    }
    return rc != 0 ? -1 : 0;
}

int cv_guest_expect_late_suspend(struct cv_guest *g, bool on, struct cv_error *err)
{
    char path[96], until[24];

    if (g->adopted) /* it has no monitor of ours that would look */
        return 0;
    /* Whoever stops the guest now has it in hand: its monitor is not to set it going on an earlier one's behalf, least
     * of all after it has been handed over to another host. */
    snprintf(path, sizeof path, CV_GUEST_GO_ON, g->domid);
    if (!on && g->host->ops->xs_remove(g->host, path, err) < 0)
        return -1;
    snprintf(path, sizeof path, CV_GUEST_LATE_SUSPEND, g->domid);
    snprintf(until, sizeof until, "%lld", (long long)cv_after_ms(CV_GUEST_LATE_MS));
    return on ? g->host->ops->xs_write(g->host, path, until, err) : g->host->ops->xs_remove(g->host, path, err);
}
