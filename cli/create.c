/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "guest/guest.h"

int cmd_create(struct cli *c, int argc, char **argv)
{
    struct cv_create_options o = { .cancel = &c->cancel };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;
    int opt, status;

    while ((opt = getopt(argc, argv, "p")) != -1) {
        if (opt != 'p')
            return cli_usage(argv, NULL);
        o.paused = true;
    }
    if (optind + 1 != argc)
        return cli_usage(argv, "one configuration file is wanted");
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    if (cv_guest_create(&g, h, argv[optind], &o, &c->sink, &err) < 0) {
        status = cli_error(&err);
    } else {
        cli_monitor(c, g.domid, g.spec.name);
        printf("%s: domain %u, %u emulator%s\n", g.spec.name, g.domid, g.layout.count, g.layout.count == 1 ? "" : "s");
        cv_guest_dispose(&g);
        status = 0;
    }
    h->ops->close(h);
    return status;
}
