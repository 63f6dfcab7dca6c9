/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line on a terminal while a guest moves: pass, pages, dirty rate, expected end. */
#ifndef CONVOY_CLI_PASSES_H
#define CONVOY_CLI_PASSES_H

#include "cli/cli.h"

struct cli_passes {
    struct cli *c;
    void (*event)(struct cv_sink *s, const char *json); /* as they were before */
    void (*message)(struct cv_sink *s, enum cv_level level, const char *text);
    int64_t shown_ns;
    char expect[80];
};

/* Listens to c's events until cli_passes_end; does nothing where stderr is no terminal or --json wants it. */
void cli_passes_begin(struct cli_passes *p, struct cli *c);
void cli_passes_end(struct cli_passes *p);

#endif
