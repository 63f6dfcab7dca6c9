/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands that work on guests share. */
#include <stdio.h>

#include "cli/cli.h"
#include "guest/monitor.h"
#include "handover/gate.h"

struct cv_host *cli_host(struct cli *c, int *status_out)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_host *h;

    if (cv_host_open_xen(&h, &c->sink, &err) == 0) {
        c->gate = (struct cv_gate){ cli_journal_dir() };
        h->gate = &c->gate;
        return h;
    }
    *status_out = cli_error(&err);
    return NULL;
}

int cli_monitor(struct cli *c, uint32_t domid, const char *name)
{
    struct cv_error err = CV_ERROR_INIT;

    if (cv_monitor_spawn(c->program, domid, name, &err) == 0)
        return 0;
    char text[800];
    cv_log(&c->sink, CV_LOG_ERROR, "'%s' runs as domain %u, but nobody watches over it: %s; 'convoy monitor %u' does",
           name, domid, cv_error_string(&err, text, sizeof text), domid);
    return -1;
}
