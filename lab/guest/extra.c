/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Devices that are neither disk nor NIC: one worker each, with an operation that ends only when the device has answered
 * (a USB controller: with an interrupt).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/usbdevice_fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "work.h"

enum { MAX_EXTRAS = 8, A_SECOND = 1, CHECKSUMS_A_SECOND = 10 };

static struct extra {
    struct progress progress;
    pthread_t thread;
    int fd;
    volatile uint32_t *registers; /* edu */
    bool checksum;
} extras[MAX_EXTRAS];
static int extra_count;

/* Its device descriptor, read from the device: the controller has to say that the transfer is over. */
static void usb_ask(struct extra *x)
{
    uint8_t descriptor[18] = { 0 };
    struct usbdevfs_ctrltransfer t = {
        .bRequestType = 0x80,
        .bRequest = 6,
        .wValue = 1 << 8,
        .wLength = sizeof descriptor,
        .timeout = 10000,
        .data = descriptor,
    };

    if (ioctl(x->fd, USBDEVFS_CONTROL, &t) != (int)sizeof descriptor || descriptor[1] != 1)
        fail("%s: descriptor: %s", x->progress.name, strerror(errno));
}

/* QEMU's educational device: a live register that answers with its complement.  The device's state is in no image: what
 * was written before a restore is asked again. */
static void edu_ask(struct extra *x)
{
    static uint32_t n;

    n++;
    for (int tries = 0; tries < 3; tries++) {
        x->registers[1] = n;
        if (x->registers[1] == ~n)
            return;
    }
    fail("%s: answers %#x to %#x", x->progress.name, (unsigned)x->registers[1], (unsigned)n);
}

static void *extra_worker(void *arg)
{
    struct extra *x = arg;
    unsigned long paced = 0;

    for (;;) {
        begin(&x->progress);
        if (x->checksum)
            checksum_ask();
        else if (x->registers != NULL)
            edu_ask(x);
        else
            usb_ask(x);
        end(&x->progress);
        atomic_fetch_add(&x->progress.done, 1);
        pace(x->checksum ? CHECKSUMS_A_SECOND : A_SECOND, &paced);
    }
    return NULL;
}

static void start(const char *name, const char *path)
{
    struct extra *x = &extras[extra_count];

    if (extra_count == MAX_EXTRAS)
        return;
    snprintf(x->progress.name, sizeof x->progress.name, "%s", name);
    x->fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
    if (x->fd < 0) {
        fail("%s: %s: %s", name, path, strerror(errno));
        return;
    }
    if (strcmp(name, "edu") == 0) {
        x->registers = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, x->fd, 0);
        if (x->registers == MAP_FAILED) {
            fail("%s: %s", name, strerror(errno));
            return;
        }
    }
    if (strcmp(name, "checksum") == 0) {
        char folder[128];
        snprintf(folder, sizeof folder, "%.*s", (int)(strlen(path) - strlen("resource0")), path);
        x->checksum = checksum_open(folder, x->fd);
        if (!x->checksum) {
            fail("%s: %s", name, strerror(errno));
            return;
        }
    }
    extra_count++;
    pthread_create(&x->thread, NULL, extra_worker, x);
}

static bool says(const char *path, const char *text)
{
    char line[32] = "";
    FILE *f = fopen(path, "re");
    bool yes = f != NULL && fgets(line, sizeof line, f) != NULL && strncmp(line, text, strlen(text)) == 0;

    if (f != NULL)
        fclose(f);
    return yes;
}

/* The first device that is no root hub; the controller takes a moment to find it. */
static void usb_start(void)
{
    enum { LOOKS = 100, LOOK_MS = 100 };
    glob_t g;

    for (int look = 0, found = 0; look < LOOKS && !found; look++, sleep_ms(LOOK_MS)) {
        if (glob("/dev/bus/usb/*/*", 0, NULL, &g) != 0)
            continue;
        for (size_t i = 0; i < g.gl_pathc && !found; i++) {
            found = strcmp(strrchr(g.gl_pathv[i], '/'), "/001") != 0;
            if (found)
                start("usb", g.gl_pathv[i]);
        }
        globfree(&g);
    }
}

/* The PCI function of this device id (as sysfs writes it), by its first BAR. */
static void pci_start(const char *name, const char *id)
{
    glob_t g;
    char path[128];

    if (glob("/sys/bus/pci/devices/*/device", 0, NULL, &g) != 0)
        return;
    for (size_t i = 0; i < g.gl_pathc; i++) {
        size_t folder = strlen(g.gl_pathv[i]) - strlen("device");
        if (!says(g.gl_pathv[i], id))
            continue;
        snprintf(path, sizeof path, "%.*senable", (int)folder, g.gl_pathv[i]);
        write_file(path, "1");
        snprintf(path, sizeof path, "%.*sresource0", (int)folder, g.gl_pathv[i]);
        start(name, path);
    }
    globfree(&g);
}

void extras_start(void)
{
    char what[sizeof par.extra], *save = NULL;

    snprintf(what, sizeof what, "%s", par.extra);
    for (char *w = strtok_r(what, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
        int before = extra_count;
        if (strcmp(w, "edu") == 0)
            pci_start("edu", "0x11e8");
        else if (strcmp(w, "checksum") == 0)
            pci_start("checksum", "0x7375");
        else if (strcmp(w, "usb") == 0)
            usb_start();
        if (extra_count == before)
            fail("there is no %s", w);
    }
}

void extras_check(void)
{
    for (int i = 0; i < extra_count; i++)
        check_stuck(&extras[i].progress, "device");
}

void extras_report(void)
{
    for (int i = 0; i < extra_count; i++)
        printf(" %s=%lu", extras[i].progress.name, atomic_load(&extras[i].progress.done));
}
