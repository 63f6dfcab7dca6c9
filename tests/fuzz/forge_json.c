/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/forge.h"

#define DEEP 3000u
#define REPEATS 300u

static bool one_in(struct rng *r, unsigned n) { return rng_below(r, n) == 0; }

static void put(struct cv_buf *out, const void *data, size_t len)
{
    if (cv_buf_append(out, data, len, NULL) < 0)
        abort();
}

static json_t *odd_integer(struct rng *r)
{
    static const json_int_t at_limits[] = { 0, -1, INT64_MAX, INT64_MIN, 4294967295, 4294967296, 65535, 65536 };

    if (one_in(r, 2))
        return json_integer(at_limits[rng_below(r, sizeof at_limits / sizeof at_limits[0])]);
    return json_integer((json_int_t)1 << rng_below(r, 63));
}

static json_t *odd_string(struct rng *r)
{
    static const char *const texts[] = {
        "", "../../../../tmp/x", "@{domid}@{nosuch}@{", "\x1b[2J%s%n\n\r", "00:1f.7", "default", "/dev/null,format=raw",
    };
    char big[REPEATS];

    memset(big, 'A', sizeof big);
    if (one_in(r, 8))
        return json_stringn(big, sizeof big);
    if (one_in(r, 8))
        return json_stringn("a\0b", 3);
    return json_string(texts[rng_below(r, sizeof texts / sizeof texts[0])]);
}

static json_t *odd_value(struct rng *r)
{
    switch (rng_below(r, 10)) {
    case 0: return json_null();
    case 1: return json_boolean(one_in(r, 2));
    case 2: return json_real(1e308);
    case 3: return json_array();
    case 4: return json_object();
    case 5:
    case 6: return odd_string(r);
    default: return odd_integer(r);
    }
}

static void change(json_t *v, struct rng *r);

/* Mostly what lies deeper is changed: the outermost members are few. */
static bool deeper(json_t *child, struct rng *r)
{
    if ((!json_is_object(child) && !json_is_array(child)) || one_in(r, 5))
        return false;
    change(child, r);
    return true;
}

static void change_object(json_t *v, struct rng *r)
{
    size_t at = (size_t)rng_below(r, json_object_size(v) + 1);
    void *member = json_object_iter(v);

    while (member != NULL && at-- > 0)
        member = json_object_iter_next(v, member);
    if (member == NULL) {
        json_object_set_new(v, "surplus", odd_value(r));
        return;
    }
    const char *key = json_object_iter_key(member);
    json_t *old = json_object_iter_value(member);
    if (deeper(old, r))
        return;
    if (json_is_integer(old) && one_in(r, 2)) { /* right in itself, and wrong beside the others */
        json_object_set_new(v, key,
                            json_integer((json_int_t)((uint64_t)json_integer_value(old) + rng_below(r, 4097) - 2048)));
        return;
    }
    if (one_in(r, 5))
        json_object_del(v, key);
    else
        json_object_set_new(v, key, odd_value(r));
}

/* Two that may not have the same: one gets a member of the other's. */
static bool as_its_neighbour(json_t *v, struct rng *r)
{
    json_t *from = json_array_get(v, (size_t)rng_below(r, json_array_size(v)));
    json_t *to = json_array_get(v, (size_t)rng_below(r, json_array_size(v)));
    void *member = json_object_iter(from);

    for (size_t at = (size_t)rng_below(r, json_object_size(from) + 1); member != NULL && at > 0; at--)
        member = json_object_iter_next(from, member);
    if (member == NULL || !json_is_object(to) || from == to)
        return false;
    json_object_set(to, json_object_iter_key(member), json_object_iter_value(member));
    return true;
}

static void change_array(json_t *v, struct rng *r)
{
    size_t n = json_array_size(v);

    if (n > 1 && one_in(r, 4) && as_its_neighbour(v, r))
        return;

    if (n == 0) {
        json_array_append_new(v, odd_value(r));
        return;
    }
    size_t at = (size_t)rng_below(r, n);
    json_t *child = json_array_get(v, at);
    if (deeper(child, r))
        return;
    switch (rng_below(r, 4)) {
    case 0: json_array_remove(v, at); break;
    case 1: json_array_append(v, child); break;
    case 2:
        for (unsigned i = 0; i < REPEATS; i++)
            json_array_append(v, child);
        break;
    default: json_array_set_new(v, at, odd_value(r)); break;
    }
}

static void change(json_t *v, struct rng *r)
{
    if (json_is_object(v))
        change_object(v, r);
    else if (json_is_array(v))
        change_array(v, r);
}

/* What a JSON library cannot write, or should not read. */
static void put_odd_text(struct cv_buf *out, struct rng *r)
{
    static const char *const texts[] = {
        "{\"a\":1,\"a\":2}",
        "{\"schema\":1e400}",
        "{\"a\":\"\\u0000\"}",
        "{\"schema\":99999999999999999999999}",
        "{}",
        "{\"\":{}}",
        "",
        "[",
    };

    if (!one_in(r, 3)) {
        const char *text = texts[rng_below(r, sizeof texts / sizeof texts[0])];
        put(out, text, strlen(text));
        return;
    }
    size_t depth = 1 + (size_t)rng_below(r, DEEP);
    for (size_t i = 0; i < depth; i++)
        put(out, "{\"a\":", 5);
    put(out, "1", 1);
    for (size_t i = 0; i < depth; i++)
        put(out, "}", 1);
}

void forge_json(const char *text, size_t len, struct cv_buf *out, struct rng *r)
{
    json_t *v = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
    char *changed = NULL;

    if (v != NULL && !one_in(r, 8)) {
        for (unsigned n = 1 + (unsigned)rng_below(r, 3); n > 0; n--)
            change(v, r);
        changed = json_dumps(v, JSON_COMPACT);
    }
    if (changed != NULL)
        put(out, changed, strlen(changed));
    else
        put_odd_text(out, r);
    free(changed);
    json_decref(v);
}
