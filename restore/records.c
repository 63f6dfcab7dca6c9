/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records around the memory, taken apart into the guest that is to be made. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulators/state_memory.h"
#include "layout/record.h"
#include "restore/internal.h"
#include "stream-format/qemu_state.h"
#include "stream-format/state_file.h"
#include "vm/spec.h"

static int take_host(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_host h;

    if (cv_rec_host_decode(&h, rec->body.data, rec->body.len, err) < 0)
        return -1;
    r->xen_major = h.xen_major;
    r->xen_minor = h.xen_minor;
    return 0;
}

static int take_guest(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_guest g;

    if (cv_rec_guest_decode(&g, rec->body.data, rec->body.len, err) < 0)
        return -1;
    if (cv_spec_decode(g.json, g.json_len, &r->g.spec, err) < 0)
        return -1;
    if (r->g.spec.pvh != (g.type == CV_GUEST_PVH))
        return cv_fail(err, CV_E_STREAM, 0, "the guest's type stands there twice, and differs");
    if (memcmp(r->g.spec.uuid, g.uuid, sizeof g.uuid) != 0)
        return cv_fail(err, CV_E_STREAM, 0, "the guest's UUID stands there twice, and differs");
    if (memchr(g.config, '\0', g.config_len) != NULL || g.config_len > CV_GUEST_CONFIG_MAX)
        return cv_fail(err, CV_E_STREAM, 0, "the guest's configuration is not text");
    free(r->g.config_text);
    r->g.config_text = strndup(g.config, g.config_len);
    if (r->g.config_text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the configuration");
    return 0;
}

static int take_layout(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;

    if (cv_layout_of_record(rec->body.data, rec->body.len, &r->g.layout, err) < 0)
        return -1;
    r->g.has_layout = true;
    if (cv_layout_check_type(&r->g.layout, r->g.spec.pvh, &why) < 0)
        return cv_fail(err, CV_E_STREAM, 0, "%s", why.text);
    /* An emulator that is attached now is another process than it was then. */
    for (unsigned i = 0; i < r->g.layout.count; i++)
        r->g.layout.dms[i].pid = 0;
    return 0;
}

static int take_vcpus(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_domain_spec *spec = &r->g.spec;
    struct cv_rec_vcpus v;

    if (cv_rec_vcpus_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    if (v.max != spec->vcpus || v.max > CV_VCPU_WORDS * 64)
        return cv_fail(err, CV_E_STREAM, 0, "%u vCPUs, and GUEST says %u", v.max, spec->vcpus);
    spec->vcpus_online = 0;
    for (unsigned i = 0; i < CV_VCPU_WORDS; i++) {
        spec->online_map[i] = v.online[i];
        spec->vcpus_online += (uint32_t)__builtin_popcountll(v.online[i]);
    }
    return 0;
}

static int take_devices(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_devices d;

    if (cv_rec_devices_decode(&d, rec->body.data, rec->body.len, err) < 0)
        return -1;
    if (d.schema != CV_REC_SCHEMA)
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "schema %u of the PV devices; this version reads %u", d.schema,
                       CV_REC_SCHEMA);
    free(r->g.devices);
    r->g.devices = strndup(d.json, d.json_len);
    if (r->g.devices == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the PV devices");
    return 0;
}

static int take_memory(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_memory m;

    if (cv_rec_memory_decode(&m, rec->body.data, rec->body.len, err) < 0)
        return -1;
    r->pfn_count = m.pfn_count;
    r->max_pages = m.max_pages;
    r->owned_pages = m.owned_pages;
    return 0;
}

static int take_cpu_policy(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_cpu_policy p;

    if (cv_rec_cpu_policy_decode(&p, rec->body.data, rec->body.len, err) < 0)
        return -1;
    if (cv_rec_cpu_policy_copy(&p, &r->policy, err) < 0)
        return -1;
    r->has_policy = true;
    return 0;
}

static int take_tsc_info(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_tsc_info t;

    if (cv_rec_tsc_info_decode(&t, rec->body.data, rec->body.len, err) < 0)
        return -1;
    r->state.tsc = (struct cv_tsc_state){ .mode = t.mode, .khz = t.khz, .nsec = t.nsec, .incarnation = t.incarnation };
    return 0;
}

static int take_hvm_params(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_hvm_params p;

    if (cv_rec_hvm_params_decode(&p, rec->body.data, rec->body.len, err) < 0)
        return -1;
    if (p.count > CV_STATE_PARAMS_MAX)
        return cv_fail(err, CV_E_STREAM, 0, "%u HVM parameters", p.count);
    for (uint32_t i = 0; i < p.count; i++) {
        struct cv_hvm_param v = cv_hvm_params_at(&p, i);
        r->state.params[i] = (struct cv_state_param){ v.index, v.value };
    }
    r->state.param_count = p.count;
    return 0;
}

/* The emulators get descriptors of memory files, so that nothing lies about when we die. */
int cv_restore_make_state_files(struct cv_restore *r, struct cv_error *err)
{
    for (unsigned i = 0; i < r->g.layout.count; i++)
        if ((r->state_fd[i] = cv_state_memory_to_load(i, err)) < 0)
            return -1;
    return 0;
}

static int take_device_state(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_device_state d;

    if (cv_rec_device_state_decode(&d, rec->body.data, rec->body.len, err) < 0)
        return -1;
    if (d.dmid >= r->g.layout.count || r->state_taken[d.dmid])
        return cv_fail(err, CV_E_STREAM, 0, "a device state of emulator %u, which is not expected", d.dmid);
    if (cv_state_to_file(&d, r->state_fd[d.dmid], err) < 0)
        return -1;
    r->state_taken[d.dmid] = true;
    return 0;
}

static int take_hvm_context(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    (void)err;
    cv_buf_dispose(&r->state.hvm_context);
    r->state.hvm_context = cv_buf_take(&rec->body);
    return 0;
}

static int take_places(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    return cv_fixed_take(&r->fixed, r->reader, rec, err);
}

/* Nothing to impose on the guest.  A jump over the memory hands it out unchecked. */
static int look_at(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    (void)r;
    return cv_body_check(rec->raw_type, rec->body.data, rec->body.len, err);
}
#define take_parent cv_restore_take_parent
#define take_xenstore cv_restore_take_changes
#define take_pages look_at /* and the next three: the loader's (restore/fill.c) */
#define take_pass_end look_at
#define take_hashes look_at
#define take_index look_at
#define take_note look_at
#define take_freeze look_at
#define take_end look_at

static int take_record(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    switch (rec->raw_type) {
#define CV_R(name, word, ...)     \
    case (uint32_t)CV_REC_##name: \
        return take_##word(r, rec, err);
#include "stream-format/records.def"
#undef CV_R
    default: return 0;
    }
}

int cv_restore_take_record(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    return take_record(r, rec, err) < 0 ? cv_record_context(rec, err) : 0;
}
