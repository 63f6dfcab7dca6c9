/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libconvoy: saving, restoring and moving Xen HVM guests that several device emulators serve.  libconvoy(3) says of
 * every call what it does, and this of all of them:
 *
 * Structures.  Handles are opaque.  What a caller fills in or gets filled begins with its size: sizeof of it, as the
 * caller knows it.  0 in any other member is the default, so that structures can grow at their end; a pointer to one
 * may be NULL.  A size that was forgotten is CONVOY_INVALID, before anything is done; a member that this library does
 * not know yet, and that is not 0, is CONVOY_UNSUPPORTED.  Strings are borrowed for the length of the call.
 *
 * Errors.  0 is success; -1 (or NULL) is a failure, and err, which may be NULL, says why.  On success err is untouched.
 * What a call gives out (x_out) is not touched by a failure unless it says otherwise.
 *
 * Threads.  Calls block.  A handle is used by one thread at a time, several handles by several threads at once; calls
 * without a handle by any thread.  Callbacks come in the thread of the call under way, and call nothing of the same
 * handle but convoy_list.
 *
 * Signals and processes.  The library installs no handler and blocks what a write of its own would raise (SIGPIPE,
 * SIGXFSZ); a signal that interrupts a call is no reason for it to end: that is what convoy_cancel_request is for,
 * which a handler may call.  Emulators, hooks and monitors are its children: a caller that waits for "any" child takes
 * their statuses away.  It never writes to stdio, never exits, and leaves umask, environment and priorities alone.
 * fork() is safe if the child calls none of it.
 *
 * Cancelling.  A call with a cancel token ends at its next safe point with CONVOY_CANCELLED, and what it has done is
 * taken back as after any failure; past its commit point it comes to its end.  A token stays set. No type of Xen, zstd
 * or JSON shows here.
 *
 *     convoy_host *h = convoy_host_open(NULL, NULL, &err);
 *     convoy_save_options o = { .size = sizeof o, .live = 1 };
 *     if (convoy_save(h, "web1", "/backup/web1.img", &o, NULL, &err) != 0) fprintf(stderr, "%s\n", err.text);
 *     convoy_host_close(h);
 */
#ifndef CONVOY_H
#define CONVOY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header; convoy_version() is the library's that runs. */
#define CONVOY_VERSION_MAJOR 0
#define CONVOY_VERSION_MINOR 1

#define CONVOY_API __attribute__((visibility("default")))

/* What went wrong.  Numbers never change their meaning. */
typedef enum convoy_code {
    CONVOY_OK = 0,
    CONVOY_INVALID = 1,     /* arguments or configuration */
    CONVOY_UNSUPPORTED = 2, /* understood, but this guest, host or version cannot do it */
    CONVOY_NOMEM = 3,
    CONVOY_TIMEOUT = 4,
    CONVOY_CANCELLED = 5,
    CONVOY_HYPERVISOR = 6,
    CONVOY_EMULATOR = 7, /* an emulator died, refused or answered nonsense; the text names its dmid */
    CONVOY_STREAM = 8,   /* the image is damaged; the text names offset and record */
    CONVOY_STREAM_VERSION = 9,
    CONVOY_PEER = 10,
    CONVOY_OUTCOME_UNKNOWN = 11, /* convoy_recover settles it */
    CONVOY_IO = 12,
    CONVOY_INTERNAL = 13,
    CONVOY_BUSY = 14,
    CONVOY_NOT_FOUND = 15
} convoy_code;

/* Filled by a call that fails; may be NULL.  text: one line, the outermost operation first. */
typedef struct convoy_error {
    convoy_code code;
    int sys; /* errno, or 0 */
    char text[768];
} convoy_error;

/* "0.1.0" of the library that runs, which may be newer than this header. */
CONVOY_API const char *convoy_version(void);
/* Stable lower-case word of a code: "timeout". */
CONVOY_API const char *convoy_code_name(convoy_code code);
/* Of a text that a call gave out.  NULL is fine. */
CONVOY_API void convoy_free(void *text);

typedef struct convoy_host convoy_host;
typedef struct convoy_cancel convoy_cancel;

