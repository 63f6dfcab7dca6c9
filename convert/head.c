/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert/head.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/auto.h"
#include "layout/record.h"
#include "layout/spec.h"
#include "stream-format/state_file.h"

#define NODES_MAX CV_XS_NODES_MAX
#define PARAM_PAE_ENABLED 4u /* obsolete: libxc passes over it as well */

int cv_head_put(struct cv_writer *w, enum cv_record_type type, const struct cv_buf *body, struct cv_error *err)
{
    struct iovec iov = { .iov_base = body->data, .iov_len = body->len };

    if (cv_writer_put(w, type, &iov, 1, err) < 0)
        return cv_context(err, "write record %s", cv_record_name(type));
    return 0;
}

/* What an encoder finds wrong with values from the input is the input's fault. */
static int blame_input(int rc, struct cv_error *err)
{
    if (rc < 0)
        cv_error_recode(err, CV_E_INTERNAL, CV_E_STREAM);
    return rc;
}

/* ---- identity ---- */

static int put_host(struct cv_writer *w, uint32_t major, uint32_t minor, const struct cv_convert_options *opt,
                    struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    json_t *o = json_pack("{s:s,s:s}", "convoy", opt->version, "source", "xl");
    CV_AUTO_FREE char *json = o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    json_decref(o);
    if (json == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the HOST record");
    struct cv_rec_host rec = { .schema = CV_REC_SCHEMA,
                               .xen_major = major,
                               .xen_minor = minor,
                               .time = opt->time,
                               .json = json,
                               .json_len = (uint32_t)strlen(json) };
    return cv_rec_host_encode(&rec, &body, err) < 0 ? -1 : cv_head_put(w, CV_REC_HOST, &body, err);
}

static int put_guest(struct cv_writer *w, const struct cv_libxl_guest *p, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    CV_AUTO_FREE char *json = NULL;

    if (cv_spec_encode(&p->spec, &json, err) < 0)
        return -1;
    struct cv_rec_guest rec = { .schema = CV_REC_SCHEMA,
                                .type = CV_GUEST_HVM,
                                .json = json,
                                .json_len = (uint32_t)strlen(json),
                                .config = (const char *)p->cfg.data,
                                .config_len = (uint32_t)strlen((const char *)p->cfg.data) };
    memcpy(rec.uuid, p->spec.uuid, sizeof rec.uuid);
    return blame_input(cv_rec_guest_encode(&rec, &body, err), err) < 0 ? -1 : cv_head_put(w, CV_REC_GUEST, &body, err);
}

static int put_layout(struct cv_writer *w, const struct cv_layout *l, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };

    return blame_input(cv_layout_to_record(l, &body, err), err) < 0 ? -1 : cv_head_put(w, CV_REC_LAYOUT, &body, err);
}

static int put_devices(struct cv_writer *w, const char *json, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    struct cv_rec_devices rec = { .schema = CV_REC_SCHEMA, .json = json, .json_len = (uint32_t)strlen(json) };

    return blame_input(cv_rec_devices_encode(&rec, &body, err), err) < 0 ? -1
                                                                         : cv_head_put(w, CV_REC_DEVICES, &body, err);
}

static int put_vcpus(struct cv_writer *w, const struct cv_domain_spec *s, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    struct cv_rec_vcpus rec = { .max = s->vcpus };

    for (uint32_t i = 0; i < s->vcpus_online; i++)
        rec.online[i / 64] |= UINT64_C(1) << i % 64;
    return blame_input(cv_rec_vcpus_encode(&rec, &body, err), err) < 0 ? -1 : cv_head_put(w, CV_REC_VCPUS, &body, err);
}

