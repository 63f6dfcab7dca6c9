/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON to layout.  The text comes from a stream or from xenstore and is not trusted: every member must be there, of its
 * type and within its bound, nothing else may be there, and the result must pass cv_layout_check. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/cmdline.h"
#include "layout/fields.h"

static int bad(struct cv_error *err, const char *name, const char *why)
{
    return cv_fail(err, CV_E_STREAM, 0, "layout: member '%.60s' %s", name, why);
}

static int decode_number(const struct cv_field *f, const json_t *v, void *p, struct cv_error *err)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) > f->max)
        return bad(err, f->name, "is not a number in range");
    uint64_t n = (uint64_t)json_integer_value(v);
    if (f->type == CV_F_U64)
        *(uint64_t *)p = n;
    else
        *(unsigned *)p = (unsigned)n;
    return 0;
}

static int decode_string(struct cv_pool *pool, const char *name, uint64_t max, const json_t *v, const char **out,
                         struct cv_error *err)
{
    if (!json_is_string(v) || json_string_length(v) > max || strlen(json_string_value(v)) != json_string_length(v))
        return bad(err, name, "is not a string within its bounds");
    *out = cv_pool_string(pool, json_string_value(v));
    return 0;
}

static int decode_strings(struct cv_pool *pool, const struct cv_field *f, const json_t *v, struct cv_strings *out,
                          struct cv_error *err)
{
    if (!json_is_array(v) || json_array_size(v) > f->max)
        return bad(err, f->name, "is not a list within its bounds");
    for (size_t i = 0; i < json_array_size(v); i++) {
        const char *text = "";
        if (decode_string(pool, f->name, 4096, json_array_get(v, i), &text, err) < 0)
            return -1;
        cv_strings_add(pool, out, text);
    }
    return 0;
}

static int decode_bdf(const struct cv_field *f, const json_t *v, uint16_t *out, struct cv_error *err)
{
    const char *text = json_string_value(v);
    unsigned bus, slot, function;
    char rest;

    if (text != NULL && strcmp(text, "-") == 0) {
        *out = CV_BDF_NONE;
        return 0;
    }
    if (text == NULL || sscanf(text, "%2x:%2x.%1x%c", &bus, &slot, &function, &rest) != 3 || slot > 31 || function > 7)
        return bad(err, f->name, "is not a PCI address");
    *out = (uint16_t)(bus << 8 | slot << 3 | function);
    return 0;
}

static int decode_mac(const struct cv_field *f, const json_t *v, uint8_t *mac, struct cv_error *err)
{
    const char *text = json_string_value(v);
    unsigned b[6];
    char rest;

    if (text == NULL || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &rest) != 6)
        return bad(err, f->name, "is not a MAC address");
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)b[i];
    return 0;
}

static int decode_field(struct cv_pool *pool, const struct cv_field *f, const json_t *v, void *base,
                        struct cv_error *err)
{
    void *p = (char *)base + f->offset;

    switch (f->type) {
    case CV_F_STRING:
    case CV_F_STRING_MAYBE: return decode_string(pool, f->name, f->max, v, p, err);
    case CV_F_UINT:
    case CV_F_ENUM:
    case CV_F_INT:
    case CV_F_U64: return decode_number(f, v, p, err);
    case CV_F_BDF: return decode_bdf(f, v, p, err);
    case CV_F_MAC: return decode_mac(f, v, p, err);
    case CV_F_STRINGS: return decode_strings(pool, f, v, p, err);
    case CV_F_BOOL:
        if (!json_is_boolean(v))
            return bad(err, f->name, "is neither true nor false");
        *(bool *)p = json_is_true(v);
        return 0;
    }
    return -1;
}

