/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include <uuid/uuid.h>

#include "image/report.h"

const char *const cv_report_kinds[CV_RUN_KINDS] = { "data", "absent", "broken", "alloc", "zero", "none" };

/* All setters take NULL values as "no memory"; one test at the end finds it. */
struct build {
    bool failed;
};

static void set_member(struct build *b, json_t *o, const char *key, json_t *value)
{
    if (json_object_set_new(o, key, value) != 0)
        b->failed = true;
}

static void add_item(struct build *b, json_t *list, json_t *value)
{
    if (json_array_append_new(list, value) != 0)
        b->failed = true;
}

static json_t *json_number(uint64_t v)
{
    /* jansson's integers are signed: the rare larger ones (TSC, HVM parameters) go as text. */
    char text[24];

    if (v <= INT64_MAX)
        return json_integer((json_int_t)v);
    snprintf(text, sizeof text, "%#llx", (unsigned long long)v);
    return json_string(text);
}

static json_t *hex(const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * 64 + 1];

    len = len > 64 ? 64 : len;
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[((const uint8_t *)data)[i] >> 4];
        text[2 * i + 1] = digits[((const uint8_t *)data)[i] & 15];
    }
    return json_stringn(text, 2 * len);
}

/* What is JSON in the image is JSON in the report, unless it cannot be read. */
static json_t *embedded(const char *text)
{
    json_t *v = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    return v != NULL ? v : json_string(text);
}

static json_t *report_stream(struct build *b, const struct cv_image *img)
{
    json_t *o = json_object();

    set_member(b, o, "version", json_number(img->header.version));
    set_member(b, o, "id", hex(img->header.stream_id, sizeof img->header.stream_id));
    set_member(b, o, "required_features", json_number(img->header.required_features));
    set_member(b, o, "optional_features", json_number(img->header.optional_features));
    set_member(b, o, "memory_only", json_boolean(cv_image_memory_only(img)));
    set_member(b, o, "live", json_boolean((img->header.optional_features & CV_OPTIONAL_LIVE) != 0));
    set_member(b, o, "whole", json_boolean(img->whole));
    set_member(b, o, "records", json_number(img->records));
    set_member(b, o, "bytes", json_number(img->bytes));
    set_member(b, o, "index_entries", img->has_index ? json_number(img->index_count) : json_null());
    set_member(b, o, "page_hashes", json_number(img->hashes_listed));
    if (img->header.required_features & CV_FEATURE_FIXED_OFFSETS)
        set_member(b, o, "area_pages", json_number(img->header.area_pages));
    set_member(b, o, "unknown_records", json_number(img->unknown_records));
    json_t *notes = json_array();
    for (unsigned i = 0; i < img->note_count; i++)
        add_item(b, notes, json_string(img->notes[i]));
    set_member(b, o, "notes", notes);
    return o;
}

static json_t *report_parent(struct build *b, const struct cv_image *img)
{
    json_t *o = json_object();

    set_member(b, o, "name", json_string(img->parent_name));
    set_member(b, o, "id", hex(img->parent.stream_id, sizeof img->parent.stream_id));
    set_member(b, o, "digest", hex(img->parent.digest, sizeof img->parent.digest));
    set_member(b, o, "read", json_number(img->parents_read));
    return o;
}

static json_t *report_freeze(struct build *b, const struct cv_image *img)
{
    json_t *o = json_object();

    set_member(b, o, "time", json_number(img->freeze.time));
    set_member(b, o, "ms", json_number(img->freeze.duration_ms));
    set_member(b, o, "command", json_string(img->freeze_command));
    set_member(b, o, "output", json_string(img->freeze_output));
    set_member(b, o, "cut", json_boolean((img->freeze.flags & CV_FREEZE_CUT) != 0));
    return o;
}

static json_t *report_host(struct build *b, const struct cv_image *img)
{
    json_t *o = json_object();

    set_member(b, o, "schema", json_number(img->host.schema));
    set_member(b, o, "xen_major", json_number(img->host.xen_major));
    set_member(b, o, "xen_minor", json_number(img->host.xen_minor));
    set_member(b, o, "time", json_number(img->host.time));
    set_member(b, o, "facts", embedded(img->host_json));
    return o;
}

