/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose process this is.  A library is a guest in its caller's: it changes no priority of threads that it did not make,
 * and no variable of the environment ends it.  A program that is convoy's own says so, once, before anything else. */
#ifndef CONVOY_BASE_PROCESS_H
#define CONVOY_BASE_PROCESS_H

#include <stdbool.h>

void cv_process_own(void);
bool cv_process_is_own(void);

#endif
