/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy-dm over models of QEMU on a model of a host, and a toolstack's side of the conversation.  Whatever is not as
 * it should be ends the test. */
#ifndef CONVOY_TESTS_DM_WORLD_H
#define CONVOY_TESTS_DM_WORLD_H

#include <jansson.h>
#include <pthread.h>

#include "dm/supervisor.h"
#include "fake_host.h"

#define DM_WORLD_ARGS_MAX 64

struct dm_world {
    struct fake_host *host;
    struct cv_host_dirs dirs;
    char dir[64], rules[96], state[96], socket[108], stat[108];
    uint32_t domid;
    unsigned fds;
    struct cv_cancel cancel;
    struct cv_dm dm;
    struct cv_dm_args args;
    char *argv[DM_WORLD_ARGS_MAX], text[8192];
    size_t text_at;
    int argc;
    pthread_t thread;
    bool serving;
    int rc;
    struct cv_error err; /* of cv_dm_serve */
    int client;
};

/* Nothing runs yet. */
void dm_world_begin(struct dm_world *w);
/* No process and no descriptor is left; removes the folder. */
void dm_world_end(struct dm_world *w);
/* libxl's command line into w->argv, and one more argument of it. */
void dm_world_command_line(struct dm_world *w, const char *const faults[3], int incoming);
void dm_world_arg(struct dm_world *w, const char *fmt, ...) CV_PRINTF(2, 3);
/* convoy-dm is started with libxl's command line for a guest with a card and three emulators; faults: NULL, or options
 * of each emulator (fake_qemu.c), NULL for none; incoming: -1, or a state. */
int dm_world_try(struct dm_world *w, const char *const faults[3], int incoming, struct cv_error *err);
/* It serves, in a thread. */
void dm_world_go(struct dm_world *w);
/* The same, which is to succeed, and it serves. */
void dm_world_start(struct dm_world *w, const char *const faults[3], int incoming);
/* The supervisor has ended, and nothing of its emulators is left. */
void dm_world_ended(struct dm_world *w);
void dm_world_told_to_end(struct dm_world *w);
/* A toolstack's connection, greeted. */
int dm_world_dial(const char *path);
/* The whole answer, a new reference; fd: goes with it, -1 = none. */
json_t *dm_world_ask_with(struct dm_world *w, int fd, const char *text);
/* What is under "return", a new reference. */
json_t *dm_world_ask(struct dm_world *w, const char *text);
void dm_world_tell(struct dm_world *w, const char *text);
void dm_world_refused(struct dm_world *w, const char *text, const char *why);
void dm_world_status_is(struct dm_world *w, const char *want);
/* All states into w->state, as libxl has them saved. */
void dm_world_save(struct dm_world *w);
/* One of the supervisor's nodes; NULL = it is not there. */
const char *dm_world_node(struct dm_world *w, const char *leaf);

#endif
