/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl-json/json.h"

#include <stdlib.h>
#include <string.h>

#include "libxl-json/config.h"
#include "layout/spec.h"

/* XEN_X86_EMU_ALL without VPCI, with and without USE_PIRQ (xen/arch-x86/xen.h). */
#define EMULATION_WITH_PIRQ 0x3ffu
#define EMULATION 0x1ffu

static void take_facts(struct cv_libxl_guest *p)
{
    struct cv_domain_spec *s = &p->spec;
    const struct cv_libxl_facts *f = &p->facts;

    /* xl.cfg counts in MiB; a balloon may have come to rest between two. */
    if (f->target_kib > s->video_kib && f->target_kib <= s->max_kib) {
        s->target_kib = f->target_kib;
        s->ram_target_kib = f->target_kib - s->video_kib;
    }
    s->paging_pool_kib = f->shadow_kib;
    s->timer_mode = f->timer_mode;
    s->max_evtchn_port = f->event_channels;
    /* Xen before 4.19 gives every HVM guest pirqs; later ones write down what they did. */
    if (!f->pvh)
        s->emulation_flags = f->has_pirq && !f->pirq ? EMULATION : EMULATION_WITH_PIRQ;
}

static int parse_json(struct cv_libxl_guest *p, size_t len, struct cv_findings *found, struct cv_error *err)
{
    static const char source[] = "libxl's configuration";
    const char *text = (const char *)p->cfg.data;

    return found != NULL ? cv_guest_config_examine(text, len, source, &p->config, found, err)
                         : cv_guest_config_parse(text, len, source, &p->config, err);
}

/* libxl's record was refused; what convoy.cfg(5) has against the rest of it is to be named as well. */
static int find_more(struct cv_libxl_guest *p, struct cv_findings *found)
{
    struct cv_error e = CV_ERROR_INIT;
    size_t len = p->cfg.len;

    if (found != NULL && cv_buf_put_u8(&p->cfg, 0, &e) == 0)
        p->has_config = parse_json(p, len, found, &e) == 0;
    return -1;
}

int cv_libxl_guest_plan(struct cv_libxl_guest *p, const char *json, size_t len, const char *default_model,
                        struct cv_findings *found, struct cv_error *err)
{
    *p = (struct cv_libxl_guest){ 0 };
    while (len > 0 && strchr(" \n\t", json[len - 1]) != NULL) /* which holds for a final zero, too */
        len--;
    p->devices = strndup(json, len);
    if (p->devices == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for libxl's configuration");
    if (cv_libxl_to_cfg(json, len, &p->facts, &p->cfg, found, err) < 0)
        return find_more(p, found);
    size_t cfg_len = p->cfg.len;
    if (cv_buf_put_u8(&p->cfg, 0, err) < 0)
        return -1;
    if (parse_json(p, cfg_len, found, err) < 0)
        return -1;
    p->has_config = true;
    const struct cv_layout_host host = { .default_model = default_model, .nic_roms = !p->facts.no_nic_roms };
    if (cv_layout_decide(&p->config, &host, &p->layout, err) < 0)
        return -1;
    p->has_layout = true;
    if (!p->config.pvh && cv_libxl_check_layout(&p->config, &p->layout, err) < 0)
        return -1;
    cv_spec_from_config(&p->spec, &p->config, &p->layout);
    take_facts(p);
    return 0;
}

void cv_libxl_guest_dispose(struct cv_libxl_guest *p)
{
    cv_buf_dispose(&p->cfg);
    free(p->devices);
    if (p->has_layout)
        cv_layout_dispose(&p->layout);
    if (p->has_config)
        cv_guest_config_dispose(&p->config);
    *p = (struct cv_libxl_guest){ 0 };
}
