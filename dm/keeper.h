/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two processes, so that no single death leaves a guest without a supervisor: the keeper, whose pid the toolstack
 * knows, does nothing but to wait for the worker, which supervises.  A worker that is killed is followed by another
 * one, which takes the emulators over; a keeper that is killed is not replaced, the worker goes on. */
#ifndef CONVOY_DM_KEEPER_H
#define CONVOY_DM_KEEPER_H

#include <stdbool.h>

#define CV_DM_STANDS_MS 2000

/* What a worker's exit status says besides 0 (ended as it should) and 1 (failed). */
#define CV_DM_NOTHING_THERE                                                                   \
    3 /* of one that was to take over: there are no emulators; what was begun is to be killed \
       */

/* Runs work in a child, again = false, and after each death by a signal in another one, again = true, also after one
 * that could not take over yet (1); at most so often that a worker which dies at once does not do so for ever.  A
 * worker that stands still (SIGSTOP) for CV_DM_STANDS_MS is killed: a toolstack would wait for its answer without end.
 * SIGHUP, SIGTERM and SIGINT of ours become the worker's SIGTERM.  Returns the last worker's status;
 * CV_DM_NOTHING_THERE also when it was told to end and its worker was killed before it could.  In the worker the
 * signals have their default actions, and SIGUSR1 comes when the keeper has died. */
int cv_dm_keep(int (*work)(void *user, bool again), void *user);

#endif
