/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all workers of the test guest share: parameters, failures, time, progress.  README.md describes the parameters.
 */
#ifndef GUEST_WORK_H
#define GUEST_WORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
    TICK_MS = 10,
    PAGE = 4096,
};

extern struct parameters {
    long ram_mb, verify_mb_s, dirty_mb_s, entropy;
    long disk_ops_s, disk_mb; /* 0 operations or MB a second: as fast as it goes */
    long net_pps, net_size, nics;
    long report_hz, stall_s, pv, dmesg, pm, time, irqs, rtc;
    char disks[128], extra[32];
} par;
/* From the kernel's command line. */
void read_parameters(void);

/* Kept for ever, said again and again. */
__attribute__((format(printf, 1, 2))) void fail(const char *format, ...);
/* Says the new ones, or all; returns how many there are. */
int say_failures(bool all);

/* Time is ticks of the guest's own running: it may be frozen at any instruction for any time, so nothing is judged by
 * the clock, and a jump of the clock is one tick like any other. */
extern atomic_ulong ticks;
void ticks_start(void);
void sleep_ms(long ms);
uint64_t clock_ns(clockid_t id);

/* What a worker shows of itself.  done: written by the worker, read by the reporter.  since: the tick at which the
 * present operation began plus one, 0 while there is none; the reporter takes a worker with an old one for stuck. */
struct progress {
    char name[16];
    atomic_ulong done, since;
    bool reported; /* reporter only: it was said that this one is stuck */
};
void begin(struct progress *p);
void end(struct progress *p);
/* The reporter's: fails, once, for a worker whose operation takes longer than g.stall. */
void check_stuck(struct progress *p, const char *what);

/* Called once for each operation, sleeps so that about per_second of them happen.  Relative sleeps only: who was frozen
 * for a minute must not catch up. */
void pace(long per_second, unsigned long *count);

/* RAM: one worker on each processor. */
void ram_start(void);
int ram_workers(void);
void ram_check(void);
void ram_report(void);

/* Disks and NICs: one worker each, by Linux's name. */
void disk_start(const char *name);
int disk_workers(void);
void disk_check(void);
void disk_report(void);
void nic_start(const char *name);
int nic_workers(void);
void nic_check(void);
void nic_report(void);

/* Other devices: one worker for each that g.extra names. */
void extras_start(void);
void extras_check(void);
void extras_report(void);

/* One of them: checksum.c. */
bool checksum_open(const char *folder, int fd);
void checksum_ask(void);

/* Waits for the devices that the parameters name, and starts their workers. */
void find_devices(void);
/* Loads every module of a folder, in the order of their names. */
void load_modules(const char *folder);
/* Without a word if there is no such file. */
void write_file(const char *path, const char *text);

#endif
