/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* include/convoy/convoy.h on top of the inner folders: arguments are checked, the real host is wired in, errors are
 * translated.  Nothing is decided here. */
#include "convoy/convoy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/guest.h"
#include "memory/pipeline.h"
#include "handover/gate.h"
#include "handover/journal.h"
#include "restore/restore.h"
#include "save/save.h"
#include "stream-format/bodies.h"

/* Of a size that a caller has set; what is beyond was never initialised. */
#define OPTIONS_MAX 4096u

struct convoy_cancel {
    struct cv_cancel c;
};

struct convoy_host {
    struct cv_sink sink; /* first: the callbacks find the rest behind it */
    convoy_sink user;
    struct cv_host *host;
    struct cv_gate gate; /* the host's: what a migration has in hand is not this library's, either */
};

_Static_assert((int)CONVOY_NOT_FOUND == (int)CV_E_NOT_FOUND && (int)CONVOY_STREAM == (int)CV_E_STREAM &&
                   (int)CONVOY_BUSY == (int)CV_E_BUSY,
               "public codes are the inner ones");

const char *convoy_version(void) { return CONVOY_VERSION; }
const char *convoy_code_name(convoy_code code) { return cv_code_name((enum cv_code)code); }

static int give_error(const struct cv_error *e, convoy_error *err)
{
    if (err != NULL) {
        err->code = (convoy_code)e->code;
        err->sys = e->sys;
        cv_error_string(e, err->text, sizeof err->text);
    }
    return -1;
}

/* Options as this library knows them, into out: what an older caller does not have is 0, and what a newer one has and
 * we do not must be 0.  given: NULL, or a structure that begins with its own size. */
static int take_options(void *out, size_t known, const void *given, const char *type, struct cv_error *e)
{
    size_t size = 0;

    memset(out, 0, known);
    if (given == NULL)
        return 0;
    memcpy(&size, given, sizeof size);
    if (size <= sizeof size || size > OPTIONS_MAX)
        return cv_fail(e, CV_E_INVALID, 0, "%s: size is %zu: set it to sizeof (%s)", type, size, type);
    for (size_t i = known; i < size; i++)
        if (((const char *)given)[i] != 0)
            return cv_fail(e, CV_E_UNSUPPORTED, 0, "%s: has a member at byte %zu that this libconvoy %s does not know",
                           type, i, CONVOY_VERSION);
    memcpy(out, given, size < known ? size : known);
    return 0;
}

static void on_message(struct cv_sink *s, enum cv_level level, const char *text)
{
    struct convoy_host *h = (struct convoy_host *)s;
    if (h->user.message != NULL)
        h->user.message(h->user.user, (int)level, text);
}

static void on_event(struct cv_sink *s, const char *json)
{
    struct convoy_host *h = (struct convoy_host *)s;
    if (h->user.event != NULL)
        h->user.event(h->user.user, json);
}

convoy_host *convoy_host_open(const convoy_sink *sink, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct convoy_host *h = calloc(1, sizeof *h);

    if (h == NULL) {
        cv_fail(&e, CV_E_NOMEM, 0, "no memory for a host");
        give_error(&e, err);
        return NULL;
    }
    h->sink = (struct cv_sink){ on_message, on_event, CV_LOG_DEBUG };
    if (take_options(&h->user, sizeof h->user, sink, "convoy_sink", &e) == 0 &&
        cv_host_open_xen(&h->host, &h->sink, &e) == 0) {
        h->gate = (struct cv_gate){ CV_JOURNAL_DIR };
        h->host->gate = &h->gate;
        return h;
    }
    give_error(&e, err);
    free(h);
    return NULL;
}

void convoy_host_close(convoy_host *h)
{
    if (h == NULL)
        return;
    h->host->ops->close(h->host);
    free(h);
}

convoy_cancel *convoy_cancel_new(convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct convoy_cancel *c = calloc(1, sizeof *c);

    if (c != NULL && cv_cancel_init(&c->c, &e) == 0)
        return c;
    if (c == NULL)
        cv_fail(&e, CV_E_NOMEM, 0, "no memory for a cancel token");
    give_error(&e, err);
    free(c);
    return NULL;
}

void convoy_cancel_request(convoy_cancel *c) { cv_cancel_request(&c->c); }

void convoy_cancel_free(convoy_cancel *c)
{
    if (c == NULL)
        return;
    cv_cancel_dispose(&c->c);
    free(c);
}

int convoy_create(convoy_host *h, const char *config_path, int paused, uint32_t *domid_out, convoy_error *err)
{
    struct cv_create_options o = { .paused = paused != 0 };
    struct cv_error e = CV_ERROR_INIT;
    struct cv_guest g;

    if (cv_guest_create(&g, h->host, config_path, &o, &h->sink, &e) < 0)
        return give_error(&e, err);
    if (domid_out != NULL)
        *domid_out = g.domid;
    cv_guest_dispose(&g);
    return 0;
}