/* Messages and events, both may be NULL.
 * event: one JSON object without newline, {"event":"phase","name":"suspend","at_ms":12}; which there are is in
 * convoy-save(1), convoy-restore(1), convoy-migrate(1). */
typedef struct convoy_sink {
    size_t size;
    void (*message)(void *user, int level, const char *text); /* 0 error, 1 warning, 2 info, 3 debug */
    void (*event)(void *user, const char *json);
    void *user;
    unsigned levels; /* of messages that are wanted: 1 = errors only, 2 = and warnings, ...; 0 = all */
} convoy_sink;

typedef struct convoy_host_options {
    size_t size;
    const char *program;  /* the command convoy, which is run as a guest's monitor and beside a migration; NULL = the
                           * one that was installed with this library, "" = none: see convoy_monitor */
    const char *journals; /* the folder of this host's migrations; NULL = /var/lib/convoy/migrations */
} convoy_host_options;

/* This machine's Xen.  sink and options are copied.  NULL with err: not a Xen host, no rights, ... */
CONVOY_API convoy_host *convoy_host_open(const convoy_sink *sink, const convoy_host_options *o, convoy_error *err);
/* NULL is fine. */
CONVOY_API void convoy_host_close(convoy_host *h);

CONVOY_API convoy_cancel *convoy_cancel_new(convoy_error *err);
/* Asks the calls that have it to stop; from any thread or a signal handler, any number of times. */
CONVOY_API void convoy_cancel_request(convoy_cancel *c);
/* When no call has it any more.  NULL is fine. */
CONVOY_API void convoy_cancel_free(convoy_cancel *c);

/* ---- guests.  who: a name, or a domid in decimal. ---- */

typedef struct convoy_create_options {
    size_t size;
    int paused;
    convoy_cancel *cancel;
} convoy_create_options;

/* A guest that runs now. */
typedef struct convoy_started {
    size_t size;
    uint32_t domid;
    unsigned emulators;
    int unwatched; /* 1: its monitor could not be started (the sink was told why), or options said that there is none */
    char name[128];
} convoy_started;

/* Makes a guest from an xl.cfg file with device_models (convoy.cfg(5)), and starts its monitor.  On failure nothing is
 * left.  started may be NULL. */
CONVOY_API int convoy_create(convoy_host *h, const char *config_path, const convoy_create_options *o,
                             convoy_started *started, convoy_error *err);

typedef enum convoy_format { CONVOY_TEXT = 0, CONVOY_JSON = 1, CONVOY_SVG = 2 } convoy_format;

/* What convoy_create would make of a file, on any machine: who owns which device, where.  *text_out: CONVOY_TEXT, on
 * success only; CONVOY_JSON, with what was found in the configuration, also on failure (NULL if there is no memory). */
CONVOY_API int convoy_plan(const char *config_path, convoy_format format, const convoy_sink *sink, char **text_out,
                           convoy_error *err);

/* All guests, or one (who), as a JSON array; its members are in convoy(1). */
CONVOY_API int convoy_list(convoy_host *h, const char *who, char **json_out, convoy_error *err);

typedef struct convoy_check_options {
    size_t size;
    const char *peer;    /* is it to go there? [USER@]HOST; NULL = saves only */
    const char *command; /* how the peer is reached, for sh; NULL = by ssh */
    convoy_cancel *cancel;
} convoy_check_options;

/* What stands in the way of a save or a migration.  The guest is not touched.  0: nothing.  -1: something, of which err
 * has the first; *json_out, {"domain":...,"blocked":...,"findings":[{"check":...,"blocks":...,"text":...}]}, has all of
 * it, and what is only worth a word, in both cases (NULL: there was no memory for it). */
CONVOY_API int convoy_check(convoy_host *h, const char *who, const convoy_check_options *o, char **json_out,
                            convoy_error *err);

CONVOY_API int convoy_pause(convoy_host *h, const char *who, convoy_error *err);
/* One pause is taken back; also after a save that was killed: the guest and its emulators go on.  *ran_out 1: it runs
 * already, and nothing was done; may be NULL. */
