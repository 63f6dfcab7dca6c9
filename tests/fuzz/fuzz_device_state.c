/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The decoder of QEMU's device states: sections lie within the blob, in order, without overlap. */
#include <stdlib.h>
#include <string.h>

#include "stream-format/qemu_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_qemu_state s;
    struct cv_error err = CV_ERROR_INIT;

    if (cv_qemu_state_decode(&s, data, size, &err) < 0) {
        if (err.code == CV_OK)
            abort();
        return 0;
    }
    size_t end = 8;
    for (size_t i = 0; i < s.count; i++) {
        const struct cv_qemu_section *x = &s.sections[i];
        if (x->offset < end || x->data_offset <= x->offset || x->data_len > size - x->data_offset ||
            strlen(x->name) == 0)
            abort();
        end = x->data_offset + x->data_len;
    }
    cv_qemu_state_dispose(&s);
    return 0;
}
