/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What toolstacks have changed of the guest since the head was written (xl mem-set, vcpu-set): the XENSTORE record. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "save/write.h"
#include "stream-format/bodies.h"

#define CHANGES_MAX (CV_VCPU_WORDS * 64 + 3)

struct changes {
    struct cv_xs_node nodes[CHANGES_MAX];
    char key[CHANGES_MAX][32], value[CHANGES_MAX][24];
    uint32_t count;
};

static void add_change(struct changes *c, uint8_t root, const char *key, const char *value)
{
    uint32_t i = c->count++;

    snprintf(c->key[i], sizeof c->key[i], "%s", key);
    snprintf(c->value[i], sizeof c->value[i], "%s", value);
    c->nodes[i] = (struct cv_xs_node){ .root = root,
                                       .dmid = CV_XS_NO_DMID,
                                       .access = root == CV_XS_GUEST ? CV_XS_GUEST_READ : 0,
                                       .key = c->key[i],
                                       .key_len = (uint16_t)strlen(c->key[i]),
                                       .value = c->value[i],
                                       .value_len = (uint16_t)strlen(c->value[i]) };
}

static void add_number(struct changes *c, uint8_t root, const char *key, uint64_t before, uint64_t now)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, now);
    if (before != now)
        add_change(c, root, key, text);
}

static int by_place(const void *a, const void *b)
{
    const struct cv_xs_node *x = a, *y = b;

    return x->root != y->root ? (int)x->root - (int)y->root : strcmp(x->key, y->key);
}

static void collect(struct changes *c, const struct cv_domain_spec *head, const struct cv_domain_spec *now)
{
    for (uint32_t i = 0; i < now->vcpus && i < CV_VCPU_WORDS * 64; i++) {
        char key[32];
        snprintf(key, sizeof key, "cpu/%u/availability", i);
        if (cv_spec_vcpu_online(head, i) != cv_spec_vcpu_online(now, i))
            add_change(c, CV_XS_GUEST, key, cv_spec_vcpu_online(now, i) ? "online" : "offline");
    }
    add_number(c, CV_XS_GUEST, "memory/static-max", head->max_kib, now->max_kib);
    add_number(c, CV_XS_GUEST, "memory/target", head->target_kib - head->video_kib, now->target_kib - now->video_kib);
}

int cv_save_put_changes(struct cv_save *s, struct cv_error *err)
{
    struct cv_domain_spec head = s->g.spec;
    struct cv_domain_info d;
    CV_AUTO_BUF body = { 0 };

    if (cv_guest_look_store(&s->g, err) < 0 || s->g.host->ops->info(s->g.host, s->domid, &d, err) < 0)
        return -1;
    struct changes *c = calloc(1, sizeof *c);
    if (c == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the XENSTORE record");
    collect(c, &head, &s->g.spec);
    add_number(c, CV_XS_XEN, "max-pages", s->head_max_pages, d.max_pages);
    qsort(c->nodes, c->count, sizeof *c->nodes, by_place);
    uint32_t count = c->count;
    int rc = count > 0 ? cv_rec_xenstore_encode(c->nodes, count, &body, err) : 0;
    free(c);
    return rc < 0 ? -1 : count > 0 ? cv_save_put_body(s, CV_REC_XENSTORE, &body, err) : 0;
}
