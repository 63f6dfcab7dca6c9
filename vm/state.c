/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm/state.h"

void cv_guest_state_dispose(struct cv_guest_state *s)
{
    cv_buf_dispose(&s->hvm_context);
    s->param_count = 0;
}
