/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between fake_qemu.c, which speaks, and fake_qemu_options.c, which reads the command line. */
#ifndef CONVOY_TESTS_FAKE_QEMU_H
#define CONVOY_TESTS_FAKE_QEMU_H

#include <stdbool.h>

#include "tests/support/fake_machine.h"

#define FAKE_FAULTS_MAX 16
#define FAKE_FDS_MAX 16

enum fault { DELAY, FAIL, DIE, SILENT, GARBAGE, HALF, CLOSE, LONG, DEEP, FLOOD };

struct planned {
    enum fault fault;
    char command[40];
    int number;
};

struct fake {
    int listener, client, gate;
    const char *tag, *blocked, *unmigratable, *version, *status;
    struct planned faults[FAKE_FAULTS_MAX];
    unsigned fault_count;
    char blocks[512];
    int pci[8];
    unsigned pci_count;
    int fdset[FAKE_FDS_MAX]; /* by fdset id */
    int named_fd;            /* of getfd */
    int received_fd;         /* came with the last bytes */
    bool dirty_log, no_eof, leak_fdset, no_events, negotiated, state_grows;
    long long state_bytes;
    struct fake_machine machine;
    int own_slot[32];
    unsigned own_count;
};

/* One option and the word behind it; what it does not know, it passes over. */
void fake_qemu_option(struct fake *f, const char *option, const char *value);

#endif
