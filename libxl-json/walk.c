/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl-json/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- failing and writing ---- */

void cv_walk_refuse(struct cv_walk *w, const char *name, const char *why)
{
    struct cv_error e = CV_ERROR_INIT;

    cv_fail(&e, CV_E_UNSUPPORTED, 0, "configuration: %s%s%s: %s", w->at, *w->at ? "." : "", name, why);
    cv_findings_add(w->found, "configuration", &e, NULL);
    if (!w->failed && !w->refused)
        cv_fail_as(w->err, &e);
    *(w->found != NULL ? &w->refused : &w->failed) = true;
}

void cv_walk_put(struct cv_walk *w, const char *fmt, ...)
{
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (w->failed)
        return;
    if (n < 0 || (size_t)n >= sizeof text) {
        cv_fail(w->err, CV_E_UNSUPPORTED, 0, "configuration: %s: a value is too long", w->at);
        w->failed = true;
    } else if (cv_buf_append(w->cfg, text, (size_t)n, w->err) < 0) {
        w->failed = true;
    }
}

void cv_walk_put_quoted(struct cv_walk *w, const char *name, const char *text)
{
    cv_walk_put(w, "\"");
    for (const char *p = text; *p != '\0' && !w->failed; p++) {
        if ((uint8_t)*p < 0x20 || *p == 0x7f)
            cv_walk_refuse(w, name, "has control characters");
        else
            cv_walk_put(w, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    }
    cv_walk_put(w, "\"");
}

/* ---- values ---- */

/* Says nothing: what libxl leaves at its default, or writes for "none". */
static bool holds_nothing(const json_t *v)
{
    const char *s = json_string_value(v);

    if (s != NULL)
        return *s == '\0' || strcmp(s, "<default>") == 0 || strcmp(s, "False") == 0 || strcmp(s, "unknown") == 0 ||
               strcmp(s, "none") == 0 || strcmp(s, "disabled") == 0 || strcmp(s, "default") == 0;
    if (json_is_object(v)) {
        const char *k;
        json_t *m;
        json_object_foreach((json_t *)v, k, m) if (!holds_nothing(m)) return false;
        return true;
    }
    return json_is_null(v) || json_is_false(v) || (json_is_integer(v) && json_integer_value(v) == 0) ||
           (json_is_array(v) && json_array_size(v) == 0);
}

const char *cv_walk_text_of(struct cv_walk *w, const char *name, const json_t *v)
{
    const char *s = json_string_value(v);

    if (s == NULL)
        cv_walk_refuse(w, name, "is no string");
    return s != NULL ? s : "";
}

int cv_walk_defbool(struct cv_walk *w, const char *name, const json_t *v)
{
    const char *s;

    if (json_is_boolean(v))
        return json_is_true(v);
    if (json_is_null(v))
        return -1;
    s = cv_walk_text_of(w, name, v);
    if (strcmp(s, "True") == 0)
        return 1;
    if (strcmp(s, "False") == 0)
        return 0;
    if (strcmp(s, "<default>") != 0)
        cv_walk_refuse(w, name, "is neither True nor False");
    return -1;
}

int64_t cv_walk_number(struct cv_walk *w, const char *name, const json_t *v)
{
    if (!json_is_integer(v))
        cv_walk_refuse(w, name, "is no number");
    return json_integer_value(v);
}

static void put_member(struct cv_walk *w, const struct cv_libxl_member *m, const json_t *v)
{
    int flag;

    if (json_is_null(v))
        return;
    switch (m->fate) {
    case TEXT:
        cv_walk_put(w, "%s = ", m->key);
        cv_walk_put_quoted(w, m->name, cv_walk_text_of(w, m->name, v));
        cv_walk_put(w, "\n");
        break;
    case NUMBER: cv_walk_put(w, "%s = %" PRId64 "\n", m->key, cv_walk_number(w, m->name, v)); break;
    case BOOLEAN:
        flag = cv_walk_defbool(w, m->name, v);
        if (flag >= 0)
            cv_walk_put(w, "%s = %d\n", m->key, flag);
        break;
    case WORD:
        for (size_t i = 0; m->words[i] != NULL; i += 2)
            if (strcmp(cv_walk_text_of(w, m->name, v), m->words[i]) == 0) {
                if (m->words[i + 1] != NULL && *m->words[i + 1])
                    cv_walk_put(w, "%s = \"%s\"\n", m->key, m->words[i + 1]);
                return;
            }
        cv_walk_refuse(w, m->name, "has a value that convoy does not know");
        break;
    case REFUSE:
        if (!holds_nothing(v))
            cv_walk_refuse(w, m->name, m->key != NULL ? m->key : "convoy cannot serve it");
        break;
    case IGNORE:
    case ELSEWHERE: break;
    }
}

void cv_walk_object(struct cv_walk *w, const char *at, json_t *o, const struct cv_libxl_member *members)
{
    const char *before = w->at, *name;
    json_t *v;

    w->at = at;
    json_object_foreach(o, name, v)
    {
        const struct cv_libxl_member *m = members;
        while (m->name != NULL && strcmp(m->name, name) != 0)
            m++;
        if (m->name != NULL)
            put_member(w, m, v);
        else if (!holds_nothing(v))
            cv_walk_refuse(w, name, "is unknown here");
    }
    w->at = before;
}

const char *cv_walk_string_or(json_t *o, const char *name, const char *otherwise)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s != NULL ? s : otherwise;
}

bool cv_walk_truth(json_t *o, const char *name)
{
    json_t *v = json_object_get(o, name);
    const char *s = json_string_value(v);
    return json_is_true(v) || json_integer_value(v) != 0 || (s != NULL && strcmp(s, "True") == 0);
}
