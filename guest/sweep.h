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

#endif
