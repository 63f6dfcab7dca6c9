/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/plan.h"
#include "guest/guest.h"

int cmd_create(struct cli *c, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
    struct cv_create_options o = { .cancel = &c->cancel };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;
    bool only_plan = false, json = false;
    int opt, status;

    while ((opt = getopt_long(argc, argv, "pn", options, NULL)) != -1) {
        switch (opt) {
        case 'p': o.paused = true; break;
        case 'n': only_plan = true; break;
        case 'j': json = true; break;
        default: return cli_usage(argv, NULL);
        }
    }
    if (optind + 1 != argc)
        return cli_usage(argv, "one configuration file is wanted");
    if (json && !only_plan)
        return cli_usage(argv, "--json is for -n");
    if (only_plan)
        return cli_plan(c, argv[optind], json);
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