static int put_memory(struct cv_writer *w, const struct cv_libxl_guest *p, uint64_t pfn_count, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    const struct cv_domain_spec *s = &p->spec;
    struct cv_physmap map = cv_physmap(s->ram_kib << 10, p->layout.mmio_start);
    struct cv_rec_memory rec = {
        .pfn_count = pfn_count,
        .target_kib = s->target_kib,
        .static_max_kib = s->max_kib,
        .videoram_kib = s->video_kib,
        .paging_pool_kib = s->paging_pool_kib,
    };

    cv_rec_memory_set_ram(&rec, &map);
    return blame_input(cv_rec_memory_encode(&rec, &body, err), err) < 0 ? -1
                                                                        : cv_head_put(w, CV_REC_MEMORY, &body, err);
}

/* ---- CPU policy ---- */

int cv_head_policy(struct cv_writer *w, const struct cv_buf *leaves, const struct cv_buf *msrs, struct cv_error *err)
{
    uint32_t nl = (uint32_t)(leaves->len / 24), nm = (uint32_t)(msrs->len / 16);
    struct cv_cursor cl = cv_cursor(leaves->data, leaves->len), cm = cv_cursor(msrs->data, msrs->len);
    CV_AUTO_BUF body = { 0 };

    if (nl == 0 && nm == 0)
        return 0;
    if (leaves->len % 24 != 0 || msrs->len % 16 != 0)
        return cv_fail(err, CV_E_STREAM, 0, "CPU policy: %zu and %zu bytes are not whole entries", leaves->len,
                       msrs->len);
    struct cv_cpu_policy p;
    if (cv_cpu_policy_init(&p, nl, nm, err) < 0)
        return cv_context(err, "CPU policy");
    for (uint32_t i = 0; i < nl; i++) {
        struct cv_policy_leaf *l = &p.leaves[i];
        l->leaf = cv_cur_u32(&cl), l->subleaf = cv_cur_u32(&cl);
        l->a = cv_cur_u32(&cl), l->b = cv_cur_u32(&cl), l->c = cv_cur_u32(&cl), l->d = cv_cur_u32(&cl);
    }
    for (uint32_t i = 0; i < nm; i++) {
        struct cv_policy_msr *m = &p.msrs[i];
        m->index = cv_cur_u32(&cm), m->flags = cv_cur_u32(&cm), m->value = cv_cur_u64(&cm);
    }
    cv_cpu_policy_sort(&p);
    int rc = blame_input(cv_rec_cpu_policy_encode(p.leaves, nl, p.msrs, nm, &body, err), err);
    cv_cpu_policy_dispose(&p);
    return rc < 0 ? cv_context(err, "CPU policy") : cv_head_put(w, CV_REC_CPU_POLICY, &body, err);
}

int cv_head_write(struct cv_writer *w, const struct cv_libxl_guest *p, uint64_t pfn_count, uint32_t xen_major,
                  uint32_t xen_minor, const struct cv_buf *leaves, const struct cv_buf *msrs,
                  const struct cv_convert_options *opt, struct cv_error *err)
{
    if (put_host(w, xen_major, xen_minor, opt, err) < 0 || put_guest(w, p, err) < 0 ||
        put_layout(w, &p->layout, err) < 0 || put_devices(w, p->devices, err) < 0 || put_vcpus(w, &p->spec, err) < 0 ||
        put_memory(w, p, pfn_count, err) < 0)
        return -1;
    return cv_head_policy(w, leaves, msrs, err);
}

/* ---- behind the memory ---- */

static int put_tsc(struct cv_writer *w, const struct cv_buf *b, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(b->data, b->len);
    struct cv_rec_tsc_info t;
    CV_AUTO_BUF body = { 0 };

    t.mode = cv_cur_u32(&c);
    t.khz = cv_cur_u32(&c);
    t.nsec = cv_cur_u64(&c);
    t.incarnation = cv_cur_u32(&c);
    return cv_rec_tsc_info_encode(&t, &body, err) < 0 ? -1 : cv_head_put(w, CV_REC_TSC_INFO, &body, err);
}

