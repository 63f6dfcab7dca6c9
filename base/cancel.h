/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request to stop, not a stop: the coordinator chooses the next safe point.  Setting it twice is fine.
 * Every wait includes cancel->fd (readable once set); workers look at the flag between batches. */
#ifndef CONVOY_BASE_CANCEL_H
#define CONVOY_BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

struct cv_cancel {
    atomic_bool set;
    int fd; /* eventfd, readable once set; -1 before init and after dispose */
};

int cv_cancel_init(struct cv_cancel *c, struct cv_error *err) CV_CHECKED;
void cv_cancel_dispose(struct cv_cancel *c);
/* Async-signal-safe. */
void cv_cancel_request(struct cv_cancel *c);
static inline bool cv_cancel_requested(struct cv_cancel *c)
{
    return c != NULL && atomic_load_explicit(&c->set, memory_order_relaxed);
}
/* Fails with CV_E_CANCELLED when set. */
int cv_cancel_check(struct cv_cancel *c, struct cv_error *err) CV_CHECKED;

#endif
