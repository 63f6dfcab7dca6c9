/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm/spec.h"

#include <stdio.h>
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

/* One list for both directions: member, kind (n number, b boolean, s string). */
/* clang-format off */
#define SPEC_NUMBERS(F)                                                                                   \
    F(ram_kb) F(ram_target_kb) F(target_kb) F(max_kb) F(video_kb) F(extra_pages) F(max_pages)             \
    F(vcpus) F(vcpus_online) F(tsc_mode) F(viridian) F(timer_mode)                                        \
    F(max_evtchn_port) F(max_grant_frames) F(max_maptrack_frames) F(emulation_flags)                      \
    F(mmio_hole_kb) F(paging_pool_kb) F(rtc_offset_s)
/* clang-format on */
#define SPEC_BOOLS(F) F(hap) F(acpi) F(apic) F(nested_hvm) F(pae) F(hpet)
/* Came later: false, 0 and "" where an image does not have them. */
#define SPEC_LATER_BOOLS(F) F(pvh) F(pirq) F(nomigrate) F(no_acpi_s3) F(no_acpi_s4) F(no_vpt_align)
#define SPEC_STRINGS(F) F(name) F(firmware) F(loader) F(acpi_table)
#define SPEC_LATER_STRINGS(F) F(cpus) F(cpus_soft) F(cpupool)
#define SPEC_LATER_NUMBERS(F) F(cpu_weight) F(cpu_cap)

int cv_spec_encode(const struct cv_domain_spec *s, char **json_out, struct cv_error *err)
{
    json_t *o = json_object();
    char uuid[37];
    int bad = 0;

    uuid_unparse_lower(s->uuid, uuid);
    bad |= json_object_set_new(o, "schema", json_integer(1));
    bad |= json_object_set_new(o, "uuid", json_string(uuid));
#define PUT(m) bad |= json_object_set_new(o, #m, json_integer((json_int_t)s->m));
    SPEC_NUMBERS(PUT)
    SPEC_LATER_NUMBERS(PUT)
#undef PUT
#define PUT(m) bad |= json_object_set_new(o, #m, json_boolean(s->m));
    SPEC_BOOLS(PUT)
    SPEC_LATER_BOOLS(PUT)
#undef PUT
#define PUT(m) bad |= json_object_set_new(o, #m, json_string(s->m));
    SPEC_STRINGS(PUT)
    SPEC_LATER_STRINGS(PUT)
#undef PUT
    char *text = bad ? NULL : json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(o);
    if (text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "cannot write the domain's facts as JSON (is its name UTF-8?)");
    *json_out = text;
    return 0;
}

static int take_string(json_t *o, const char *member, char *out, size_t size, struct cv_error *err)
{
    const char *text = json_string_value(json_object_get(o, member));

    if (text == NULL || strlen(text) >= size)
        return cv_fail(err, CV_E_STREAM, 0, "guest: '%s' is missing or no string of less than %zu bytes", member, size);
    memcpy(out, text, strlen(text) + 1);
    json_object_del(o, member);
    return 0;
}

static int take_number(json_t *o, const char *member, int64_t *out, struct cv_error *err)
{
    json_t *v = json_object_get(o, member);

    if (!json_is_integer(v))
        return cv_fail(err, CV_E_STREAM, 0, "guest: '%s' is missing or no number", member);
    *out = json_integer_value(v);
    json_object_del(o, member);
    return 0;
}

static int take_bool(json_t *o, const char *member, bool *out, struct cv_error *err)
{
    json_t *v = json_object_get(o, member);

    if (!json_is_boolean(v))
        return cv_fail(err, CV_E_STREAM, 0, "guest: '%s' is missing or neither true nor false", member);
    *out = json_is_true(v);
    json_object_del(o, member);
    return 0;
}

static int decode_object(json_t *o, struct cv_domain_spec *s, struct cv_error *err)
{
    int64_t n;
    char uuid[40];

    if (take_number(o, "schema", &n, err) < 0)
        return -1;
    if (n != 1)
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "guest: schema %lld is unknown here", (long long)n);
    if (take_string(o, "uuid", uuid, sizeof uuid, err) < 0)
        return -1;
    if (uuid_parse(uuid, s->uuid) != 0)
        return cv_fail(err, CV_E_STREAM, 0, "guest: '%s' is not a UUID", uuid);
#define GET(m)                           \
    if (take_number(o, #m, &n, err) < 0) \
        return -1;                       \
    s->m = (__typeof__(s->m))n;
    SPEC_NUMBERS(GET)
#undef GET
#define GET(m)                               \
    if (json_object_get(o, #m) != NULL) {    \
        if (take_number(o, #m, &n, err) < 0) \
            return -1;                       \
        s->m = (__typeof__(s->m))n;          \
    }
    SPEC_LATER_NUMBERS(GET)
#undef GET
#define GET(m)                            \
    if (take_bool(o, #m, &s->m, err) < 0) \
        return -1;
    SPEC_BOOLS(GET)
#undef GET
#define GET(m)                                                              \
    if (json_object_get(o, #m) != NULL && take_bool(o, #m, &s->m, err) < 0) \
        return -1;
    SPEC_LATER_BOOLS(GET)
#undef GET
#define GET(m)                                          \
    if (take_string(o, #m, s->m, sizeof s->m, err) < 0) \
        return -1;
    SPEC_STRINGS(GET)
#undef GET
#define GET(m)                                                                            \
    if (json_object_get(o, #m) != NULL && take_string(o, #m, s->m, sizeof s->m, err) < 0) \
        return -1;
    SPEC_LATER_STRINGS(GET)
#undef GET
    if (json_object_size(o) != 0)
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "guest: '%s' is unknown here",
                       json_object_iter_key(json_object_iter(o)));
    if (s->name[0] == '\0' || s->vcpus == 0 || s->vcpus_online > s->vcpus || s->ram_kb > UINT64_C(1) << 34)
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
