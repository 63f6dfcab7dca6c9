/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One emulator under examination: a process and a QMP connection that can also be used wrongly.  It is not cv_qmp, so
 * that what convoy's own client does not notice is noticed. */
#ifndef CONVOY_DM_PROBE_H
#define CONVOY_DM_PROBE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/error.h"

#define CV_PROBE_START_MS 20000 /* from the start to the greeting */

struct cv_probe {
    const char *const *command; /* program and arguments, NULL-terminated; borrowed */
    int answer_ms;              /* for an answer, a load, an end */
    pid_t pid;                  /* 0 = none */
    int pidfd, fd, log_fd;      /* -1 = none */
    struct sockaddr_un address;
    socklen_t address_len;
    char in[65536];
    size_t have;
    json_t *reply;      /* of the last question: its "return", */
    char refusal[200];  /* or its error's description; "" */
    char migration[24]; /* the last MIGRATION event's status */
    int64_t id;
};

/* Starts it as convoy would, -S; incoming: to wait for a state.  Connected and greeted; not negotiated yet. */
int cv_probe_start(struct cv_probe *p, const char *const *command, bool incoming, int answer_ms,
                   struct cv_error *err) CV_CHECKED;
/* Kills it, forgets it.  Safe twice, and on { 0 } with descriptors -1. */
void cv_probe_end(struct cv_probe *p);
/* Another connection in the place of this one; negotiated: and qmp_capabilities. */
int cv_probe_connect(struct cv_probe *p, bool negotiated, struct cv_error *err) CV_CHECKED;
int cv_probe_put(struct cv_probe *p, const char *text, int fd, struct cv_error *err) CV_CHECKED;
/* The next line that is no event; caller's.  CV_E_TIMEOUT, CV_E_EMULATOR (gone: how; no JSON). */
int cv_probe_line(struct cv_probe *p, json_t **out, struct cv_error *err) CV_CHECKED;
/* Asks, and waits for the answer: p->reply or p->refusal.  args: stolen, may be NULL; fd: goes along, -1 = none. */
int cv_probe_ask(struct cv_probe *p, const char *command, json_t *args, int fd, struct cv_error *err) CV_CHECKED;
/* The same, and it must not be refused; or must be. */
int cv_probe_do(struct cv_probe *p, const char *command, json_t *args, int fd, struct cv_error *err) CV_CHECKED;
int cv_probe_refused(struct cv_probe *p, const char *command, json_t *args, const char *when,
                     struct cv_error *err) CV_CHECKED;
/* Ends by itself within answer_ms: *status_out as its exit status, or 128 and the signal. */
int cv_probe_wait(struct cv_probe *p, int *status_out, struct cv_error *err) CV_CHECKED;

#endif
