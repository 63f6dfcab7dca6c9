/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A watcher's patience: it asks until there is an answer, and ends as soon as anybody has settled the record. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "migrate/recover.h"

/* An eighth of the time since we began, within these: what a host that is back costs a guest that has stood still for
 * long anyway, against a new ssh for each try and its line in the log. */
#define SHORTEST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS 60000

struct patience {
    const struct cv_recover_options *opt;
    const char *store;
    const uint8_t *migration;
    int64_t since_ms;
    int changes; /* readable when something in the record's directory was written; -1: unknown */
};

/* Without it the record is looked at after each pause only. */
static int watch_record(const char *store, const uint8_t migration[16])
{
    char path[4096], id[CV_ID_TEXT];
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    cv_id_format(migration, id);
    snprintf(path, sizeof path, "%s/%s", store, id);
    if (fd >= 0 && inotify_add_watch(fd, path, IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF) < 0)
        cv_fd_dispose(&fd);
    return fd;
}

static void drain(int fd)
{
    char events[4096];

    while (fd >= 0 && read(fd, events, sizeof events) > 0)
        ;
}

/* By whomever; a record that was removed leaves nothing to do. */
static bool over(const struct patience *p)
{
    struct cv_journal_record rec;
    struct cv_error err = CV_ERROR_INIT;

    if (cv_journal_read(p->store, p->migration, (enum cv_journal_role)p->opt->role, &rec, &err) < 0)
        return err.code == CV_E_NOT_FOUND;
    return cv_journal_settled(rec.state);
}

static int64_t pause_ms(const struct patience *p)
{
    int64_t eighth = (cv_now_ms() - p->since_ms) / 8;
    int64_t shortest = p->opt->pause_ms ? p->opt->pause_ms : SHORTEST_PAUSE_MS;

    return eighth < shortest ? shortest : eighth > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : eighth;
}

/* True: it is over, or we are to end.  Our own writes wake us too, so that only the record itself counts. */
static bool wait_over(const struct patience *p)
{
    int64_t deadline = cv_after_ms(pause_ms(p));

    for (;;) {
        struct cv_error err = CV_ERROR_INIT;
        drain(p->changes);
        if (over(p))
            return true;
        if (cv_poll_one(p->changes, POLLIN, deadline, p->opt->cancel, &err) < 0)
            return err.code == CV_E_CANCELLED;
    }
}

int cv_recover_persist(struct cv_host *host, const uint8_t migration[16], const struct cv_recover_options *opt,
                       struct cv_sink *sink, struct cv_error *err)
{
    struct cv_recover_options one = *opt;
    struct patience p = {
        .opt = opt, .store = opt->store ? opt->store : CV_JOURNAL_DIR, .migration = migration, .since_ms = cv_now_ms()
    };
    char id[CV_ID_TEXT], told[sizeof err->text] = "";
    int rc = 0;

    cv_id_format(migration, id);
    one.times.questions = 1; /* the journal is let go of between them */
    p.changes = watch_record(p.store, migration);
    for (;;) {
        struct cv_error why = CV_ERROR_INIT;
        unsigned count;
        if (cv_recover(host, id, &one, sink, &count, &why) == 0 || over(&p))
            break;
        if (strcmp(told, why.text) != 0)
            cv_log(sink, CV_LOG_WARN, "%s; tried again until it is settled", why.text);
        snprintf(told, sizeof told, "%s", why.text);
        if (wait_over(&p)) {
            rc = over(&p) ? 0 : cv_fail_as(err, &why);
            break;
        }
    }
    cv_fd_dispose(&p.changes);
    return rc;
}
