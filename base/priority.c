/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/priority.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/process.h"

int cv_nice_own(void)
{
    static int first = -100;

    if (first == -100)
        first = getpriority(PRIO_PROCESS, 0);
    return first;
}

void cv_nice_thread_own(void)
{
    if (cv_process_is_own())
        setpriority(PRIO_PROCESS, 0, cv_nice_own()); /* Linux: 0 is this thread */
}

void cv_nice(pid_t pid, int nice)
{
    char path[32];
    struct dirent *e;
    int least = cv_nice_own(), value = nice > least ? nice : least;

    if (pid == 0 && !cv_process_is_own())
        return;
    /* Linux keeps the nice value for each thread. */
    snprintf(path, sizeof path, "/proc/%d/task", pid != 0 ? (int)pid : (int)getpid());
    DIR *d = opendir(path);
    if (d == NULL)
        return;
    while ((e = readdir(d)) != NULL) {
        int tid = atoi(e->d_name);
        if (tid > 0)
            setpriority(PRIO_PROCESS, (id_t)tid, value);
    }
    closedir(d);
}
