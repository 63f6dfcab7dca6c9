/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The test guest: process 1 of a small Linux, which works on RAM, disks and NICs, checks all that it gets back, and
 * reports on its serial port.  README.md describes the parameters and the report.
 * (ram.c, disk.c and nic.c work; work.h says what they share.)
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

static void open_serial(void)
{
    struct termios t;
    int fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);

    if (fd < 0)
        fd = open("/dev/console", O_RDWR | O_NOCTTY);
    if (fd < 0)
        return;
    if (tcgetattr(fd, &t) == 0) {
        cfmakeraw(&t);
        cfsetspeed(&t, B115200);
        tcsetattr(fd, TCSANOW, &t);
    }
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    setvbuf(stdout, NULL, _IOFBF, 4096);
}

static void say_ready(void)
{
    printf("GUEST-READY cpus=%d ram=%ldMB disks=%d nics=%d pv=%d\n", ram_workers(), par.ram_mb, disk_workers(),
           nic_workers(), access("/sys/hypervisor/uuid", F_OK) == 0);
    fflush(stdout);
}

/* What the kernel has said so far, for who wants to know why a boot takes so long. */
static void say_dmesg(void)
{
    enum { READ_ALL = 3, SIZE = 1 << 20 };
    char *text = malloc(SIZE);
    long n = text != NULL ? syscall(SYS_syslog, READ_ALL, text, SIZE) : 0;

    if (n > 0)
        fwrite(text, 1, (size_t)n, stdout);
    free(text);
}

/* From now on the kernel notes what each driver does in a suspension and a resume, and how long it takes.  It is
 * printed some time afterwards: while it happens, the serial port would take most of the time. */
static void *suspension_teller(void *unused)
{
    char line[1024];
    int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct pollfd p = { .fd = fd, .events = POLLIN };

    (void)unused;
    lseek(fd, 0, SEEK_END);
    while (fd >= 0 && poll(&p, 1, -1) > 0) {
        ssize_t n;

        sleep_ms(15000);
        while ((n = read(fd, line, sizeof line - 1)) > 0) {
            /* priority,number,microseconds,flags;text */
            unsigned long long us = 0;
            char *text = memchr(line, ';', (size_t)n);

            line[n] = '\0';
            if (text != NULL && sscanf(line, "%*u,%*u,%llu", &us) == 1)
                printf("K %llu.%06llu %.120s\n", us / 1000000, us % 1000000, text + 1);
        }
    }
    return NULL;
}

static void say_suspensions(void)
{
    pthread_t t;

    write_file("/sys/power/pm_print_times", "1");
    write_file("/sys/power/pm_debug_messages", "1");
    pthread_create(&t, NULL, suspension_teller, NULL);
}

/* ---- the report ---- */

/* The counter is kept twice: were memory mixed up on the way, both would hardly agree. */
static struct {
    volatile uint64_t count, inverse;
} counter = { 0, ~(uint64_t)0 };

static void count(void)
{
    if (counter.inverse != ~counter.count)
        fail("counter %" PRIu64 " and its copy differ", counter.count);
    counter.count++;
    counter.inverse = ~counter.count;
}

/* Waits until the serial port has taken what was written, and then as long again (at least MS altogether).  Under
 * emulation a character costs milliseconds, and the driver's interrupt handler does not return while there is more to
 * send: with a second vCPU to keep it supplied, it kept its vCPU for good, and the devices whose interrupts went there
 * stood still. */
static void rest_after_report(long ms)
{
    enum { LONGEST = 2000 }; /* a suspension in between is no work of the port's */
    uint64_t begun = clock_ns(CLOCK_MONOTONIC);
    long took;

    fflush(stdout);
    tcdrain(STDOUT_FILENO);
    took = (long)((clock_ns(CLOCK_MONOTONIC) - begun) / 1000000);
    if (took > LONGEST)
        took = LONGEST;
    sleep_ms(took > ms / 2 ? took : ms - took);
}

static void report(bool good)
{
    unsigned long t = atomic_load(&ticks);

    printf("G %" PRIu64 " t=%lu.%lu", counter.count, t * TICK_MS / 1000, t * TICK_MS / 100 % 10);
    ram_report();
    disk_report();
    nic_report();
    puts(good ? " ok" : " FAIL");
}

static void prepare_system(void)
{
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sys", "/sys", "sysfs", 0, NULL);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    read_parameters();
    open_serial();
    load_modules("/modules");
    if (par.pv != 0)
        load_modules("/modules-pv");
}

static void say_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    printf("GUEST-TIME %lld.%02ld\n", (long long)now.tv_sec, now.tv_nsec / 10000000);
}

int main(int argc, char **argv)
{
    (void)argc;
    /* The kernel starts /sbin/poweroff when the toolstack asks for a shutdown. */
    if (strcmp(argv[0], "/init") != 0) {
        sync();
        return reboot(strstr(argv[0], "reboot") != NULL ? RB_AUTOBOOT : RB_POWER_OFF);
    }
    prepare_system();
    ticks_start();
    find_devices();
    ram_start();
    if (par.dmesg != 0)
        say_dmesg();
    if (par.pm != 0)
        say_suspensions();
    say_ready();
    for (;;) {
        count();
        ram_check();
        disk_check();
        nic_check();
        if (par.time != 0 && counter.count % (uint64_t)par.report_hz == 0)
            say_time();
        report(say_failures(counter.count % (uint64_t)par.report_hz == 0) == 0);
        rest_after_report(1000 / par.report_hz);
    }
}
