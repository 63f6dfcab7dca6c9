/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small process beside each end of a migration: when that end dies without a word (SIGKILL, out of memory), or leaves
 * its journal open, it does what the journal says and goes on trying until that is done, so that nobody's guest stands
 * still until somebody comes by. */
#ifndef CONVOY_MIGRATE_WATCH_H
#define CONVOY_MIGRATE_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "handover/journal.h"

struct cv_watch {
    int fd; /* -1 = none; the watcher sees its end when we end */
};
#define CV_WATCH_INIT \
    {                 \
        .fd = -1      \
    }

/* Runs "<program> recover --watch <role> <migration>" in a session of its own.  program NULL: nothing is started.
 * An error when it could not be executed. */
int cv_watch_start(struct cv_watch *w, const char *program, const uint8_t migration[16], enum cv_journal_role role,
                   struct cv_error *err) CV_CHECKED;
/* settled: all is in order, the watcher ends.  Else it takes over at once: the journal must have been closed.  Twice is
 * fine. */
void cv_watch_end(struct cv_watch *w, bool settled);
/* The watcher's own side: waits at fd.  True: the other one has died, or left something open. */
bool cv_watch_wait(int fd);

#endif
