/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A raw memory image as a page source: byte 4096 * n of the file is the first of pfn n. */
#ifndef CONVOY_TESTS_FILE_SOURCE_H
#define CONVOY_TESTS_FILE_SOURCE_H

#include <stdint.h>

#include "memory/pages.h"

struct cv_file_source;
/* path: a regular file, not to be changed while the source lives.  A last page that is cut off is padded with
 * zeros.  CV_E_NOT_FOUND, CV_E_IO, CV_E_INVALID (not a regular file, empty). */
int cv_file_source_open(struct cv_file_source **s_out, const char *path, struct cv_error *err) CV_CHECKED;
struct cv_page_source *cv_file_source_port(struct cv_file_source *s);
uint64_t cv_file_source_pages(const struct cv_file_source *s);
void cv_file_source_close(struct cv_file_source *s);

#endif
