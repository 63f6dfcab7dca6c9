/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl's configuration of a domain (libxl_domain_config as JSON, libxl_types.idl) to xl.cfg text and back.
 * What convoy cannot serve is refused by the name of its member, never dropped: an unknown member may be left out only
 * where it holds nothing (null, "", 0, "<default>", "False", [], {}). */
#ifndef CONVOY_CONVERT_LIBXL_JSON_H
#define CONVOY_CONVERT_LIBXL_JSON_H

#include <stdbool.h>

#include "base/bytes.h"
#include "config/config.h"
#include "layout/layout.h"
#include "guest/libxl_config.h"
#include "host/host.h"

/* What xl.cfg, as convoy reads it, has no key for. 0 = libxl's own choice. */
struct cv_libxl_facts {
    uint64_t target_kb, shadow_kb;
    uint32_t timer_mode; /* HVM_PARAM_TIMER_MODE's numbers */
    uint32_t event_channels;
    bool pirq, has_pirq; /* type.hvm.pirq: Xen 4.19 and later */
    bool no_nic_roms;    /* -global <driver>.romfile= for the cards */
};

/* json: whole text.  cfg: appended, not terminated. Errors: CV_E_STREAM (no such JSON), CV_E_UNSUPPORTED. */
int cv_libxl_to_cfg(const char *json, size_t len, struct cv_libxl_facts *facts, struct cv_buf *cfg,
                    struct cv_error *err) CV_CHECKED;

/* What `xl restore` of Xen 4.<xen_minor> takes for a guest of one emulator (*json_out: caller frees).
 * Errors: CV_E_UNSUPPORTED: libxl cannot describe it. */
int cv_libxl_from_config(const struct cv_guest_config *c, const struct cv_domain_spec *spec, const struct cv_layout *l,
                         uint32_t xen_minor, char **json_out, struct cv_error *err) CV_CHECKED;

#endif
