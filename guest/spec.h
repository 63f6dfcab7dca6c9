/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domain's facts: from a configuration and its layout, and to and from JSON (xenstore, GUEST record). */
#ifndef CONVOY_GUEST_SPEC_H
#define CONVOY_GUEST_SPEC_H

#include "config/config.h"
#include "layout/layout.h"
#include "host/host.h"

void cv_spec_from_config(struct cv_domain_spec *spec, const struct cv_guest_config *c, const struct cv_layout *l);

/* *json_out: caller frees. */
int cv_spec_encode(const struct cv_domain_spec *spec, char **json_out, struct cv_error *err) CV_CHECKED;
/* Strict: every member there, none unknown, strings within bounds.  CV_E_STREAM. */
int cv_spec_decode(const char *json, size_t len, struct cv_domain_spec *spec, struct cv_error *err) CV_CHECKED;

#endif
