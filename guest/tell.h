/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events that hold texts from outside: names are escaped, which cv_event leaves to its caller. */
#ifndef CONVOY_GUEST_TELL_H
#define CONVOY_GUEST_TELL_H

#include <jansson.h>

#include "base/log.h"

/* Sends event as one line and lets go of it; NULL (no memory) is nothing to send. */
void cv_tell(struct cv_sink *sink, json_t *event);
/* Milliseconds with one decimal place. */
json_t *cv_tell_ms(int64_t ns);

#endif
