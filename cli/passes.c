/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/passes.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define EVERY_NS INT64_C(100000000)

static struct cli_passes *the_line; /* a sink has no place for it */

static long long number_of(const json_t *o, const char *name)
{
    return (long long)json_integer_value(json_object_get(o, name));
}

static void show(struct cli_passes *p, const json_t *o)
{
    long long pages = number_of(o, "pages"), of = number_of(o, "of");

    if (cv_now_ns() - p->shown_ns < EVERY_NS)
        return;
    p->shown_ns = cv_now_ns();
    fprintf(stderr, "\rpass %lld: %lld of %lld MiB, %.1f MB sent%s\033[K", number_of(o, "pass") + 1, pages / 256,
            of / 256, (double)number_of(o, "bytes") / 1e6, p->expect);
}

static void on_event(struct cv_sink *s, const char *text)
{
    struct cli_passes *p = the_line;
    json_t *o = json_loads(text, 0, NULL);
    const char *name = o ? json_string_value(json_object_get(o, "event")) : NULL;

    (void)s;
    if (name != NULL && strcmp(name, "pages") == 0) {
        show(p, o);
    } else if (name != NULL && strcmp(name, "decision") == 0) {
        long long left = number_of(o, "expect_left_ms");
        if (left < 0)
            snprintf(p->expect, sizeof p->expect, ", %.0f pages/s dirtied, no end in sight",
                     json_number_value(json_object_get(o, "dirty_pages_s")));
        else
            snprintf(p->expect, sizeof p->expect, ", %.0f pages/s dirtied, %.1f s left",
                     json_number_value(json_object_get(o, "dirty_pages_s")), (double)left / 1e3);
    } else if (name != NULL && strcmp(name, "phase") == 0) {
        fprintf(stderr, "\r%s\033[K", json_string_value(json_object_get(o, "name")));
    }
    json_decref(o);
}

/* A message gets a line of its own. */
static void on_message(struct cv_sink *s, enum cv_level level, const char *text)
{
    fputs("\r\033[K", stderr);
    the_line->message(s, level, text);
}

void cli_passes_begin(struct cli_passes *p, struct cli *c)
{
    *p = (struct cli_passes){ .c = c, .event = c->sink.event, .message = c->sink.message };
    if (c->json_events || !isatty(STDERR_FILENO))
        return;
    the_line = p;
    c->sink.event = on_event;
    c->sink.message = on_message;
}

void cli_passes_end(struct cli_passes *p)
{
    if (the_line != p)
        return;
    fputs("\r\033[K", stderr);
    p->c->sink.event = p->event;
    p->c->sink.message = p->message;
    the_line = NULL;
}
