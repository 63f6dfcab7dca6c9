/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arguments, rights and the loop.  What needs rights is opened first, then they are dropped, and only then is anybody
 * answered: convoy looks whose process it is as soon as it has an answer. */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator.h"

struct options {
    bool has_domid, restricted, no_xen, has_user, has_device;
    unsigned domid, vcpus, uid, gid;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "checksum-emulator: %s: %s\n", what, why);
    exit(1);
}

static unsigned number(const char *option, const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || n > 0x7fffffff)
        die(option, "is no number");
    return (unsigned)n;
}

/* "checksum,id=dev0,bus=pci.0,addr=10.0" */
static void take_device(struct emulator *e, struct options *o, const char *text)
{
    const char *at = strstr(text, ",addr=");

    if (o->has_device || strncmp(text, DEVICE_NAME ",", strlen(DEVICE_NAME) + 1) != 0 || at == NULL ||
        sscanf(at, ",addr=%x.%x", &e->slot, &e->function) != 2 || e->slot > 31 || e->function > 7)
        die(text, "is not this emulator's one device, " DEVICE_NAME ",...,addr=SLOT.FUNCTION");
    o->has_device = true;
}

/* Without a value: 1; with one: 2; unknown: 0. */
static int take_option(struct emulator *e, struct options *o, const char *option, const char *value)
{
    const char *fd;

    if (strcmp(option, "-S") == 0)
        return 1; /* it always starts stopped */
    if (strcmp(option, "-xen-domid-restrict") == 0)
        return o->restricted = true;
    if (strcmp(option, "-no-xen") == 0)
        return o->no_xen = true;
    if (value == NULL)
        return 0;
    if (strcmp(option, "-xen-domid") == 0) {
        o->domid = number(option, value);
        o->has_domid = true;
    } else if (strcmp(option, "-smp") == 0) {
        o->vcpus = number(option, value);
    } else if (strcmp(option, "-chardev") == 0) {
        fd = strstr(value, ",fd=");
        e->listener = fd != NULL ? atoi(fd + 4) : -1;
    } else if (strcmp(option, "-device") == 0) {
        take_device(e, o, value);
    } else if (strcmp(option, "-incoming") == 0) {
        e->incoming = true;
    } else if (strcmp(option, "-runas") == 0) {
        o->has_user = sscanf(value, "%u:%u", &o->uid, &o->gid) == 2;
        if (!o->has_user)
            die(option, "is UID:GID");
    } else if (strcmp(option, "-mon") != 0 && strcmp(option, "-name") != 0) {
        return 0;
    }
    return 2;
}

static void drop_rights(const struct options *o)
{
    if (o->restricted && !xen_restrict())
        die("-xen-domid-restrict", strerror(errno));
    if (o->has_user && (setgroups(0, NULL) < 0 || setgid(o->gid) < 0 || setuid(o->uid) < 0))
        die("-runas", strerror(errno));
}

static void loop(struct emulator *e)
{
    while (!e->quit) {
        struct pollfd p[] = { { .fd = e->client < 0 ? e->listener : e->client, .events = POLLIN },
                              { .fd = e->running ? xen_fd() : -1, .events = POLLIN } };
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            die("poll", strerror(errno));
        if (p[1].revents != 0)
            xen_serve();
        if (p[0].revents != 0 && e->client < 0)
            qmp_accept(e);
        else if (p[0].revents != 0)
            qmp_serve(e);
    }
}

int main(int argc, char **argv)
{
    struct emulator e = { .listener = -1, .client = -1 };
    struct options o = { .vcpus = 1 };
    int used;

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("checksum-emulator version " EMULATOR_VERSION);
        return 0;
    }
    for (int i = 1; i < argc; i += used)
        if ((used = take_option(&e, &o, argv[i], i + 1 < argc ? argv[i + 1] : NULL)) == 0)
            die(argv[i], "is no argument of this emulator, or lacks its value");
    if (e.listener < 0 || !o.has_device || (!o.has_domid && !o.no_xen))
        die("arguments", "-chardev, -device, and -xen-domid or -no-xen are needed");
    device_init();
    if (!o.no_xen && !xen_open(o.domid, o.vcpus, e.slot, e.function))
        die("Xen", strerror(errno));
    drop_rights(&o);
    loop(&e);
    return 0;
}
