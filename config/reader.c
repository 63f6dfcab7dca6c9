/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cv_reader_context(struct cv_reader *r, const char *key, struct cv_error *err)
{
    unsigned line = cv_keys_line(&r->keys, key);

    if (line == 0)
        return cv_context(err, "%s: %s", r->source, key);
    return cv_context(err, "%s:%u: %s", r->source, line, key);
}

int cv_reader_fail(struct cv_reader *r, const char *key, enum cv_code code, struct cv_error *err, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cv_fail(err, code, 0, "%s", text);
    return cv_reader_context(r, key, err);
}

const char *cv_reader_reported(struct cv_reader *r)
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

bool cv_reader_has(struct cv_reader *r, const char *key) { return cv_keys_line(&r->keys, key) != 0; }

/* libxlutil answers with errno values; ESRCH means absent. */
static int wrong_kind(struct cv_reader *r, const char *key, const char *wanted, struct cv_error *err)
{
    return cv_reader_fail(r, key, CV_E_INVALID, err, "must be %s", wanted);
}

int cv_reader_string(struct cv_reader *r, const char *key, const char **out, struct cv_error *err)
{
    const char *value;
    int rc = xlu_cfg_get_string(r->cfg, key, &value, 1);

    if (rc == ESRCH)
        return 0;
    if (rc != 0)
        return wrong_kind(r, key, "a string", err);
    *out = cv_pool_string(&r->c->pool, value);
    return 0;
}

const char *cv_reader_absolute(struct cv_reader *r, const char *path)
{
    char cwd[4096];

    if (*path == '\0' || *path == '/' || getcwd(cwd, sizeof cwd) == NULL)
        return path;
    return cv_pool_printf(&r->c->pool, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, path);
}

bool cv_text_number(const char *text, long long min, long long max, long long *out)
{
    char *end;

    errno = 0;
    long long v = strtoll(text, &end, 0);
    if (end == text || *end != '\0' || errno != 0 || v < min || v > max)
        return false;
    *out = v;
    return true;
}

int cv_reader_number(struct cv_reader *r, const char *key, long long min, long long max, long long *out,
                     struct cv_error *err)
{
    const char *value;
    int rc = xlu_cfg_get_string(r->cfg, key, &value, 1);

    if (rc == ESRCH)
        return 0;
    if (rc != 0 || !cv_text_number(value, min, max, out))
        return cv_reader_fail(r, key, CV_E_INVALID, err, "must be a number from %lld to %lld", min, max);
    return 0;
}

int cv_reader_bool(struct cv_reader *r, const char *key, bool *out, struct cv_error *err)
{
    long long v = *out;

    if (cv_reader_number(r, key, 0, 1, &v, NULL) < 0)
        return wrong_kind(r, key, "0 or 1", err);
    *out = v != 0;
    return 0;
}

int cv_reader_strings(struct cv_reader *r, const char *key, struct cv_strings *out, struct cv_error *err)
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
        if (item == NULL)
            return cv_reader_fail(r, key, CV_E_INVALID, err, "entry %d is not a string", i + 1);
        cv_strings_add(&r->c->pool, out, cv_pool_string(&r->c->pool, item));
    }
    return cv_pool_check(&r->c->pool, err);
}
