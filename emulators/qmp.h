/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One QMP connection: non-blocking, one command at a time, replies matched by id, everything bounded (the emulator is
 * not trusted).  It never waits: the owner polls fd for cv_qmp_events() and hands what came to cv_qmp_handle().
 *
 *      DISCONNECTED -> GREETING -> NEGOTIATING -> READY <-> AWAITING        any -> FAILED
 *
 * Being READY proves more than that QEMU listens: commands are served by its main loop, which runs only after the
 * machine is complete (and its ioreq server exists); the greeting alone may come earlier. */
#ifndef CONVOY_EMULATORS_QMP_H
#define CONVOY_EMULATORS_QMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

#define CV_QMP_LINE_MAX (1024 * 1024)
#define CV_QMP_DEPTH_MAX 64

enum cv_qmp_state {
    CV_QMP_DISCONNECTED,
    CV_QMP_GREETING,
    CV_QMP_NEGOTIATING,
    CV_QMP_READY,
    CV_QMP_AWAITING,
    CV_QMP_FAILED
};

struct cv_qmp {
    int fd;
    enum cv_qmp_state state;
    struct cv_buf in, out;
    size_t out_done;        /* bytes of out that are sent */
    int pass_fd;            /* goes along with the first byte of out; -1 = none; ours, closed when sent */
    int64_t id;             /* of the command awaited */
    char command[40];       /* its name, for messages */
    json_t *reply;          /* "return" value of the last command, or NULL */
    char refusal[400];      /* description of an error reply, or "" */
    char refusal_class[40]; /* its class, "GenericError" */
    char event[40];         /* name of the last event, "" after cv_qmp_send */
    char migration[40];     /* status of the last MIGRATION event, "" after cv_qmp_send of migrate-incoming */
    bool hung_up;           /* FAILED because the other end is gone */
    struct cv_error err;    /* why FAILED */
};

/* For a connected or connecting socket, or -1.  Takes fd. */
void cv_qmp_init(struct cv_qmp *q, int fd);
void cv_qmp_dispose(struct cv_qmp *q);
/* Connects without waiting.  Errors: CV_E_EMULATOR with errno (ENOENT, ECONNREFUSED: nobody listens), CV_E_BUSY
 * (EAGAIN: the socket's queue is full). */
int cv_qmp_dial(struct cv_qmp *q, const char *path, struct cv_error *err) CV_CHECKED;

/* Queues a command; the state must be READY.  args: stolen, may be NULL.  fd: duplicated and passed along, -1 = none.
 */
int cv_qmp_send(struct cv_qmp *q, const char *command, json_t *args, int fd, struct cv_error *err) CV_CHECKED;

short cv_qmp_events(const struct cv_qmp *q);
/* Reads, writes, parses.  Afterwards state tells: READY with reply or refusal set, FAILED with err. */
void cv_qmp_handle(struct cv_qmp *q, short revents);

/* Parses one line as the connection in its present state would.  For cv_qmp_handle and the fuzzer. */
void cv_qmp_line(struct cv_qmp *q, const char *line, size_t len);

#endif
