/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a toolstack's QMP commands are answered: each one goes to the emulator that it concerns, or to all with one
 * deadline, and the answers become one, as if there were one QEMU (the table is in desk.c). */
#ifndef CONVOY_DM_DESK_H
#define CONVOY_DM_DESK_H

#include <jansson.h>

#include "emulators/set.h"

#define CV_DM_FDSETS_MAX 16
/* libxl gives up after 10 s; what was not done is to reach it before. */
#define CV_DM_ANSWER_MS 9000
/* How long a guest that goes on waits for an emulator that does not answer "cont". */
#define CV_DM_CONT_MS 3000

struct cv_dm_desk {
    struct cv_emuset *set;          /* borrowed; connected */
    const struct cv_layout *layout; /* borrowed */
    struct cv_sink *sink;           /* borrowed, may be NULL */
    bool quit;                      /* somebody said quit */
    bool has_run;                   /* "cont" has reached all of them once: the guest has begun to run here */
    /* What came with add-fd, by fdset: a device state may be wanted there. */
    struct {
        long long id;
        int fd;
    } fdsets[CV_DM_FDSETS_MAX];
    unsigned fdset_count;
};

void cv_dm_desk_init(struct cv_dm_desk *d, struct cv_emuset *set, const struct cv_layout *l, struct cv_sink *sink);
void cv_dm_desk_dispose(struct cv_dm_desk *d);
/* One line {"execute": ...}, with the descriptor that came along (-1 = none; stays the caller's).  The whole answer, a
 * new reference; NULL: out of memory.  Takes at most CV_DM_ANSWER_MS, for xen-save-devices-state twice that. */
json_t *cv_dm_desk_answer(struct cv_dm_desk *d, const char *line, size_t len, int fd);

#endif
