/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CLOCK_MONOTONIC, and deadlines by it. */
#ifndef CONVOY_BASE_CLOCK_H
#define CONVOY_BASE_CLOCK_H

#include <stdint.h>

int64_t cv_now_ns(void);
int64_t cv_now_ms(void);

/* A deadline is a time of cv_now_ms; CV_NEVER waits for ever. */
#define CV_NEVER INT64_MAX
/* The deadline in ms from now; CV_NEVER stays CV_NEVER. */
static inline int64_t cv_after_ms(int64_t ms) { return ms == CV_NEVER ? CV_NEVER : cv_now_ms() + ms; }

#endif
