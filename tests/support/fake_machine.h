/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine inside of the model of QEMU: vCPUs, drives and devices of its command line, and what is done to them at
 * run time. It answers as QEMU 7.2 was seen to.  Options (not for one that begins as incoming: they have happened to
 * the saved one):
 *     --plug-cpu N       vCPU N is plugged                   --plug-cpu-at-stop N  as late as at "stop"
 *     --eject ID         the medium of drive ID is ejected   --disc ID=PATH        another one is inserted
 *     --plug NAME:TYPE   a device is plugged                 --unplug NAME         one is unplugged */
#ifndef CONVOY_TESTS_FAKE_MACHINE_H
#define CONVOY_TESTS_FAKE_MACHINE_H

#include <jansson.h>
#include <stdbool.h>

#define FAKE_CPUS 8

struct fake_drive {
    char id[40], drive[40], path[256]; /* path: "/dev/fdset/N", a file's, or "": empty */
    bool cd;
};

struct fake_machine {
    unsigned maxcpus, late_cpu; /* late_cpu 0: none */
    bool cpu[FAKE_CPUS];
    struct fake_drive drives[8];
    char backends[8][2][64]; /* -drive: its id and file */
    char devices[32][2][64]; /* id and type of those that have an id */
    int fds[16][2];          /* -add-fd: set, fd */
    unsigned drive_count, backend_count, device_count, fd_count;
};

/* One option of the command line; acts when all have been read. */
void fake_machine_option(struct fake_machine *m, const char *option, const char *value);
void fake_machine_act(struct fake_machine *m, const char *option, const char *value);
/* NULL, and *mine_out false: no command of the machine's. */
json_t *fake_machine_execute(struct fake_machine *m, const char *command, const json_t *args, bool *mine_out);

#endif