static json_t *report_guest(struct build *b, const struct cv_image *img)
{
    json_t *o = json_object();
    char uuid[37];

    uuid_unparse_lower(img->uuid, uuid);
    set_member(b, o, "schema", json_number(img->guest_schema));
    set_member(b, o, "type", json_string(img->guest_type == CV_GUEST_HVM ? "hvm" : "pvh"));
    set_member(b, o, "uuid", json_string(uuid));
    set_member(b, o, "facts", embedded(img->guest_json));
    set_member(b, o, "facts_error", img->has_spec ? json_null() : json_string(img->spec_error.text));
    set_member(b, o, "config", json_string(img->config));
    return o;
}

static json_t *report_layout(struct build *b, const struct cv_image *img)
{
    const struct cv_rec_layout *r = &img->layout_record;
    json_t *o = json_object(), *list = json_array();

    for (uint32_t i = 0; i < r->count; i++)
        add_item(b, list,
                 json_pack("{s:i,s:b}", "dmid", (int)r->emulator[i].dmid, "default",
                           (int)(r->emulator[i].flags & CV_LAYOUT_DEFAULT)));
    set_member(b, o, "schema", json_number(r->schema));
    set_member(b, o, "order", list);
    set_member(b, o, "layout", embedded(img->layout_json));
    set_member(b, o, "layout_error", img->has_layout ? json_null() : json_string(img->layout_error.text));
    return o;
}

static json_t *report_vcpus(struct build *b, const struct cv_image *img)
{
    json_t *o = json_object(), *online = json_array();

    for (uint32_t i = 0; i < img->vcpus.max; i++)
        if (img->vcpus.online[i / 64] >> (i % 64) & 1)
            add_item(b, online, json_number(i));
    set_member(b, o, "max", json_number(img->vcpus.max));
    set_member(b, o, "online", online);
    return o;
}

static json_t *report_counts(struct build *b, const uint64_t counts[CV_RUN_KINDS])
{
    json_t *o = json_object();

    for (unsigned k = 0; k < CV_RUN_SKIP; k++)
        set_member(b, o, cv_report_kinds[k], json_number(counts[k]));
    return o;
}

static json_t *report_pass(struct build *b, const struct cv_image_pass *p)
{
    json_t *o = json_object();

    set_member(b, o, "pass", json_number(p->pass));
    set_member(b, o, "last", json_boolean(p->last));
    set_member(b, o, "records", json_number(p->records));
    set_member(b, o, "pages", json_number(p->pages));
    set_member(b, o, "kinds", report_counts(b, p->counts));
    set_member(b, o, "raw_bytes", json_number(p->raw));
    set_member(b, o, "stored_bytes", json_number(p->stored));
    set_member(b, o, "dirty_left", json_number(p->dirty_left));
    set_member(b, o, "duration_us", json_number(p->duration_us));
    return o;
}

static json_t *report_memory(struct build *b, const struct cv_image *img)
{
    const struct cv_rec_memory *m = &img->memory;
    json_t *o = json_object(), *e820 = json_array(), *passes = json_array();
    uint64_t counts[CV_RUN_KINDS];

    set_member(b, o, "pfn_count", json_number(m->pfn_count));
    set_member(b, o, "max_pages", json_number(m->max_pages));
    set_member(b, o, "owned_pages", json_number(m->owned_pages));
    set_member(b, o, "target_kib", json_number(m->target_kib));
    set_member(b, o, "static_max_kib", json_number(m->static_max_kib));
    set_member(b, o, "videoram_kib", json_number(m->videoram_kib));
    set_member(b, o, "paging_pool_kib", json_number(m->paging_pool_kib));
    for (uint32_t i = 0; i < m->e820_count; i++) {
        json_t *e = json_object();
        set_member(b, e, "start", json_number(m->e820[i].start));
        set_member(b, e, "size", json_number(m->e820[i].size));
        set_member(b, e, "type", json_number(m->e820[i].type));
        add_item(b, e820, e);
    }
    set_member(b, o, "e820", e820);
    for (unsigned i = 0; i < img->pass_count; i++)
        add_item(b, passes, report_pass(b, &img->passes[i]));
    set_member(b, o, "passes", passes);
    cv_pagemap_count(&img->map, 0, m->pfn_count, counts);
    set_member(b, o, "kinds", img->map.left_out ? json_null() : report_counts(b, counts));
    return o;
}