CONVOY_API int convoy_unpause(convoy_host *h, const char *who, int *ran_out, convoy_error *err);
/* Ends a guest at once, with its emulators and all that belonged to it; also one of which little is left. */
CONVOY_API int convoy_destroy(convoy_host *h, const char *who, convoy_error *err);

/* What a guest's monitor is: blocks until the guest has ended and nothing of it is left, carries out on_reboot and its
 * like, lets it go on when that was left to it.  0: it has ended.  For who has opened the host with program "", once
 * for each guest that convoy_create, _restore_fd or _migrate_receive has started. */
CONVOY_API int convoy_monitor(convoy_host *h, uint32_t domid, convoy_cancel *cancel, convoy_error *err);

/* ---- saving ---- */

#define CONVOY_NO_THREADS (~0u)

typedef enum convoy_after { CONVOY_AFTER_DESTROY = 0, CONVOY_AFTER_CONTINUE = 1, CONVOY_AFTER_PAUSE = 2 } convoy_after;

typedef struct convoy_save_options {
    size_t size;
    convoy_after after;
    int live;                    /* memory is saved while the guest runs */
    const char *compress;        /* "none", "zstd:LEVEL", "auto"; NULL = zstd level 1 */
    unsigned threads;            /* workers; 0 = one for each CPU, 16 at most; CONVOY_NO_THREADS = the caller's alone */
    unsigned emulator_timeout_s; /* 0 = 20 */
    convoy_cancel *cancel;
    unsigned stall_timeout_s;   /* no byte taken by the output for so long: CONVOY_TIMEOUT; 0 = 30 */
    unsigned suspend_timeout_s; /* the guest's own time to suspend; 0 = 60 */
    int fixed_layout;           /* each page at a place of its own: a file, nothing compressed, no parent */
    const char *parent;         /* an image with hashes of its pages: only what differs is written */
    const char *const *parents; /* folders, ended by NULL, of images below parent, besides its own folder */
    int page_hashes;            /* so that this image can be a parent; implied by parent */
    const char *at_freeze;      /* a command for /bin/sh, run while guest and emulators stand still */
    unsigned freeze_timeout_s;  /* it may take so long; 0 = 10 */
    int force;                  /* also where a device may be dead after a restore: --force of convoy-save(1) */
} convoy_save_options;

/* Times in nanoseconds. */
typedef struct convoy_save_report {
    size_t size;
    uint64_t bytes, guest_pages;
    uint32_t passes;
    int64_t total_ns, down_ns; /* down: from the suspend request until everything was written */
    int64_t suspend_ns, stop_ns, freeze_ns, last_pages_ns, states_ns, tail_ns; /* parts of down_ns */
} convoy_save_report;

/* To a file: written aside, synced, renamed; until then an older one of that name stays as it is.  On failure the guest
 * goes on.  report may be NULL. */
CONVOY_API int convoy_save(convoy_host *h, const char *who, const char *path, const convoy_save_options *o,
                           convoy_save_report *report, convoy_error *err);
/* To a pipe, a socket or an open file, which is not closed. */
CONVOY_API int convoy_save_fd(convoy_host *h, const char *who, int fd, const convoy_save_options *o,
                              convoy_save_report *report, convoy_error *err);
/* No memory is saved: the guest suspends, all emulators stop, o->at_freeze runs, everything goes on.  *output_out, what
 * the command printed, is given out also on failure (NULL: nothing); may be NULL. */
CONVOY_API int convoy_quiesce(convoy_host *h, const char *who, const convoy_save_options *o, convoy_save_report *report,
                              char **output_out, size_t *length_out, convoy_error *err);

/* ---- restoring ---- */

typedef struct convoy_restore_options {
    size_t size;
    int paused;       /* leave the guest paused */
    const char *name; /* another name; NULL = its own */
    unsigned threads;
    unsigned emulator_timeout_s; /* 0 = 60 */
    convoy_cancel *cancel;
    const char *const *parents; /* folders, ended by NULL, in which images below an incremental one are looked for */
    const char *const *disks;   /* "VDEV=PATH", ended by NULL: images in the place of those that it was saved with */
    const char *const *trust;   /* paths, ended by NULL, of more programs that the image may start */
} convoy_restore_options;

