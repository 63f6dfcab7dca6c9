/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy-dm's life over one guest: it starts the emulators in the order that Xen needs (or takes them over), answers
 * the toolstack on the sockets where that looks for QEMU, sees at once when an emulator dies, and ends them when it is
 * told to or when the domain is gone.  One process, one thread, one guest.
 *
 * What it keeps, so that another supervisor can take over (libxl removes it with the rest of the domain's nodes):
 *   /local/domain/0/device-model/<domid>/convoy/schema         1
 *                                              /pid            the supervisor's
 *                                              /emulator_died  what is done when one dies
 *                                              /layout/<n>     the layout, JSON in pieces
 *                                              /<dmid>/{name,pid,qmp,state}   state: "running", or how it died */
#ifndef CONVOY_DM_SUPERVISOR_H
#define CONVOY_DM_SUPERVISOR_H

#include "dm/client.h"
#include "dm/plan.h"
#include "host/host.h"

#define CV_DM_CLIENTS_MAX 8
#define CV_DM_GUESTS_DIR "/etc/convoy/guests"
#define CV_DM_NODES "/local/domain/0/device-model/%u/convoy"

struct cv_dm_listener {
    int fd;
    char path[108]; /* "" = not ours to remove */
};

/* Where the toolstack connects, and that there is one supervisor for each guest.  The keeper opens them, so that they
 * outlive a worker: who connects while one follows another waits, and is answered. */
struct cv_dm_doors {
    int lock_fd;
    struct cv_dm_listener listeners[CV_DM_SOCKETS_MAX];
    unsigned listener_count;
};

struct cv_dm {
    struct cv_host *host;     /* borrowed */
    struct cv_sink *sink;     /* borrowed */
    struct cv_cancel *cancel; /* borrowed: SIGHUP and SIGTERM set it */
    uint32_t domid;
    int keeper;       /* pid that the toolstack knows (keeper.h), our parent; 0 = it is us */
    const char *name; /* of the guest, for logs; borrowed */
    struct cv_layout layout;
    bool has_layout, has_set, adopted;
    bool stopped; /* the toolstack lets them run itself (-S) */
    enum cv_dm_died died;
    unsigned dead;    /* bit dmid: it was reported */
    unsigned lost;    /* bit dmid: it had died when the others were taken over */
    bool died_later;  /* the guest is suspended: what emulator_died says is done when it goes on */
    int64_t asked_ms; /* when emulator_died's shutdown was asked for, as long as it has not come; 0 = none is */
    bool lock_later;
    struct cv_dm_doors doors;
    struct cv_emuset set;
    struct cv_dm_desk desk;
    struct cv_dm_client clients[CV_DM_CLIENTS_MAX];
};

void cv_dm_init(struct cv_dm *dm, struct cv_host *host, struct cv_sink *sink, struct cv_cancel *cancel);
/* Forgets: the emulators live on. */
void cv_dm_dispose(struct cv_dm *dm);

/* Starts what the command line and its list (or the state that comes in) ask for.  Everything runs when this returns,
 * unless the toolstack wants to say that itself.  a must outlive dm.  On failure nothing is left. */
int cv_dm_start(struct cv_dm *dm, struct cv_dm_args *a, struct cv_error *err) CV_CHECKED;
/* Takes over the emulators of a guest whose supervisor has died; those that have died, too, are reported, and those
 * that stand still although their guest does not, are let run.  CV_E_NOT_FOUND: it has none; CV_E_BUSY: one lives. */
int cv_dm_adopt(struct cv_dm *dm, uint32_t domid, struct cv_error *err) CV_CHECKED;
/* After cv_dm_adopt: a guest that a failed save has left suspended goes on.  Only whoever knows that it runs nowhere
 * else may ask for it.  No error when it is not suspended. */
int cv_dm_resume(struct cv_dm *dm, struct cv_error *err) CV_CHECKED;
/* Serves until it is cancelled, told to quit, or the domain is gone; then the emulators end and nothing is left of
 * them. */
int cv_dm_serve(struct cv_dm *dm, struct cv_error *err) CV_CHECKED;

/* dm/nodes.c */
int cv_dm_nodes_write(struct cv_dm *dm, struct cv_error *err) CV_CHECKED;
/* Whom the toolstack ends when it ends the device model. */
int cv_dm_nodes_pid(struct cv_dm *dm, struct cv_error *err) CV_CHECKED;
/* reported_out: bit dmid, its death is in its state node already. */
int cv_dm_nodes_read(struct cv_dm *dm, int pids_out[CV_DM_MAX], unsigned *reported_out,
                     struct cv_error *err) CV_CHECKED;
/* The state node of one emulator. */
int cv_dm_nodes_state(struct cv_dm *dm, unsigned dmid, const char *text, struct cv_error *err) CV_CHECKED;
void cv_dm_nodes_remove(struct cv_dm *dm);

/* dm/sockets.c.  dir: where sockets and locks are, NULL = the usual place. */
void cv_dm_doors_init(struct cv_dm_doors *d);
/* Only one supervisor for each guest: before its sockets are touched.  Nothing to do where it is locked.  CV_E_BUSY. */
int cv_dm_doors_lock(struct cv_dm_doors *d, const char *dir, uint32_t domid, struct cv_error *err) CV_CHECKED;
/* Where the command line says; a NULL: at the usual names.  Nothing to do where they are open. */
int cv_dm_doors_open(struct cv_dm_doors *d, const char *dir, uint32_t domid, const struct cv_dm_args *a,
                     struct cv_error *err) CV_CHECKED;
/* Forgets: the names stay. */
void cv_dm_doors_close(struct cv_dm_doors *d);
void cv_dm_doors_remove(struct cv_dm_doors *d, const char *dir, uint32_t domid);
/* The emulators' own sockets, of those that were killed. */
void cv_dm_doors_forget_emulators(const char *dir, uint32_t domid);

#endif
