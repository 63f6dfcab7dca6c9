/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The checksum device of examples/emulator: a live emulator that is no QEMU.  It reads a page of ours and writes its
 * record into another one, which nobody else writes: a page that its emulator forgot to report while the guest was
 * saved live comes back old, and so does a device whose state was lost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "work.h"

enum { ID, STATUS, FROM_LOW, FROM_HIGH, LENGTH, TO_LOW, TO_HIGH, COMMAND, SUM, COUNT };
#define IDENTITY 0x314d5553u

static volatile uint32_t *device;
static uint8_t *source;
static volatile uint32_t *record; /* count, checksum */
static uint32_t count, sum = 2166136261u;
static int pagemap = -1, config = -1;

/* 0: unknown. */
static uint64_t physical(const volatile void *p)
{
    uint64_t entry = 0;

    if (pread(pagemap, &entry, sizeof entry, (off_t)((uintptr_t)p / PAGE * sizeof entry)) != sizeof entry ||
        !(entry >> 63))
        return 0;
    return (entry & ((UINT64_C(1) << 55) - 1)) * PAGE + (uintptr_t)p % PAGE;
}

static void compare(const char *when)
{
    if (device[COUNT] != count || device[SUM] != sum)
        fail("checksum device %s: %u, %#x; it is %u, %#x", when, (unsigned)device[COUNT], (unsigned)device[SUM],
             (unsigned)count, (unsigned)sum);
    if (record[0] != count || record[1] != sum)
        fail("checksum device %s: its record in memory is %u, %#x; it is %u, %#x", when, (unsigned)record[0],
             (unsigned)record[1], (unsigned)count, (unsigned)sum);
}

/* Linux takes the right to be bus master from a device without a driver at each suspension; a driver would ask again.
 */
static bool set_master(void)
{
    uint16_t command = 6; /* memory, bus master */

    return pwrite(config, &command, sizeof command, 4) == sizeof command;
}

static void set(unsigned low, uint64_t address)
{
    device[low] = (uint32_t)address;
    device[low + 1] = (uint32_t)(address >> 32);
}

/* Suspended between its first line and its last, the device is no bus master any more and does nothing: status 1. */
static bool ask(uint32_t len)
{
    uint64_t from, to;

    if (!set_master())
        fail("checksum device: configuration space");
    do { /* a page may move at any time; then the device has read somebody else's */
        from = physical(source);
        to = physical(record);
        if (from == 0 || to == 0) {
            fail("checksum device: where its pages lie is not to be known");
            return false;
        }
        set(FROM_LOW, from);
        set(TO_LOW, to);
        device[LENGTH] = len;
    } while (from != physical(source) || to != physical(record));
    device[COMMAND] = 1;
    return true;
}

void checksum_ask(void)
{
    uint32_t len = 200 + count * 37 % 1800;
    unsigned tries = 0;

    if (count > 0)
        compare("before");
    for (uint32_t i = 0; i < len; i++)
        source[i] = (uint8_t)(i * 31 + count * 7 + (i >> 3));
    do {
        if (!ask(len))
            return;
    } while (device[STATUS] == 1 && tries++ < 3);
    if (device[STATUS] != 0)
        fail("checksum device: status %u", (unsigned)device[STATUS]);
    for (uint32_t i = 0; i < len; i++)
        sum = (sum ^ source[i]) * 16777619u;
    count++;
    compare("after");
}

/* folder: the device's in sysfs, with a slash.  fd: its BAR.  False: errno. */
bool checksum_open(const char *folder, int fd)
{
    char path[160];

    snprintf(path, sizeof path, "%sconfig", folder);
    config = open(path, O_RDWR | O_CLOEXEC);
    bool good = set_master();
    pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    void *bar = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *pages =
        mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
    if (!good || pagemap < 0 || bar == MAP_FAILED || pages == MAP_FAILED)
        return false;
    device = bar;
    source = pages;
    memset(pages, 1, 2 * PAGE);
    record = (volatile uint32_t *)(source + PAGE);
    errno = ENODEV;
    return device[ID] == IDENTITY;
}
