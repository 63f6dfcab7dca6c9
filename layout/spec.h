/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domain's facts (vm/spec.h), from a configuration and its layout. */
#ifndef CONVOY_LAYOUT_SPEC_H
#define CONVOY_LAYOUT_SPEC_H

#include "config/config.h"
#include "layout/layout.h"
#include "vm/spec.h"

void cv_spec_from_config(struct cv_domain_spec *spec, const struct cv_guest_config *c, const struct cv_layout *l);

#endif
