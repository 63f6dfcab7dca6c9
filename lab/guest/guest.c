/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The test guest: process 1 of a small Linux, which works on RAM, disks and NICs, checks all that it gets back, and
 * reports on its serial port.  README.md describes the parameters and the report.
 *
 * The guest may be frozen at any instruction for any time and go on elsewhere.  So nothing is judged by the clock:
 * time is counted in ticks of the guest's own running (see ticker), and a jump of the clock is one tick like any other.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "packet.h"
#include "pattern.h"

enum {
    TICK_MS = 10,
    MAX_DISKS = 16,
    MAX_NICS = 8,
    MAX_CPUS = 32,
    MAX_FAILURES = 8,
    DISK_BLOCK = 16384,
    PAGE = 4096,
    PAGE_WORDS = PAGE / 8,
};

/* ---- parameters ---- */

struct work {
    const char *name;
    long verify_mb_s, dirty_mb_s, disk_ops_s; /* 0: as fast as it goes */
};

static const struct work work_levels[] = {
    { "light", 16, 2, 5 },
    { "medium", 64, 16, 20 },
    { "heavy", 0, 64, 0 },
};

static struct {
    long ram_mb, verify_mb_s, dirty_mb_s, entropy;
    long disk_ops_s, disk_mb;
    long net_pps, net_size, nics;
    long report_hz, stall_s, pv, dmesg, pm;
    char disks[128];
} par = {
    .ram_mb = 32, .entropy = 25, .disk_mb = 16, .net_pps = 100, .net_size = 128, .nics = -1,
    .report_hz = 5, .stall_s = 20, .disks = "auto",
};

static const struct {
    const char *name;
    long *value;
} par_numbers[] = {
    { "ram", &par.ram_mb },           { "verify", &par.verify_mb_s }, { "dirty", &par.dirty_mb_s },
    { "entropy", &par.entropy },      { "diskops", &par.disk_ops_s }, { "diskmb", &par.disk_mb },
    { "net", &par.net_pps },          { "netsize", &par.net_size },   { "nics", &par.nics },
    { "report", &par.report_hz },     { "stall", &par.stall_s },      { "pv", &par.pv },
    { "dmesg", &par.dmesg },           { "pm", &par.pm },
};

/* ---- failures: kept for ever, said again and again ---- */

static pthread_mutex_t failure_lock = PTHREAD_MUTEX_INITIALIZER;
static char failures[MAX_FAILURES][96]; /* under failure_lock */
static int failure_count;               /* under failure_lock */

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
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

/* ---- time: ticks of the guest's own running ---- */

static atomic_ulong ticks;

