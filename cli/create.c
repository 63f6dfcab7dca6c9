/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "guest/guest.h"

/* -n: what it would be, on any machine. */
static int plan(struct cli *c, const char *path)
{
    struct cv_guest g = { .sink = &c->sink };
    struct cv_error err = CV_ERROR_INIT;
    char *layout = NULL;

    int rc = cv_guest_plan(&g, path, &err);
    if (rc == 0)
        rc = cv_layout_encode(&g.layout, &layout, &err);
    if (rc == 0)
        puts(layout);
    else
        cv_context(&err, "create");
    free(layout);
    cv_guest_dispose(&g);
    return rc == 0 ? 0 : cli_error(&err);
}

int cmd_create(struct cli *c, int argc, char **argv)
{
    struct cv_create_options o = { .cancel = &c->cancel };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;
    bool only_plan = false;
    int opt, status;

    while ((opt = getopt(argc, argv, "pn")) != -1) {
        switch (opt) {
        case 'p': o.paused = true; break;
        case 'n': only_plan = true; break;
        default: return cli_usage(argv, NULL);
        }
    }
    if (optind + 1 != argc)
        return cli_usage(argv, "one configuration file is wanted");
    if (only_plan)
        return plan(c, argv[optind]);
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    if (cv_guest_create(&g, h, argv[optind], &o, &c->sink, &err) < 0) {
        status = cli_error(&err);
    } else {
        status = cli_monitor(c, g.domid, g.spec.name) < 0;
        printf("%s: domain %u, %u emulator%s\n", g.spec.name, g.domid, g.layout.count, g.layout.count == 1 ? "" : "s");
        cv_guest_dispose(&g);
    }
    h->ops->close(h);
    return status;
}
