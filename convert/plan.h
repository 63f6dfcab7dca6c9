/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest of a conversion, as libxl describes it (libxl-json/json.h) and as an image does.  Private to convert/. */
#ifndef CONVOY_CONVERT_PLAN_H
#define CONVOY_CONVERT_PLAN_H

#include "convert/convert.h"
#include "libxl-json/config.h"
#include "libxl-json/json.h"

/* The highest pfn that the guest can have, + 1: libxc's stream does not say it in advance. */
uint64_t cv_plan_pfn_count(const struct cv_libxl_guest *p);

/* libxl's JSON for what an image's GUEST and LAYOUT say (*json_out: caller frees). */
int cv_plan_to_libxl(const char *cfg, size_t cfg_len, const struct cv_domain_spec *spec, const struct cv_layout *layout,
                     uint32_t xen_minor, char **json_out, struct cv_error *err) CV_CHECKED;
/* What `xl restore` of Xen 4.<xen_minor> takes for a guest of one emulator (*json_out: caller frees).
 * Errors: CV_E_UNSUPPORTED: libxl cannot describe it. */
int cv_libxl_from_config(const struct cv_guest_config *c, const struct cv_domain_spec *spec, const struct cv_layout *l,
                         uint32_t xen_minor, char **json_out, struct cv_error *err) CV_CHECKED;

#endif
