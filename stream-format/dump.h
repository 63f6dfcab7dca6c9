/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream as text, every field of every record: convoy inspect --raw, golden vectors, and what the second reader
 * (tests/streamcheck.py) must print too.  The text is for comparing and looking, not for parsing. */
#ifndef CONVOY_STREAM_FORMAT_DUMP_H
#define CONVOY_STREAM_FORMAT_DUMP_H

#include <stdio.h>

#include "stream-format/stream.h"

struct cv_dump {
    FILE *out; /* borrowed */
    /* Prints what is behind the head of a PAGES or PAGE_HASHES record (lines that begin with two spaces), and learns of
     * PLACES; may be NULL.  memory/ knows how, and this folder must not. */
    int (*pages)(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err);
};

void cv_dump_header(struct cv_dump *d, const struct cv_stream_header *h);
/* rec: as cv_reader_next gave it. */
int cv_dump_record(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err) CV_CHECKED;
/* All that is left in r.  0 after a correct END. */
int cv_dump_stream(struct cv_dump *d, struct cv_reader *r, struct cv_error *err) CV_CHECKED;

#endif