static void sleep_ms(long ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static uint64_t clock_ns(clockid_t id)
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

/* What a worker shows of itself.  done: written by the worker, read by the reporter.  since: the tick at which the
 * present operation began plus one, 0 while there is none; the reporter takes a worker with an old one for stuck. */
struct progress {
    char name[16];
    atomic_ulong done, since;
    bool reported; /* reporter only: it was said that this one is stuck */
};

static void begin(struct progress *p) { atomic_store(&p->since, atomic_load(&ticks) + 1); }
static void end(struct progress *p) { atomic_store(&p->since, 0); }

static void check_stuck(struct progress *p, const char *what)
{
    unsigned long since = atomic_load(&p->since), limit = (unsigned long)par.stall_s * 1000 / TICK_MS;

    if (since != 0 && !p->reported && atomic_load(&ticks) + 1 - since > limit) {
        fail("%s %s stuck for %ld s", what, p->name, par.stall_s);
        p->reported = true;
    }
}

/* pace(): called once for each operation, sleeps so that about `per_second` of them happen.  Relative sleeps only: who
 * was frozen for a minute must not catch up. */
static void pace(long per_second, unsigned long *count)
{
    long batch = per_second > 100 ? per_second / 50 : 1; /* no sleeps below 10 ms: they cost too much here */

    if (per_second > 0 && ++*count % (unsigned long)batch == 0)
        sleep_ms(1000 * batch / per_second);
}

/* ---- RAM ---- */

static struct ram {
    struct progress progress; /* done: KiB verified */
    pthread_t thread;
    int cpu;
    size_t pages;
    uint64_t first;  /* number of the first page in all of the guest's pages */
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
    ptrdiff_t bad = pattern_check(r->data + page * PAGE_WORDS, PAGE_WORDS, r->first + page, r->round[page],
                                  (unsigned)par.entropy);

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

static void ram_start(void)
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

static unsigned long ram_done_mb(void)
{
    unsigned long kib = 0;

    for (int i = 0; i < ram_count; i++)
        kib += atomic_load(&rams[i].progress.done);
    return kib / 1024;
}

/* ---- disks ---- */

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

static void disk_start(const char *name)
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

static bool disk_name(const char *name)
{
    return strncmp(name, "sd", 2) == 0 || strncmp(name, "vd", 2) == 0 || strncmp(name, "xvd", 3) == 0 ||
           strncmp(name, "nvme", 4) == 0;
}

/* ---- network ---- */

static struct nic {
    struct progress sent, received;
    pthread_t thread;
    int fd;
    uint32_t id;
    bool silent; /* reporter only */
    atomic_ulong heard; /* tick of the last good answer; 0: none yet */
} nics[MAX_NICS];
static int nic_count;

static void nic_receive(struct nic *n)
{
    union {
        struct packet packet;
        unsigned char bytes[2048];
    } in;
    ssize_t len;

    while ((len = recv(n->fd, &in, sizeof in, MSG_DONTWAIT)) >= 0) {
        if (!packet_good(&in.packet, (size_t)len) || in.packet.guest != n->id ||
            in.packet.number > atomic_load(&n->sent.done)) {
            fail("NIC %s: corrupt packet of %zd bytes", n->sent.name, len);
            continue;
        }
        atomic_fetch_add(&n->received.done, 1);
        atomic_store(&n->heard, atomic_load(&ticks));
    }
}

static void *nic_worker(void *arg)
{
    struct nic *n = arg;
    static const struct sockaddr_in peer = { .sin_family = AF_INET };
    struct sockaddr_in to = peer;
    union {
        struct packet packet;
        unsigned char bytes[2048];
    } out;
    long interval = 1000 / (par.net_pps < 1000 ? par.net_pps : 1000);

    to.sin_port = htons(PACKET_PORT);
    inet_pton(AF_INET, PACKET_PEER, &to.sin_addr);
    for (;;) {
        unsigned long number = atomic_load(&n->sent.done) + 1;

        packet_make(&out.packet, (size_t)par.net_size, n->id, number);
        atomic_store(&n->sent.done, number);
        begin(&n->sent);
        /* Full queues and a link that is down are told by the missing answers. */
        (void)!sendto(n->fd, &out, (size_t)par.net_size, 0, (struct sockaddr *)&to, sizeof to);
        end(&n->sent);
        sleep_ms(interval);
        nic_receive(n);
    }
    return NULL;
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!write(fd, text, strlen(text));
        close(fd);
    }
}

/* The address comes from the MAC's last two bytes, so that whoever gives the MACs knows the addresses. */
static int nic_configure(const char *name, uint32_t *address_out)
{
    struct ifreq r = { 0 };
    struct sockaddr_in address = { .sin_family = AF_INET }, mask = { .sin_family = AF_INET };
    const unsigned char *mac;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = -1;

    snprintf(r.ifr_name, sizeof r.ifr_name, "%.15s", name);
    if (ioctl(s, SIOCGIFHWADDR, &r) < 0)
        goto out;
    mac = (const unsigned char *)r.ifr_hwaddr.sa_data;
    address.sin_addr.s_addr = htonl(0x0a4d0000u | (uint32_t)mac[4] << 8 | (2u + mac[5] % 252u));
    mask.sin_addr.s_addr = htonl(0xffff0000u);
    memcpy(&r.ifr_addr, &address, sizeof address);
    if (ioctl(s, SIOCSIFADDR, &r) < 0)
        goto out;
    memcpy(&r.ifr_netmask, &mask, sizeof mask);
    if (ioctl(s, SIOCSIFNETMASK, &r) < 0)
        goto out;
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(s, SIOCSIFFLAGS, &r) < 0)
        goto out;
    *address_out = ntohl(address.sin_addr.s_addr);
    rc = 0;
out:
    close(s);
    return rc;
}