static int put_params(struct cv_writer *w, const struct cv_buf *b, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(b->data, b->len);
    struct cv_hvm_param p[CV_HVM_PARAMS_MAX];
    CV_AUTO_BUF body = { 0 };
    uint32_t n = 0;

    while (c.left >= 16 && n < CV_HVM_PARAMS_MAX) {
        struct cv_hvm_param v = { .index = cv_cur_u64(&c) };
        uint32_t at = 0;
        v.value = cv_cur_u64(&c);
        if (v.index == PARAM_PAE_ENABLED)
            continue;
        while (at < n && p[at].index < v.index)
            at++;
        if (at == n || p[at].index != v.index) {
            memmove(&p[at + 1], &p[at], (n - at) * sizeof *p);
            n++;
        }
        p[at] = v;
    }
    return cv_rec_hvm_params_encode(p, n, &body, err) < 0 ? -1 : cv_head_put(w, CV_REC_HVM_PARAMS, &body, err);
}

static int by_key(const void *a, const void *b)
{
    const struct cv_xs_node *x = a, *y = b;
    size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
    int d = memcmp(x->key, y->key, n);
    return d != 0 ? d : x->key_len < y->key_len ? -1 : x->key_len > y->key_len;
}

/* One "text\0" of at most max bytes; NULL if there is none. */
static const char *take_text(struct cv_cursor *c, size_t max, uint16_t *len_out)
{
    const uint8_t *end = c->left ? memchr(c->p, 0, c->left) : NULL;
    const char *text = (const char *)c->p;

    if (end == NULL || (size_t)(end - c->p) > max)
        return NULL;
    *len_out = (uint16_t)(end - c->p);
    (void)cv_cur_bytes(c, *len_out + 1u);
    return text;
}

static int put_nodes(struct cv_writer *w, const struct cv_buf *b, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(b->data, b->len);
    struct cv_xs_node *nodes = calloc(NODES_MAX, sizeof *nodes);
    CV_AUTO_BUF body = { 0 };
    uint32_t n = 0;
    int rc = nodes != NULL ? 0 : cv_fail(err, CV_E_NOMEM, 0, "no memory for xenstore nodes");

    for (; rc == 0 && c.left > 0; n++) {
        if (n == NODES_MAX) {
            rc = cv_fail(err, CV_E_STREAM, 0, "more than %u nodes", NODES_MAX);
            break;
        }
        nodes[n] = (struct cv_xs_node){ .root = CV_XS_DEVICE_MODEL, .dmid = 0 };
        nodes[n].key = take_text(&c, 2048, &nodes[n].key_len);
        nodes[n].value = nodes[n].key != NULL ? take_text(&c, 4096, &nodes[n].value_len) : NULL;
        if (nodes[n].value == NULL)
            rc = cv_fail(err, CV_E_STREAM, 0, "node %u is not a pair of texts", n);
    }
    if (rc == 0) {
        qsort(nodes, n, sizeof *nodes, by_key);
        rc = blame_input(cv_rec_xenstore_encode(nodes, n, &body, err), err);
    }
    free(nodes);
    return rc < 0 ? cv_context(err, "EMULATOR_XENSTORE_DATA") : cv_head_put(w, CV_REC_XENSTORE, &body, err);
}

int cv_tail_write(struct cv_writer *w, const struct cv_tail *t, struct cv_error *err)
{
    if (put_tsc(w, t->tsc, err) < 0 || cv_head_put(w, CV_REC_HVM_CONTEXT, t->context, err) < 0 ||
        put_params(w, t->params, err) < 0 || (t->nodes != NULL && put_nodes(w, t->nodes, err) < 0) ||
        (t->xenstore != NULL && blame_input(cv_head_put(w, CV_REC_XENSTORE, t->xenstore, err), err) < 0))
        return -1;
    return t->state == NULL ? 0 : cv_writer_put_state(w, 0, t->state->data, t->state->len, err);
}
