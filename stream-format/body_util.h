/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small things that the body codecs share.  Private to stream-format/. */
#ifndef CONVOY_STREAM_FORMAT_BODY_UTIL_H
#define CONVOY_STREAM_FORMAT_BODY_UTIL_H

#include "base/bytes.h"

/* CV_E_STREAM with "body: <text>": what is on the wire breaks a rule.  Returns -1. */
int cv_body_fail(struct cv_error *err, const char *fmt, ...) CV_PRINTF(2, 3);
/* CV_E_INTERNAL: what the caller wants to write breaks a rule.  Returns -1. */
int cv_encode_fail(struct cv_error *err, const char *fmt, ...) CV_PRINTF(2, 3);
/* An encoder asks its own decoder, so that there is one set of rules: a fault found there becomes CV_E_INTERNAL. */
int cv_encoded(int decoded, struct cv_error *err) CV_CHECKED;
/* The cursor came to the end without running over it. */
int cv_body_finish(const struct cv_cursor *c, struct cv_error *err) CV_CHECKED;
/* UTF-8 without NUL and control characters other than tab and newline. */
int cv_body_text(const char *what, const char *text, size_t len, struct cv_error *err) CV_CHECKED;
/* Appends text, and '?' for every byte that cv_body_text would not take. */
int cv_body_put_text(const char *text, size_t len, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
/* The same, and it looks like one JSON object; its syntax is for the JSON library of the folder that owns it. */
int cv_body_json(const char *text, size_t len, struct cv_error *err) CV_CHECKED;

/* Appending without a check at every field: the first failure is kept, the rest does nothing. */
struct cv_put {
    struct cv_buf *out;
    struct cv_error *err;
    int rc; /* 0, or -1 after a failure */
};
void cv_put_u8(struct cv_put *p, uint8_t v);
void cv_put_u16(struct cv_put *p, uint16_t v);
void cv_put_u32(struct cv_put *p, uint32_t v);
void cv_put_u64(struct cv_put *p, uint64_t v);
void cv_put_bytes(struct cv_put *p, const void *data, size_t len);

#endif
