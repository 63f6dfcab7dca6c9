/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest of a conversion: its configuration, its one emulator's layout, the domain's facts, and whether they agree.
 * Private to convert/. */
#ifndef CONVOY_CONVERT_PLAN_H
#define CONVOY_CONVERT_PLAN_H

#include "convert/convert.h"
#include "convert/libxl_json.h"

struct cv_plan {
    struct cv_buf cfg; /* xl.cfg text, terminated */
    struct cv_guest_config config;
    bool has_config;
    struct cv_layout layout;
    bool has_layout;
    struct cv_domain_spec spec;
    struct cv_libxl_facts facts;
};

/* From libxl's JSON: decides the layout that convoy would give the guest, and refuses it where QEMU, started so, would
 * not find its devices where libxl's QEMU left them. */
int cv_plan_from_libxl(struct cv_plan *p, const char *json, size_t len, const char *default_model,
                       struct cv_error *err) CV_CHECKED;
/* The highest pfn that the guest can have, + 1: libxc's stream does not say it in advance. */
uint64_t cv_plan_pfn_count(const struct cv_plan *p);

/* libxl's JSON for what an image's GUEST and LAYOUT say (*json_out: caller frees). */
int cv_plan_to_libxl(const char *cfg, size_t cfg_len, const struct cv_domain_spec *spec, const struct cv_layout *layout,
                     uint32_t xen_minor, char **json_out, struct cv_error *err) CV_CHECKED;

void cv_plan_dispose(struct cv_plan *p);

#endif
