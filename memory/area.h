/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Large buffers straight from the kernel: zero, page-aligned, and what nobody writes to costs nothing. */
#ifndef CONVOY_MEMORY_AREA_H
#define CONVOY_MEMORY_AREA_H

#include <stddef.h>
#include <stdint.h>

/* NULL: out of memory. */
uint8_t *cv_area_new(size_t bytes);
/* bytes: as given to cv_area_new.  NULL is fine. */
void cv_area_free(uint8_t *area, size_t bytes);

#endif
