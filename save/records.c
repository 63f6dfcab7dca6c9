/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records around the memory: what is written in front of it and behind it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/clock.h"
#include "emulators/state_memory.h"
#include "guest/devices.h"
#include "layout/record.h"
#include "memory/pages.h"
#include "save/save.h"
#include "save/write.h"
#include "stream-format/bodies.h"
#include "stream-format/state_file.h"
#include "vm/physmap.h"
#include "vm/spec.h"

_Static_assert(CV_STATE_BYTES_MAX + CV_DEVICE_STATE_HEAD == CV_DEVICE_STATE_MAX, "what is taken can be written");

int cv_save_put_body(struct cv_save *s, enum cv_record_type type, const struct cv_buf *body, struct cv_error *err)
{
    struct iovec iov = { .iov_base = body->data, .iov_len = body->len };

    if (cv_writer_put(s->writer, type, &iov, 1, err) < 0)
        return cv_context(err, "write record %s", cv_record_name(type));
    return 0;
}

static int put_host(struct cv_save *s, struct cv_error *err)
{
    struct cv_host_facts f;
    CV_AUTO_BUF body = { 0 };

    if (s->g.host->ops->facts(s->g.host, &f, err) < 0)
        return -1;
    json_t *o = json_pack("{s:s,s:s,s:s,s:s}", "convoy", CONVOY_VERSION, "hypervisor", f.hypervisor, "capabilities",
                          f.capabilities, "hostname", f.hostname);
    CV_AUTO_FREE char *json = o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(o);
    if (json == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the HOST record");
    struct cv_rec_host rec = { .schema = CV_REC_SCHEMA,
                               .xen_major = f.version_major,
                               .xen_minor = f.version_minor,
                               .time = (uint64_t)time(NULL),
                               .json = json,
                               .json_len = (uint32_t)strlen(json) };
    if (cv_rec_host_encode(&rec, &body, err) < 0)
        return -1;
    return cv_save_put_body(s, CV_REC_HOST, &body, err);
}

static int put_guest(struct cv_save *s, struct cv_error *err)
{
    CV_AUTO_FREE char *json = NULL;
    CV_AUTO_BUF body = { 0 };

    if (cv_spec_encode(&s->g.spec, &json, err) < 0)
        return -1;
    struct cv_rec_guest rec = { .schema = CV_REC_SCHEMA,
                                .type = s->g.spec.pvh ? CV_GUEST_PVH : CV_GUEST_HVM,
                                .json = json,
                                .json_len = (uint32_t)strlen(json),
                                .config = s->g.config_text,
                                .config_len = (uint32_t)strlen(s->g.config_text) };
    memcpy(rec.uuid, s->g.spec.uuid, sizeof rec.uuid);
    if (cv_rec_guest_encode(&rec, &body, err) < 0)
        return -1;
    return cv_save_put_body(s, CV_REC_GUEST, &body, err);
}

static int put_layout(struct cv_save *s, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };

    if (cv_layout_to_record(&s->g.layout, &body, err) < 0)
        return -1;
    return cv_save_put_body(s, CV_REC_LAYOUT, &body, err);
}

/* The list first: what changes while the text is read is noticed later. */
static int read_devices(struct cv_save *s, struct cv_error *err)
{
    struct cv_host *h = s->g.host;

    free(s->devices_list);
    s->devices_list = NULL;
    if (!s->g.adopted)
        return h->ops->devices_list(h, s->g.domid, &s->devices_list, err) < 0 ? -1 : cv_guest_devices_read(&s->g, err);
    s->devices_list = strdup(s->g.devices_list);
    if (s->devices_list == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the list of PV devices");
    return cv_guest_devices_read(&s->g, err);
}

static int put_devices(struct cv_save *s, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };

    if (read_devices(s, err) < 0)
        return -1;
    if (s->g.devices == NULL)
        return 0;
    struct cv_rec_devices rec = { .schema = CV_REC_SCHEMA,
                                  .json = s->g.devices,
                                  .json_len = (uint32_t)strlen(s->g.devices) };
    if (cv_rec_devices_encode(&rec, &body, err) < 0)
        return -1;
    return cv_save_put_body(s, CV_REC_DEVICES, &body, err);
}

static int put_vcpus(struct cv_save *s, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    struct cv_rec_vcpus rec = { .max = s->g.spec.vcpus };

    for (uint32_t i = 0; i < rec.max; i++)
        if (cv_spec_vcpu_online(&s->g.spec, i))
            rec.online[i / 64] |= UINT64_C(1) << (i % 64);
    if (cv_rec_vcpus_encode(&rec, &body, err) < 0)
        return -1;
    return cv_save_put_body(s, CV_REC_VCPUS, &body, err);
}

static int put_parent(struct cv_save *s, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };

    if (!s->has_parent)
        return 0;
    if (cv_rec_parent_encode(&s->parent.rec, &body, err) < 0)
        return -1;
    return cv_save_put_body(s, CV_REC_PARENT, &body, err);
}

static int put_memory(struct cv_save *s, struct cv_error *err)
{
    struct cv_domain_info d;
    CV_AUTO_BUF body = { 0 };
    const struct cv_domain_spec *spec = &s->g.spec;
    struct cv_physmap map = cv_physmap(spec->ram_kib << 10, cv_hole_start(spec->mmio_hole_kib << 10));

    if (s->g.host->ops->info(s->g.host, s->g.domid, &d, err) < 0)
        return -1;
    struct cv_rec_memory rec = {
        .pfn_count = s->pfn_count,
        .max_pages = d.max_pages,
        .owned_pages = d.pages,
        .target_kib = spec->target_kib,
        .static_max_kib = spec->max_kib,
        .videoram_kib = spec->video_kib,
        .paging_pool_kib = spec->paging_pool_kib,
    };
    cv_rec_memory_set_ram(&rec, &map);
    s->head_max_pages = d.max_pages;
    s->report.guest_pages = d.pages;
    if (cv_rec_memory_encode(&rec, &body, err) < 0)
        return -1;
    return cv_save_put_body(s, CV_REC_MEMORY, &body, err);
}

