/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A suspended guest whose emulators are stopped is paused as well.  Others resume guests: "xl save" of any kind does
 * when it fails.  What a guest says to an emulator that stands still goes nowhere: a disk's request is lost and waited
 * for for ever.  A resumed guest that is paused says nothing, until its emulators run again. */
#include <stdio.h>

#include "base/auto.h"
#include "guest/guest.h"

static char *mark(uint32_t domid, char *buf, size_t size)
{
    snprintf(buf, size, CV_GUEST_HELD, domid);
    return buf;
}

int cv_guest_hold(struct cv_guest *g, struct cv_error *err)
{
    char path[64];

    /* In this order: a pause that nobody knows as ours would be for ever. */
    if (g->host->ops->xs_write(g->host, mark(g->domid, path, sizeof path), "1", err) < 0)
        return -1;
    return g->host->ops->pause(g->host, g->domid, err);
}

int cv_guest_is_held(struct cv_host *host, uint32_t domid, bool *held_out, struct cv_error *err)
{
    CV_AUTO_FREE char *value = NULL;
    char path[64];

    if (host->ops->xs_read(host, mark(domid, path, sizeof path), &value, err) < 0)
        return -1;
    *held_out = value != NULL;
    return 0;
}

static int release(struct cv_guest *g, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;
    struct cv_domain_info d;
    bool held = false;
    char path[64];

    if (cv_guest_is_held(g->host, g->domid, &held, err) < 0)
        return -1;
    if (!held)
        return 0;
    if (g->host->ops->unpause(g->host, g->domid, &why) < 0) {
        /* The pause was not made, or somebody has taken it away: then there is nothing to take back. */
        if (g->host->ops->info(g->host, g->domid, &d, err) < 0)
            return -1;
        if (d.paused)
            return cv_fail_as(err, &why);
    }
    return g->host->ops->xs_remove(g->host, mark(g->domid, path, sizeof path), err);
}

int cv_guest_release(struct cv_guest *g, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;

    /* Nobody else comes by: what fails once is tried once more. */
    if (release(g, &why) == 0)
        return 0;
    cv_log(g->sink, CV_LOG_WARN, "%s: again", why.text);
    return release(g, err);
}
