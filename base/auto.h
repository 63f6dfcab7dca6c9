/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A variable that is disposed of where its block ends. */
#ifndef CONVOY_BASE_AUTO_H
#define CONVOY_BASE_AUTO_H

#include <errno.h>
#include <stdlib.h>

/* dispose is given the variable's address. It keeps errno: the block may end because of a failure. */
#define CV_AUTO(dispose) __attribute__((cleanup(dispose)))
#define CV_AUTO_FREE CV_AUTO(cv_free_dispose)

/* free() for CV_AUTO_FREE: p is the address of a pointer, which becomes NULL; keeps errno. */
static inline void cv_free_dispose(void *p)
{
    int saved = errno;
    free(*(void **)p);
    *(void **)p = NULL;
    errno = saved;
}

#endif
