/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XENSTORE: the nodes that have to be put back. */
#include "stream-format/bodies.h"
#include "stream-format/body_util.h"

#define KEY_MAX 2048u
#define VALUE_MAX 4096u
#define ACCESS_BITS (CV_XS_GUEST_READ | CV_XS_GUEST_WRITE | CV_XS_GUEST_OWNS)

int cv_rec_xenstore_encode(const struct cv_xs_node *nodes, uint32_t count, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_xenstore again;

    cv_put_u32(&p, count);
    cv_put_u32(&p, 0);
    for (uint32_t i = 0; i < count; i++) {
        cv_put_u8(&p, nodes[i].root);
        cv_put_u8(&p, nodes[i].dmid);
        cv_put_u8(&p, nodes[i].access);
        cv_put_u8(&p, 0);
        cv_put_u16(&p, nodes[i].key_len);
        cv_put_u16(&p, nodes[i].value_len);
        cv_put_bytes(&p, nodes[i].key, nodes[i].key_len);
        cv_put_bytes(&p, nodes[i].value, nodes[i].value_len);
    }
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_xenstore_decode(&again, out->data + start, out->len - start, err), err);
}

static bool key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-_@:.+", c) != NULL);
}

/* A relative path without empty components: it can never name anything outside its root. */
static bool key_good(const char *key, size_t len)
{
    bool slash = true; /* a slash may not come first, last or twice */

    if (len == 0 || len > KEY_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (key[i] != '/' ? !key_char(key[i]) : slash)
            return false;
        slash = key[i] == '/';
    }
    return !slash;
}

/* Order of nodes: root, dmid, then the key's bytes. */
static int node_compare(const struct cv_xs_node *a, const struct cv_xs_node *b)
{
    if (a->root != b->root)
        return a->root < b->root ? -1 : 1;
    if (a->dmid != b->dmid)
        return a->dmid < b->dmid ? -1 : 1;
    size_t common = a->key_len < b->key_len ? a->key_len : b->key_len;
    int c = memcmp(a->key, b->key, common);
    return c != 0 ? c : (int)a->key_len - (int)b->key_len;
}

static bool node_read(struct cv_cursor *c, struct cv_xs_node *n, uint8_t *reserved)
{
    n->root = cv_cur_u8(c);
    n->dmid = cv_cur_u8(c);
    n->access = cv_cur_u8(c);
    *reserved = cv_cur_u8(c);
    n->key_len = cv_cur_u16(c);
    n->value_len = cv_cur_u16(c);
    n->key = (const char *)cv_cur_bytes(c, n->key_len);
    n->value = (const char *)cv_cur_bytes(c, n->value_len);
    return cv_cur_ok(c);
}

bool cv_xs_next(struct cv_rec_xenstore *v, struct cv_xs_node *node)
{
    uint8_t reserved;

    return v->rest.left != 0 && node_read(&v->rest, node, &reserved);
}

int cv_rec_xenstore_decode(struct cv_rec_xenstore *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);
    struct cv_xs_node node = { 0 }, before = { 0 };

    v->count = cv_cur_u32(&c);
    uint32_t reserved_head = cv_cur_u32(&c);
    v->rest = c;
    if (v->count > CV_XS_NODES_MAX || reserved_head != 0)
        return cv_body_fail(err, "%u nodes, reserved field %u", v->count, reserved_head);
    for (uint32_t i = 0; i < v->count; i++) {
        uint8_t reserved;
        if (!node_read(&c, &node, &reserved))
            return cv_body_fail(err, "shorter than its fields");
        if (node.root > CV_XS_ROOT_MAX || reserved != 0 || (node.access & ~ACCESS_BITS) != 0 ||
            (node.dmid >= CV_EMULATORS_MAX && node.dmid != CV_XS_NO_DMID))
            return cv_body_fail(err, "node %u: root %u, dmid %u, access %u", i, node.root, node.dmid, node.access);
        if (!key_good(node.key, node.key_len) || node.value_len > VALUE_MAX)
            return cv_body_fail(err, "node %u: path or length of the value", i);
        if (i != 0 && node_compare(&before, &node) >= 0)
            return cv_body_fail(err, "node %u is out of order", i);
        before = node;
    }
    return cv_body_finish(&c, err);
}
