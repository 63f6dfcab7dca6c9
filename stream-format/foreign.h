/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a file is that is no convoy stream, so that the message says more than that. */
#ifndef CONVOY_STREAM_FORMAT_FOREIGN_H
#define CONVOY_STREAM_FORMAT_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

#define CV_FOREIGN_BYTES 16u /* enough of a file's beginning for all of them */

/* "a save file of xl ...", to be put behind "this is "; NULL: nothing that is known here. len may be less. */
const char *cv_foreign_name(const uint8_t *begin, size_t len);

#endif
