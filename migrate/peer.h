/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other host: a command (ssh by default) whose standard input and output are the channel. */
#ifndef CONVOY_MIGRATE_PEER_H
#define CONVOY_MIGRATE_PEER_H

#include <sys/types.h>

#include "handover/ports.h"

struct cv_peer {
    pid_t pid;   /* 0 = none */
    int in, out; /* from it, to it; -1 = closed */
};
#define CV_PEER_INIT        \
    {                       \
        .in = -1, .out = -1 \
    }

/* Runs command by sh -c.  Its standard error stays ours (ssh asks and complains there).  CV_E_IO, CV_E_NOMEM. */
int cv_peer_start(struct cv_peer *p, const char *command, struct cv_error *err) CV_CHECKED;
/* Closes our ends: it notices.  Twice is fine. */
void cv_peer_hang_up(struct cv_peer *p);
/* Hangs up, gives it wait_ms to end, then SIGTERM.  Reaps it. */
void cv_peer_end(struct cv_peer *p, int64_t wait_ms);

/* "ssh ... HOST convoy migrate-receive", quoted for sh, into buf.  CV_E_INVALID: no host name, or too long. */
int cv_peer_ssh_command(const char *host, char *buf, size_t size, struct cv_error *err) CV_CHECKED;

/* How to get to the other side; tests put themselves here. */
typedef int cv_dial(void *user, const char *command, struct cv_peer *out, struct cv_error *err);

/* The migration's own connection and the one for asking, as the hand-over wants them. */
struct cv_link {
    cv_dial *dial; /* NULL = cv_peer_start */
    void *dial_user;
    struct cv_peer main, ask;
    struct cv_connect_port port; /* for cv_handover_run */
};
void cv_link_init(struct cv_link *l, cv_dial *dial, void *user);
int cv_link_open(struct cv_link *l, const char *command, struct cv_error *err) CV_CHECKED; /* main */
void cv_link_dispose(struct cv_link *l);

#endif
