/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CONVOY_BENCH_STREAM_H
#define CONVOY_BENCH_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Writes a sparse raw image of so many bytes (a multiple of 4096) to path. */
int bench_generate(const char *path, uint64_t bytes, uint64_t seed, bool all_random, struct cv_error *err) CV_CHECKED;

#endif
