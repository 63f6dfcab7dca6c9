/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pattern.h"
#include "work.h"

enum {
    MAX_CPUS = 32,
    PAGE_WORDS = PAGE / 8,
};

static struct ram {
    struct progress progress; /* done: KiB verified */
    pthread_t thread;
    int cpu;
    size_t pages;
    uint64_t first; /* number of the first page in all of the guest's pages */
    uint64_t *data;
    uint32_t *round; /* how often each page was written */
} rams[MAX_CPUS];
static int ram_count;

static void ram_write(struct ram *r, size_t page)
{
    pattern_fill(r->data + page * PAGE_WORDS, PAGE_WORDS, r->first + page, ++r->round[page], (unsigned)par.entropy);
}

static void ram_verify(struct ram *r, size_t page)
{
    ptrdiff_t bad =
        pattern_check(r->data + page * PAGE_WORDS, PAGE_WORDS, r->first + page, r->round[page], (unsigned)par.entropy);

    if (bad >= 0)
        fail("RAM page %zu of %s wrong at byte %td (round %u)", page, r->progress.name, bad * 8, r->round[page]);
}

static void *ram_worker(void *arg)
{
    struct ram *r = arg;
    cpu_set_t set;
    size_t at = 0, hot = r->pages / 4 ? r->pages / 4 : 1; /* a quarter is written again and again */
    size_t dirty_at = 0;
    long verify = par.verify_mb_s * 256 / ram_count, dirty = par.dirty_mb_s * 256 / ram_count;
    unsigned long paced = 0;
    double due = 0, ratio = verify > 0 ? (double)dirty / (double)verify : (double)par.dirty_mb_s / 256;

    CPU_ZERO(&set);
    CPU_SET((size_t)r->cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    for (size_t i = 0; i < r->pages; i++)
        ram_write(r, i);
    for (;;) {
        begin(&r->progress);
        ram_verify(r, at);
        at = (at + 1) % r->pages;
        for (due += ratio; due >= 1; due -= 1) {
            ram_verify(r, dirty_at);
            ram_write(r, dirty_at);
            dirty_at = (dirty_at + 1) % hot;
        }
        atomic_fetch_add(&r->progress.done, 4);
        end(&r->progress);
        pace(verify, &paced);
    }
    return NULL;
}

void ram_start(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t pages = (size_t)par.ram_mb * 256;

    ram_count = par.ram_mb == 0 ? 0 : cpus > MAX_CPUS ? MAX_CPUS : (int)cpus;
    for (int i = 0; i < ram_count; i++) {
        struct ram *r = &rams[i];

        r->cpu = i;
        r->pages = pages / (size_t)ram_count;
        r->first = (uint64_t)i << 32;
        snprintf(r->progress.name, sizeof r->progress.name, "cpu%d", i);
        r->data = mmap(NULL, r->pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        r->round = calloc(r->pages, sizeof *r->round);
        if (r->data == MAP_FAILED || r->round == NULL) {
            fail("no memory for g.ram=%ld", par.ram_mb);
            ram_count = i;
            return;
        }
        pthread_create(&r->thread, NULL, ram_worker, r);
    }
}

int ram_workers(void) { return ram_count; }

void ram_check(void)
{
    for (int i = 0; i < ram_count; i++)
        check_stuck(&rams[i].progress, "RAM worker of");
}

void ram_report(void)
{
    unsigned long kib = 0;

    for (int i = 0; i < ram_count; i++)
        kib += atomic_load(&rams[i].progress.done);
    printf(" ram=%lu", kib / 1024);
}