static json_t *report_policy(struct build *b, const struct cv_image *img)
{
    json_t *o = json_object(), *leaves = json_array(), *msrs = json_array();
    struct cv_rec_cpu_policy p = { 0 };
    char text[64];

    if (cv_rec_cpu_policy_decode(&p, img->cpu_policy.data, img->cpu_policy.len, NULL) < 0)
        p = (struct cv_rec_cpu_policy){ 0 };
    for (uint32_t i = 0; i < p.leaf_count; i++) {
        struct cv_policy_leaf l = cv_cpu_policy_leaf(&p, i);
        snprintf(text, sizeof text, "%08x %08x %08x %08x", l.a, l.b, l.c, l.d);
        add_item(b, leaves,
                 json_pack("{s:I,s:o,s:s}", "leaf", (json_int_t)l.leaf, "subleaf",
                           l.subleaf == UINT32_MAX ? json_null() : json_integer(l.subleaf), "value", text));
    }
    for (uint32_t i = 0; i < p.msr_count; i++) {
        struct cv_policy_msr m = cv_cpu_policy_msr(&p, i);
        snprintf(text, sizeof text, "%#llx", (unsigned long long)m.value);
        add_item(b, msrs,
                 json_pack("{s:I,s:I,s:s}", "index", (json_int_t)m.index, "flags", (json_int_t)m.flags, "value", text));
    }
    set_member(b, o, "leaves", leaves);
    set_member(b, o, "msrs", msrs);
    return o;
}

static json_t *report_context(struct build *b, const struct cv_image *img)
{
    json_t *o = json_object(), *list = json_array();
    struct cv_hvm_entry e;
    size_t at = 0;
    bool bad;

    while (cv_hvm_context_next(&img->hvm_context, &at, &e, &bad))
        add_item(b, list,
                 json_pack("{s:i,s:s,s:i,s:I}", "type", (int)e.type, "name", cv_hvm_entry_name(e.type), "instance",
                           (int)e.instance, "bytes", (json_int_t)e.length));
    set_member(b, o, "bytes", json_number(img->hvm_context.len));
    set_member(b, o, "taken_apart", json_boolean(!bad));
    set_member(b, o, "entries", list);
    return o;
}

static json_t *report_xen(struct build *b, const struct cv_image *img)
{
    json_t *o = json_object(), *params = json_array();
    struct cv_rec_hvm_params p;

    if (img->has_tsc) {
        json_t *t = json_object();
        set_member(b, t, "mode", json_number(img->tsc.mode));
        set_member(b, t, "khz", json_number(img->tsc.khz));
        set_member(b, t, "nsec", json_number(img->tsc.nsec));
        set_member(b, t, "incarnation", json_number(img->tsc.incarnation));
        set_member(b, o, "tsc", t);
    }
    if (img->hvm_params.len > 0 && cv_rec_hvm_params_decode(&p, img->hvm_params.data, img->hvm_params.len, NULL) == 0)
        for (uint32_t i = 0; i < p.count; i++) {
            struct cv_hvm_param v = cv_hvm_params_at(&p, i);
            json_t *e = json_object();
            set_member(b, e, "index", json_number(v.index));
            set_member(b, e, "name", json_string(cv_hvm_param_name(v.index)));
            set_member(b, e, "value", json_number(v.value));
            add_item(b, params, e);
        }
    if (img->cpu_policy.len > 0)
        set_member(b, o, "cpu_policy", report_policy(b, img));
    if (img->hvm_context.len > 0)
        set_member(b, o, "hvm_context", report_context(b, img));
    set_member(b, o, "hvm_params", params);
    return o;
}

