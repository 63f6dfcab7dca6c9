/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of save/: small helpers that its files share. */
#ifndef CONVOY_SAVE_WRITE_H
#define CONVOY_SAVE_WRITE_H

#include <errno.h>
#include <unistd.h>

#include "save/save.h"

int cv_save_put_body(struct cv_save *s, enum cv_record_type type, const struct cv_buf *body, struct cv_error *err);
/* opt->parent, if there is one.  path: of the image that is to be written, NULL = a pipe.  Nothing is touched yet. */
int cv_save_read_parent(struct cv_save *s, const char *path, struct cv_error *err);
/* CV_SAVE_FIXED: the places of this guest's pages into s->fixed, and the record that says so. */
int cv_save_find_places(struct cv_save *s, struct cv_error *err);
int cv_save_put_places(struct cv_save *s, struct cv_error *err);
/* Once pfn_count is known. */
int cv_save_begin_hashes(struct cv_save *s, struct cv_error *err);
/* FREEZE, if a command ran. */
int cv_save_put_freeze(struct cv_save *s, struct cv_error *err);
/* The XENSTORE record, if anything in it has changed since the head was written.  The guest stands still. */
int cv_save_put_changes(struct cv_save *s, struct cv_error *err);
/* Refuses (CV_E_IO, ENOSPC) when the image clearly will not fit into the file system of dir_fd. After open_stream. */
int cv_save_check_space(struct cv_save *s, int dir_fd, struct cv_error *err);

#endif
