/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert/xenops_record.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEPTH_MAX 64u

/* ---- writing ---- */

static int put_text(struct cv_buf *out, const char *text, struct cv_error *err)
{
    return cv_buf_append(out, text, strlen(text), err);
}

/* A quoted atom, as OCaml's library writes it: what is not printable as three decimal digits. */
static int put_atom(struct cv_buf *out, const uint8_t *data, size_t len, struct cv_error *err)
{
    char escaped[5];

    if (cv_buf_put_u8(out, '"', err) < 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (data[i] < 0x20 || data[i] > 0x7e)
            snprintf(escaped, sizeof escaped, "\\%03u", data[i]);
        else
            snprintf(escaped, sizeof escaped, data[i] == '"' || data[i] == '\\' ? "\\%c" : "%c", data[i]);
        if (put_text(out, escaped, err) < 0)
            return -1;
    }
    return cv_buf_put_u8(out, '"', err);
}

static int put_pair(struct cv_buf *out, const struct cv_xenops_pair *p, struct cv_error *err)
{
    if (put_text(out, "(", err) < 0 || put_text(out, p->key, err) < 0 || put_text(out, " ", err) < 0 ||
        put_atom(out, p->value->data, p->value->len, err) < 0)
        return -1;
    return put_text(out, ")", err);
}

int cv_xenops_encode(uint64_t time, const struct cv_xenops_pair *pairs, unsigned count, struct cv_buf *out,
                     struct cv_error *err)
{
    time_t seconds = (time_t)time;
    struct tm tm = { 0 };
    char text[32] = "1970-01-01T00:00:00Z";

    if (gmtime_r(&seconds, &tm) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (put_text(out, "((time ", err) < 0 || put_text(out, text, err) < 0 ||
        put_text(out, ")(word_size 64)(xs_subtree(", err) < 0)
        return -1;
    for (unsigned i = 0; i < count; i++)
        if (put_pair(out, &pairs[i], err) < 0)
            return -1;
    return put_text(out, ")))", err);
}

/* ---- reading ---- */

struct text {
    const uint8_t *p, *end;
};

static int wrong(const struct text *t, const char *what, struct cv_error *err)
{
    return cv_fail(err, CV_E_STREAM, 0, "xenopsd's S-expression: %s, %zu bytes before its end", what,
                   (size_t)(t->end - t->p));
}

/* The next byte that is no space; 0 at the end. */
static int next_char(struct text *t)
{
    while (t->p < t->end && isspace(*t->p))
        t->p++;
    return t->p < t->end ? *t->p : 0;
}

static int expect(struct text *t, char c, struct cv_error *err)
{
    char what[] = "'?' is missing";

    what[1] = c;
    if (next_char(t) != c)
        return wrong(t, what, err);
    t->p++;
    return 0;
}

/* Behind a backslash. */
static int take_escape(struct text *t, struct cv_buf *out, struct cv_error *err)
{
    static const char names[] = "ntbr\"\\' ", bytes[] = "\n\t\b\r\"\\' ";
    const char *name = t->p < t->end && *t->p != 0 ? strchr(names, *t->p) : NULL;

    if (name != NULL) {
        t->p++;
        return cv_buf_put_u8(out, (uint8_t)bytes[name - names], err);
    }
    if (t->end - t->p < 3 || !isdigit(t->p[0]) || !isdigit(t->p[1]) || !isdigit(t->p[2]))
        return wrong(t, "an escape that is unknown here", err);
    unsigned v = (t->p[0] - '0') * 100u + (t->p[1] - '0') * 10u + (t->p[2] - '0');
    t->p += 3;
    return v <= 255 ? cv_buf_put_u8(out, (uint8_t)v, err) : wrong(t, "a byte above 255", err);
}

static int take_quoted(struct text *t, struct cv_buf *out, struct cv_error *err)
{
    for (t->p++; t->p < t->end && *t->p != '"';) {
        uint8_t c = *t->p++;
        if ((c == '\\' ? take_escape(t, out, err) : cv_buf_put_u8(out, c, err)) < 0)
            return -1;
    }
    return expect(t, '"', err);
}

static int take_atom(struct text *t, struct cv_buf *out, struct cv_error *err)
{
    int c = next_char(t);

    out->len = 0;
    if (c == '"')
        return take_quoted(t, out, err);
    if (c == 0 || c == '(' || c == ')' || c == ';')
        return wrong(t, "a word is missing", err);
    while (t->p < t->end && !isspace(*t->p) && strchr("()\";", *t->p) == NULL)
        if (cv_buf_put_u8(out, *t->p++, err) < 0)
            return -1;
    return out->len > 0 ? 0 : wrong(t, "a word is missing", err);
}

/* One word or list, whatever is in it. */
static int pass_over(struct text *t, struct cv_error *err)
{
    CV_AUTO_BUF word = { 0 };
    unsigned depth = 0;

    do {
        int c = next_char(t);
        if (c == '(' && ++depth > DEPTH_MAX)
            return wrong(t, "lists in too many lists", err);
        if (c == ')' && depth == 0)
            return wrong(t, "')' without '('", err);
        depth -= c == ')';
        if (c == '(' || c == ')')
            t->p++;
        else if (take_atom(t, &word, err) < 0)
            return -1;
    } while (depth > 0);
    return 0;
}

static int terminated(const struct text *t, struct cv_buf *key, struct cv_error *err)
{
    if (key->len > 0 && memchr(key->data, 0, key->len) != NULL)
        return wrong(t, "a NUL in a key", err);
    return cv_buf_put_u8(key, 0, err);
}

static int take_pairs(struct text *t, int (*take)(void *, const char *, struct cv_buf *, struct cv_error *), void *user,
                      struct cv_error *err)
{
    CV_AUTO_BUF key = { 0 }, value = { 0 };

    if (expect(t, '(', err) < 0)
        return -1;
    while (next_char(t) == '(') {
        t->p++;
        if (take_atom(t, &key, err) < 0 || terminated(t, &key, err) < 0 || take_atom(t, &value, err) < 0 ||
            expect(t, ')', err) < 0 || take(user, (const char *)key.data, &value, err) < 0)
            return -1;
    }
    return expect(t, ')', err);
}

static int take_field(struct text *t, int (*take)(void *, const char *, struct cv_buf *, struct cv_error *), void *user,
                      struct cv_error *err)
{
    static const char subtree[] = "xs_subtree";
    CV_AUTO_BUF name = { 0 };

    t->p++;
    if (take_atom(t, &name, err) < 0)
        return -1;
    bool is_subtree = name.len == sizeof subtree - 1 && memcmp(name.data, subtree, name.len) == 0;
    if ((is_subtree ? take_pairs(t, take, user, err) : pass_over(t, err)) < 0)
        return -1;
    return expect(t, ')', err);
}

int cv_xenops_decode(const void *data, size_t len,
                     int (*take)(void *user, const char *key, struct cv_buf *value, struct cv_error *err), void *user,
                     struct cv_error *err)
{
    struct text t = { data, (const uint8_t *)data + len };

    if (expect(&t, '(', err) < 0)
        return -1;
    while (next_char(&t) == '(')
        if (take_field(&t, take, user, err) < 0)
            return -1;
    if (expect(&t, ')', err) < 0)
        return -1;
    return next_char(&t) == 0 && t.p == t.end ? 0 : wrong(&t, "something follows", err);
}