typedef struct convoy_restore_report {
    size_t size;
    uint64_t bytes;
    int64_t total_ns, verify_ns, domain_ns, fill_ns, emulators_ns, devices_ns, load_ns;
    int64_t down_ns; /* from the last page until it ran */
} convoy_restore_report;

/* From a file (checked as a whole first) or a pipe; starts the guest's monitor.  On failure nothing is left.  started
 * and report may be NULL. */
CONVOY_API int convoy_restore_fd(convoy_host *h, int fd, const convoy_restore_options *o, convoy_started *started,
                                 convoy_restore_report *report, convoy_error *err);

/* ---- moving ---- */

/* What became of a guest that was moved; docs/migrate-protocol.md. */
typedef enum convoy_outcome {
    CONVOY_NOT_BEGUN = 0,  /* it ended before anything was written down */
    CONVOY_KEPT = 1,       /* source: the guest runs here */
    CONVOY_TAKEN = 2,      /* source: it runs there, nothing is left here */
    CONVOY_TAKEN_LEFT = 3, /* source: it runs there, the old copy is still here: recover */
    CONVOY_TAKEN_GONE = 4, /* source: it was there and is gone */
    CONVOY_LOST = 5,       /* source: it was here and has ended */
    CONVOY_UNKNOWN = 6,    /* source: nobody knows yet, it does not run here: recover */
    CONVOY_STUCK = 7,      /* decided, but not done here: recover */
    CONVOY_RUNNING = 8,    /* destination: the guest runs here */
    CONVOY_ABORTED = 9,    /* destination: nothing is left here */
    CONVOY_GONE = 10       /* destination: it was here and is gone */
} convoy_outcome;
/* Stable lower-case word: "kept". */
CONVOY_API const char *convoy_outcome_name(convoy_outcome outcome);

/* A guest that dirties its memory faster than the link carries it. */
typedef enum convoy_stuck { CONVOY_STUCK_STOP = 0, CONVOY_STUCK_THROTTLE = 1, CONVOY_STUCK_GIVE_UP = 2 } convoy_stuck;

typedef struct convoy_migrate_options {
    size_t size;
    const char *command; /* for sh: its standard input and output are the channel; NULL = ssh PEER convoy
                          * migrate-receive.  Its standard error is the caller's. */
    int not_live;        /* the guest stands still from the first page on */
    const char *compress;
    unsigned threads;
    convoy_cancel *cancel;
    unsigned downtime_limit_ms; /* 0 = 300 */
    unsigned max_time_s;        /* of the passes together; 0 = 600 */
    uint64_t bandwidth_bytes_s; /* during the passes; 0 = no limit */
    convoy_stuck on_timeout;
    int force; /* as of a save */
} convoy_migrate_options;

typedef struct convoy_migration convoy_migration;

typedef struct convoy_migrate_result {
    size_t size;
    convoy_outcome outcome;
    uint32_t domid; /* of the guest there */
    uint64_t bytes; /* on the wire */
    uint64_t pages;
    int64_t total_ns, down_ns;
} convoy_migrate_result;

/* Moves a guest to [USER@]HOST.  0: it runs there, and nothing is left here.  -1: the outcome says what became of it.
 * *migration_out: what it took, also on failure (NULL: there was no memory for it); may be NULL. */
CONVOY_API int convoy_migrate(convoy_host *h, const char *who, const char *peer, const convoy_migrate_options *o,
                              convoy_migration **migration_out, convoy_error *err);
CONVOY_API int convoy_migration_result(const convoy_migration *m, convoy_migrate_result *result, convoy_error *err);
/* Where the time and the guest's silence went. */
CONVOY_API int convoy_migration_report(const convoy_migration *m, convoy_format format, char **text_out,
                                       convoy_error *err);
/* NULL is fine. */
CONVOY_API void convoy_migration_free(convoy_migration *m);

typedef struct convoy_receive_options {
    size_t size;
    unsigned threads;
    convoy_cancel *cancel;
} convoy_receive_options;

