/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faults of header and frames: docs/stream-format.md, 6.1 and the frame rules of 6.2 and 6.3. */
#include <stdlib.h>
#include <xxhash.h>

#include "stream-format/bodies.h"
#include "tests/golden/vectors.h"

static struct raw_stream *s;

/* The base stream as bytes. */
static void base_bytes(struct cv_buf *b)
{
    base_stream(s);
    raw_emit(s, b);
    raw_dispose(s);
}

static void reseal_header(struct cv_buf *b, size_t len)
{
    cv_store64(b->data + len - 8, XXH3_64bits(b->data, len - 8));
}

static void headers(void)
{
    CV_AUTO_BUF b = { 0 };

    base_bytes(&b);
    b.data[4] = '\n'; /* CR LF became LF LF */
    vector_write(false, "header-magic", &b);
    base_bytes(&b);
    b.len = 12;
    vector_write(false, "header-truncated-prelude", &b);
    b.len = 60;
    vector_write(false, "header-truncated", &b);
    b.len = 0;
    vector_write(false, "header-empty", &b);
    base_bytes(&b);
    cv_store16(b.data + 10, 56);
    vector_write(false, "header-length-short", &b);
    cv_store16(b.data + 10, 68);
    vector_write(false, "header-length-odd", &b);
    cv_store16(b.data + 10, 8192);
    vector_write(false, "header-length-long", &b);
    base_bytes(&b);
    b.data[40] ^= 4;
    vector_write(false, "header-check", &b);
    base_bytes(&b);
    cv_store16(b.data + 8, 2);
    reseal_header(&b, 64);
    vector_write(false, "header-version", &b);
    base_bytes(&b);
    cv_store16(b.data + 10, 72);
    reseal_header(&b, 72);
    vector_write(false, "header-length-other", &b);
    base_bytes(&b);
    b.data[12] = 1;
    reseal_header(&b, 64);
    vector_write(false, "header-reserved", &b);
    base_bytes(&b);
    b.data[16] = 2; /* CHANNELS */
    reseal_header(&b, 64);
    vector_write(false, "header-feature", &b);
}

static void cut(const char *name, size_t drop)
{
    CV_AUTO_BUF b = { 0 };

    base_bytes(&b);
    b.len -= drop;
    vector_write(false, name, &b);
}

static void frames(void)
{
    cut("record-truncated-body", 20);
    cut("record-truncated-header", CV_END_SIZE + 8);
    cut("record-end-missing", CV_END_SIZE + CV_RECORD_HEADER_SIZE);

    base_stream(s);
    s->record[4].check_error = 1;
    invalid("record-chain", s);
    base_stream(s);
    s->record[4].number_error = 1;
    invalid("record-number", s);
    base_stream(s);
    s->record[4].hash_error = 1;
    invalid("record-hash", s);
    base_stream(s);
    s->record[raw_find(s, CV_REC_NOTE, 0)].padding = 1;
    invalid("record-padding", s);
    base_stream(s);
    s->record[3].tag = 9;
    invalid("record-tag", s);
    base_stream(s);
    cv_store32(s->record[raw_find(s, CV_REC_PAGES, 1)].body.data, 7);
    invalid("record-tag-body", s);
    base_stream(s);
    raw_insert(s, 3, 0x40u, 0, "future", 6);
    invalid("record-unknown", s);
    base_stream(s);
    raw_insert(s, 3, 0, 0, "", 0);
    invalid("record-type-0", s);
    base_stream(s);
    s->record[raw_find(s, CV_REC_DEVICE_STATE, 1)].hash_error = 1;
    invalid("record-hash-of-a-dmid", s);
}

/* A record of another stream at the very same place: number, lengths and hashes fit, the chain does not. */
static void splice(void)
{
    CV_AUTO_BUF a = { 0 }, b = { 0 };

    base_stream(s);
    raw_emit(s, &a);
    s->header.stream_id[0] ^= 1;
    raw_emit(s, &b);
    raw_dispose(s);
    memcpy(a.data + CV_STREAM_HEADER_SIZE, b.data + CV_STREAM_HEADER_SIZE, 96);
    vector_write(false, "record-spliced", &a);
}

static void ends(void)
{
    static const char *const names[] = { "end-records", "end-bytes", "end-data-pages", "end-index-offset",
                                         "end-digest" };

    for (size_t i = 0; i < 5; i++) {
        CV_AUTO_BUF b = { 0 };
        base_bytes(&b);
        if (raw_parse(s, b.data, b.len) < 0)
            abort();
        s->keep_end = true;
        s->record[s->count - 1].body.data[8 * i] ^= 1;
        invalid(names[i], s);
        s->keep_end = false;
    }
    CV_AUTO_BUF b = { 0 };
    base_bytes(&b);
    if (cv_buf_put_u8(&b, 0, NULL) < 0)
        abort();
    vector_write(false, "end-trailing", &b);
}

void make_invalid_frames(void)
{
    s = calloc(1, sizeof *s);
    headers();
    frames();
    splice();
    ends();
    free(s);
}
