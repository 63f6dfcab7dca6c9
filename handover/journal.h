/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Crash-safe journals of migrations: who owns the guest, whatever fails when.
 * One directory for each migration, <store>/<migration id>/, with one file for each role that this host plays in
 * it ("source", "destination"; a migration to the same host has both) and a lock file beside each.
 * The invariant: a reader sees the old record or the new one, whole; and nobody acts on a record that a reboot
 * could still take back (see cv_journal_open).  The authority is docs/migrate-protocol.md, part 6. */
#ifndef CONVOY_HANDOVER_JOURNAL_H
#define CONVOY_HANDOVER_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define CV_JOURNAL_DIR "/var/lib/convoy/migrations" /* CONVOY_JOURNAL_DIR in the environment, read by the cli */
#define CV_JOURNAL_MAX 8192u                        /* bytes of a record's text */

enum cv_journal_role { CV_ROLE_SOURCE = 0, CV_ROLE_DESTINATION = 1 };

/* The words in the file are the names; the numbers never leave the process. */
enum cv_journal_state {
    CV_J_NONE = 0,
    CV_J_OPEN,            /* both: a migration is under way, the guest is the source's */
    CV_J_COMMITTING,      /* source: COMMIT may have been sent, only the destination knows */
    CV_J_ABORTED,         /* both: the source keeps the guest; effects may be outstanding */
    CV_J_ABORTED_SETTLED, /* both: and they are done */
    CV_J_TAKEN,           /* source: the destination has it; our copy may still be there */
    CV_J_TAKEN_SETTLED,
    CV_J_RUNNING, /* destination: decided, the guest is ours; may still be paused */
    CV_J_RUNNING_SETTLED,
    CV_J_NEVER, /* destination: asked about what it never heard of: refuse it for ever, but it is no answer */
    CV_J_STATES
};

const char *cv_journal_state_name(enum cv_journal_state state);
/* True if a record of this role may go from one state to the other (or be written again unchanged). */
bool cv_journal_legal(enum cv_journal_role role, enum cv_journal_state from, enum cv_journal_state to);
/* True if convoy recover has nothing left to do. */
bool cv_journal_settled(enum cv_journal_state state);

struct cv_journal_record {
    enum cv_journal_role role;
    enum cv_journal_state state;
    uint64_t generation;    /* grows with each write */
    uint64_t updated;       /* seconds since 1970, for people only */
    uint8_t migration[16];  /* random, one for each attempt */
    uint8_t guest[16];      /* the guest's uuid */
    uint8_t boot[16];       /* this host's boot when domid was valid: another boot means that the copy is gone */
    uint8_t peer_store[16]; /* the other side's store: an answer from another store is no answer */
    uint32_t domid;         /* this side's domain */
    bool acknowledged;      /* destination: the source has settled too, the record may be pruned */
    char name[128];         /* the guest's name */
    char peer[256];         /* the other host, for people */
    char command[1024];     /* source: how to reach the destination again */
    char note[256];         /* why, for people */
};

/* Text form, pure.  encode: at most CV_JOURNAL_MAX bytes and a 0; returns the length or -1 (CV_E_INVALID).
 * decode: every field exactly once in order, checksum first; CV_E_STREAM names what is wrong. */
int cv_journal_encode(const struct cv_journal_record *rec, char *text, size_t size, struct cv_error *err) CV_CHECKED;
int cv_journal_decode(const char *text, size_t len, struct cv_journal_record *rec_out, struct cv_error *err) CV_CHECKED;

/* Called before each step that changes the disk; non-zero is an errno that the step is to fail with.  Tests only. */
struct cv_journal_fault {
    int (*at)(void *user, const char *step);
    void *user;
};

struct cv_journal {
    struct cv_journal_record rec; /* what was last written or read */
    int dir_fd;                   /* <store>/<id>, -1 when closed */
    int lock_fd;                  /* locked while open; the kernel lets go when the process dies */
    bool prepared;                /* the temporary file holds rec with state prepared_state, synced */
    enum cv_journal_state prepared_state;
    const struct cv_journal_fault *fault;
};
#define CV_JOURNAL_INIT             \
    {                               \
        .dir_fd = -1, .lock_fd = -1 \
    }

