/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* May this guest's vcpus run here?  Asked by whatever lets them, when it begins and again when it does it: shows
 * handover/gate.h, which decides, what Xen says of this host's domains. */
#include <string.h>

#include "guest/guest.h"

static void as_gate_domain(const struct cv_domain_info *d, struct cv_gate_domain *out)
{
    *out = (struct cv_gate_domain){ .domid = d->domid,
                                    .dying = d->dying,
                                    .paused = d->paused,
                                    .shutdown = d->shutdown,
                                    .cpu_time_ns = d->cpu_time_ns };
    memcpy(out->uuid, d->uuid, sizeof out->uuid);
    memcpy(out->name, d->name, sizeof out->name);
    _Static_assert(sizeof out->name == sizeof d->name, "the names of a domain are as long");
}

static int show(void *user, const struct cv_domain_info *d)
{
    struct cv_gate_domain seen;

    as_gate_domain(d, &seen);
    cv_gate_see(user, &seen);
    return 0;
}

int cv_guest_may(struct cv_host *host, enum cv_gate_verb verb, const struct cv_domain_info *d, struct cv_sink *sink,
                 struct cv_error *err)
{
    struct cv_gate_question q = { .verb = verb };

    as_gate_domain(d, &q.subject);
    if (verb != CV_GATE_HOLD && host->ops->list(host, show, &q, err) < 0)
        return -1;
    return cv_gate_answer(host->gate, &q, sink, err);
}

int cv_guest_may_touch(struct cv_host *host, enum cv_gate_verb verb, const struct cv_domain_info *d,
                       const char *xl_verb, struct cv_sink *sink, struct cv_error *err)
{
    if (cv_guest_may(host, verb, d, sink, err) < 0)
        return -1;
    if (cv_guest_is_ours(host, d->domid))
        return 0;
    /* Of a guest that xl or libvirt made: one that convoy could save, too.  Others may be being built or moved. */
    struct cv_guest g;
    if (cv_guest_open_domain(&g, host, d->domid, sink, err) < 0)
        return cv_context(err, "xl %s is for it", xl_verb);
    cv_guest_dispose(&g);
    return 0;
}

int cv_guest_may_run(const struct cv_guest *g, enum cv_gate_verb verb, struct cv_error *err)
{
    struct cv_domain_info d = { .domid = g->domid };

    memcpy(d.uuid, g->spec.uuid, sizeof d.uuid);
    memcpy(d.name, g->spec.name, sizeof d.name);
    return cv_guest_may(g->host, verb, &d, g->sink, err);
}
