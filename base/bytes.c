/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/bytes.h"

#include <stdlib.h>

void cv_buf_dispose(struct cv_buf *b)
{
    free(b->data);
    *b = (struct cv_buf){ 0 };
}

int cv_buf_reserve(struct cv_buf *b, size_t more, struct cv_error *err)
{
    if (more <= b->cap - b->len)
        return 0;
    if (more > SIZE_MAX / 4 - b->len)
        return cv_fail(err, CV_E_NOMEM, 0, "buffer of %zu + %zu bytes", b->len, more);
    size_t cap = b->cap ? b->cap : 64;
    while (cap - b->len < more)
        cap *= 2;
    uint8_t *data = realloc(b->data, cap);
    if (data == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "buffer of %zu bytes", cap);
    b->data = data;
    b->cap = cap;
    return 0;
}

int cv_buf_append(struct cv_buf *b, const void *data, size_t len, struct cv_error *err)
{
    if (len == 0)
        return 0;
    if (cv_buf_reserve(b, len, err) < 0)
        return -1;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return 0;
}

int cv_buf_put_u8(struct cv_buf *b, uint8_t v, struct cv_error *err) { return cv_buf_append(b, &v, 1, err); }

int cv_buf_put_u16(struct cv_buf *b, uint16_t v, struct cv_error *err)
{
    uint8_t d[2];
    cv_store16(d, v);
    return cv_buf_append(b, d, sizeof d, err);
}

int cv_buf_put_u32(struct cv_buf *b, uint32_t v, struct cv_error *err)
{
    uint8_t d[4];
    cv_store32(d, v);
    return cv_buf_append(b, d, sizeof d, err);
}

int cv_buf_put_u64(struct cv_buf *b, uint64_t v, struct cv_error *err)
{
    uint8_t d[8];
    cv_store64(d, v);
    return cv_buf_append(b, d, sizeof d, err);
}

const uint8_t *cv_cur_bytes(struct cv_cursor *c, size_t len)
{
    if (c->bad || len > c->left) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += len;
    c->left -= len;
    return p;
}

uint8_t cv_cur_u8(struct cv_cursor *c)
{
    const uint8_t *p = cv_cur_bytes(c, 1);
    return p ? *p : 0;
}

uint16_t cv_cur_u16(struct cv_cursor *c)
{
    const uint8_t *p = cv_cur_bytes(c, 2);
    return p ? cv_load16(p) : 0;
}

uint32_t cv_cur_u32(struct cv_cursor *c)
{
    const uint8_t *p = cv_cur_bytes(c, 4);
    return p ? cv_load32(p) : 0;
}

uint64_t cv_cur_u64(struct cv_cursor *c)
{
    const uint8_t *p = cv_cur_bytes(c, 8);
    return p ? cv_load64(p) : 0;
}