/* Makes directory, lock and the first durable record.  rec: copied; state OPEN (or NEVER, a tombstone).
 * On failure nothing of it is left.  Errors: CV_E_BUSY (somebody holds the lock), CV_E_INVALID (there is a record
 * already), CV_E_IO. */
int cv_journal_create(struct cv_journal *j, const char *store, const struct cv_journal_record *rec,
                      struct cv_error *err) CV_CHECKED;
/* Takes the lock, reads the record and writes it again, so that it is durable before anyone acts on it:
 * the last writer may have died between its rename and its fsync.
 * Errors: CV_E_NOT_FOUND, CV_E_BUSY (its owner is alive: ask later), CV_E_STREAM (damaged), CV_E_IO. */
int cv_journal_open(struct cv_journal *j, const char *store, const uint8_t migration[16], enum cv_journal_role role,
                    struct cv_error *err) CV_CHECKED;
/* Durable when it returns 0.  On failure the disk has the old or the new record: j->rec keeps the old one.
 * note may be NULL: keep.  Errors: CV_E_INTERNAL (illegal transition), CV_E_IO. */
int cv_journal_set(struct cv_journal *j, enum cv_journal_state state, const char *note,
                   struct cv_error *err) CV_CHECKED;
/* Writes and syncs the temporary file of a later cv_journal_set to the same state, which then costs one rename and
 * one fsync.  Not seen by readers. */
int cv_journal_prepare(struct cv_journal *j, enum cv_journal_state state, struct cv_error *err) CV_CHECKED;
/* The source has settled: the destination's record may be pruned. */
int cv_journal_acknowledge(struct cv_journal *j, struct cv_error *err) CV_CHECKED;
/* Lets go of the lock.  Closing twice is fine. */
void cv_journal_close(struct cv_journal *j);

/* Reads without the lock (may be out of date at once). */
int cv_journal_read(const char *store, const uint8_t migration[16], enum cv_journal_role role,
                    struct cv_journal_record *rec_out, struct cv_error *err) CV_CHECKED;
/* Of a record that is CV_E_BUSY: true if its owner has opened it (cv_journal_open), that is settles what the migration
 * has left, and is not the migration itself.  Out of date at once. */
bool cv_journal_in_hand(const char *store, const uint8_t migration[16], enum cv_journal_role role);
/* Calls see for each record in the store (a damaged one with its fault in why, rec holding id and role only).
 * see returns 0 to go on; anything else is a failure, CV_E_CANCELLED.  A store that does not exist has no records. */
int cv_journal_list(const char *store,
                    int (*see)(void *user, const struct cv_journal_record *rec, const struct cv_error *why), void *user,
                    struct cv_error *err) CV_CHECKED;
/* Removes settled records that nobody will ask for: a source's own, a destination's acknowledged ones, older than
 * age_s.  now_s: seconds since 1970.  Returns how many, or -1. */
int cv_journal_prune(const char *store, uint64_t now_s, uint64_t age_s, struct cv_error *err) CV_CHECKED;

/* The store's own random id, made on first use: says that an answer comes from the same disk as the promise. */
int cv_journal_store_id(const char *store, uint8_t id_out[16], struct cv_error *err) CV_CHECKED;
/* CV_E_IO: the store's folder is there without its id: what should be mounted on it is not, or it has lost its
 * contents. A store that does not exist was never used. */
int cv_journal_store_check(const char *store, struct cv_error *err) CV_CHECKED;
/* This boot of this host (/proc/sys/kernel/random/boot_id). */
int cv_journal_boot_id(uint8_t id_out[16], struct cv_error *err) CV_CHECKED;

#define CV_ID_TEXT 33
/* 32 lower-case hexadecimal digits. */
void cv_id_format(const uint8_t id[16], char text[CV_ID_TEXT]);
int cv_id_parse(const char *text, uint8_t id_out[16]); /* 0, or -1: not 32 digits */

#endif
