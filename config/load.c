/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
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

static int open_reader(struct cv_reader *r, struct cv_error *err)
{
    r->report = open_memstream(&r->report_text, &r->report_len);
    if (r->report != NULL)
        r->cfg = xlu_cfg_init(r->report, r->source);
    if (r->cfg == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "out of memory");
    return 0;
}

static void close_reader(struct cv_reader *r)
{
    if (r->cfg != NULL)
        xlu_cfg_destroy(r->cfg);
    if (r->report != NULL)
        fclose(r->report);
    free(r->report_text);
}

/* An emulator has a channel for each vcpu and one more; the store and the console have one each. */
static int check_channels(struct cv_reader *r, struct cv_error *err)
{
    unsigned needed = r->c->dm_count * (r->c->maxvcpus + 1) + 2;

    if (r->c->max_event_channels == 0 || r->c->max_event_channels >= needed)
        return 0;
    return cv_reader_fail(r, "max_event_channels", CV_E_INVALID, err, "%u are too few: the emulators alone need %u",
                          r->c->max_event_channels, needed);
}

static int read_all(struct cv_reader *r, const char *text, size_t len, struct cv_error *err)
{
    if (open_reader(r, err) < 0)
        return -1;
    int rc = xlu_cfg_readdata(r->cfg, text, (int)len);
    if (rc == ENOMEM)
        return cv_fail(err, CV_E_NOMEM, 0, "out of memory");
    if (rc != 0) {
        /* "file:line: config parsing error near `x': ..." names the place itself */
        const char *why = cv_reader_reported(r);
        return cv_fail(err, CV_E_INVALID, 0, "%s", *why ? why : "syntax error");
    }
    if (cv_keys_scan(&r->c->pool, text, len, r->source, &r->keys, err) < 0)
        return -1;
    if (cv_keys_check(&r->keys, r->cfg, r->source, err) < 0)
        return -1;
    if (cv_config_read_guest(r, err) < 0 || cv_config_read_devices(r, err) < 0 || cv_config_read_disks(r, err) < 0 ||
        cv_config_read_vifs(r, err) < 0 || cv_config_read_dms(r, err) < 0 || check_channels(r, err) < 0)
        return -1;
    return cv_pool_check(&r->c->pool, err);
}

int cv_guest_config_parse(const char *text, size_t len, const char *source, struct cv_guest_config *out,
                          struct cv_error *err)
{
    struct cv_reader r = { .c = out };

    if (check_text(text, len, source, err) < 0)
        return -1;
    memset(out, 0, sizeof *out);
    out->source = r.source = cv_pool_string(&out->pool, source);
    int rc = read_all(&r, text, len, err);
    close_reader(&r);
    if (rc < 0)
        cv_guest_config_dispose(out);
    return rc;
}

int cv_guest_config_load(const char *path, struct cv_guest_config *out, struct cv_error *err)
{
    CV_AUTO_FREE char *text = NULL;
    size_t len;

    if (cv_file_read(path, CONFIG_BYTES_MAX, &text, &len, err) < 0)
        return -1;
    return cv_guest_config_parse(text, len, path, out, err);
}

void cv_guest_config_dispose(struct cv_guest_config *c)
{
    struct cv_pool pool = c->pool;

    memset(c, 0, sizeof *c);
    cv_pool_dispose(&pool);
}
