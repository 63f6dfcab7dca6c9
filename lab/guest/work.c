/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "work.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { MAX_FAILURES = 8 };

/* ---- failures ---- */

static pthread_mutex_t failure_lock = PTHREAD_MUTEX_INITIALIZER;
static char failures[MAX_FAILURES][96]; /* under failure_lock */
static int failure_count;               /* under failure_lock */

void fail(const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&failure_lock);
    if (failure_count < MAX_FAILURES) {
        va_start(args, format);
        vsnprintf(failures[failure_count++], sizeof failures[0], format, args);
        va_end(args);
    }
    pthread_mutex_unlock(&failure_lock);
}

int say_failures(bool all)
{
    static int said;
    int n;

    pthread_mutex_lock(&failure_lock);
    for (int i = all ? 0 : said; i < failure_count; i++)
        printf("GUEST-FAIL: %s\n", failures[i]);
    n = said = failure_count;
    pthread_mutex_unlock(&failure_lock);
    return n;
}

/* ---- time ---- */

atomic_ulong ticks;

void sleep_ms(long ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

uint64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Also the check that the clock never goes backwards.  The wall clock may be set, so it has a second of tolerance. */
static void *ticker(void *unused)
{
    uint64_t mono = 0, wall = 0;

    (void)unused;
    for (;;) {
        uint64_t m = clock_ns(CLOCK_MONOTONIC), w = clock_ns(CLOCK_REALTIME);

        if (m < mono)
            fail("monotonic clock went back %" PRIu64 " us", (mono - m) / 1000);
        if (w + 1000000000u < wall)
            fail("wall clock went back %" PRIu64 " ms", (wall - w) / 1000000);
        mono = m;
        wall = w;
        sleep_ms(TICK_MS);
        atomic_fetch_add(&ticks, 1);
    }
    return NULL;
}

void ticks_start(void)
{
    pthread_t t;

    pthread_create(&t, NULL, ticker, NULL);
}

void begin(struct progress *p) { atomic_store(&p->since, atomic_load(&ticks) + 1); }
void end(struct progress *p) { atomic_store(&p->since, 0); }

void check_stuck(struct progress *p, const char *what)
{
    unsigned long since = atomic_load(&p->since), limit = (unsigned long)par.stall_s * 1000 / TICK_MS;

    if (since != 0 && !p->reported && atomic_load(&ticks) + 1 - since > limit) {
        fail("%s %s stuck for %ld s", what, p->name, par.stall_s);
        p->reported = true;
    }
}

void pace(long per_second, unsigned long *count)
{
    long batch = per_second > 100 ? per_second / 50 : 1; /* no sleeps below 10 ms: they cost too much here */

    if (per_second > 0 && ++*count % (unsigned long)batch == 0)
        sleep_ms(1000 * batch / per_second);
}