static void nic_start(const char *name)
{
    struct nic *n = &nics[nic_count];

    snprintf(n->sent.name, sizeof n->sent.name, "%.15s", name);
    n->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (nic_configure(name, &n->id) < 0 ||
        setsockopt(n->fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)) < 0) {
        fail("NIC %s: %s", name, strerror(errno));
        return;
    }
    nic_count++;
    pthread_create(&n->thread, NULL, nic_worker, n);
}

static void nic_check(struct nic *n)
{
    unsigned long heard = atomic_load(&n->heard), limit = (unsigned long)par.stall_s * 1000 / TICK_MS;

    check_stuck(&n->sent, "NIC");
    if (heard != 0 && !n->silent && atomic_load(&ticks) - heard > limit) {
        fail("NIC %s silent for %ld s", n->sent.name, par.stall_s);
        n->silent = true;
    }
}

/* ---- finding the devices ---- */

static int list_matching(const char *folder, bool (*wanted)(const char *), char names[][32], int max)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    int n = 0;

    while (d != NULL && n < max && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.' && wanted(e->d_name))
            snprintf(names[n++], 32, "%.31s", e->d_name);
    if (d != NULL)
        closedir(d);
    qsort(names, (size_t)n, 32, (int (*)(const void *, const void *))strcmp);
    return n;
}

static bool nic_name(const char *name)
{
    return strncmp(name, "eth", 3) == 0 || strncmp(name, "en", 2) == 0;
}

static int split(const char *list, char names[][32], int max)
{
    char copy[sizeof par.disks], *save = NULL;
    int n = 0;

    snprintf(copy, sizeof copy, "%s", list);
    for (char *w = strtok_r(copy, ",", &save); w != NULL && n < max; w = strtok_r(NULL, ",", &save))
        snprintf(names[n++], 32, "%.31s", w);
    return n;
}

/* Drivers probe in the background.  Named devices are waited for; others count as found when nothing has been added for
 * a while. */
static void find_devices(void)
{
    char disk[MAX_DISKS][32], nic[MAX_NICS][32];
    bool any_disk = strcmp(par.disks, "auto") == 0;
    int disk_n = 0, nic_n = 0, quiet = 0;
    const int wait_ms = 50, enough_quiet = 30, too_long = 60000 / wait_ms;

    for (int i = 0; i < too_long && quiet < enough_quiet; i++, sleep_ms(wait_ms)) {
        char path[64];
        int d = any_disk ? list_matching("/sys/block", disk_name, disk, MAX_DISKS) : split(par.disks, disk, MAX_DISKS);
        int n = list_matching("/sys/class/net", nic_name, nic, MAX_NICS);
        bool all = par.nics < 0 ? false : n >= par.nics;

        quiet = d == disk_n && n == nic_n ? quiet + 1 : 0;
        disk_n = d;
        nic_n = n;
        if (any_disk)
            continue;
        for (int k = 0; k < d; k++) {
            snprintf(path, sizeof path, "/sys/block/%.31s", disk[k]);
            if (access(path, F_OK) != 0) {
                all = false;
                quiet = 0;
            }
        }
        if (all)
            break;
    }
    for (int k = 0; k < disk_n; k++)
        disk_start(disk[k]);
    write_file("/proc/sys/net/ipv4/conf/all/arp_ignore", "1");
    write_file("/proc/sys/net/ipv4/conf/all/arp_announce", "2");
    for (int k = 0; par.net_pps > 0 && k < nic_n; k++)
        nic_start(nic[k]);
    if (par.nics > nic_n)
        fail("%d NICs in place of %ld", nic_n, par.nics);
}

/* ---- start ---- */

static bool is_module(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && strcmp(dot, ".ko") == 0;
}

/* The build has numbered the modules in the order in which they must be loaded. */
static void load_modules(const char *folder)
{
    char names[96][32];
    int n = list_matching(folder, is_module, names, 96);

    for (int i = 0; i < n; i++) {
        char path[64];
        int fd;

        snprintf(path, sizeof path, "%.24s/%.31s", folder, names[i]);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        /* Without the hardware some drivers refuse to load; their device is then missed below. */
        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST && errno != ENODEV))
            printf("module %s: %s\n", names[i], strerror(errno));
        if (fd >= 0)
            close(fd);
    }
}

