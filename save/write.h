/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of save/: small helpers that its files share. */
#ifndef CONVOY_SAVE_WRITE_H
#define CONVOY_SAVE_WRITE_H

#include <errno.h>
#include <unistd.h>

#include "save/save.h"

int cv_save_put_body(struct cv_save *s, enum cv_record_type type, const struct cv_buf *body, struct cv_error *err);

#endif
