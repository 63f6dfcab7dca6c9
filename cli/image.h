/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What inspect, verify, extract and convert share: an image by its name. */
#ifndef CONVOY_CLI_IMAGE_H
#define CONVOY_CLI_IMAGE_H

#include "cli/cli.h"
#include "image/image.h"

/* "-" is standard input.  Returns a descriptor of one's own or -1 (CV_E_NOT_FOUND, CV_E_IO, CV_E_INVALID: a folder). */
int cli_image_open(const char *path, struct cv_error *err) CV_CHECKED;
/* CV_E_INVALID when the file that is to be written is the one that fd reads. */
int cli_image_spare(int fd, const char *out_path, struct cv_error *err) CV_CHECKED;
/* Reads the whole image.  img: as cv_image_read leaves it, also on failure. progress: named so, or NULL for none. */
int cli_image_read(struct cli *c, int fd, struct cv_image_options *opt, const char *progress, struct cv_image *img,
                   struct cv_error *err) CV_CHECKED;

#endif
