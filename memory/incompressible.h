/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A cheap guess that zstd would be wasted on some bytes: encrypted or compressed contents. */
#ifndef CONVOY_MEMORY_INCOMPRESSIBLE_H
#define CONVOY_MEMORY_INCOMPRESSIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* data: length is a multiple of CV_PAGE_SIZE.  Depends on the bytes only.  Wrong guesses cost space or time,
 * nothing else. */
bool cv_incompressible(const uint8_t *data, size_t length);

#endif
