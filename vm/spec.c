/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm/spec.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uuid/uuid.h>

bool cv_spec_vcpu_online(const struct cv_domain_spec *spec, uint32_t i)
{
    uint64_t any = 0;

    for (unsigned w = 0; w < CV_VCPU_WORDS; w++)
        any |= spec->online_map[w];
    if (any == 0)
        return i < spec->vcpus_online;
    return i < CV_VCPU_WORDS * 64 && (spec->online_map[i / 64] >> (i % 64) & 1);
}

/* ---- members: one table for both directions ---------------------------------------------------------------------- */

enum kind { U32, U64, S64, BOOL, TEXT };

struct member {
    const char *key;
    size_t offset, size;
    enum kind kind;
    bool later; /* came later: 0, false or "" where an image does not have it */
};

#define AT(kind, key, member, later)                                                                               \
    {                                                                                                              \
        key, offsetof(struct cv_domain_spec, member), sizeof(((struct cv_domain_spec *)NULL)->member), kind, later \
    }
#define FIRST(kind, member) AT(kind, #member, member, false)
#define LATER(kind, member) AT(kind, #member, member, true)
/* The keys are older than the names. */
#define KIB(name) AT(U64, #name "_kb", name##_kib, false)

static const struct member members[] = {
    KIB(ram),
    KIB(ram_target),
    KIB(target),
    KIB(max),
    KIB(video),
    KIB(mmio_hole),
    KIB(paging_pool),
    FIRST(U64, extra_pages),
    FIRST(U64, max_pages),
    FIRST(U32, vcpus),
    FIRST(U32, vcpus_online),
    FIRST(U32, tsc_mode),
    FIRST(U32, viridian),
    FIRST(U32, timer_mode),
    FIRST(U32, max_evtchn_port),
    FIRST(U32, max_grant_frames),
    FIRST(U32, max_maptrack_frames),
    FIRST(U32, emulation_flags),
    FIRST(S64, rtc_offset_s),
    LATER(U32, cpu_weight),
    LATER(U32, cpu_cap),
    FIRST(BOOL, hap),
    FIRST(BOOL, acpi),
    FIRST(BOOL, apic),
    FIRST(BOOL, nested_hvm),
    FIRST(BOOL, pae),
    FIRST(BOOL, hpet),
    LATER(BOOL, pvh),
    LATER(BOOL, pirq),
    LATER(BOOL, nomigrate),
    LATER(BOOL, acpi_laptop_slate),
    LATER(BOOL, no_acpi_s3),
    LATER(BOOL, no_acpi_s4),
    LATER(BOOL, no_vpt_align),
    FIRST(TEXT, name),
    FIRST(TEXT, firmware),
    FIRST(TEXT, loader),
    FIRST(TEXT, acpi_table),
    LATER(TEXT, genid),
    LATER(TEXT, smbios),
    LATER(TEXT, cpuid),
    LATER(TEXT, cpus),
    LATER(TEXT, cpus_soft),
    LATER(TEXT, cpupool),
};

#define MEMBERS (sizeof members / sizeof members[0])

static json_t *value_of(const struct member *m, const struct cv_domain_spec *s)
{
    const void *at = (const uint8_t *)s + m->offset;

    switch (m->kind) {
    case U32: return json_integer(*(const uint32_t *)at);
    case U64: return json_integer((json_int_t) * (const uint64_t *)at);
    case S64: return json_integer(*(const int64_t *)at);
    case BOOL: return json_boolean(*(const bool *)at);
    case TEXT: return json_string(at);
    }
    return NULL;
}

int cv_spec_encode(const struct cv_domain_spec *s, char **json_out, struct cv_error *err)
{
    json_t *o = json_object();
    char uuid[37];
    int bad = 0;

    uuid_unparse_lower(s->uuid, uuid);
    bad |= json_object_set_new(o, "schema", json_integer(1));
    bad |= json_object_set_new(o, "uuid", json_string(uuid));
    for (size_t i = 0; i < MEMBERS; i++)
        bad |= json_object_set_new(o, members[i].key, value_of(&members[i], s));
    char *text = bad ? NULL : json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(o);
    if (text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "cannot write the domain's facts as JSON (is its name UTF-8?)");
    *json_out = text;
    return 0;
}

