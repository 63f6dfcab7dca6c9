/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The set: operations on all emulators of a guest at once, sent to all, then joined with one deadline.
 * Never one after the other.  Partial results are kept, because undo needs to know which emulators did what.
 * One thread; no locks; errors name the emulator: "emulator 2 'storage': ...".  An emulator that dies fails its part at
 * once, not at the deadline. */
#ifndef CONVOY_EMULATORS_SET_H
#define CONVOY_EMULATORS_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "layout/layout.h"

struct cv_qmp;

struct cv_emu {
    unsigned dmid;
    const char *name; /* borrowed from the layout */
    pid_t pid;        /* 0 = unknown */
    int pidfd;        /* -1 = unknown; readable when the process has ended */
    bool child;       /* started by us: reaped by us */
    bool qemu;        /* else it knows the commands of protocol.h only */
    bool foreign;     /* attached: somebody else's process; asked to quit, never killed */
    char qmp_path[108];
    char xl_path[108];                  /* default emulator: the second socket, for xl; of one that libxl started:
                                           the one for xentop; "" = none */
    bool owns_sockets;                  /* quit and kill remove them */
    struct cv_qmp *qmp;                 /* NULL = not connected */
    char version[32];                   /* of query-version, after connect */
    const char *wanted, *wanted_prefix; /* versions of the layout (borrowed): as saved; as configured */
    int log_fd;                         /* its log, for its last words; -1 = unknown */
    bool await;                         /* may not listen yet: connect waits for its socket */
    int asked;                          /* load: a query-status is under way */
    bool load_prepared;                 /* cv_emuset_prepare_load was done */
    bool state_given;                   /* and it has the descriptor of its state */
    bool save_prepared;                 /* cv_emuset_prepare_save was done: fdset has its state file */
    long long fdset;
    int state_fd; /* our end of its state file while it saves; -1 = none */
};

struct cv_emuset {
    struct cv_emu emus[CV_DM_MAX]; /* indexed by dmid */
    unsigned count;
    unsigned domid;
    struct cv_sink *sink; /* may be NULL */
    /* CV_SPAWN_INCOMING_LATE: images that are still another's, locked by cv_emuset_lock_disks */
    int image_fds[CV_CONFIG_DISKS_MAX];
    const char *image_paths[CV_CONFIG_DISKS_MAX]; /* borrowed from the layout */
    unsigned image_count;
};

/* clang-format off */
enum cv_emu_state { CV_EMU_UNTOUCHED, CV_EMU_PENDING, CV_EMU_DONE, CV_EMU_FAILED, CV_EMU_TIMED_OUT, CV_EMU_DIED,
                    CV_EMU_CANCELLED };
/* clang-format on */

struct cv_emu_result {
    enum cv_emu_state state;
    int64_t ns;          /* from the start of the operation to this emulator's answer */
    struct cv_error err; /* own error, without the "emulator ..." frame */
};
struct cv_emu_results {
    struct cv_emu_result emu[CV_DM_MAX]; /* indexed by dmid */
    int64_t ns;                          /* the whole operation */
};

/* How long and for whom.  mask 0 = all emulators; else bit dmid.  cancel NULL: cannot be cancelled (undo). */
struct cv_emu_wait {
    unsigned mask;
    int64_t deadline_ms; /* absolute, cv_after_ms() */
    struct cv_cancel *cancel;
};

/* Makes an empty set for a guest's layout (borrowed: must outlive the set). */
int cv_emuset_init(struct cv_emuset *set, const struct cv_layout *l, unsigned domid, struct cv_sink *sink,
                   struct cv_error *err) CV_CHECKED;
/* Closes connections and pidfds; leaves the processes alone. */
void cv_emuset_dispose(struct cv_emuset *set);

/* Takes note of a running emulator's process and socket.  qmp_path NULL: cv_path_qmp's.  Takes a pidfd of pid (unless
 * pid is 0).  Errors: CV_E_NOT_FOUND (no such process, or not this domain's emulator). */
int cv_emuset_attach(struct cv_emuset *set, unsigned dmid, pid_t pid, const char *qmp_path,
                     struct cv_error *err) CV_CHECKED;

/* Every operation below: all emulators of w->mask side by side; results may be NULL; returns 0 if every one is DONE,
 * else -1 with the error that came first in time and the count of the others.  Codes: CV_E_EMULATOR (refused, died,
 * nonsense), CV_E_TIMEOUT, CV_E_CANCELLED, CV_E_BUSY (another client holds the QMP socket). */

/* Bits of the emulators that nobody has connected to yet. */
unsigned cv_emuset_unconnected(const struct cv_emuset *set);
/* Connects (again), greets, negotiates, asks the version and compares it with what the configuration wants, if it says.
 */
int cv_emuset_connect(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_emu_results *results,
                      struct cv_error *err) CV_CHECKED;
/* Closes the QMP connections: the sockets are free for others. */
void cv_emuset_disconnect(struct cv_emuset *set);

/* status_out[dmid]: "running", "paused", "inmigrate", ... */
typedef char cv_emu_status[24];
int cv_emuset_status(struct cv_emuset *set, const struct cv_emu_wait *w, cv_emu_status status_out[CV_DM_MAX],
                     struct cv_emu_results *results, struct cv_error *err) CV_CHECKED;
