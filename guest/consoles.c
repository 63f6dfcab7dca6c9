/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where xl console and VNC viewers find a guest: the emulators know, xenstore is told. */
#include <stdio.h>

#include "guest/guest.h"

int cv_guest_consoles_write(struct cv_guest *g, int64_t deadline_ms, struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_emu_wait w = { .deadline_ms = deadline_ms, .cancel = cancel };
    cv_emu_tty tty[4];
    char path[96], text[16];
    unsigned port;

    if (cv_emuset_serial_ttys(&g->set, &w, tty, err) < 0 || cv_emuset_vnc_port(&g->set, &w, &port, err) < 0)
        return -1;
    for (unsigned i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "/local/domain/%u/serial/%u/tty", g->domid, i);
        if (tty[i][0] != '\0' && g->host->ops->xs_write(g->host, path, tty[i], err) < 0)
            return -1;
    }
    if (port == 0)
        return 0;
    snprintf(path, sizeof path, "/local/domain/%u/console/vnc-port", g->domid);
    snprintf(text, sizeof text, "%u", port);
    return g->host->ops->xs_write(g->host, path, text, err);
}