/* The other side: takes one migration over a channel, or answers one question about one, starts the guest's monitor,
 * and ends.  in and out are not closed. */
CONVOY_API int convoy_migrate_receive(convoy_host *h, int in, int out, const convoy_receive_options *o,
                                      convoy_error *err);

typedef enum convoy_role { CONVOY_EITHER = 0, CONVOY_SOURCE = 1, CONVOY_DESTINATION = 2 } convoy_role;
typedef enum convoy_assume {
    CONVOY_ASSUME_NOTHING = 0,
    CONVOY_ASSUME_RUNNING = 1,
    CONVOY_ASSUME_ABORTED = 2
} convoy_assume;

/* A migration that was worked on; of the library, for the length of the callback.  Grows at its end. */
typedef struct convoy_settled {
    convoy_outcome outcome; /* CONVOY_NOT_BEGUN: settled meanwhile by another process */
    convoy_role role;
    const char *guest, *uuid, *migration; /* its name, with whatever bytes are in it; 36 and 32 characters */
    const char *state, *peer;             /* of the journal; the other host, "" if not known */
    const convoy_error *why;              /* NULL: nothing went wrong */
} convoy_settled;

typedef struct convoy_recover_options {
    size_t size;
    convoy_assume assume; /* the other host is gone for good: what became of the guest; with who only */
    convoy_role role;
    int persist; /* again and again until it is settled; who is a migration's id, and role is set */
    convoy_cancel *cancel;
    void (*settled)(void *user, const convoy_settled *what);
    void *user;
} convoy_recover_options;

/* Settles migrations that were cut off.  who: a guest's name or uuid, a migration's id; NULL: all.  *count_out: how
 * many there were; may be NULL.  -1: one could not be settled (err: the first). */
CONVOY_API int convoy_recover(convoy_host *h, const char *who, const convoy_recover_options *o, unsigned *count_out,
                              convoy_error *err);
/* For the process that stands beside a migration: waits at fd.  1: the migration's process has died or has left
 * something open; 0: all is in order. */
CONVOY_API int convoy_watch_wait(int fd);

/* ---- images; these need no Xen ---- */

typedef struct convoy_image_options {
    size_t size;
    unsigned threads;
    convoy_cancel *cancel;
    const char *const *parents; /* folders, ended by NULL, in which images below an incremental one are looked for */
} convoy_image_options;

/* Checks a whole image, every page of it, with what is below it.  0: every byte is as it was written. */
CONVOY_API int convoy_verify_fd(int fd, const convoy_image_options *o, convoy_error *err);
/* What is in an image, as the JSON object of convoy-inspect(1).  *json_out: also on failure, what could be read of a
 * damaged one (NULL: nothing). */
CONVOY_API int convoy_inspect_fd(int fd, const convoy_image_options *o, char **json_out, convoy_error *err);

typedef enum convoy_kind { CONVOY_IMAGE = 0, CONVOY_XL_SAVE = 1, CONVOY_XENOPSD_IMAGE = 2 } convoy_kind;

typedef struct convoy_convert_options {
    size_t size;
    convoy_kind to;
    const char *model; /* the emulator's program, for guests from elsewhere; NULL = this host's */
    const char *compress;
    unsigned threads;
    convoy_cancel *cancel;
    convoy_kind from; /* to CONVOY_IMAGE: CONVOY_XL_SAVE, which is also meant by 0, or CONVOY_XENOPSD_IMAGE */
} convoy_convert_options;

/* A save file of xl to an image, or back for a guest with one emulator, in one pass; a suspend image of xenopsd to an
 * image and back for any guest, as convoy-convert(1) says.  What is on out_fd after a failure is to be thrown away. */
CONVOY_API int convoy_convert_fd(int in_fd, int out_fd, const convoy_convert_options *o, convoy_error *err);
/* A full image of an incremental one.  in_fd: a file, the youngest; out_fd: a file; scratch_fd: an empty file that may
 * grow to the guest's memory. */
CONVOY_API int convoy_merge_fd(int in_fd, int out_fd, int scratch_fd, const convoy_image_options *o,
                               const char *compress, convoy_error *err);

#ifdef __cplusplus
}
#endif
#endif
