/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/fake_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU_TYPE "qemu32-i386-cpu"

/* "name=value" out of a comma separated list; "" if it is not there. */
static void field(const char *list, const char *name, char *out, size_t size)
{
    size_t n = strlen(name);

    *out = '\0';
    for (const char *p = list; p != NULL; p = strchr(p, ','), p = p ? p + 1 : NULL)
        if (strncmp(p, name, n) == 0 && p[n] == '=') {
            snprintf(out, size, "%.*s", (int)strcspn(p + n + 1, ","), p + n + 1);
            return;
        }
}

static void take_device(struct fake_machine *m, const char *value)
{
    char type[64], id[64], drive[64], socket[16];

    snprintf(type, sizeof type, "%.*s", (int)strcspn(value, ","), value);
    field(value, "id", id, sizeof id);
    if (strcmp(type, CPU_TYPE) == 0) {
        field(value, "socket-id", socket, sizeof socket);
        m->cpu[atoi(socket) % FAKE_CPUS] = true;
        return;
    }
    if (*id && m->device_count < 32) {
        snprintf(m->devices[m->device_count][0], 64, "%s", id);
        snprintf(m->devices[m->device_count++][1], 64, "%s", type);
    }
    if ((strncmp(id, "disk-", 5) != 0 && strncmp(id, "ide-", 4) != 0) || m->drive_count == 8)
        return;
    struct fake_drive *d = &m->drives[m->drive_count++];
    field(value, "drive", drive, sizeof drive);
    snprintf(d->id, sizeof d->id, "%s", id);
    snprintf(d->drive, sizeof d->drive, "%s", drive);
    d->cd = strcmp(type, "ide-cd") == 0;
    for (unsigned i = 0; i < m->backend_count; i++)
        if (strcmp(m->backends[i][0], drive) == 0)
            memcpy(d->path, m->backends[i][1], sizeof m->backends[i][1]);
}

void fake_machine_option(struct fake_machine *m, const char *option, const char *value)
{
    char max[16];

    if (strcmp(option, "-smp") == 0) {
        field(value, "maxcpus", max, sizeof max);
        m->maxcpus = (unsigned)atoi(max) % (FAKE_CPUS + 1);
        for (unsigned i = 0; i < (unsigned)atoi(value) && i < FAKE_CPUS; i++)
            m->cpu[i] = true;
    } else if (strcmp(option, "-device") == 0) {
        take_device(m, value);
    } else if (strcmp(option, "-drive") == 0 && m->backend_count < 8) {
        field(value, "id", m->backends[m->backend_count][0], 64);
        field(value, "file.filename", m->backends[m->backend_count++][1], 64);
    } else if (strcmp(option, "-add-fd") == 0 && m->fd_count < 16) {
        sscanf(value, "fd=%d,set=%d", &m->fds[m->fd_count][1], &m->fds[m->fd_count][0]);
        m->fd_count++;
    }
    m->cpu[0] = true;
}

static struct fake_drive *find_drive(struct fake_machine *m, const char *id, size_t len)
{
    for (unsigned i = 0; i < m->drive_count; i++)
        if (strlen(m->drives[i].id) == len && memcmp(m->drives[i].id, id, len) == 0)
            return &m->drives[i];
    fprintf(stderr, "fake-qemu: there is no drive %s\n", id);
    abort();
}

void fake_machine_act(struct fake_machine *m, const char *option, const char *value)
{
    size_t n = strcspn(value, "=:");

    if (strcmp(option, "--plug-cpu") == 0)
        m->cpu[atoi(value) % FAKE_CPUS] = true;
    else if (strcmp(option, "--plug-cpu-at-stop") == 0)
        m->late_cpu = (unsigned)atoi(value);
    else if (strcmp(option, "--eject") == 0)
        find_drive(m, value, n)->path[0] = '\0';
    else if (strcmp(option, "--disc") == 0)
        snprintf(find_drive(m, value, n)->path, 256, "%s", value + n + 1);
    else if (strcmp(option, "--plug") == 0 && m->device_count < 32) {
        snprintf(m->devices[m->device_count][0], 64, "%.*s", (int)n, value);
        snprintf(m->devices[m->device_count++][1], 64, "%s", value + n + 1);
    } else if (strcmp(option, "--unplug") == 0) {
        for (unsigned i = 0; i < m->device_count; i++)
            if (strcmp(m->devices[i][0], value) == 0)
                m->devices[i][0][0] = '\0';
    }
}

/* The last one first, as QEMU lists them. */
static json_t *hotpluggable(const struct fake_machine *m)
{
    json_t *list = json_array();

    for (unsigned i = m->maxcpus ? m->maxcpus : 1; i-- > 0;)
        json_array_append_new(list, json_pack("{s:{s:i, s:i, s:i}, s:i, s:s, s:s*}", "props", "core-id", 0, "thread-id",
                                              0, "socket-id", (int)i, "vcpus-count", 1, "type", CPU_TYPE, "qom-path",
                                              m->cpu[i] ? "/machine/unattached/device[0]" : NULL));
    return list;
}

static json_t *blocks(const struct fake_machine *m)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < m->drive_count; i++) {
        const struct fake_drive *d = &m->drives[i];
        json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:s, s:s}", "device", d->drive, "qdev", d->id, "removable", d->cd,
                              "locked", 0, "type", "unknown", "io-status", "ok");
        if (*d->path)
            json_object_set_new(o, "inserted",
                                json_pack("{s:s, s:s, s:b}", "file", d->path, "drv", "raw", "ro", d->cd));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *fdsets(const struct fake_machine *m)
{
    json_t *list = json_array();

    for (int set = 0; set < 16; set++) {
        json_t *fds = json_array();
        for (unsigned i = 0; i < m->fd_count; i++)
            if (m->fds[i][0] == set)
                json_array_append_new(fds, json_pack("{s:i}", "fd", m->fds[i][1]));
        if (json_array_size(fds) > 0)
            json_array_append_new(list, json_pack("{s:i, s:o}", "fdset-id", set, "fds", fds));
        else
            json_decref(fds);
    }
    return list;
}

static json_t *children(const struct fake_machine *m, const json_t *args)
{
    json_t *list = json_pack("[{s:s, s:s}]", "name", "type", "type", "string");
    const char *path = json_string_value(json_object_get(args, "path"));

    for (unsigned i = 0; i < m->device_count && strcmp(path, "/machine/peripheral") == 0; i++)
        if (m->devices[i][0][0])
            json_array_append_new(list, json_pack("{s:s, s:o}", "name", m->devices[i][0], "type",
                                                  json_sprintf("child<%s>", m->devices[i][1])));
    return list;
}

json_t *fake_machine_execute(struct fake_machine *m, const char *command, const json_t *args, bool *mine_out)
{
    *mine_out = true;
    if (strcmp(command, "query-hotpluggable-cpus") == 0)
        return hotpluggable(m);
    if (strcmp(command, "query-block") == 0)
        return blocks(m);
    if (strcmp(command, "query-fdsets") == 0)
        return fdsets(m);
    if (strcmp(command, "qom-list") == 0)
        return children(m, args);
    if (strcmp(command, "stop") == 0 && m->late_cpu != 0)
        m->cpu[m->late_cpu % FAKE_CPUS] = true;
    *mine_out = false;
    return NULL;
}