static int take_text(json_t *v, const char *key, char *out, size_t size, struct cv_error *err)
{
    const char *text = json_string_value(v);

    if (text == NULL || strlen(text) >= size)
        return cv_fail(err, CV_E_STREAM, 0, "guest: '%s' is missing or no string of less than %zu bytes", key, size);
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

static int take_number(json_t *v, const char *key, int64_t min, int64_t max, int64_t *out, struct cv_error *err)
{
    if (!json_is_integer(v))
        return cv_fail(err, CV_E_STREAM, 0, "guest: '%s' is missing or no number", key);
    *out = json_integer_value(v);
    if (*out < min || *out > max)
        return cv_fail(err, CV_E_STREAM, 0, "guest: '%s' cannot be %lld", key, (long long)*out);
    return 0;
}

static int take_bool(json_t *v, const char *key, bool *out, struct cv_error *err)
{
    if (!json_is_boolean(v))
        return cv_fail(err, CV_E_STREAM, 0, "guest: '%s' is missing or neither true nor false", key);
    *out = json_is_true(v);
    return 0;
}

static int take_value(const struct member *m, json_t *v, struct cv_domain_spec *s, struct cv_error *err)
{
    void *at = (uint8_t *)s + m->offset;
    int64_t n;

    switch (m->kind) {
    case TEXT: return take_text(v, m->key, at, m->size, err);
    case BOOL: return take_bool(v, m->key, at, err);
    case S64: return take_number(v, m->key, INT64_MIN, INT64_MAX, at, err);
    case U64: return take_number(v, m->key, 0, INT64_MAX, at, err);
    case U32:
        if (take_number(v, m->key, 0, UINT32_MAX, &n, err) < 0)
            return -1;
        *(uint32_t *)at = (uint32_t)n;
        return 0;
    }
    return cv_fail(err, CV_E_INTERNAL, 0, "guest: '%s' is of no kind", m->key);
}

static int decode_object(json_t *o, struct cv_domain_spec *s, struct cv_error *err)
{
    int64_t schema;
    char uuid[40];

    if (take_number(json_object_get(o, "schema"), "schema", INT64_MIN, INT64_MAX, &schema, err) < 0)
        return -1;
    if (schema != 1)
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "guest: schema %lld is unknown here", (long long)schema);
    if (take_text(json_object_get(o, "uuid"), "uuid", uuid, sizeof uuid, err) < 0)
        return -1;
    if (uuid_parse(uuid, s->uuid) != 0)
        return cv_fail(err, CV_E_STREAM, 0, "guest: '%s' is not a UUID", uuid);
    json_object_del(o, "schema");
    json_object_del(o, "uuid");
    for (size_t i = 0; i < MEMBERS; i++) {
        json_t *v = json_object_get(o, members[i].key);
        if ((v != NULL || !members[i].later) && take_value(&members[i], v, s, err) < 0)
            return -1;
        json_object_del(o, members[i].key);
    }
    if (json_object_size(o) != 0)
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "guest: '%s' is unknown here",
                       json_object_iter_key(json_object_iter(o)));
    if (s->name[0] == '\0' || s->vcpus == 0 || s->vcpus_online > s->vcpus || s->ram_kib > UINT64_C(1) << 34)
        return cv_fail(err, CV_E_STREAM, 0, "guest: name, vcpus or memory make no sense");
    return 0;
}

int cv_spec_decode(const char *json, size_t len, struct cv_domain_spec *s, struct cv_error *err)
{
    json_error_t e;
    json_t *o = json_loadb(json, len, JSON_REJECT_DUPLICATES, &e);

    if (!json_is_object(o)) {
        json_decref(o);
        return cv_fail(err, CV_E_STREAM, 0, "guest: not a JSON object (%s at byte %d)", e.text, e.position);
    }
    *s = (struct cv_domain_spec){ 0 };
    int rc = decode_object(o, s, err);
    json_decref(o);
    return rc;
}