/* All fields, and nothing but them and the lists named in extra (NULL-terminated). */
static int decode_fields(struct cv_pool *pool, const struct cv_field *fields, const json_t *object, void *base,
                         const char *const *extra, struct cv_error *err)
{
    size_t count = 0, lists = 0;

    if (!json_is_object(object))
        return cv_fail(err, CV_E_STREAM, 0, "layout: an object is expected");
    for (const struct cv_field *f = fields; f->name != NULL; f++) {
        const json_t *v = json_object_get(object, f->name);
        if (v == NULL && f->type == CV_F_STRING_MAYBE) {
            *(const char **)((char *)base + f->offset) = "";
            continue;
        }
        if (v == NULL)
            return bad(err, f->name, "is missing");
        count++;
        if (decode_field(pool, f, v, base, err) < 0)
            return -1;
    }
    for (; extra[lists] != NULL; lists++)
        if (!json_is_array(json_object_get(object, extra[lists])))
            return bad(err, extra[lists], "is not a list");
    if (json_object_size(object) != count + lists)
        return cv_fail(err, CV_E_STREAM, 0, "layout: an object has unknown members");
    return 0;
}

static int decode_items(struct cv_pool *pool, const json_t *array, const struct cv_field *fields, void *items,
                        size_t size, size_t max, unsigned *count, struct cv_error *err)
{
    static const char *const none[] = { NULL };

    if (json_array_size(array) > max)
        return cv_fail(err, CV_E_STREAM, 0, "layout: a list has more than %zu entries", max);
    for (size_t i = 0; i < json_array_size(array); i++)
        if (decode_fields(pool, fields, json_array_get(array, i), (char *)items + i * size, none, err) < 0)
            return -1;
    *count = (unsigned)json_array_size(array);
    return 0;
}

static int decode_dm(struct cv_layout *l, const json_t *object, struct cv_layout_dm *dm, struct cv_error *err)
{
    static const char *const lists[] = { "devices", "regions", NULL };
    struct cv_pool *pool = &l->pool;

    if (decode_fields(pool, cv_dm_fields, object, dm, lists, err) < 0)
        return -1;
    if (decode_items(pool, json_object_get(object, "devices"), cv_device_fields, dm->devices, sizeof *dm->devices,
                     CV_LAYOUT_DEVICES_MAX, &dm->device_count, err) < 0)
        return -1;
    return decode_items(pool, json_object_get(object, "regions"), cv_region_fields, dm->regions, sizeof *dm->regions,
                        CV_LAYOUT_REGIONS_MAX, &dm->region_count, err);
}

static int decode_root(const json_t *root, struct cv_layout *out, struct cv_error *err)
{
    static const char *const lists[] = { "emulators", NULL };
    const json_t *schema = json_object_get(root, "schema");

    /* Before anything else is looked at: another schema may have other members. */
    if (json_is_integer(schema) && json_integer_value(schema) != CV_LAYOUT_SCHEMA)
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "layout: schema %lld, this version reads %d",
                       (long long)json_integer_value(schema), CV_LAYOUT_SCHEMA);
    if (decode_fields(&out->pool, cv_layout_fields, root, out, lists, err) < 0)
        return -1;
    const json_t *dms = json_object_get(root, "emulators");
    if (json_array_size(dms) > CV_DM_MAX)
        return cv_fail(err, CV_E_STREAM, 0, "layout: %zu emulators, must be 0 to %d", json_array_size(dms), CV_DM_MAX);
    out->count = (unsigned)json_array_size(dms);
    for (unsigned i = 0; i < out->count; i++)
        if (decode_dm(out, json_array_get(dms, i), &out->dms[i], err) < 0)
            return cv_context(err, "emulator %u", i);
    return cv_pool_check(&out->pool, err);
}

int cv_layout_decode(const char *json, size_t len, struct cv_layout *out, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;
    json_error_t at;

    memset(out, 0, sizeof *out);
    if (len > CV_LAYOUT_JSON_MAX)
        return cv_fail(err, CV_E_STREAM, 0, "layout: %zu bytes, at most %d are accepted", len, CV_LAYOUT_JSON_MAX);
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &at);
    if (root == NULL)
        return cv_fail(err, CV_E_STREAM, 0, "layout: no JSON: %.100s at byte %d", at.text, at.position);
    int rc = decode_root(root, out, err);
    json_decref(root);
    if (rc == 0 && (cv_layout_check(out, &why) < 0 || cv_cmdline_check(out, &why) < 0))
        rc = cv_fail(err, CV_E_STREAM, why.sys, "%s", why.text);
    if (rc < 0)
        cv_layout_dispose(out);
    return rc;
}
