/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model's command line (fake_qemu.c says which options there are). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/fake_qemu.h"

/* In the order of enum fault. */
static const char *const fault_options[] = { "--delay",   "--fail",     "--die-at",  "--silent-at", "--garbage-at",
                                             "--half-at", "--close-at", "--long-at", "--deep-at",   "--flood" };

static void die(const char *text)
{
    fprintf(stderr, "fake-qemu: %s\n", text);
    exit(1);
}

static int fd_of(const char *text)
{
    const char *p = strstr(text, "fd=");

    return p == NULL ? -1 : atoi(p + 3);
}

static void take_device(struct fake *f, const char *text)
{
    unsigned slot, fn;
    const char *p = strstr(text, "bus=pci.0,addr=");

    if (p != NULL && sscanf(p + 15, "%x.%x", &slot, &fn) == 2 && f->own_count < 32)
        f->own_slot[f->own_count++] = (int)(slot << 3 | fn);
}

static bool take_fault(struct fake *f, const char *option, const char *value)
{
    for (unsigned i = 0; i < sizeof fault_options / sizeof *fault_options; i++)
        if (strcmp(option, fault_options[i]) == 0 && f->fault_count < FAKE_FAULTS_MAX) {
            struct planned *p = &f->faults[f->fault_count++];
            const char *colon = strchr(value, ':');
            p->fault = (enum fault)i;
            snprintf(p->command, sizeof p->command, "%.*s", (int)(colon ? colon - value : (long)strlen(value)), value);
            p->number = colon ? atoi(colon + 1) : 0;
            return true;
        }
    return false;
}

static void take_block(struct fake *f, const char *value)
{
    char name[100];
    unsigned long long offset, size;
    size_t len = strlen(f->blocks);

    if (sscanf(value, "%99[^@]@%llx:%llx", name, &offset, &size) != 3)
        die("--block NAME@OFFSET:SIZE");
    snprintf(f->blocks + len, sizeof f->blocks - len, "%24s    4 KiB  0x%016llx 0x%016llx 0x%016llx\r\n", name, offset,
             size, size);
}

static void listen_at(struct fake *f, const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(path);
    if (bind(f->listener, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(f->listener, 1) < 0)
        die("cannot listen");
}

void fake_qemu_option(struct fake *f, const char *option, const char *value)
{
    if (take_fault(f, option, value))
        return;
    fake_machine_option(&f->machine, option, value);
#define IS(name) (strcmp(option, name) == 0)
    if (IS("--socket"))
        listen_at(f, value);
    else if (IS("-chardev") && strstr(value, "id=convoy,"))
        f->listener = fd_of(value);
    else if (IS("-chardev") && strstr(value, "id=convoy-gate,"))
        f->gate = fd_of(value);
    else if (IS("-device"))
        take_device(f, value);
    else if (IS("-incoming"))
        f->status = "inmigrate";
    else if (IS("--tag"))
        f->tag = value;
    else if (IS("--blocked"))
        f->blocked = value;
    else if (IS("--unmigratable"))
        f->unmigratable = value;
    else if (IS("--version"))
        f->version = value;
    else if (IS("--state-bytes"))
        f->state_bytes = atoll(value);
    else if (IS("--block"))
        take_block(f, value);
    else if (IS("--pci") && f->pci_count < 8)
        f->pci[f->pci_count++] = atoi(value);
#undef IS
}