int convoy_destroy(convoy_host *h, const char *who, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_guest g;

    if (cv_guest_open_to_end(&g, h->host, who, &h->sink, &e) < 0)
        return give_error(&e, err);
    int rc = cv_guest_destroy(&g, &e);
    cv_guest_dispose(&g);
    return rc < 0 ? give_error(&e, err) : 0;
}

static unsigned workers(unsigned threads)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = threads != 0 ? threads : cpus > 0 ? (unsigned)cpus : 1;

    return n > CV_MEM_THREADS_MAX ? CV_MEM_THREADS_MAX : n;
}

static int save(convoy_host *h, const char *who, const char *path, int fd, const convoy_save_options *given,
                convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    convoy_save_options o;

    if (take_options(&o, sizeof o, given, "convoy_save_options", &e) < 0)
        return give_error(&e, err);
    struct cv_save_options s = { .live = o.live != 0,
                                 .force = o.force != 0,
                                 .emulator_timeout_ms = (int64_t)o.emulator_timeout_s * 1000,
                                 .stall_ms = (int64_t)o.stall_timeout_s * 1000,
                                 .cancel = o.cancel ? &o.cancel->c : NULL,
                                 .mem = { .threads = workers(o.threads), .codec = CV_CODEC_ZSTD, .level = 1 } };
    if (o.after > CONVOY_AFTER_PAUSE) {
        cv_fail(&e, CV_E_INVALID, 0, "save '%s': after: %d is not one of enum convoy_after", who, (int)o.after);
        return give_error(&e, err);
    }
    if (o.compress != NULL && cv_mem_parse_compress(o.compress, &s.mem, &e) < 0)
        return give_error(&e, err);
    static const enum cv_save_after after[] = { CV_SAVE_DESTROY, CV_SAVE_CONTINUE, CV_SAVE_LEAVE_PAUSED };
    return cv_save_to(h->host, who, path, fd, after[o.after], &s, &h->sink, NULL, &e) < 0 ? give_error(&e, err) : 0;
}

int convoy_save(convoy_host *h, const char *who, const char *path, const convoy_save_options *o, convoy_error *err)
{
    return save(h, who, path, -1, o, err);
}

int convoy_save_fd(convoy_host *h, const char *who, int fd, const convoy_save_options *o, convoy_error *err)
{
    return save(h, who, "-", fd, o, err);
}

int convoy_restore_fd(convoy_host *h, int fd, const convoy_restore_options *given, uint32_t *domid_out,
                      convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    convoy_restore_options o;

    if (take_options(&o, sizeof o, given, "convoy_restore_options", &e) < 0)
        return give_error(&e, err);
    struct cv_restore_options r = { .paused = o.paused != 0,
                                    .name = o.name,
                                    .mem = { .threads = workers(o.threads) },
                                    .emulator_timeout_ms = (int64_t)o.emulator_timeout_s * 1000,
                                    .cancel = o.cancel ? &o.cancel->c : NULL };
    return cv_restore_from(h->host, fd, &r, &h->sink, domid_out, NULL, &e) < 0 ? give_error(&e, err) : 0;
}

static int verify(struct cv_reader *reader, struct cv_record *rec, unsigned threads, struct cv_cancel *cancel,
                  struct cv_error *e)
{
    struct cv_mem_options m = { .threads = workers(threads), .cancel = cancel };
    struct cv_loader *loader = NULL;
    int n;

    while ((n = cv_reader_next(reader, rec, e)) > 0) {
        struct cv_rec_memory memory;
        int rc = 0;

        if (rec->known && rec->type == CV_REC_MEMORY)
            rc = cv_rec_memory_decode(&memory, rec->body.data, rec->body.len, e) < 0
                     ? -1
                     : cv_loader_new(&loader, NULL, memory.pfn_count, &m, e);
        else if (rec->known && rec->type == CV_REC_PAGES)
            rc = cv_loader_record(loader, rec, e);
        if (rc < 0) {
            n = -1;
            break;
        }
    }
    if (n == 0 && loader != NULL)
        n = cv_loader_barrier(loader, e);
    cv_loader_free(loader);
    return n;
}

int convoy_verify_fd(int fd, unsigned threads, convoy_cancel *cancel, convoy_error *err)
{
    struct cv_reader_options ro = { .cancel = cancel ? &cancel->c : NULL, .defer_hash_of_pages = true };
    struct cv_error e = CV_ERROR_INIT;
    struct cv_record rec = { 0 };
    struct cv_reader *reader;

    if (cv_reader_new(&reader, fd, &ro, &e) < 0)
        return give_error(&e, err);
    int rc = verify(reader, &rec, threads, ro.cancel, &e);
    cv_record_dispose(&rec);
    cv_reader_free(reader);
    return rc < 0 ? give_error(&e, err) : 0;
}
