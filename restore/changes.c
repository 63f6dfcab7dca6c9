/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XENSTORE: what toolstacks had changed of the guest while it was saved is changed here too, when its memory is in
 * place.  Nothing that a stream names is written for being named: the keys are the few of docs/stream-format.md. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "restore/internal.h"
#include "stream-format/bodies.h"

#define NUMBER_MAX (UINT64_C(1) << 40)

static int node_number(const struct cv_xs_node *n, uint64_t *out, struct cv_error *err)
{
    uint64_t v = 0;

    for (uint16_t i = 0; i < n->value_len && v <= NUMBER_MAX; i++)
        v = n->value[i] >= '0' && n->value[i] <= '9' ? v * 10 + (uint64_t)(n->value[i] - '0') : NUMBER_MAX + 1;
    if (n->value_len == 0 || v == 0 || v > NUMBER_MAX)
        return cv_fail(err, CV_E_STREAM, 0, "node %.*s: no number that makes sense", (int)n->key_len, n->key);
    *out = v;
    return 0;
}

static bool is(const struct cv_xs_node *n, const char *key)
{
    return n->key_len == strlen(key) && memcmp(n->key, key, n->key_len) == 0;
}

static int take_availability(struct cv_restore *r, const struct cv_xs_node *n, struct cv_error *err)
{
    struct cv_domain_spec *spec = &r->g.spec;
    char key[40], again[40];
    unsigned cpu;

    snprintf(key, sizeof key, "%.*s", (int)n->key_len, n->key);
    if (n->key_len >= sizeof key || sscanf(key, "cpu/%u", &cpu) != 1)
        return 0;
    snprintf(again, sizeof again, "cpu/%u/availability", cpu);
    if (strcmp(key, again) != 0)
        return 0;
    bool online = n->value_len == 6 && memcmp(n->value, "online", 6) == 0;
    if (cpu >= spec->vcpus || cpu >= CV_VCPU_WORDS * 64 ||
        (!online && (n->value_len != 7 || memcmp(n->value, "offline", 7) != 0)))
        return cv_fail(err, CV_E_STREAM, 0, "node %s: no such vCPU, or neither online nor offline", key);
    spec->online_map[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
    spec->online_map[cpu / 64] |= (uint64_t)online << (cpu % 64);
    r->changed_vcpus = true;
    return 0;
}

static int take_node(struct cv_restore *r, const struct cv_xs_node *n, struct cv_error *err)
{
    if (n->root == CV_XS_XEN && is(n, "max-pages"))
        return node_number(n, &r->max_pages, err);
    if (n->root != CV_XS_GUEST)
        return 0;
    if (is(n, "memory/target"))
        return node_number(n, &r->changed_target_kib, err);
    if (is(n, "memory/static-max"))
        return node_number(n, &r->changed_max_kib, err);
    return take_availability(r, n, err);
}

int cv_restore_take_changes(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_xenstore x;
    struct cv_xs_node n;

    if (cv_rec_xenstore_decode(&x, rec->body.data, rec->body.len, err) < 0)
        return -1;
    while (cv_xs_next(&x, &n))
        if (take_node(r, &n, err) < 0)
            return -1;
    return 0;
}

static int write_node(struct cv_restore *r, const char *key, const char *value, struct cv_error *err)
{
    char path[96];

    snprintf(path, sizeof path, "/local/domain/%u/%s", r->g.domid, key);
    return r->g.host->ops->xs_write(r->g.host, path, value, err);
}

static int put_kib(struct cv_restore *r, const char *key, uint64_t kib, struct cv_error *err)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, kib);
    return kib != 0 ? write_node(r, key, text, err) : 0;
}

int cv_restore_put_changes(struct cv_restore *r, struct cv_error *err)
{
    struct cv_host *h = r->g.host;

    if (put_kib(r, "memory/static-max", r->changed_max_kib, err) < 0 ||
        put_kib(r, "memory/target", r->changed_target_kib, err) < 0)
        return -1;
    for (uint32_t i = 0; r->changed_vcpus && i < r->g.spec.vcpus && i < CV_VCPU_WORDS * 64; i++) {
        char key[40];
        snprintf(key, sizeof key, "cpu/%u/availability", i);
        if (write_node(r, key, cv_spec_vcpu_online(&r->g.spec, i) ? "online" : "offline", err) < 0)
            return -1;
    }
    return r->max_pages != 0 ? h->ops->set_max_pages(h, r->g.domid, r->max_pages, err) : 0;
}
