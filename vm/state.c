/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm/state.h"

void cv_guest_state_dispose(struct cv_guest_state *s)
{
    cv_buf_dispose(&s->hvm_context);
    s->param_count = 0;
}

uint64_t cv_guest_state_param(const struct cv_guest_state *s, uint64_t index)
{
    for (size_t i = 0; i < s->param_count; i++)
        if (s->params[i].index == index)
            return s->params[i].value;
    return 0;
}
