/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* May this guest's vcpus run here?  Asked by whatever lets them, when it begins and again when it does it. */
#include <string.h>

#include "guest/guest.h"

struct other {
    const uint8_t *uuid;
    uint32_t but;
    bool copies; /* one that has never run is the copy of a migration to this host: it does not count */
    struct cv_domain_info found;
    bool any;
};

static int look_at(void *user, const struct cv_domain_info *d)
{
    struct other *o = user;

    if (d->dying || d->domid == o->but || memcmp(d->uuid, o->uuid, sizeof d->uuid) != 0)
        return 0;
    if (o->copies && d->paused && d->cpu_time_ns == 0)
        return 0;
    o->found = *d;
    o->any = true;
    return 1;
}

static int find_other(struct cv_host *host, struct other *o, struct cv_error *err)
{
    if (host->ops->list(host, look_at, o, err) < 0)
        return -1;
    return o->any;
}

int cv_guest_may(struct cv_host *host, enum cv_gate_verb verb, const struct cv_domain_info *d, struct cv_sink *sink,
                 struct cv_error *err)
{
    struct other o = { .uuid = d->uuid, .but = d->domid, .copies = verb == CV_GATE_GO_ON };

    if (verb != CV_GATE_HOLD) {
        int n = find_other(host, &o, err);
        if (n < 0)
            return -1;
        if (n > 0)
            return cv_fail(err, CV_E_BUSY, 0,
                           "domain %u '%s' has the same uuid: one guest must not run twice (end one of them, or give "
                           "this one another uuid)",
                           o.found.domid, o.found.name);
    }
    return host->gate != NULL ? host->gate->may(host->gate, verb, d, sink, err) : 0;
}

int cv_guest_may_run(const struct cv_guest *g, enum cv_gate_verb verb, struct cv_error *err)
{
    struct cv_domain_info d = { .domid = g->domid };

    memcpy(d.uuid, g->spec.uuid, sizeof d.uuid);
    memcpy(d.name, g->spec.name, sizeof d.name);
    return cv_guest_may(g->host, verb, &d, g->sink, err);
}
