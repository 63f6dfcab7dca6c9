/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One journal: lock, atomic durable writes, legal transitions. */
#include "handover/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "handover/journal_files.h"

/* ---- steps that change the disk, each of which a test can make fail ------------------------------------------- */

static int faulty(const struct cv_journal_fault *f, const char *step)
{
    errno = f != NULL && f->at != NULL ? f->at(f->user, step) : 0;
    return errno != 0 ? -1 : 0;
}

static int step_failed(struct cv_error *err, const char *step, const char *file)
{
    return cv_fail(err, CV_E_IO, errno, "journal %s: %s", file, step);
}

const char *cv_journal_file(enum cv_journal_role role, enum cv_journal_file which)
{
    static const char *const names[2][3] = {
        [CV_ROLE_SOURCE] = { "source", "source.new", "source.lock" },
        [CV_ROLE_DESTINATION] = { "destination", "destination.new", "destination.lock" },
    };
    return names[role][which];
}

/* The temporary file, whole and synced. */
static int write_new(struct cv_journal *j, const struct cv_journal_record *rec, struct cv_error *err)
{
    const char *file = cv_journal_file(rec->role, CV_JF_NEW);
    char text[CV_JOURNAL_MAX + 64];
    int len = cv_journal_encode(rec, text, sizeof text, err);

    if (len < 0)
        return -1;
    if (faulty(j->fault, "open") < 0)
        return step_failed(err, "open", file);
    CV_AUTO_FD fd = openat(j->dir_fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return step_failed(err, "open", file);
    if (faulty(j->fault, "write") < 0)
        return step_failed(err, "write", file);
    if (cv_write_full(fd, text, (size_t)len, CV_NEVER, NULL, err) < 0)
        return cv_context(err, "journal %s", file);
    if (faulty(j->fault, "fsync") < 0 || fsync(fd) < 0)
        return step_failed(err, "fsync", file);
    return 0;
}

/* Makes the temporary file the record, durably. */
static int publish(struct cv_journal *j, enum cv_journal_role role, struct cv_error *err)
{
    const char *from = cv_journal_file(role, CV_JF_NEW), *to = cv_journal_file(role, CV_JF_RECORD);

    if (faulty(j->fault, "rename") < 0 || renameat(j->dir_fd, from, j->dir_fd, to) < 0)
        return step_failed(err, "rename", to);
    if (faulty(j->fault, "fsync-dir") < 0 || fsync(j->dir_fd) < 0)
        return step_failed(err, "fsync of its directory", to);
    return 0;
}

static int write_record(struct cv_journal *j, const struct cv_journal_record *rec, struct cv_error *err)
{
    j->prepared = false;
    if (write_new(j, rec, err) < 0 || publish(j, rec->role, err) < 0)
        return -1;
    j->rec = *rec;
    return 0;
}

static void stamp(struct cv_journal_record *rec)
{
    rec->generation++;
    rec->updated = (uint64_t)time(NULL);
}

/* ---- directory and lock ---------------------------------------------------------------------------------------- */

/* Opens <store>/<id>; with make, both are made and durable in their parents. */
static int open_dir(struct cv_journal *j, const char *store, const uint8_t migration[16], bool make,
                    struct cv_error *err)
{
    char id[CV_ID_TEXT];

    cv_id_format(migration, id);
    CV_AUTO_FD store_fd = cv_journal_store_open(store, make, err);
    if (store_fd < 0)
        return -1;
    if (make && (faulty(j->fault, "mkdir") < 0 || (mkdirat(store_fd, id, 0700) < 0 && errno != EEXIST)))
        return step_failed(err, "mkdir", id);
    if (make && (faulty(j->fault, "fsync-store") < 0 || fsync(store_fd) < 0))
        return step_failed(err, "fsync of the store", store);
    j->dir_fd = openat(store_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (j->dir_fd < 0)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "journal %s/%s", store, id);
    return 0;
}

/* In the lock's file while it is held by who settles what its migration has left. */
#define SETTLING "settling\n"

/* For others who find it held.  Where it cannot be written they only say "busy" a little early. */
static void say_why(int lock_fd, bool settling)
{
    if (ftruncate(lock_fd, 0) < 0 ||
        (settling && pwrite(lock_fd, SETTLING, sizeof SETTLING - 1, 0) != (ssize_t)sizeof SETTLING - 1))
        errno = 0;
}

static int lock(struct cv_journal *j, enum cv_journal_role role, bool settling, struct cv_error *err)
{
    const char *file = cv_journal_file(role, CV_JF_LOCK);

    j->lock_fd = openat(j->dir_fd, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->lock_fd < 0)
        return step_failed(err, "open", file);
    if (flock(j->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        say_why(j->lock_fd, settling);
        return 0;
    }
    if (errno == EWOULDBLOCK)
        return cv_fail(err, CV_E_BUSY, 0, "another process is at work on this migration (%s)", file);
    return step_failed(err, "lock", file);
}

void cv_journal_close(struct cv_journal *j)
{
    cv_fd_dispose(&j->lock_fd);
    cv_fd_dispose(&j->dir_fd);
    j->prepared = false;
}

/* ---- the public verbs -------------------------------------------------------------------------------------------- */

/* A first record that could not be written may be there all the same; nothing was promised by it yet, and left there it
 * would stand in the way of the guest's next migration. */
static void take_back(struct cv_journal *j, const char *store, const struct cv_journal_record *rec)
{
    char path[4096], id[CV_ID_TEXT];
    int saved = errno;

    for (int which = CV_JF_RECORD; which <= CV_JF_LOCK; which++)
        unlinkat(j->dir_fd, cv_journal_file(rec->role, (enum cv_journal_file)which), 0);
    cv_id_format(rec->migration, id);
    if (snprintf(path, sizeof path, "%s/%s", store, id) < (int)sizeof path)
        rmdir(path); /* fails while the other role's record is there */
    errno = saved;
}

static int create(struct cv_journal *j, const char *store, const struct cv_journal_record *rec, struct cv_error *err)
{
    struct cv_journal_record fresh = *rec, old;

    if (!cv_journal_legal(rec->role, CV_J_NONE, rec->state))
        return cv_fail(err, CV_E_INTERNAL, 0, "a journal cannot begin as %s", cv_journal_state_name(rec->state));
    if (open_dir(j, store, rec->migration, true, err) < 0 || lock(j, rec->role, false, err) < 0)
        return -1;
    struct cv_error none = CV_ERROR_INIT;
    if (cv_journal_read_at(j->dir_fd, rec->role, &old, &none) == 0 || none.code != CV_E_NOT_FOUND)
        return cv_fail(err, CV_E_INVALID, 0, "this migration is known already");
    fresh.generation = 0;
    stamp(&fresh);
    if (write_record(j, &fresh, err) == 0)
        return 0;
    take_back(j, store, rec);
    return -1;
}

int cv_journal_create(struct cv_journal *j, const char *store, const struct cv_journal_record *rec,
                      struct cv_error *err)
{
    if (create(j, store, rec, err) == 0)
        return 0;
    cv_journal_close(j);
    return -1;
}

static int reopen(struct cv_journal *j, const char *store, const uint8_t migration[16], enum cv_journal_role role,
                  struct cv_error *err)
{
    struct cv_journal_record rec;

    if (open_dir(j, store, migration, false, err) < 0)
        return -1;
    /* Asked before the lock is made, so that looking for what is not there leaves nothing. */
    if (cv_journal_read_at(j->dir_fd, role, &rec, err) < 0 || lock(j, role, true, err) < 0 ||
        cv_journal_read_at(j->dir_fd, role, &rec, err) < 0)
        return -1;
    if (memcmp(rec.migration, migration, 16) != 0 || rec.role != role)
        return cv_fail(err, CV_E_STREAM, 0, "journal belongs to another migration");
    stamp(&rec);
    return write_record(j, &rec, err);
}

int cv_journal_open(struct cv_journal *j, const char *store, const uint8_t migration[16], enum cv_journal_role role,
                    struct cv_error *err)
{
    if (reopen(j, store, migration, role, err) == 0)
        return 0;
    cv_journal_close(j);
    return -1;
}

static int next_record(const struct cv_journal *j, enum cv_journal_state state, struct cv_journal_record *rec_out,
                       struct cv_error *err)
{
    if (j->lock_fd < 0 || !cv_journal_legal(j->rec.role, j->rec.state, state))
        return cv_fail(err, CV_E_INTERNAL, 0, "journal cannot go from %s to %s", cv_journal_state_name(j->rec.state),
                       cv_journal_state_name(state));
    *rec_out = j->rec;
    rec_out->state = state;
    stamp(rec_out);
    return 0;
}

int cv_journal_prepare(struct cv_journal *j, enum cv_journal_state state, struct cv_error *err)
{
    struct cv_journal_record rec;

    j->prepared = false;
    if (next_record(j, state, &rec, err) < 0 || write_new(j, &rec, err) < 0)
        return -1;
    j->prepared = true;
    j->prepared_state = state;
    return 0;
}

int cv_journal_set(struct cv_journal *j, enum cv_journal_state state, const char *note, struct cv_error *err)
{
    struct cv_journal_record rec;

    if (next_record(j, state, &rec, err) < 0)
        return -1;
    if (note != NULL)
        snprintf(rec.note, sizeof rec.note, "%s", note);
    if (!j->prepared || j->prepared_state != state || note != NULL)
        return write_record(j, &rec, err);
    j->prepared = false;
    if (publish(j, rec.role, err) < 0)
        return -1;
    j->rec = rec;
    return 0;
}

int cv_journal_acknowledge(struct cv_journal *j, struct cv_error *err)
{
    struct cv_journal_record rec;

    if (next_record(j, j->rec.state, &rec, err) < 0)
        return -1;
    rec.acknowledged = true;
    return write_record(j, &rec, err);
}
