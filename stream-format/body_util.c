/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/body_util.h"

#include <stdbool.h>
#include <stdio.h>

int cv_body_fail(struct cv_error *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cv_vfail(err, CV_E_STREAM, 0, fmt, ap);
    va_end(ap);
    return cv_context(err, "body");
}

int cv_encode_fail(struct cv_error *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cv_vfail(err, CV_E_INTERNAL, 0, fmt, ap);
    va_end(ap);
    return -1;
}

int cv_encoded(int decoded, struct cv_error *err)
{
    if (decoded < 0)
        cv_error_recode(err, CV_E_STREAM, CV_E_INTERNAL);
    return decoded;
}

int cv_body_finish(const struct cv_cursor *c, struct cv_error *err)
{
    if (!cv_cur_ok(c))
        return cv_body_fail(err, "shorter than its fields");
    if (c->left != 0)
        return cv_body_fail(err, "%zu bytes behind the last field", c->left);
    return 0;
}

/* Length of the UTF-8 character at p, 0 if it is none (overlong, surrogate, cut off, too high). */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (len <= 1 || len > left)
        return len <= left ? len : 0;
    uint32_t c = p[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : len;
}

/* Length of the character at p, 0 if text may not hold it. */
static size_t text_length(const uint8_t *p, size_t left)
{
    bool control = p[0] == 0x7f || (p[0] < 0x20 && p[0] != '\t' && p[0] != '\n' && p[0] != '\r');

    return control ? 0 : utf8_length(p, left);
}

int cv_body_put_text(const char *text, size_t len, struct cv_buf *out, struct cv_error *err)
{
    if (cv_buf_append(out, text, len, err) < 0)
        return -1;
    uint8_t *p = len ? out->data + out->len - len : NULL;
    for (size_t i = 0, step; i < len; i += step) {
        step = text_length(p + i, len - i);
        if (step == 0) {
            p[i] = '?';
            step = 1;
        }
    }
    return 0;
}

int cv_body_text(const char *what, const char *text, size_t len, struct cv_error *err)
{
    const uint8_t *p = (const uint8_t *)text;

    for (size_t i = 0; i < len;) {
        size_t step = utf8_length(p + i, len - i);
        if (step == 0)
            return cv_body_fail(err, "%s: no UTF-8 at byte %zu", what, i);
        if (p[i] == 0x7f || (p[i] < 0x20 && p[i] != '\t' && p[i] != '\n' && p[i] != '\r'))
            return cv_body_fail(err, "%s: control character at byte %zu", what, i);
        i += step;
    }
    return 0;
}

int cv_body_json(const char *text, size_t len, struct cv_error *err)
{
    if (len < 2 || text[0] != '{' || text[len - 1] != '}')
        return cv_body_fail(err, "JSON: no object");
    return cv_body_text("JSON", text, len, err);
}

void cv_put_u8(struct cv_put *p, uint8_t v)
{
    if (p->rc == 0)
        p->rc = cv_buf_put_u8(p->out, v, p->err);
}

void cv_put_u16(struct cv_put *p, uint16_t v)
{
    if (p->rc == 0)
        p->rc = cv_buf_put_u16(p->out, v, p->err);
}

void cv_put_u32(struct cv_put *p, uint32_t v)
{
    if (p->rc == 0)
        p->rc = cv_buf_put_u32(p->out, v, p->err);
}

void cv_put_u64(struct cv_put *p, uint64_t v)
{
    if (p->rc == 0)
        p->rc = cv_buf_put_u64(p->out, v, p->err);
}

void cv_put_bytes(struct cv_put *p, const void *data, size_t len)
{
    if (p->rc == 0)
        p->rc = cv_buf_append(p->out, data, len, p->err);
}
