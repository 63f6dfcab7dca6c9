/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/keys.h"

#include <ctype.h>
#include <string.h>

#define KEYS_MAX 512

struct scan {
    const char *p, *end;
    unsigned line;
};

static void skip_string(struct scan *s)
{
    char quote = *s->p++;

    while (s->p < s->end && *s->p != quote) {
        if (*s->p == '\\' && s->p + 1 < s->end)
            s->p++;
        s->p++;
    }
    if (s->p < s->end)
        s->p++;
}

/* To the end of a statement: a newline or ';' outside of brackets and strings. */
static void skip_statement(struct scan *s)
{
    unsigned depth = 0;

    while (s->p < s->end) {
        char ch = *s->p;
        if (ch == '\'' || ch == '"') {
            skip_string(s);
            continue;
        }
        if (ch == '#') {
            while (s->p < s->end && *s->p != '\n')
                s->p++;
            continue;
        }
        s->p++;
        if (ch == '\n')
            s->line++;
        if (ch == '[')
            depth++;
        else if (ch == ']' && depth > 0)
            depth--;
        else if (depth == 0 && (ch == '\n' || ch == ';'))
            return;
    }
}

static int add_key(struct cv_pool *pool, struct cv_keys *keys, const char *name, unsigned line, bool again,
                   const char *source, struct cv_error *err)
{
    for (size_t i = 0; i < keys->count; i++) {
        struct cv_key *key = &keys->items[i];
        if (strcmp(key->name, name) != 0)
            continue;
        if (!again) { /* libxlutil answers the later value */
            key->before = key->line;
            key->line = line;
        }
        return 0;
    }
    if (keys->count == KEYS_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "%s:%u: more than %d keys", source, line, KEYS_MAX);
    keys->items[keys->count++] = (struct cv_key){ .name = name, .line = line };
    return cv_pool_check(pool, err);
}

int cv_keys_scan(struct cv_pool *pool, const char *text, size_t len, const char *source, struct cv_keys *out,
                 struct cv_error *err)
{
    struct scan s = { text, text + len, 1 };

    *out = (struct cv_keys){ .items = cv_pool_zalloc(pool, KEYS_MAX, sizeof *out->items) };
    if (out->items == NULL)
        return cv_pool_check(pool, err);
    while (s.p < s.end) {
        if (!islower((unsigned char)*s.p)) {
            if (strchr(" \t\r", *s.p) != NULL && *s.p != '\0')
                s.p++;
            else
                skip_statement(&s);
            continue;
        }
        const char *start = s.p;
        while (s.p < s.end &&
               (islower((unsigned char)*s.p) || isdigit((unsigned char)*s.p) || *s.p == '_' || *s.p == '.'))
            s.p++;
        const char *name = cv_pool_stringn(pool, start, (size_t)(s.p - start));
        unsigned line = s.line;
        while (s.p < s.end && (*s.p == ' ' || *s.p == '\t'))
            s.p++;
        bool add = s.p < s.end && *s.p == '+';
        skip_statement(&s);
        if (add_key(pool, out, name, line, add, source, err) < 0)
            return -1;
    }
    return 0;
}

unsigned cv_keys_line(const struct cv_keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i].name, name) == 0)
            return keys->items[i].line;
    return 0;
}