static json_t *report_xenstore(struct build *b, const struct cv_image *img)
{
    static const char *const roots[] = { "guest", "device-model", "libxl", "vm" };
    json_t *list = json_array();
    struct cv_rec_xenstore x;
    struct cv_xs_node n;

    if (img->xenstore.len == 0 || cv_rec_xenstore_decode(&x, img->xenstore.data, img->xenstore.len, NULL) < 0)
        return list;
    while (cv_xs_next(&x, &n)) {
        json_t *e = json_object(), *value = json_stringn(n.value, n.value_len);
        set_member(b, e, "root", json_string(roots[n.root]));
        set_member(b, e, "dmid", n.dmid == CV_XS_NO_DMID ? json_null() : json_number(n.dmid));
        set_member(b, e, "access", json_number(n.access));
        set_member(b, e, "key", json_stringn(n.key, n.key_len));
        set_member(b, e, value != NULL ? "value" : "value_hex", value != NULL ? value : hex(n.value, n.value_len));
        add_item(b, list, e);
    }
    return list;
}

static json_t *report_state(struct build *b, unsigned dmid, const struct cv_image_state *s)
{
    json_t *o = json_object(), *sections = json_array();

    for (size_t i = 0; i < s->qemu.count; i++) {
        const struct cv_qemu_section *q = &s->qemu.sections[i];
        add_item(b, sections,
                 json_pack("{s:s,s:I,s:I,s:I,s:I,s:I}", "name", q->name, "section", (json_int_t)q->section, "instance",
                           (json_int_t)q->instance, "version", (json_int_t)q->version, "offset",
                           (json_int_t)q->data_offset, "bytes", (json_int_t)q->data_len));
    }
    set_member(b, o, "dmid", json_number(dmid));
    set_member(b, o, "format", json_string(s->format == CV_STATE_QEMU ? "qemu" : "opaque"));
    set_member(b, o, "bytes", json_number(s->bytes));
    set_member(b, o, "digest", hex(s->digest, sizeof s->digest));
    set_member(b, o, "taken_apart", json_boolean(s->taken_apart));
    set_member(b, o, "why_not", s->taken_apart ? json_null() : json_string(s->why.text));
    set_member(b, o, "exact", json_boolean(s->qemu.exact));
    set_member(b, o, "machine", json_string(s->qemu.machine));
    set_member(b, o, "sections", sections);
    return o;
}

json_t *cv_report_json(const struct cv_image *img, struct cv_error *err)
{
    struct build b = { false };
    json_t *o = json_object();

    set_member(&b, o, "stream", report_stream(&b, img));
    if (img->has_parent)
        set_member(&b, o, "parent", report_parent(&b, img));
    if (img->has_freeze)
        set_member(&b, o, "freeze", report_freeze(&b, img));
    if (img->has_host)
        set_member(&b, o, "host", report_host(&b, img));
    if (img->has_guest)
        set_member(&b, o, "guest", report_guest(&b, img));
    if (img->has_layout_record)
        set_member(&b, o, "layout", report_layout(&b, img));
    if (img->devices_json != NULL)
        set_member(&b, o, "devices", embedded(img->devices_json));
    if (img->has_vcpus)
        set_member(&b, o, "vcpus", report_vcpus(&b, img));
    if (img->has_memory)
        set_member(&b, o, "memory", report_memory(&b, img));
    if (!cv_image_memory_only(img)) {
        json_t *states = json_array();
        set_member(&b, o, "xen", report_xen(&b, img));
        set_member(&b, o, "xenstore", report_xenstore(&b, img));
        for (unsigned i = 0; i < CV_EMULATORS_MAX; i++)
            if (img->states[i].there)
                add_item(&b, states, report_state(&b, i, &img->states[i]));
        set_member(&b, o, "device_states", states);
    }
    if (!b.failed)
        return o;
    json_decref(o);
    cv_fail(err, CV_E_NOMEM, 0, "no memory for the report (or text in the image that is not UTF-8)");
    return NULL;
}
