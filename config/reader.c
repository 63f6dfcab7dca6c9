/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cv_reader_context(struct cv_config_reader *r, const char *key, struct cv_error *err)
{
    unsigned line = cv_keys_line(&r->keys, key);

    r->failed_key = key;
    if (line == 0)
        return cv_context(err, "%s: %s", r->source, key);
    return cv_context(err, "%s:%u: %s", r->source, line, key);
}

int cv_reader_fail(struct cv_config_reader *r, const char *key, enum cv_code code, struct cv_error *err,
                   const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cv_vfail(err, code, 0, fmt, ap);
    va_end(ap);
    return cv_reader_context(r, key, err);
}

bool cv_reader_is_bad(const struct cv_config_reader *r, const char *key)
{
    for (size_t i = 0; i < r->found->count; i++)
        if (r->found->items[i].code != CV_OK && strcmp(r->found->items[i].check, key) == 0)
            return true;
    return false;
}

int cv_reader_keep(struct cv_config_reader *r, int rc, struct cv_error *mine)
{
    static const char *const devices[] = { "disk", "vif", "device_models", "usbdevice", "serial" };
    const char *key = r->failed_key != NULL ? r->failed_key : "";
    bool several = *key == '\0';

    r->failed_key = "";
    if (rc >= 0)
        return rc;
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        several = several || strcmp(key, devices[i]) == 0;
    if (several || !cv_reader_is_bad(r, key))
        cv_findings_add(r->found, key, mine, NULL);
    *mine = (struct cv_error)CV_ERROR_INIT;
    return rc;
}

void cv_reader_warn(struct cv_config_reader *r, const char *key, const char *fmt, ...)
{
    unsigned line = cv_keys_line(&r->keys, key);
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (line == 0)
        cv_findings_warn(r->found, key, "%s: %s: %s", r->source, key, text);
    else
        cv_findings_warn(r->found, key, "%s:%u: %s: %s", r->source, line, key, text);
}

const char *cv_reader_reported(struct cv_config_reader *r)
{
    const char *first = "";

    fflush(r->report);
    if (r->report_text != NULL) {
        r->report_text[strcspn(r->report_text, "\n")] = '\0';
        first = cv_pool_string(&r->c->pool, r->report_text);
    }
    rewind(r->report);
    return first;
}

bool cv_reader_has(struct cv_config_reader *r, const char *key) { return cv_keys_line(&r->keys, key) != 0; }

/* libxlutil answers with errno values; ESRCH means absent. */
static int wrong_kind(struct cv_config_reader *r, const char *key, const char *wanted)
{
    struct cv_error err = CV_ERROR_INIT;

    cv_reader_keep(r, cv_reader_fail(r, key, CV_E_INVALID, &err, "must be %s", wanted), &err);
    return 0;
}

int cv_reader_string(struct cv_config_reader *r, const char *key, const char **out, struct cv_error *err)
{
    const char *value;
    int rc = xlu_cfg_get_string(r->cfg, key, &value, 1);

    if (rc == ESRCH)
        return 0;
    if (rc != 0)
        return wrong_kind(r, key, "a string");
    *out = cv_pool_string(&r->c->pool, value);
    return cv_pool_check(&r->c->pool, err);
}

const char *cv_reader_absolute(struct cv_config_reader *r, const char *path)
{
    char cwd[4096];

    if (*path == '\0' || *path == '/' || getcwd(cwd, sizeof cwd) == NULL)
        return path;
    return cv_pool_printf(&r->c->pool, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, path);
}

int cv_reader_number(struct cv_config_reader *r, const char *key, long long min, long long max, long long *out,
                     struct cv_error *err)
{
    const char *value;
    int rc = xlu_cfg_get_string(r->cfg, key, &value, 1);

    (void)err;
    if (rc == ESRCH)
        return 0;
    if (rc != 0 || !cv_text_number(value, min, max, out)) {
        char wanted[80];
        snprintf(wanted, sizeof wanted, "a number from %lld to %lld", min, max);
        return wrong_kind(r, key, wanted);
    }
    return 0;
}

int cv_reader_bool(struct cv_config_reader *r, const char *key, bool *out, struct cv_error *err)
{
    long long v = *out;
    const char *value;
    int rc = xlu_cfg_get_string(r->cfg, key, &value, 1);

    (void)err;
    if (rc == ESRCH)
        return 0;
    if (rc != 0 || !cv_text_number(value, INT_MIN, INT_MAX, &v))
        return wrong_kind(r, key, "0 or 1");
    *out = v != 0;
    return 0;
}

int cv_reader_strings(struct cv_config_reader *r, const char *key, struct cv_strings *out, struct cv_error *err)
{
    XLU_ConfigList *list;
    int count;
    int rc = xlu_cfg_get_list(r->cfg, key, &list, &count, 1);

    if (rc == ESRCH)
        return 0;
    if (rc != 0) {
        const char *one = "";
        if (cv_reader_string(r, key, &one, err) < 0)
            return -1;
        cv_strings_add(&r->c->pool, out, one);
        return cv_pool_check(&r->c->pool, err);
    }
    for (int i = 0; i < count; i++) {
        const char *item = xlu_cfg_get_listitem(list, i);
        if (item == NULL) {
            struct cv_error e = CV_ERROR_INIT;
            cv_reader_keep(r, cv_reader_fail(r, key, CV_E_INVALID, &e, "entry %d is not a string", i + 1), &e);
            return 0;
        }
        cv_strings_add(&r->c->pool, out, cv_pool_string(&r->c->pool, item));
    }
    return cv_pool_check(&r->c->pool, err);
}
