/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is it still what we believe of it?  Others act on guests, too: whoever lets this one run while its pages are being
 * read makes them those of no moment at all. */
#include <string.h>

#include "save/save.h"

static int see(void *user, const struct cv_domain_info *d)
{
    struct cv_domain_info *found = user;

    if (d->domid != found->domid)
        return 0;
    *found = *d;
    return 1;
}

/* 1: it stands suspended.  0: it is gone, or has ended by itself; -1; err in both cases. */
static int peek(struct cv_save *s, uint64_t *ran_ns_out, struct cv_error *err)
{
    struct cv_host *h = s->g.host;
    struct cv_domain_info d = { .domid = s->domid };

    if (h->ops->peek(h, see, &d, err) < 0)
        return -1;
    if (d.dying || memcmp(d.uuid, s->g.spec.uuid, sizeof d.uuid) != 0 ||
        (d.shutdown && d.shutdown_reason != CV_SHUTDOWN_SUSPEND)) {
        cv_fail(err, CV_E_NOT_FOUND, 0, "the guest (domain %u) was ended here by somebody else", s->domid);
        return 0;
    }
    if (!d.shutdown)
        return cv_fail(err, CV_E_INTERNAL, 0, "domain %u was resumed by somebody else while it was to stand still",
                       s->domid);
    *ran_ns_out = d.cpu_time_ns;
    return 1;
}

int cv_save_hold(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;

    (void)deadline_ms;
    s->held = true;
    /* Somebody may have resumed it before it was held; its emulators run yet. */
    return cv_guest_hold(&s->g, err) < 0 || peek(s, &s->ran_ns, err) <= 0 ? -1 : 0;
}

int cv_save_hold_undo(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;

    (void)deadline_ms;
    if (!s->held || s->left_to_monitor)
        return 0;
    int rc = cv_guest_release(&s->g, err);
    s->held = rc != 0;
    return rc;
}

int cv_save_still(struct cv_save *s, struct cv_error *err)
{
    uint64_t ran_ns = 0;
    int n = peek(s, &ran_ns, err);

    if (n <= 0 || ran_ns == s->ran_ns)
        return n;
    return cv_fail(err, CV_E_INTERNAL, 0, "domain %u was resumed by somebody else after its last page was read",
                   s->domid);
}
