/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an emulator that is no QEMU has to answer: docs/emulator-protocol.md, version 1.  cv_op_send sends it nothing
 * else, so that this list is the whole of it. */
#ifndef CONVOY_EMULATORS_PROTOCOL_H
#define CONVOY_EMULATORS_PROTOCOL_H

#include <stdbool.h>

/* The document's table in its order; ends with NULL. */
extern const char *const cv_protocol_commands[];
bool cv_protocol_has(const char *command);

#endif
