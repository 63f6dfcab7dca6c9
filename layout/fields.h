/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The members of the layout's JSON, once: encoder and decoder both walk these tables, so they cannot drift apart. */
#ifndef CONVOY_LAYOUT_FIELDS_H
#define CONVOY_LAYOUT_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "layout/layout.h"

/* clang-format off */
enum cv_field_type { CV_F_STRING, CV_F_UINT, CV_F_U64, CV_F_BOOL, CV_F_ENUM, CV_F_INT, CV_F_BDF, CV_F_MAC, CV_F_STRINGS,
                     CV_F_STRING_MAYBE };             /* may be missing: "" */

struct cv_field {
    const char *name;
    enum cv_field_type type;
    size_t offset;
    uint64_t max;             /* numbers: largest value; strings: most bytes; lists: most entries */
};
/* clang-format on */

extern const struct cv_field cv_layout_fields[], cv_dm_fields[], cv_device_fields[], cv_region_fields[];

#endif
