/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/verbs.h"

#include "guest/guest.h"

int cv_guest_pause_named(struct cv_host *host, const char *who, struct cv_sink *sink, struct cv_error *err)
{
    struct cv_domain_info d;

    if (host->ops->find(host, who, &d, err) < 0 || cv_guest_may_touch(host, CV_GATE_HOLD, &d, "pause", sink, err) < 0 ||
        host->ops->pause(host, d.domid, err) < 0)
        return cv_context(err, "pause '%s'", who);
    return 0;
}

int cv_guest_unpause_named(struct cv_host *host, const char *who, bool *ran_out, struct cv_sink *sink,
                           struct cv_error *err)
{
    struct cv_domain_info d;

    if (host->ops->find(host, who, &d, err) < 0 || cv_guest_unpause(host, &d, ran_out, sink, err) < 0)
        return cv_context(err, "unpause '%s'", who);
    return 0;
}

static int end(struct cv_host *host, uint32_t domid, struct cv_sink *sink, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;
    struct cv_guest g;

    if (cv_guest_open_domain(&g, host, domid, sink, &why) < 0) {
        bool ours = cv_guest_is_ours(host, domid);
        if (!ours)
            cv_context(&why, "xl destroy is for it");
        if (!ours || why.code == CV_E_UNSUPPORTED)
            return cv_fail_as(err, &why);
        g = (struct cv_guest){ .host = host, .sink = sink, .domid = domid };
    }
    int rc = cv_guest_destroy(&g, err);
    cv_guest_dispose(&g);
    return rc;
}

int cv_guest_destroy_named(struct cv_host *host, const char *who, struct cv_sink *sink, struct cv_error *err)
{
    struct cv_domain_info d;

    if (host->ops->find(host, who, &d, err) < 0 || end(host, d.domid, sink, err) < 0)
        return cv_context(err, "destroy '%s'", who);
    return 0;
}
