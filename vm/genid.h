/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VM generation ID (Microsoft's specification of that name): 128 bits in the guest's memory that change when a
 * guest goes back in time, so that a domain controller, say, does not hand out again what it has handed out since. */
#ifndef CONVOY_VM_GENID_H
#define CONVOY_VM_GENID_H

#include <stdint.h>

#include "base/error.h"

#define CV_GENID_BYTES 16
#define CV_GENID_MAX 44 /* "18446744073709551615:18446744073709551615" */

/* As xenstore's platform/generation-id has it: the two halves as little-endian numbers in decimal; "" of all zeros,
 * which is none. */
void cv_genid_text(const uint8_t bytes[CV_GENID_BYTES], char text_out[CV_GENID_MAX]);
/* Another one, of random bytes. */
void cv_genid_make(char text_out[CV_GENID_MAX]);
/* The bytes of such a text.  CV_E_INVALID: it is none. */
int cv_genid_parse(const char *text, uint8_t bytes_out[CV_GENID_BYTES], struct cv_error *err) CV_CHECKED;

#endif
