/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"

/* -n: what it would be; in JSON, what is wrong with it as well. */
static int plan(struct cli *c, const char *path, bool json)
{
    convoy_sink sink = cli_sink(c);
    convoy_error err;
    char *text = NULL;
    int status = 0;

    if (convoy_plan(path, json ? CONVOY_JSON : CONVOY_TEXT, &sink, &text, &err) < 0)
        status = -1;
    if (text != NULL)
        fputs(text, stdout);
    convoy_free(text);
    return status < 0 ? cli_failed(&err) : 0;
}

static int create(struct cli *c, const char *path, bool paused)
{
    convoy_create_options o = { .size = sizeof o, .paused = paused };
    convoy_started s = { .size = sizeof s };
    convoy_error err;
    int status;

    convoy_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    o.cancel = c->stop;
    if (convoy_create(h, path, &o, &s, &err) < 0) {
        status = cli_failed(&err);
    } else {
        status = s.unwatched;
        printf("%s: domain %u, %u emulator%s\n", s.name, s.domid, s.emulators, s.emulators == 1 ? "" : "s");
    }
    cli_host_close(c, h);
    return status;
}

int cmd_create(struct cli *c, int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
    bool only_plan = false, json = false, paused = false;
    int opt;

    while ((opt = getopt_long(argc, argv, "pn", options, NULL)) != -1) {
        switch (opt) {
        case 'p': paused = true; break;
        case 'n': only_plan = true; break;
        case 'j': json = true; break;
        default: return cli_usage(argv, NULL);
        }
    }
    if (optind + 1 != argc)
        return cli_usage(argv, "one configuration file is wanted");
    if (json && !only_plan)
        return cli_usage(argv, "--json is for -n");
    return only_plan ? plan(c, argv[optind], json) : create(c, argv[optind], paused);
}
