/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands that work on guests share. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

#define JOURNAL_VARIABLE "CONVOY_JOURNAL_DIR"

static void on_message(void *user, int level, const char *text)
{
    struct cli *c = user;

    if (level <= (int)c->sink.level)
        c->sink.message(&c->sink, (enum cv_level)level, text);
}

static void on_event(void *user, const char *json)
{
    struct cli *c = user;
    c->sink.event(&c->sink, json);
}

convoy_sink cli_sink(struct cli *c)
{
    return (convoy_sink){ .size = sizeof(convoy_sink),
                          .message = on_message,
                          .event = on_event,
                          .user = c,
                          .levels = (unsigned)c->sink.level + 1 };
}

convoy_host *cli_host(struct cli *c, int *status_out)
{
    const char *journals = getenv(JOURNAL_VARIABLE);
    convoy_host_options o = { .size = sizeof o,
                              .program = c->program,
                              .journals = journals != NULL && *journals ? journals : NULL };
    convoy_sink sink = cli_sink(c);
    convoy_error err;

    c->stop = convoy_cancel_new(&err);
    if (c->stop != NULL) {
        c->request_stop = convoy_cancel_request;
        if (cv_cancel_requested(&c->cancel))
            convoy_cancel_request(c->stop);
        convoy_host *h = convoy_host_open(&sink, &o, &err);
        if (h != NULL)
            return h;
        cli_host_close(c, NULL);
    }
    *status_out = cli_failed(&err);
    return NULL;
}

void cli_host_close(struct cli *c, convoy_host *h)
{
    convoy_host_close(h);
    c->request_stop = NULL; /* a signal from now on finds no token */
    convoy_cancel_free(c->stop);
    c->stop = NULL;
}
