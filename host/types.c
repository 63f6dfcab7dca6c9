/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "host/host.h"

const struct cv_host_dirs cv_host_dirs_usual = { 0 };

void cv_guest_state_dispose(struct cv_guest_state *s)
{
    cv_buf_dispose(&s->hvm_context);
    s->param_count = 0;
}

void cv_cpu_policy_dispose(struct cv_cpu_policy *p)
{
    free(p->leaves);
    free(p->msrs);
    *p = (struct cv_cpu_policy){ 0 };
}
