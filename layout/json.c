/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layout to JSON: one object with the scalar members and "emulators", each with its scalars, "devices" and "regions".
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/fields.h"

#define END                     \
    {                           \
        NULL, CV_F_STRING, 0, 0 \
    }
#define PATH_BYTES 4096

#define F(name, type, max)                                 \
    {                                                      \
#name, type, offsetof(struct cv_layout, name), max \
    }
const struct cv_field cv_layout_fields[] = {
    F(schema, CV_F_UINT, 1000000),       F(ram_kib, CV_F_U64, 1ULL << 34),     F(max_kib, CV_F_U64, 1ULL << 34),
    F(mmio_start, CV_F_U64, 1ULL << 32), F(extra_pages, CV_F_U64, 1ULL << 24), F(vcpus, CV_F_UINT, 512),
    F(maxvcpus, CV_F_UINT, 512),         F(vncpasswd, CV_F_STRING, 64),        END,
};
#undef F
#define F(name, type, max)                                    \
    {                                                         \
#name, type, offsetof(struct cv_layout_dm, name), max \
    }
/* clang-format off */
const struct cv_field cv_dm_fields[] = {
    F(dmid, CV_F_UINT, CV_DM_MAX - 1), F(name, CV_F_STRING, CV_DM_NAME_MAX), F(role, CV_F_ENUM, CV_DM_ATTACHED),
    F(rank, CV_F_UINT, CV_DM_MAX - 1), F(model, CV_F_STRING, PATH_BYTES), F(version, CV_F_STRING, 64),
    F(wanted_version, CV_F_STRING, 64), F(machine, CV_F_STRING, 512), F(m_kib, CV_F_U64, 1ULL << 35),
    F(window_gfn, CV_F_U64, 1ULL << 40), F(window_pages, CV_F_U64, 1ULL << 20), F(caps, CV_F_UINT, CV_CAP_ALL),
    F(argv, CV_F_STRINGS, CV_LAYOUT_ARGS_MAX), F(qmp, CV_F_STRING, 107), F(pid, CV_F_INT, 0x7fffffff), END,
};
/* clang-format on */
#undef F
#define F(name, type, max)                                        \
    {                                                             \
#name, type, offsetof(struct cv_layout_device, name), max \
    }
const struct cv_field cv_device_fields[] = {
    F(kind, CV_F_ENUM, CV_DEV_FOREIGN),
    F(id, CV_F_STRING, 64),
    F(driver, CV_F_STRING, 64),
    F(arg, CV_F_STRING, PATH_BYTES),
    F(bdf, CV_F_BDF, 0),
    F(vdev, CV_F_STRING, 16),
    F(path, CV_F_STRING, PATH_BYTES),
    F(format, CV_F_STRING, 16),
    F(readonly, CV_F_BOOL, 0),
    F(cdrom, CV_F_BOOL, 0),
    F(discard, CV_F_BOOL, 0),
    F(mac, CV_F_MAC, 0),
    F(bridge, CV_F_STRING, 15),
    F(ifname, CV_F_STRING, 32),
    F(vif_index, CV_F_UINT, CV_CONFIG_VIFS_MAX - 1),
    END,
};
#undef F
#define F(name, type, max)                                        \
    {                                                             \
#name, type, offsetof(struct cv_layout_region, name), max \
    }
/* clang-format off */
const struct cv_field cv_region_fields[] = {
    F(what, CV_F_STRING, 256), F(gfn, CV_F_U64, 1ULL << 40), F(pages, CV_F_U64, 1ULL << 20),
    F(digest, CV_F_STRING_MAYBE, 32), END,
};
/* clang-format on */
#undef F

static json_t *strings_value(const struct cv_strings *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

static json_t *field_value(const struct cv_field *f, const void *base)
{
    const void *p = (const char *)base + f->offset;
    const uint8_t *mac = p;
    char text[24];

    switch (f->type) {
    case CV_F_STRING:
    case CV_F_STRING_MAYBE: return json_string(*(const char *const *)p);
    case CV_F_UINT:
    case CV_F_ENUM: return json_integer(*(const unsigned *)p);
    case CV_F_INT: return json_integer(*(const int *)p);
    case CV_F_U64: return json_integer((json_int_t) * (const uint64_t *)p);
    case CV_F_BOOL: return json_boolean(*(const bool *)p);
    case CV_F_BDF: return json_string(cv_bdf_string(*(const uint16_t *)p, text, sizeof text));
    case CV_F_MAC:
        snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
        return json_string(text);
    case CV_F_STRINGS: return strings_value(p);
    }
    return NULL;
}

/* An object with all fields.  NULL when out of memory or when a string is not UTF-8. */
static json_t *encode_fields(const struct cv_field *f, const void *base)
{
    json_t *object = json_object();

    for (; f->name != NULL; f++)
        if (json_object_set_new(object, f->name, field_value(f, base)) < 0) {
            json_decref(object);
            return NULL;
        }
    return object;
}

static int add_items(json_t *owner, const char *name, const struct cv_field *fields, const void *items, size_t size,
                     size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, encode_fields(fields, (const char *)items + i * size)) < 0) {
            json_decref(array);
            return -1;
        }
    return json_object_set_new(owner, name, array);
}

static json_t *encode_dm(const struct cv_layout_dm *dm)
{
    json_t *object = encode_fields(cv_dm_fields, dm);

    if (object == NULL ||
        add_items(object, "devices", cv_device_fields, dm->devices, sizeof *dm->devices, dm->device_count) < 0 ||
        add_items(object, "regions", cv_region_fields, dm->regions, sizeof *dm->regions, dm->region_count) < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int cv_layout_encode(const struct cv_layout *l, char **json_out, struct cv_error *err)
{
    json_t *object = encode_fields(cv_layout_fields, l), *array = json_array();
    int rc = object == NULL || array == NULL ? -1 : 0;

    for (unsigned i = 0; i < l->count && rc == 0; i++)
        rc = json_array_append_new(array, encode_dm(&l->dms[i]));
    if (rc == 0)
        rc = json_object_set(object, "emulators", array);
    char *text = rc == 0 ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(array);
    json_decref(object);
    if (text == NULL)
        return cv_fail(err, CV_E_INVALID, 0,
                       "layout: cannot be written as JSON (no memory, or a text that is not UTF-8)");
    if (strlen(text) > CV_LAYOUT_JSON_MAX) {
        free(text);
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "layout: more than %d bytes", CV_LAYOUT_JSON_MAX);
    }
    *json_out = text;
    return 0;
}
