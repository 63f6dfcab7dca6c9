/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Breadth-first exploration of every world that can be reached, each checked as it is found. */
#ifndef CONVOY_TESTS_MODEL_EXPLORE_H
#define CONVOY_TESTS_MODEL_EXPLORE_H

#include <stddef.h>
#include <stdio.h>

#include "tests/model/world.h"

struct findings {
    size_t states, transitions, recoveries;
    size_t unknown, none_lost; /* ends where the source said unknown; recoveries without a guest (host lost) */
    uint64_t reached;          /* bit n: some process was in state n of the machines */
    const char *broken;        /* first broken rule, NULL if none */
    char trace[8192];          /* how to get there, one event per line */
    bool exhausted;            /* false: stopped by a broken rule, or out of memory */
};

void explore(const struct limits *l, enum mutation m, struct findings *f_out);

#endif
