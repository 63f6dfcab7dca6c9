/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bar on a terminal while an image is read; nothing where stderr is none. */
#ifndef CONVOY_CLI_PROGRESS_H
#define CONVOY_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct cli_progress {
    const char *what;
    uint64_t total; /* bytes; 0 = unknown */
    int64_t begin_ns, shown_ns;
    bool on;
};

/* fd: what is read; its size is the whole. */
void cli_progress_init(struct cli_progress *p, const char *what, int fd);
void cli_progress_show(struct cli_progress *p, uint64_t bytes);
/* Takes the bar away, so that what follows stands on a clean line. */
void cli_progress_end(struct cli_progress *p);

#endif