int cv_emuset_stop(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_emu_results *results,
                   struct cv_error *err) CV_CHECKED;
int cv_emuset_cont(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_emu_results *results,
                   struct cv_error *err) CV_CHECKED;
/* xen-set-global-dirty-log.  On a failure of "on", some may be on: switch off again all with state != UNTOUCHED. */
int cv_emuset_dirty_log(struct cv_emuset *set, bool on, const struct cv_emu_wait *w, struct cv_emu_results *results,
                        struct cv_error *err) CV_CHECKED;
/* Refuses (CV_E_UNSUPPORTED, naming the device) what QEMU cannot migrate.  Nothing changes in the guest. */
int cv_emuset_check_migratable(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_emu_results *results,
                               struct cv_error *err) CV_CHECKED;

/* Gives every emulator its state file while the guest still runs: the save is two round trips shorter.  The files stay
 * with the emulators until cv_emuset_unprepare_save, or their end. */
int cv_emuset_prepare_save(struct cv_emuset *set, const int fds[CV_DM_MAX], const struct cv_emu_wait *w,
                           struct cv_error *err) CV_CHECKED;
int cv_emuset_unprepare_save(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_error *err) CV_CHECKED;
/* Saves every emulator's device state.  fds[dmid]: files of ours (one each, see
 * cv_state_memory); they stay ours.  The emulators must be stopped.  live: true drops disk locks (the guest moves
 * or is destroyed), false keeps them (the guest goes on): H-5.  sizes_out[dmid]: at most CV_STATE_BYTES_MAX. */
int cv_emuset_save_state(struct cv_emuset *set, const int fds[CV_DM_MAX], bool live, uint64_t sizes_out[CV_DM_MAX],
                         const struct cv_emu_wait *w, struct cv_emu_results *results, struct cv_error *err) CV_CHECKED;
/* What can be said to incoming emulators before their states are there: the load is one round trip shorter.
 * late_disks: they open their disks for writing at "cont" only, not as soon as the state is loaded (migration: until
 * the hand-over is decided, the disks are the source's).  fds: files that will hold the states, empty yet; NULL: not
 * yet. */
int cv_emuset_prepare_load(struct cv_emuset *set, bool late_disks, const int fds[CV_DM_MAX],
                           const struct cv_emu_wait *w, struct cv_error *err) CV_CHECKED;
/* Loads every emulator's own state from fds[dmid] (readable, at its beginning) into emulators started as incoming, and
 * waits until none is in migration any more.  They stay stopped (-S). */
int cv_emuset_load_state(struct cv_emuset *set, const int fds[CV_DM_MAX], const struct cv_emu_wait *w,
                         struct cv_emu_results *results, struct cv_error *err) CV_CHECKED;

/* Reads every emulator's RAM blocks and checks them against the layout's windows.  On create, fills l's regions and
 * versions (l not const); on restore, l's regions must be what the emulators have.  CV_E_EMULATOR names the block. */
int cv_emuset_survey(struct cv_emuset *set, struct cv_layout *l, const struct cv_emu_wait *w,
                     struct cv_error *err) CV_CHECKED;

/* Gives the default emulator's display its password. */
int cv_emuset_vnc_password(struct cv_emuset *set, const char *password, const struct cv_emu_wait *w,
                           struct cv_error *err) CV_CHECKED;
/* The guest runs here: locks the images that were left unlocked at its emulators' start, until they end.  Waits for
 * those who are about to let go.  A second call does nothing. */
int cv_emuset_lock_disks(struct cv_emuset *set, int64_t deadline_ms, struct cv_error *err) CV_CHECKED;
/* Every network card tells its network where it is now (announce-self: RARP, a few times). */
int cv_emuset_announce(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_error *err) CV_CHECKED;
/* Terminals of the default and other emulators' serial ports: tty_out[n] = "/dev/pts/3" or "" (no pty).  xl console
 * looks for them in xenstore at serial/<n>/tty. */
typedef char cv_emu_tty[64];
int cv_emuset_serial_ttys(struct cv_emuset *set, const struct cv_emu_wait *w, cv_emu_tty tty_out[4],
                          struct cv_error *err) CV_CHECKED;
/* TCP port of the default emulator's VNC server, 0 if it has none. */
int cv_emuset_vnc_port(struct cv_emuset *set, const struct cv_emu_wait *w, unsigned *port_out,
                       struct cv_error *err) CV_CHECKED;

/* Ends the emulators: QMP quit to all, then SIGTERM, then SIGKILL at the deadline; reaps children; closes connections,
 * removes sockets.  Works on any state of the set, also half started.  Fails only if one survives SIGKILL.
 * An attached emulator belongs to somebody else: it is asked, and left to its owner if it stays. */
int cv_emuset_quit(struct cv_emuset *set, const struct cv_emu_wait *w, struct cv_error *err) CV_CHECKED;
/* The same at once with SIGKILL: for undo. */
int cv_emuset_kill(struct cv_emuset *set, struct cv_error *err) CV_CHECKED;
/* Fails if any emulator's process has ended or its connection broke; does not wait. */
int cv_emuset_alive(struct cv_emuset *set, struct cv_error *err) CV_CHECKED;

#endif
