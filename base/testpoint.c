/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/testpoint.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"

static bool is_here(const char *variable, const char *who, const char *point)
{
    const char *at = getenv(variable);
    size_t n = strlen(who);

    return at != NULL && strncmp(at, who, n) == 0 && at[n] == ':' && strcmp(at + n + 1, point) == 0;
}

void cv_testpoint(const char *who, const char *point)
{
    if (who == NULL || !cv_process_is_own())
        return;
    if (is_here("CONVOY_KILL_AT", who, point))
        raise(SIGKILL);
    if (is_here("CONVOY_STOP_AT", who, point)) {
        unsetenv("CONVOY_STOP_AT");
        raise(SIGSTOP);
    }
}
