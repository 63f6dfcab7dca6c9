/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/process.h"

#include <stdatomic.h>

static atomic_bool own;

void cv_process_own(void) { atomic_store(&own, true); }

bool cv_process_is_own(void) { return atomic_load(&own); }
