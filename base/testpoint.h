/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places at which tests end or stop this process: what a crash leaves behind is part of the product.
 * In the environment:  CONVOY_KILL_AT=source:COMMIT   this process dies there by SIGKILL
 *                      CONVOY_STOP_AT=destination:load  it stops there by SIGSTOP, once, until SIGCONT
 * Points are the steps of an operation and the states of the hand-over (docs/migrate-protocol.md, 5), each before it
 * is performed. Nothing happens without these variables, and in a process that is not convoy's own (base/process.h):
 * no environment ends a program that only uses the library. */
#ifndef CONVOY_BASE_TESTPOINT_H
#define CONVOY_BASE_TESTPOINT_H

/* who: "source", "destination", "answer" (for a destination that is gone); NULL = no point here. */
void cv_testpoint(const char *who, const char *point);

#endif
