/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy cycle: suspends a guest and resumes it, with nothing in between.  No save and no migration keeps a guest
 * silent for less; measurements take it off (docs/performance.md).  Not in the list of commands. */
#include <stdio.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "guest/guest.h"

#define SUSPEND_MS 60000

int cmd_cycle(struct cli *c, int argc, char **argv)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_domain_info d;
    int status = 0, fd;

    if (argc != 2)
        return cli_usage(argv, "one domain is wanted");
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    int64_t begin = 0, suspended = 0;
    int rc = h->ops->find(h, argv[1], &d, &err);
    if (rc == 0)
        rc = cv_guest_may(h, CV_GATE_GO_ON, &d, &c->sink, &err);
    if (rc == 0 && (d.shutdown || d.paused))
        rc = cv_fail(&err, CV_E_BUSY, 0, "domain %u stands still already, and not for us", d.domid);
    if (rc == 0)
        rc = h->ops->watch_fd(h, &fd, &err);
    if (rc == 0) {
        begin = cv_now_ns();
        rc = h->ops->suspend(h, d.domid, cv_after_ms(SUSPEND_MS), &c->cancel, &err);
        suspended = cv_now_ns();
        struct cv_error e = CV_ERROR_INIT;
        if (h->ops->resume(h, d.domid, &e) < 0) {
            err = e;
            rc = -1;
        }
    }
    if (rc < 0)
        status = cli_error(&err);
    else
        printf("{\"suspend_ms\":%.1f,\"resume_ms\":%.1f}\n", (double)(suspended - begin) / 1e6,
               (double)(cv_now_ns() - suspended) / 1e6);
    h->ops->close(h);
    return status;
}
