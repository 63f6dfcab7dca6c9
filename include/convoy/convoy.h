/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libconvoy: saving and restoring Xen HVM guests that several device emulators serve.
 *
 * Handles are opaque; options are structures whose first member is their size (a call refuses one that was forgotten),
 * and where zero means the default, so that they can grow.  Calls block; a handle is used by one thread at a time,
 * several handles by several threads.  The library never writes to stdio, never exits, and leaves the process alone
 * that it is in: its signals, its umask, its environment, the priorities of its threads.  Emulators are its children
 * until it ends. No type of Xen, zstd or JSON shows here.
 *
 *     convoy_host *h = convoy_host_open(NULL, &err);
 *     convoy_save_options o = { .size = sizeof o, .live = 1 };
 *     if (convoy_save(h, "web1", "/backup/web1.img", &o, &err) != 0) fprintf(stderr, "%s\n", err.text);
 *     convoy_host_close(h);
 */
#ifndef CONVOY_H
#define CONVOY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

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
    CONVOY_OUTCOME_UNKNOWN = 11,
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

typedef struct convoy_host convoy_host;
typedef struct convoy_cancel convoy_cancel;

/* Messages and events, both may be NULL; called in the thread of the call under way.
 * event: one JSON object without newline, {"event":"phase","name":"suspend","at_ms":12}; which there are is in
 * convoy-save(1), convoy-restore(1), convoy-migrate(1). The last one of a save or restore that succeeded is its
 * "report". */
typedef struct convoy_sink {
    size_t size;
    void (*message)(void *user, int level, const char *text); /* 0 error, 1 warning, 2 info, 3 debug */
    void (*event)(void *user, const char *json);
    void *user;
} convoy_sink;

/* This machine's Xen.  sink is copied.  NULL with err: not a Xen host, no rights, ... */
CONVOY_API convoy_host *convoy_host_open(const convoy_sink *sink, convoy_error *err);
CONVOY_API void convoy_host_close(convoy_host *h);

/* Asks a call under way to stop at its next safe point; from any thread or a signal handler, any number of times. */
CONVOY_API convoy_cancel *convoy_cancel_new(convoy_error *err);
CONVOY_API void convoy_cancel_request(convoy_cancel *c);
CONVOY_API void convoy_cancel_free(convoy_cancel *c);

/* Makes a guest from an xl.cfg file with device_models (convoy.cfg(5)).  *domid_out may be NULL.
 * The caller runs or starts `convoy monitor <domid>` if it wants emulators reaped when the guest ends by itself. */
CONVOY_API int convoy_create(convoy_host *h, const char *config_path, int paused, uint32_t *domid_out,
                             convoy_error *err);
/* who: a name, or a domid in decimal. */
CONVOY_API int convoy_destroy(convoy_host *h, const char *who, convoy_error *err);

typedef enum convoy_after { CONVOY_AFTER_DESTROY = 0, CONVOY_AFTER_CONTINUE = 1, CONVOY_AFTER_PAUSE = 2 } convoy_after;

typedef struct convoy_save_options {
    size_t size; /* sizeof (convoy_save_options) */
    convoy_after after;
    int live;                    /* memory is saved while the guest runs */
    const char *compress;        /* "none", "zstd:LEVEL", "auto"; NULL = zstd level 1 */
    unsigned threads;            /* workers; 0 = one for each CPU */
    unsigned emulator_timeout_s; /* 0 = 20 */
    convoy_cancel *cancel;       /* may be NULL */
    unsigned stall_timeout_s;    /* no byte taken by the output for so long: CONVOY_TIMEOUT; 0 = 30 */
    int force;                   /* also where a device may be dead after a restore: --force of convoy-save(1) */
} convoy_save_options;

/* To a file: written aside, synced, renamed; until then an older one of that name stays as it is.
 * On failure the guest goes on.  What a write would raise (SIGPIPE, SIGXFSZ) does not reach the caller's process. */
CONVOY_API int convoy_save(convoy_host *h, const char *who, const char *path, const convoy_save_options *o,
                           convoy_error *err);
/* To a pipe, a socket or an open file, which is not closed. */
CONVOY_API int convoy_save_fd(convoy_host *h, const char *who, int fd, const convoy_save_options *o, convoy_error *err);

typedef struct convoy_restore_options {
    size_t size;
    int paused;       /* leave the guest paused */
    const char *name; /* another name; NULL = its own */
    unsigned threads;
    unsigned emulator_timeout_s; /* 0 = 60 */
    convoy_cancel *cancel;
} convoy_restore_options;

/* From a file (checked as a whole first) or a pipe.  On failure nothing is left. */
CONVOY_API int convoy_restore_fd(convoy_host *h, int fd, const convoy_restore_options *o, uint32_t *domid_out,
                                 convoy_error *err);

/* Checks a whole image; needs no Xen.  0: every byte of it is as it was written. */
CONVOY_API int convoy_verify_fd(int fd, unsigned threads, convoy_cancel *cancel, convoy_error *err);

#ifdef __cplusplus
}
#endif
#endif
