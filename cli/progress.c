/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define WIDTH 40
#define EVERY_NS INT64_C(100000000)

void cli_progress_init(struct cli_progress *p, const char *what, int fd)
{
    struct stat st;

    *p = (struct cli_progress){ .what = what, .begin_ns = cv_now_ns(), .on = isatty(STDERR_FILENO) };
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        p->total = (uint64_t)st.st_size;
}

void cli_progress_show(struct cli_progress *p, uint64_t bytes)
{
    int64_t now = cv_now_ns();
    char bar[WIDTH + 1];

    if (!p->on || now - p->shown_ns < EVERY_NS)
        return;
    p->shown_ns = now;
    double speed = (double)bytes / 1e6 / ((double)(now - p->begin_ns) / 1e9 + 1e-3);
    if (p->total == 0) {
        fprintf(stderr, "\r%s: %llu MB, %.0f MB/s\033[K", p->what, (unsigned long long)bytes / 1000000, speed);
        return;
    }
    double done = (double)bytes / (double)p->total;
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < (int)(done * WIDTH) ? '#' : '.';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r%s: [%s] %3.0f %%, %.0f MB/s\033[K", p->what, bar, done * 100, speed);
}

void cli_progress_end(struct cli_progress *p)
{
    if (p->on && p->shown_ns != 0)
        fputs("\r\033[K", stderr);
}
