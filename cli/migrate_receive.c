/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Speaks to "convoy migrate" on standard input and output; people see standard error. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"

/* The channel moves away from 0 and 1: nothing that prints by mistake may end up in it. */
static int take_channel(int *in_out, int *out_out, struct cv_error *err)
{
    *in_out = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    *out_out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (*in_out < 0 || *out_out < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return cv_fail(err, CV_E_IO, 0, "standard input and output are not a channel to another host");
    close(null);
    return 0;
}

int cmd_migrate_receive(struct cli *c, int argc, char **argv)
{
    static const struct option options[] = { { "threads", required_argument, NULL, 'T' }, { NULL, 0, NULL, 0 } };
    convoy_receive_options o = { .size = sizeof o };
    struct cv_error err = CV_ERROR_INIT;
    struct cli_work work = { .threads = 0 };
    convoy_error why;
    int opt, status = 0;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == '?')
            return cli_usage(argv, NULL);
        if (cli_work_option(&work, opt, optarg, &err) < 0)
            return cli_error(&err);
    }
    if (optind != argc)
        return cli_usage(argv, "no arguments are wanted");
    if (isatty(STDIN_FILENO))
        return cli_usage(argv, "this is what 'convoy migrate' runs at the other host");
    CV_AUTO_FD in = -1;
    CV_AUTO_FD out = -1;
    if (take_channel(&in, &out, &err) < 0)
        return cli_error(&err);
    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    o.threads = work.threads;
    o.cancel = c->stop;
    if (convoy_migrate_receive(h, in, out, &o, &why) < 0)
        status = cli_failed(&why);
    cli_host_close(c, h);
    return status;
}
