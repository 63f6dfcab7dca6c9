/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl's configuration of a domain (libxl_domain_config as JSON, libxl_types.idl) to xl.cfg text, and to the guest
 * that convoy makes of it.  What convoy cannot serve is refused by the name of its member, never dropped: an unknown
 * member may be left out only where it holds nothing (null, "", 0, "<default>", "False", [], {}). */
#ifndef CONVOY_LIBXL_JSON_H
#define CONVOY_LIBXL_JSON_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/findings.h"
#include "config/config.h"
#include "layout/layout.h"
#include "vm/spec.h"

/* What xl.cfg, as convoy reads it, has no key for. 0 = libxl's own choice. */
struct cv_libxl_facts {
    uint64_t target_kib, shadow_kib;
    uint32_t timer_mode; /* HVM_PARAM_TIMER_MODE's numbers */
    uint32_t event_channels;
    bool pirq, has_pirq; /* type.hvm.pirq: Xen 4.19 and later */
    bool pvh;            /* c_info.type */
    bool no_nic_roms;    /* -global <driver>.romfile= for the cards */
};

/* json: whole text.  cfg: appended, not terminated. Errors: CV_E_STREAM (no such JSON), CV_E_UNSUPPORTED.
 * found: everything that convoy cannot serve; NULL: the first of it is enough. */
int cv_libxl_to_cfg(const char *json, size_t len, struct cv_libxl_facts *facts, struct cv_buf *cfg,
                    struct cv_findings *found, struct cv_error *err) CV_CHECKED;

/* The guest that a configuration of libxl's describes.  { 0 } is empty; dispose is safe on it and twice. */
struct cv_libxl_guest {
    struct cv_buf cfg; /* xl.cfg text, terminated */
    char *devices;     /* libxl's own text, without space around it (guest/devices.h); owned */
    struct cv_guest_config config;
    bool has_config;
    struct cv_layout layout;
    bool has_layout;
    struct cv_domain_spec spec;
    struct cv_libxl_facts facts;
};

/* Decides the layout that convoy would give the guest, and refuses it where QEMU, started so, would not find its
 * devices where libxl's QEMU left them.  default_model: the emulator's program if the configuration names none.  found:
 * as above. */
int cv_libxl_guest_plan(struct cv_libxl_guest *p, const char *json, size_t len, const char *default_model,
                        struct cv_findings *found, struct cv_error *err) CV_CHECKED;
void cv_libxl_guest_dispose(struct cv_libxl_guest *p);

#endif