static int put_policy(struct cv_save *s, struct cv_error *err)
{
    struct cv_cpu_policy p = { 0 };
    CV_AUTO_BUF body = { 0 };

    if (s->g.host->ops->get_cpu_policy(s->g.host, s->g.domid, &p, err) < 0)
        return -1;
    int rc = cv_rec_cpu_policy_encode(p.leaves, (uint32_t)p.leaf_count, p.msrs, (uint32_t)p.msr_count, &body, err);
    cv_cpu_policy_dispose(&p);
    return rc < 0 ? -1 : cv_save_put_body(s, CV_REC_CPU_POLICY, &body, err);
}

/* How far the guest's memory reaches is for the guest to say, and each page below that costs memory and time here. */
static int check_pfns(const struct cv_save *s, struct cv_error *err)
{
    uint64_t explained = cv_layout_pfns(&s->g.layout);

    if (s->pfn_count <= explained + CV_LAYOUT_PFNS_BEYOND)
        return 0;
    return cv_fail(
        err, CV_E_UNSUPPORTED, 0,
        "the guest's highest page is %#llx, its layout explains pages up to %#llx, and no more than %llu GiB of "
        "addresses beyond that are searched",
        (unsigned long long)s->pfn_count - 1, (unsigned long long)explained - 1,
        (unsigned long long)CV_LAYOUT_PFNS_BEYOND >> 18);
}

/* What stands before memory, in the stream's order (docs/stream-format.md, 5); each writes its record, or none. */
static int (*const head[])(struct cv_save *s, struct cv_error *err) = {
    put_host, put_guest, put_layout, put_devices, put_vcpus, put_parent, put_memory, cv_save_put_places, put_policy,
};

int cv_save_head(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;

    (void)deadline_ms;
    /* Of fixed layout it is known, and the file is as long as that: what grows from then on fails the save. */
    if (!cv_fixed_is_open(&s->fixed) && s->g.host->ops->pfn_count(s->g.host, s->g.domid, &s->pfn_count, err) < 0)
        return -1;
    if (check_pfns(s, err) < 0 || cv_save_begin_hashes(s, err) < 0)
        return -1;
    s->bitmap = calloc((s->pfn_count + 63) / 64, sizeof *s->bitmap);
    s->sent = calloc((s->pfn_count + 63) / 64, sizeof *s->sent);
    if (s->bitmap == NULL || s->sent == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a bitmap of %llu pages", (unsigned long long)s->pfn_count);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof head / sizeof *head; i++)
        rc = head[i](s, err);
    return rc;
}

static int put_xen_state(struct cv_save *s, struct cv_error *err)
{
    const struct cv_guest_state *st = &s->state;
    CV_AUTO_BUF tsc = { 0 }, params = { 0 };
    struct cv_rec_tsc_info t = { st->tsc.mode, st->tsc.khz, st->tsc.nsec, st->tsc.incarnation };
    struct cv_hvm_param p[CV_STATE_PARAMS_MAX];

    if (cv_rec_tsc_info_encode(&t, &tsc, err) < 0 || cv_save_put_body(s, CV_REC_TSC_INFO, &tsc, err) < 0 ||
        cv_save_put_body(s, CV_REC_HVM_CONTEXT, &st->hvm_context, err) < 0)
        return -1;
    for (size_t i = 0; i < st->param_count; i++) {
        /* In the record they stand by index, wherever Xen's list has them. */
        size_t at = i;
        for (; at > 0 && p[at - 1].index > st->params[i].index; at--)
            p[at] = p[at - 1];
        p[at] = (struct cv_hvm_param){ st->params[i].index, st->params[i].value };
    }
    if (cv_rec_hvm_params_encode(p, (uint32_t)st->param_count, &params, err) < 0)
        return -1;
    return cv_save_put_body(s, CV_REC_HVM_PARAMS, &params, err) < 0 ? -1 : cv_save_put_changes(s, err);
}

int cv_save_tail(void *op, int64_t deadline_ms, struct cv_error *err)
{
    struct cv_save *s = op;
    unsigned order[CV_DM_MAX];
    int64_t begin = cv_now_ns();

    (void)deadline_ms;
    if (s->has_hashes && cv_hashes_put(&s->hashes, s->has_parent, s->writer, err) < 0)
        return -1;
    if (cv_save_put_freeze(s, err) < 0 || put_xen_state(s, err) < 0)
        return -1;
    cv_layout_rank_order(&s->g.layout, order);
    for (unsigned i = 0; i < s->g.layout.count; i++)
        if (cv_writer_put_state_file(s->writer, order[i], s->state_fd[order[i]], s->state_size[order[i]], err) < 0)
            return cv_context(err, "emulator %u '%s'", order[i], s->g.layout.dms[order[i]].name);
    if (cv_writer_finish(s->writer, err) < 0)
        return -1;
    s->report.tail_at_ns = begin;
    s->report.tail_ns = cv_now_ns() - begin;
    s->report.bytes = cv_writer_bytes(s->writer);
    if (cv_fixed_is_open(&s->fixed))
        s->report.bytes -= (s->fixed.area_pages - cv_writer_data_pages(s->writer)) * CV_AREA_PAGE;
    s->report.down_ns = cv_now_ns() - s->down_since_ns;
    return 0;
}
