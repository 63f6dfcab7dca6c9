/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much of the host's processors our work takes while others wait for theirs. */
#ifndef CONVOY_BASE_PRIORITY_H
#define CONVOY_BASE_PRIORITY_H

#include <sys/types.h>

/* The guest runs, and its emulators share the host's processors with us: they go first.  10 is about a tenth of a
 * normal process's share when there is a contest, and all that is left over when there is none. */
#define CV_NICE_BACKGROUND 10
#define CV_NICE_NORMAL 0

/* Every thread of process pid (0: ours, and only if it is ours: base/process.h) that exists now.  What cannot be
 * changed stays as it is: this is only a courtesy. Above normal it never goes: a process that was started with a nice
 * value of its own keeps at least that. */
void cv_nice(pid_t pid, int nice);

/* The nice value that this process was started with, as of the first call: a process that others send to the background
 * calls it before they do. What is to live longer than the operation is started with it, not with that of the moment.
 */
int cv_nice_own(void);

/* The calling thread alone, if the process is ours, goes at that value again, whatever it was sent to since: what it
 * starts takes its value over, and a hotplug script that others wait for is not work in the background. */
void cv_nice_thread_own(void);

#endif
