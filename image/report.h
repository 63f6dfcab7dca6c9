/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image as a table for people, as JSON for programs, as a picture. */
#ifndef CONVOY_IMAGE_REPORT_H
#define CONVOY_IMAGE_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "image/image.h"

/* Control characters and bytes that are no UTF-8 come out as '?': names in an image may come from anywhere. */
void cv_report_text(const struct cv_image *img, FILE *out);
/* New reference; everything that is in the image but the pages, the device states' own bytes and the HVM context's.
 * NULL and CV_E_NOMEM. */
json_t *cv_report_json(const struct cv_image *img, struct cv_error *err);
/* Every field of every record, and every run of pages (stream-format/dump.h). */
int cv_report_raw(struct cv_reader *r, FILE *out, struct cv_error *err) CV_CHECKED;
/* The guest-physical address space as an SVG. */
int cv_report_picture(const struct cv_image *img, FILE *out, struct cv_error *err) CV_CHECKED;

/* "12.3 MiB", "1 page"; buf of 32 bytes.  Returns buf. */
const char *cv_report_size(uint64_t bytes, char *buf, size_t len);
/* "DATA", ... of enum cv_run_kind, in lower case. */
extern const char *const cv_report_kinds[CV_RUN_KINDS];

#endif
