/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/findings.h"

#include <stdio.h>
#include <stdlib.h>

void cv_findings_dispose(struct cv_findings *f)
{
    free(f->items);
    *f = (struct cv_findings){ 0 };
}

static struct cv_finding *new_finding(struct cv_findings *f, enum cv_code code, const char *check)
{
    if (f == NULL)
        return NULL;
    if (f->count == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 8;
        struct cv_finding *items = reallocarray(f->items, cap, sizeof *items);
        if (items == NULL) {
            f->lost = true;
            return NULL;
        }
        f->items = items;
        f->cap = cap;
    }
    struct cv_finding *one = &f->items[f->count++];
    *one = (struct cv_finding){ .code = code };
    snprintf(one->check, sizeof one->check, "%s", check);
    return one;
}

void cv_findings_add(struct cv_findings *f, const char *check, const struct cv_error *why, const char *advice)
{
    struct cv_finding *one = new_finding(f, why->code, check);

    if (one == NULL)
        return;
    cv_error_string(why, one->text, sizeof one->text);
    snprintf(one->advice, sizeof one->advice, "%s", advice != NULL ? advice : "");
}

void cv_findings_warn(struct cv_findings *f, const char *check, const char *fmt, ...)
{
    struct cv_finding *one = new_finding(f, CV_OK, check);
    va_list ap;

    if (one == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(one->text, sizeof one->text, fmt, ap);
    va_end(ap);
}

size_t cv_findings_errors(const struct cv_findings *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->count; i++)
        n += f->items[i].code != CV_OK;
    return n;
}

int cv_findings_verdict(const struct cv_findings *f, struct cv_error *err)
{
    const struct cv_finding *first = NULL;
    size_t errors = cv_findings_errors(f);
    enum cv_code code = CV_OK;

    for (size_t i = 0; i < f->count; i++) {
        const struct cv_finding *one = &f->items[i];
        if (one->code != CV_OK && first == NULL)
            first = one;
        if (one->code != CV_OK && (code == CV_OK || one->code == CV_E_INVALID))
            code = one->code;
    }
    if (first == NULL)
        return f->lost ? cv_fail(err, CV_E_NOMEM, 0, "no memory for what was found") : 0;
    if (errors == 1)
        return cv_fail(err, code, 0, "%s%s%s", first->text, *first->advice ? ": " : "", first->advice);
    return cv_fail(err, code, 0, "%s (and %zu more)", first->text, errors - 1);
}

int cv_findings_tell(const struct cv_findings *f, struct cv_sink *sink, struct cv_error *err)
{
    size_t errors = cv_findings_errors(f);

    for (size_t i = 0; i < f->count; i++) {
        const struct cv_finding *one = &f->items[i];
        if (one->code == CV_OK || errors > 1)
            cv_log(sink, one->code == CV_OK ? CV_LOG_WARN : CV_LOG_ERROR, "%s%s%s", one->text, *one->advice ? ": " : "",
                   one->advice);
    }
    return cv_findings_verdict(f, err);
}
