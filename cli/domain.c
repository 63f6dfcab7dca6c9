/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* destroy, pause, unpause, monitor: one domain, one call. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

static int on_domain(struct cli *c, int argc, char **argv,
                     int (*call)(convoy_host *h, const char *who, convoy_error *err))
{
    convoy_error err;
    int status = 0;

    if (argc != 2 || argv[1][0] == '-')
        return cli_usage(argv, "one domain is wanted");
    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    if (call(h, argv[1], &err) < 0)
        status = cli_failed(&err);
    cli_host_close(c, h);
    return status;
}

static int unpause(convoy_host *h, const char *who, convoy_error *err)
{
    int ran = 0, rc = convoy_unpause(h, who, &ran, err);

    if (ran)
        printf("'%s' runs already: nothing is paused\n", who);
    return rc;
}

int cmd_destroy(struct cli *c, int argc, char **argv) { return on_domain(c, argc, argv, convoy_destroy); }
int cmd_pause(struct cli *c, int argc, char **argv) { return on_domain(c, argc, argv, convoy_pause); }
int cmd_unpause(struct cli *c, int argc, char **argv) { return on_domain(c, argc, argv, unpause); }

int cmd_monitor(struct cli *c, int argc, char **argv)
{
    convoy_error err;
    int status = 0;
    char *end;

    if (argc != 2)
        return cli_usage(argv, "one domid is wanted");
    uint32_t domid = (uint32_t)strtoul(argv[1], &end, 10);
    if (domid == 0 || *end != '\0' || argv[1][0] == '-')
        return cli_usage(argv, "the domid of a guest is wanted");
    c->sink.level = CV_LOG_INFO;
    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    if (convoy_monitor(h, domid, c->stop, &err) < 0)
        status = cli_failed(&err);
    cli_host_close(c, h);
    return status;
}