static void set_parameter(char *word)
{
    char *value = strchr(word, '=');

    if (value == NULL)
        return;
    *value++ = '\0';
    if (strcmp(word, "disks") == 0)
        snprintf(par.disks, sizeof par.disks, "%.127s", value);
    for (size_t i = 0; i < sizeof work_levels / sizeof work_levels[0]; i++)
        if (strcmp(word, "work") == 0 && strcmp(value, work_levels[i].name) == 0) {
            par.verify_mb_s = work_levels[i].verify_mb_s;
            par.dirty_mb_s = work_levels[i].dirty_mb_s;
            par.disk_ops_s = work_levels[i].disk_ops_s;
        }
    for (size_t i = 0; i < sizeof par_numbers / sizeof par_numbers[0]; i++)
        if (strcmp(word, par_numbers[i].name) == 0)
            *par_numbers[i].value = strtol(value, NULL, 10);
}

/* g.work first, wherever it stands, because the others refine it. */
static void read_parameters(void)
{
    char line[2048] = "", copy[2048], light[] = "work=light", *save;
    FILE *f = fopen("/proc/cmdline", "re");

    set_parameter(light);
    if (f == NULL || fgets(line, sizeof line, f) == NULL)
        return;
    fclose(f);
    for (int pass = 0; pass < 2; pass++) {
        memcpy(copy, line, sizeof copy);
        save = NULL;
        for (char *w = strtok_r(copy, " \n", &save); w != NULL; w = strtok_r(NULL, " \n", &save))
            if (strncmp(w, "g.", 2) == 0 && (strncmp(w, "g.work=", 7) == 0) == (pass == 0))
                set_parameter(w + 2);
    }
    if (par.net_size < (long)sizeof(struct packet))
        par.net_size = sizeof(struct packet);
    if (par.net_size > 1400)
        par.net_size = 1400;
    if (par.report_hz < 1)
        par.report_hz = 1;
}

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
    printf("GUEST-READY cpus=%d ram=%ldMB disks=%d nics=%d pv=%d\n", ram_count, par.ram_mb, disk_count, nic_count,
           access("/sys/hypervisor/uuid", F_OK) == 0);
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

/* From now on the kernel notes what each driver does in a suspension and a resume, and how long it takes.  It is printed some
 * time afterwards: while it happens, the serial port would take most of the time. */
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

/* Returns how many there are. */
static int say_failures(bool all)
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

static void report(bool good)
{
    unsigned long t = atomic_load(&ticks);

    printf("G %" PRIu64 " t=%lu.%lu ram=%lu", counter.count, t * TICK_MS / 1000, t * TICK_MS / 100 % 10, ram_done_mb());
    for (int i = 0; i < disk_count; i++)
        printf(" %s=%lu", disks[i].progress.name, atomic_load(&disks[i].progress.done));
    for (int i = 0; i < nic_count; i++)
        printf(" %s=%lu/%lu", nics[i].sent.name, atomic_load(&nics[i].received.done), atomic_load(&nics[i].sent.done));
    puts(good ? " ok" : " FAIL");
}

static void check_all(void)
{
    for (int i = 0; i < ram_count; i++)
        check_stuck(&rams[i].progress, "RAM worker of");
    for (int i = 0; i < disk_count; i++)
        check_stuck(&disks[i].progress, "disk");
    for (int i = 0; i < nic_count; i++)
        nic_check(&nics[i]);
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

int main(int argc, char **argv)
{
    pthread_t t;

    (void)argc;
    /* The kernel starts /sbin/poweroff when the toolstack asks for a shutdown. */
    if (strcmp(argv[0], "/init") != 0) {
        sync();
        return reboot(strstr(argv[0], "reboot") != NULL ? RB_AUTOBOOT : RB_POWER_OFF);
    }
    prepare_system();
    pthread_create(&t, NULL, ticker, NULL);
    find_devices();
    ram_start();
    if (par.dmesg != 0)
        say_dmesg();
    if (par.pm != 0)
        say_suspensions();
    say_ready();
    for (;;) {
        count();
        check_all();
        report(say_failures(counter.count % (uint64_t)par.report_hz == 0) == 0);
        fflush(stdout);
        sleep_ms(1000 / par.report_hz);
    }
}
