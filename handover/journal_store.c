/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store: all journals of this host, its id, looking things up, pruning. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "handover/journal_files.h"

/* The directory that holds path's last part. */
static int sync_parent(const char *path, struct cv_error *err)
{
    char parent[4096];

    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        strcpy(parent, ".");
    else
        slash[slash == parent] = '\0';
    CV_AUTO_FD fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? 0 : cv_fail(err, CV_E_IO, errno, "fsync %s", parent);
}

static int make_one(const char *path, mode_t mode, struct cv_error *err)
{
    if (mkdir(path, mode) == 0)
        return sync_parent(path, err);
    return errno == EEXIST ? 0 : cv_fail(err, CV_E_IO, errno, "mkdir %s", path);
}

/* Durable: a journal in a directory that a power cut takes back is none. */
static int make_path(const char *path, struct cv_error *err)
{
    char part[4096];

    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return cv_fail(err, CV_E_INVALID, 0, "path of the journals is too long");
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (make_one(part, 0755, err) < 0)
            return -1;
        *p = '/';
    }
    return make_one(part, 0700, err);
}

int cv_journal_store_open(const char *store, bool make, struct cv_error *err)
{
    int fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT && make) {
        if (make_path(store, err) < 0)
            return -1;
        fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "journals in %s", store);
    return fd;
}

int cv_journal_read_at(int dir_fd, enum cv_journal_role role, struct cv_journal_record *rec_out, struct cv_error *err)
{
    const char *file = cv_journal_file(role, CV_JF_RECORD);
    char text[CV_JOURNAL_MAX + 1];
    size_t len;
    CV_AUTO_FD fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "journal %s", file);
    if (cv_read_full(fd, text, sizeof text, &len, CV_NEVER, NULL, err) < 0 ||
        cv_journal_decode(text, len, rec_out, err) < 0)
        return cv_context(err, "journal %s", file);
    if (rec_out->role != role)
        return cv_fail(err, CV_E_STREAM, 0, "journal %s is one of the other role", file);
    return 0;
}

int cv_journal_read(const char *store, const uint8_t migration[16], enum cv_journal_role role,
                    struct cv_journal_record *rec_out, struct cv_error *err)
{
    char path[4096], id[CV_ID_TEXT];

    cv_id_format(migration, id);
    snprintf(path, sizeof path, "%s/%s", store, id);
    CV_AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "journal %s", path);
    return cv_journal_read_at(fd, role, rec_out, err);
}

