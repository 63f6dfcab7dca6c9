/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Emulators of which nobody has kept account: whoever started them died before it wrote them down. */
#ifndef CONVOY_GUEST_SWEEP_H
#define CONVOY_GUEST_SWEEP_H

#include <stdint.h>

#include "base/error.h"
#include "host/host.h"

/* Ends every process with "-xen-domid <domid>" on its command line by SIGKILL and waits until it is gone; removes the
 * sockets of that domain.  CV_E_EMULATOR: one is left. */
int cv_guest_sweep(struct cv_host *host, uint32_t domid, struct cv_error *err) CV_CHECKED;

/* The lock that a killed monitor of this domain, which is ended now, has left; one that lives takes its own away. */
void cv_guest_unwatch(struct cv_host *host, uint32_t domid);

/* Removes the sockets and locks of domains that are gone and that nobody watches over: they are left when whoever made
 * them was killed.  Done when a monitor starts, so that they do not pile up. */
void cv_guest_sweep_stale(struct cv_host *host);

#endif
