/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which interrupts of emulated devices a guest takes over event channels. */
#include <errno.h>

#include "host/xen/xen.h"

#define FIRST_PIRQ 16u
#define PORTS_MAX (1u << 17) /* as many as Xen has for a domain */

/* Xen gives a guest's pins (INTx) the pirqs from 16 on, upwards, and its MSIs those from the last one on, downwards
 * (get_free_pirq), and tells nobody which is which.  n pins are 16 to 15 + n; what lies above that is an MSI's. */
int xen_event_msis(struct cv_host *h, uint32_t domid, unsigned *count_out, struct cv_error *err)
{
    struct xen_host *x = xen_host(h);
    unsigned bound = 0, msis = 0;

    for (int pass = 0; pass < 2; pass++)
        for (uint32_t port = 1; port < PORTS_MAX; port++) {
            xc_evtchn_status_t s = { .dom = (domid_t)domid, .port = port };
            if (xc_evtchn_status(x->xc, &s) < 0) {
                if (errno == EINVAL)
                    break; /* the one behind the last */
                if (errno == EACCES)
                    continue; /* Xen's own */
                return xen_fail(x, err, "cannot read event channel %u of domain %u", port, domid);
            }
            if (s.status != EVTCHNSTAT_pirq)
                continue;
            bound += pass == 0;
            msis += pass == 1 && s.u.pirq >= FIRST_PIRQ + bound;
        }
    *count_out = msis;
    return 0;
}
