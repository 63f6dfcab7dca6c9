/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/reader.h"

#define CONFIG_BYTES_MAX (1024 * 1024)

static int check_text(const char *text, size_t len, const char *source, struct cv_error *err)
{
    if (len > CONFIG_BYTES_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "%s: more than %d bytes", source, CONFIG_BYTES_MAX);
    if (memchr(text, '\0', len) != NULL)
        return cv_fail(err, CV_E_INVALID, 0, "%s: contains a zero byte: not a configuration file", source);
    return 0;
}

static int open_reader(struct cv_config_reader *r, struct cv_error *err)
{
    r->report = open_memstream(&r->report_text, &r->report_len);
    if (r->report != NULL)
        r->cfg = xlu_cfg_init(r->report, r->source);
    if (r->cfg == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "out of memory");
    return 0;
}

static void close_reader(struct cv_config_reader *r)
{
    if (r->cfg != NULL)
        xlu_cfg_destroy(r->cfg);
    if (r->report != NULL)
        fclose(r->report);
    free(r->report_text);
}

/* An emulator has a channel for each vcpu and one more; the store and the console have one each. */
static int check_channels(struct cv_config_reader *r, struct cv_error *err)
{
    unsigned needed = r->c->dm_count * (r->c->maxvcpus + 1) + 2;

    if (r->c->max_event_channels == 0 || r->c->max_event_channels >= needed)
        return 0;
    return cv_reader_fail(r, "max_event_channels", CV_E_INVALID, err, "%u are too few: the emulators alone need %u",
                          r->c->max_event_channels, needed);
}

/* Lines "file:line: config parsing error near `x': ...": libxlutil goes on behind each.  The last one is err. */
static int take_complaints(struct cv_config_reader *r, struct cv_error *err)
{
    fflush(r->report);
    cv_fail(err, CV_E_INVALID, 0, "syntax error");
    char *line = r->report_text, *end;
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        cv_fail(err, CV_E_INVALID, 0, "%s", line);
        line = end + 1;
        if (strchr(line, '\n') != NULL)
            cv_findings_add(r->found, "", err, NULL);
    }
    return -1;
}

static int read_text(struct cv_config_reader *r, const char *text, size_t len, struct cv_error *err)
{
    if (open_reader(r, err) < 0)
        return -1;
    int rc = xlu_cfg_readdata(r->cfg, text, (int)len);
    if (rc == ENOMEM)
        return cv_fail(err, CV_E_NOMEM, 0, "out of memory");
    if (rc != 0)
        return take_complaints(r, err);
    return cv_keys_scan(&r->c->pool, text, len, r->source, &r->keys, err);
}

/* Each part is read, whatever is wrong in another: the user is told everything at once. */
static int read_all(struct cv_config_reader *r, const char *text, size_t len, struct cv_error *err)
{
    if (cv_reader_keep(r, read_text(r, text, len, err), err) < 0)
        return -1;
    cv_keys_check(&r->keys, r->cfg, r->source, r->found);
    cv_reader_keep(r, cv_config_read_guest(r, err), err);
    cv_reader_keep(r, cv_config_read_devices(r, err), err);
    cv_reader_keep(r, cv_config_settle_pvh(r, err), err);
    int disks = cv_reader_keep(r, cv_config_read_disks(r, err), err);
    int vifs = cv_reader_keep(r, cv_config_read_vifs(r, err), err);
    /* Which emulator has what can only be said of disks and cards that are known. */
    if (disks == 0 && vifs == 0 && !cv_reader_is_bad(r, "disk") && !cv_reader_is_bad(r, "vif"))
        cv_reader_keep(r, cv_config_read_dms(r, err), err);
    cv_reader_keep(r, check_channels(r, err), err);
    return cv_reader_keep(r, cv_pool_check(&r->c->pool, err), err);
}

/* "x.cfg:12: ..." -> 12; 0 for what has no line. */
static unsigned line_of(const struct cv_finding *f, size_t source_len)
{
    return strlen(f->text) > source_len + 1 ? (unsigned)strtoul(f->text + source_len + 1, NULL, 10) : 0;
}

/* In the file's order; few enough for the plainest way. */
static void sort_findings(struct cv_findings *f, const char *source)
{
    size_t len = strlen(source);

    for (size_t i = 1; i < f->count; i++)
        for (size_t k = i; k > 0 && line_of(&f->items[k], len) < line_of(&f->items[k - 1], len); k--) {
            struct cv_finding one = f->items[k];
            f->items[k] = f->items[k - 1];
            f->items[k - 1] = one;
        }
}

int cv_guest_config_examine(const char *text, size_t len, const char *source, struct cv_guest_config *out,
                            struct cv_findings *found, struct cv_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_config_reader r = { .c = out, .found = found };

    memset(out, 0, sizeof *out);
    out->source = r.source = cv_pool_string(&out->pool, source);
    if (cv_reader_keep(&r, check_text(text, len, source, &e), &e) == 0)
        (void)read_all(&r, text, len, &e);
    close_reader(&r);
    sort_findings(found, source);
    int rc = cv_findings_verdict(found, err);
    if (rc < 0)
        cv_guest_config_dispose(out);
    return rc;
}

int cv_guest_config_parse(const char *text, size_t len, const char *source, struct cv_guest_config *out,
                          struct cv_error *err)
{
    struct cv_findings found = { 0 };
    int rc = cv_guest_config_examine(text, len, source, out, &found, err);

    cv_findings_dispose(&found);
    return rc;
}

void cv_guest_config_dispose(struct cv_guest_config *c)
{
    struct cv_pool pool = c->pool;

    memset(c, 0, sizeof *c);
    cv_pool_dispose(&pool);
}
