/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The LAYOUT record of a stream (docs/stream-format.md, 5.3): a layout, with its emulators named once more in front. */
#ifndef CONVOY_LAYOUT_RECORD_H
#define CONVOY_LAYOUT_RECORD_H

#include "base/bytes.h"
#include "layout/layout.h"

/* Appends the body to out. */
int cv_layout_to_record(const struct cv_layout *l, struct cv_buf *out, struct cv_error *err) CV_CHECKED;
/* *out: dispose after success only.  CV_E_STREAM: no such body, or its head and its JSON are of different emulators. */
int cv_layout_of_record(const void *body, size_t len, struct cv_layout *out, struct cv_error *err) CV_CHECKED;

#endif
