/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does a program keep to docs/emulator-protocol.md?  What convoy asks is asked, and what it does not is tried. */
#ifndef CONVOY_DM_CHECK_H
#define CONVOY_DM_CHECK_H

#include "base/error.h"

#define CV_DM_CHECK_MS 5000

/* Called for each point in turn; failure NULL: it is good. */
typedef void (*cv_dm_point)(void *user, const char *point, const struct cv_error *failure);

/* command: program (a path) and its arguments, NULL-terminated.  Each point has a process of its own, which is gone
 * afterwards.  answer_ms: what an answer, a load or an end may take.  Returns how many points have failed. */
unsigned cv_dm_check(const char *const *command, int answer_ms, cv_dm_point say, void *user);

#endif
