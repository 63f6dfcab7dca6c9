/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The test guest: process 1 of a small Linux, which works on RAM, disks and NICs, checks all that it gets back, and
 * reports on its serial port.  README.md describes the parameters and the report.
 * (ram.c, disk.c and nic.c work; work.h says what they share.)
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/rtc.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

    /* Linux has a node for the port, and opens it, where there is none: a PVH guest has Xen's console only. */
    if (fd < 0 || tcgetattr(fd, &t) < 0) {
        if (fd >= 0)
            close(fd);
        fd = open("/dev/console", O_RDWR | O_NOCTTY);
    }
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
    extras_report();
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
    load_modules("/modules-extra"); /* in one of the two initramfs's */
}

/* Seconds since 1970 of the machine's own clock, which is what the guest has set it to; -1: there is none. */
static time_t read_rtc(int fd)
{
    struct rtc_time t;
    struct tm tm;

    if (fd < 0 || ioctl(fd, RTC_RD_TIME, &t) < 0)
        return -1;
    tm = (struct tm){ .tm_sec = t.tm_sec,
                      .tm_min = t.tm_min,
                      .tm_hour = t.tm_hour,
                      .tm_mday = t.tm_mday,
                      .tm_mon = t.tm_mon,
                      .tm_year = t.tm_year };
    return timegm(&tm);
}

/* Sets it to so many seconds from what it is. */
static void set_rtc(long seconds)
{
    int fd = open("/dev/rtc0", O_RDONLY | O_CLOEXEC);
    time_t to = read_rtc(fd) + seconds;
    struct tm tm;

    gmtime_r(&to, &tm);
    struct rtc_time t = { .tm_sec = tm.tm_sec,
                          .tm_min = tm.tm_min,
                          .tm_hour = tm.tm_hour,
                          .tm_mday = tm.tm_mday,
                          .tm_mon = tm.tm_mon,
                          .tm_year = tm.tm_year };
    if (fd < 0 || ioctl(fd, RTC_SET_TIME, &t) < 0)
        fail("the clock cannot be set");
    close(fd);
}

static void say_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    printf("GUEST-TIME %lld.%02ld\n", (long long)now.tv_sec, now.tv_nsec / 10000000);
    if (par.rtc != 0) {
        int fd = open("/dev/rtc0", O_RDONLY | O_CLOEXEC);
        time_t rtc = read_rtc(fd);
        clock_gettime(CLOCK_REALTIME, &now);
        printf("GUEST-RTC %lld\n", (long long)(rtc - now.tv_sec)); /* its distance from the wall clock */
        close(fd);
    }
}

/* How each device's interrupts come, and how many there were. */
static void say_interrupts(void)
{
    char line[512];
    FILE *f = fopen("/proc/interrupts", "re");

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strchr("0123456789 ", line[0]) != NULL && strstr(line, "xen-dyn") == NULL &&
            strstr(line, "xen-percpu") == NULL)
            printf("I %.150s", line);
    puts("I end");
    if (f != NULL)
        fclose(f);
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
    if (*par.extra != '\0')
        extras_start();
    ram_start();
    if (par.dmesg != 0)
        say_dmesg();
    if (par.pm != 0)
        say_suspensions();
    if (par.rtc != 0)
        set_rtc(par.rtc);
    say_ready();
    for (;;) {
        count();
        ram_check();
        disk_check();
        nic_check();
        extras_check();
        if (par.time != 0 && counter.count % (uint64_t)par.report_hz == 0)
            say_time();
        if (par.irqs != 0 && counter.count % (uint64_t)(10 * par.report_hz) == 1)
            say_interrupts();
        report(say_failures(counter.count % (uint64_t)par.report_hz == 0) == 0);
        rest_after_report(1000 / par.report_hz);
    }
}
