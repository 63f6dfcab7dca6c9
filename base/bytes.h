/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes on the wire: little-endian put and get through a cursor that knows what is left.
 * No C structure ever goes to the wire. */
#ifndef CONVOY_BASE_BYTES_H
#define CONVOY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

/* A growing buffer.  { 0 } is the empty value; dispose twice is safe. */
struct cv_buf {
    uint8_t *data;
    size_t len, cap;
};

void cv_buf_dispose(struct cv_buf *b);
#define CV_AUTO_BUF __attribute__((cleanup(cv_buf_dispose))) struct cv_buf
int cv_buf_reserve(struct cv_buf *b, size_t more, struct cv_error *err) CV_CHECKED;
int cv_buf_append(struct cv_buf *b, const void *data, size_t len, struct cv_error *err) CV_CHECKED;
static inline struct cv_buf cv_buf_take(struct cv_buf *b)
{
    struct cv_buf taken = *b;
    *b = (struct cv_buf){ 0 };
    return taken;
}

int cv_buf_put_u8(struct cv_buf *b, uint8_t v, struct cv_error *err) CV_CHECKED;
int cv_buf_put_u16(struct cv_buf *b, uint16_t v, struct cv_error *err) CV_CHECKED;
int cv_buf_put_u32(struct cv_buf *b, uint32_t v, struct cv_error *err) CV_CHECKED;
int cv_buf_put_u64(struct cv_buf *b, uint64_t v, struct cv_error *err) CV_CHECKED;

static inline void cv_store16(void *p, uint16_t v)
{
    uint8_t *d = p;
    for (int i = 0; i < 2; i++)
        d[i] = (uint8_t)(v >> (8 * i));
}
static inline void cv_store32(void *p, uint32_t v)
{
    uint8_t *d = p;
    for (int i = 0; i < 4; i++)
        d[i] = (uint8_t)(v >> (8 * i));
}
static inline void cv_store64(void *p, uint64_t v)
{
    uint8_t *d = p;
    for (int i = 0; i < 8; i++)
        d[i] = (uint8_t)(v >> (8 * i));
}
static inline uint16_t cv_load16(const void *p)
{
    const uint8_t *d = p;
    return (uint16_t)(d[0] | d[1] << 8);
}
static inline uint32_t cv_load32(const void *p)
{
    const uint8_t *d = p;
    return (uint32_t)cv_load16(d) | (uint32_t)cv_load16(d + 2) << 16;
}
static inline uint64_t cv_load64(const void *p)
{
    const uint8_t *d = p;
    return (uint64_t)cv_load32(d) | (uint64_t)cv_load32(d + 4) << 32;
}

/* A cursor over borrowed bytes.  A short get sets .bad, returns 0 and moves nothing:
 * read a whole fixed part, then ask cv_cur_ok once. */
struct cv_cursor {
    const uint8_t *p;
    size_t left;
    bool bad;
};

static inline struct cv_cursor cv_cursor(const void *data, size_t len)
{
    return (struct cv_cursor){ .p = data, .left = len };
}
const uint8_t *cv_cur_bytes(struct cv_cursor *c, size_t len); /* borrowed from the cursor's bytes, NULL if short */
uint8_t cv_cur_u8(struct cv_cursor *c);
uint16_t cv_cur_u16(struct cv_cursor *c);
uint32_t cv_cur_u32(struct cv_cursor *c);
uint64_t cv_cur_u64(struct cv_cursor *c);
static inline bool cv_cur_ok(const struct cv_cursor *c) { return !c->bad; }

#endif
