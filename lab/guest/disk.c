/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pattern.h"
#include "work.h"

enum {
    MAX_DISKS = 16,
    DISK_BLOCK = 16384,
};

static struct disk {
    struct progress progress; /* done: writes and reads */
    pthread_t thread;
    int fd;
    uint64_t id;
    size_t blocks;
    uint32_t *round;  /* how often each block was written; 0: never */
    uint64_t *buffer; /* aligned for O_DIRECT */
} disks[MAX_DISKS];
static int disk_count;

static void disk_write(struct disk *d, size_t block)
{
    uint32_t round = d->round[block] + 1;
    ssize_t n;

    pattern_fill(d->buffer, DISK_BLOCK / 8, d->id + block, round, (unsigned)par.entropy);
    begin(&d->progress);
    n = pwrite(d->fd, d->buffer, DISK_BLOCK, (off_t)(block * DISK_BLOCK));
    end(&d->progress);
    if (n != DISK_BLOCK)
        fail("disk %s write of block %zu: %s", d->progress.name, block, n < 0 ? strerror(errno) : "short");
    d->round[block] = round;
}

static void disk_verify(struct disk *d, size_t block)
{
    ssize_t n;
    ptrdiff_t bad;

    if (d->round[block] == 0)
        return;
    memset(d->buffer, 0x5a, DISK_BLOCK);
    begin(&d->progress);
    n = pread(d->fd, d->buffer, DISK_BLOCK, (off_t)(block * DISK_BLOCK));
    end(&d->progress);
    if (n != DISK_BLOCK) {
        fail("disk %s read of block %zu: %s", d->progress.name, block, n < 0 ? strerror(errno) : "short");
        return;
    }
    bad = pattern_check(d->buffer, DISK_BLOCK / 8, d->id + block, d->round[block], (unsigned)par.entropy);
    if (bad >= 0)
        fail("disk %s block %zu wrong at byte %td (round %u)", d->progress.name, block, bad * 8, d->round[block]);
}

static void *disk_worker(void *arg)
{
    struct disk *d = arg;
    unsigned long paced = 0;
    uint64_t random = d->id | 1;

    for (unsigned long n = 1;; n++) {
        random = pattern_mix(random + n);
        disk_write(d, random % d->blocks);
        disk_verify(d, (random >> 32) % d->blocks);
        if (n % 16 == 0) {
            begin(&d->progress);
            if (fdatasync(d->fd) < 0)
                fail("disk %s flush: %s", d->progress.name, strerror(errno));
            end(&d->progress);
        }
        atomic_fetch_add(&d->progress.done, 2);
        pace(par.disk_ops_s, &paced);
    }
    return NULL;
}

void disk_start(const char *name)
{
    struct disk *d = &disks[disk_count];
    char path[64];
    uint64_t size = 0;

    snprintf(path, sizeof path, "/dev/%.32s", name);
    snprintf(d->progress.name, sizeof d->progress.name, "%.15s", name);
    d->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (d->fd < 0 || ioctl(d->fd, BLKGETSIZE64, &size) < 0) {
        fail("disk %s: %s", name, strerror(errno));
        return;
    }
    if (size > (uint64_t)par.disk_mb << 20)
        size = (uint64_t)par.disk_mb << 20;
    d->blocks = size / DISK_BLOCK;
    for (const char *c = name; *c != '\0'; c++)
        d->id = pattern_mix(d->id + (uint64_t)(unsigned char)*c);
    d->round = calloc(d->blocks ? d->blocks : 1, sizeof *d->round);
    if (d->blocks == 0 || d->round == NULL || posix_memalign((void **)&d->buffer, PAGE, DISK_BLOCK) != 0) {
        fail("disk %s: too small, or no memory", name);
        return;
    }
    disk_count++;
    pthread_create(&d->thread, NULL, disk_worker, d);
}

int disk_workers(void) { return disk_count; }

void disk_check(void)
{
    for (int i = 0; i < disk_count; i++)
        check_stuck(&disks[i].progress, "disk");
}

void disk_report(void)
{
    for (int i = 0; i < disk_count; i++)
        printf(" %s=%lu", disks[i].progress.name, atomic_load(&disks[i].progress.done));
}