bool cv_journal_in_hand(const char *store, const uint8_t migration[16], enum cv_journal_role role)
{
    char path[4096], id[CV_ID_TEXT], first;

    cv_id_format(migration, id);
    snprintf(path, sizeof path, "%s/%s/%s", store, id, cv_journal_file(role, CV_JF_LOCK));
    CV_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd >= 0 && read(fd, &first, 1) == 1;
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

typedef int (*see_fn)(void *user, const struct cv_journal_record *rec, const struct cv_error *why);

static int see_one(int store_fd, const char *name, see_fn see, void *user)
{
    uint8_t id[16];
    int rc = 0;

    if (cv_id_parse(name, id) < 0)
        return 0;
    CV_AUTO_FD dir = openat(store_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    for (int role = CV_ROLE_SOURCE; role <= CV_ROLE_DESTINATION && rc == 0 && dir >= 0; role++) {
        struct cv_journal_record rec;
        struct cv_error why = CV_ERROR_INIT;
        if (cv_journal_read_at(dir, (enum cv_journal_role)role, &rec, &why) == 0)
            rc = see(user, &rec, NULL);
        else if (why.code != CV_E_NOT_FOUND) {
            rec = (struct cv_journal_record){ .role = (enum cv_journal_role)role };
            memcpy(rec.migration, id, sizeof id);
            cv_context(&why, "%s", name);
            rc = see(user, &rec, &why);
        }
    }
    return rc;
}

int cv_journal_list(const char *store, see_fn see, void *user, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;
    struct dirent **names = NULL;
    CV_AUTO_FD fd = cv_journal_store_open(store, false, &why);

    if (fd < 0 && why.code == CV_E_NOT_FOUND)
        return 0;
    int n = fd < 0 ? -1 : scandirat(fd, ".", &names, NULL, alphasort);
    if (n < 0)
        return cv_fail(err, CV_E_IO, errno, "journals in %s", store);
    int rc = 0;
    for (int i = 0; i < n; i++) {
        if (rc == 0)
            rc = see_one(fd, names[i]->d_name, see, user);
        free(names[i]);
    }
    free(names);
    return rc == 0 ? 0 : cv_fail(err, CV_E_CANCELLED, 0, "stopped reading the journals");
}

/* ---- pruning ---- */

struct pruning {
    const char *store;
    uint64_t now, age;
    int count;
};

/* A source may forget what is settled; a destination only what the source has acknowledged, since it may yet ask. */
static bool may_forget(const struct cv_journal_record *r)
{
    return cv_journal_settled(r->state) && (r->role == CV_ROLE_SOURCE || r->acknowledged);
}

static void remove_files(int dir, enum cv_journal_role role)
{
    unlinkat(dir, cv_journal_file(role, CV_JF_RECORD), 0);
    unlinkat(dir, cv_journal_file(role, CV_JF_NEW), 0);
    unlinkat(dir, cv_journal_file(role, CV_JF_LOCK), 0);
}

static int prune_one(void *user, const struct cv_journal_record *rec, const struct cv_error *why)
{
    struct pruning *p = user;
    char path[4096], id[CV_ID_TEXT];

    if (why != NULL || !may_forget(rec) || rec->updated > p->now || p->now - rec->updated < p->age)
        return 0;
    cv_id_format(rec->migration, id);
    snprintf(path, sizeof path, "%s/%s", p->store, id);
    CV_AUTO_FD dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CV_AUTO_FD lock = dir < 0 ? -1 : openat(dir, cv_journal_file(rec->role, CV_JF_LOCK), O_RDWR | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
        remove_files(dir, rec->role);
        p->count++;
        rmdir(path); /* fails while the other role's record is there */
    }
    return 0;
}

int cv_journal_prune(const char *store, uint64_t now_s, uint64_t age_s, struct cv_error *err)
{
    struct pruning p = { store, now_s, age_s, 0 };

    return cv_journal_list(store, prune_one, &p, err) < 0 ? -1 : p.count;
}

/* ---- identities ---- */

static int read_id(int store_fd, uint8_t id_out[16])
{
    char text[CV_ID_TEXT] = "";
    size_t n = 0;
    struct cv_error none;
    CV_AUTO_FD fd = openat(store_fd, "store-id", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 || cv_read_full(fd, text, CV_ID_TEXT, &n, CV_NEVER, NULL, &none) < 0 || n != CV_ID_TEXT)
        return -1;
    text[CV_ID_TEXT - 1] = '\0'; /* a newline in the file */
    return cv_id_parse(text, id_out);
}

/* link(2) decides who of two that came first is right: an id is never replaced. */
static int make_id(int store_fd, struct cv_error *err)
{
    uint8_t id[16];
    char text[CV_ID_TEXT + 1], temp[64];

    if (getrandom(id, sizeof id, 0) != sizeof id)
        return cv_fail(err, CV_E_IO, errno, "random numbers");
    cv_id_format(id, text);
    snprintf(temp, sizeof temp, "store-id.%s", text);
    text[CV_ID_TEXT - 1] = '\n';
    CV_AUTO_FD fd = openat(store_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return cv_fail(err, CV_E_IO, errno, "store-id of the journals");
    int rc = cv_write_full(fd, text, CV_ID_TEXT, CV_NEVER, NULL, err);
    if (rc == 0 && (fsync(fd) < 0 || (linkat(store_fd, temp, store_fd, "store-id", 0) < 0 && errno != EEXIST) ||
                    fsync(store_fd) < 0))
        rc = cv_fail(err, CV_E_IO, errno, "store-id of the journals");
    unlinkat(store_fd, temp, 0);
    return rc;
}

int cv_journal_store_id(const char *store, uint8_t id_out[16], struct cv_error *err)
{
    CV_AUTO_FD fd = cv_journal_store_open(store, true, err);

    if (fd < 0)
        return -1;
    if (read_id(fd, id_out) == 0)
        return 0;
    if (faccessat(fd, "store-id", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return cv_fail(err, CV_E_STREAM, 0, "%s/store-id is damaged", store);
    if (make_id(fd, err) < 0)
        return -1;
    return read_id(fd, id_out) == 0 ? 0 : cv_fail(err, CV_E_STREAM, 0, "%s/store-id is damaged", store);
}

int cv_journal_store_check(const char *store, struct cv_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    CV_AUTO_FD fd = cv_journal_store_open(store, false, &e);

    if (fd < 0 && e.code == CV_E_NOT_FOUND)
        return 0;
    if (fd < 0)
        return cv_fail_as(err, &e);
    if (faccessat(fd, "store-id", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    return cv_fail(
        err, CV_E_IO, 0,
        "%s is there, but not what was kept in it: mount it, or, if no guest was ever migrated from or to this "
        "host, remove the empty folder",
        store);
}

int cv_journal_boot_id(uint8_t id_out[16], struct cv_error *err)
{
    CV_AUTO_FREE char *text = NULL;
    char hex[CV_ID_TEXT] = "";
    size_t len, n = 0;

    if (cv_file_read("/proc/sys/kernel/random/boot_id", 64, &text, &len, err) < 0)
        return -1;
    for (size_t i = 0; i < len && n < CV_ID_TEXT - 1; i++)
        if (text[i] != '-' && text[i] != '\n')
            hex[n++] = text[i];
    return cv_id_parse(hex, id_out) == 0 ? 0 : cv_fail(err, CV_E_IO, 0, "this host's boot id is '%s'", text);
}
