/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "work.h"

enum {
    MAX_DISKS = 16,
    MAX_NICS = 8,
};

void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!write(fd, text, strlen(text));
        close(fd);
    }
}

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

static bool disk_name(const char *name)
{
    return strncmp(name, "sd", 2) == 0 || strncmp(name, "vd", 2) == 0 || strncmp(name, "xvd", 3) == 0 ||
           strncmp(name, "nvme", 4) == 0;
}

static bool nic_name(const char *name) { return strncmp(name, "eth", 3) == 0 || strncmp(name, "en", 2) == 0; }

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
void find_devices(void)
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

static bool is_module(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && strcmp(dot, ".ko") == 0;
}

/* The build has numbered the modules in the order in which they must be loaded. */
void load_modules(const char *folder)
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
