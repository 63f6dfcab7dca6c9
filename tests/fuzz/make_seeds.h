/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CONVOY_TESTS_FUZZ_MAKE_SEEDS_H
#define CONVOY_TESTS_FUZZ_MAKE_SEEDS_H

#include <stddef.h>
#include <stdlib.h>

/* FOLDER/area/name; ends the program if it cannot. */
void write_file(const char *area, const char *name, const void *data, size_t len);
/* (A file of their own: the stream and the channel both have a struct cv_frame.) */
void images(void);

static inline void must(int rc)
{
    if (rc < 0)
        abort();
}

#endif
