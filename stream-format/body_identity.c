/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HOST, GUEST, LAYOUT, DEVICES: who wrote the stream, which guest it is, which emulators and PV devices it has. */
#include "stream-format/bodies.h"
#include "stream-format/body_util.h"

int cv_rec_host_encode(const struct cv_rec_host *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_host again;

    cv_put_u32(&p, v->schema);
    cv_put_u32(&p, v->xen_major);
    cv_put_u32(&p, v->xen_minor);
    cv_put_u32(&p, v->json_len);
    cv_put_u64(&p, v->time);
    cv_put_bytes(&p, v->json, v->json_len);
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_host_decode(&again, out->data + start, out->len - start, err), err);
}

int cv_rec_host_decode(struct cv_rec_host *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->schema = cv_cur_u32(&c);
    v->xen_major = cv_cur_u32(&c);
    v->xen_minor = cv_cur_u32(&c);
    v->json_len = cv_cur_u32(&c);
    v->time = cv_cur_u64(&c);
    v->json = (const char *)cv_cur_bytes(&c, v->json_len);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    if (v->schema == 0)
        return cv_body_fail(err, "schema 0");
    return cv_body_json(v->json, v->json_len, err);
}

int cv_rec_guest_encode(const struct cv_rec_guest *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_guest again;

    cv_put_u32(&p, v->schema);
    cv_put_u32(&p, v->type);
    cv_put_bytes(&p, v->uuid, sizeof v->uuid);
    cv_put_u32(&p, v->json_len);
    cv_put_u32(&p, v->config_len);
    cv_put_bytes(&p, v->json, v->json_len);
    cv_put_bytes(&p, v->config, v->config_len);
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_guest_decode(&again, out->data + start, out->len - start, err), err);
}

int cv_rec_guest_decode(struct cv_rec_guest *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->schema = cv_cur_u32(&c);
    v->type = cv_cur_u32(&c);
    const uint8_t *uuid = cv_cur_bytes(&c, sizeof v->uuid);
    v->json_len = cv_cur_u32(&c);
    v->config_len = cv_cur_u32(&c);
    v->json = (const char *)cv_cur_bytes(&c, v->json_len);
    v->config = (const char *)cv_cur_bytes(&c, v->config_len);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    memcpy(v->uuid, uuid, sizeof v->uuid);
    if (v->schema == 0)
        return cv_body_fail(err, "schema 0");
    if (v->type != CV_GUEST_HVM && v->type != CV_GUEST_PVH)
        return cv_body_fail(err, "guest type %u", v->type);
    if (cv_body_json(v->json, v->json_len, err) < 0)
        return -1;
    return cv_body_text("configuration", v->config, v->config_len, err);
}

int cv_rec_layout_encode(const struct cv_rec_layout *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_layout again;

    if (v->count > CV_EMULATORS_MAX)
        return cv_encode_fail(err, "%u emulators, at most %u are possible", v->count, CV_EMULATORS_MAX);
    cv_put_u32(&p, v->schema);
    cv_put_u32(&p, v->count);
    cv_put_u32(&p, v->json_len);
    cv_put_u32(&p, 0);
    for (uint32_t i = 0; i < v->count; i++) {
        cv_put_u32(&p, v->emulator[i].dmid);
        cv_put_u32(&p, v->emulator[i].flags);
    }
    cv_put_bytes(&p, v->json, v->json_len);
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_layout_decode(&again, out->data + start, out->len - start, err), err);
}

/* The dmids differ, and exactly one emulator is the default one, where there are any. */
static int check_emulators(const struct cv_rec_layout *v, struct cv_error *err)
{
    uint32_t dmids = 0, defaults = 0;

    for (uint32_t i = 0; i < v->count; i++) {
        uint32_t dmid = v->emulator[i].dmid, flags = v->emulator[i].flags;
        if (dmid >= CV_EMULATORS_MAX)
            return cv_body_fail(err, "dmid %u", dmid);
        if (dmids >> dmid & 1)
            return cv_body_fail(err, "dmid %u twice", dmid);
        if (flags & ~CV_LAYOUT_FLAGS)
            return cv_body_fail(err, "flags 0x%x of dmid %u", flags, dmid);
        dmids |= 1u << dmid;
        defaults += flags & CV_LAYOUT_DEFAULT;
    }
    return defaults == (v->count > 0) ? 0 : cv_body_fail(err, "%u default emulators", defaults);
}

int cv_rec_layout_decode(struct cv_rec_layout *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->schema = cv_cur_u32(&c);
    v->count = cv_cur_u32(&c);
    v->json_len = cv_cur_u32(&c);
    uint32_t reserved = cv_cur_u32(&c);
    if (v->count > CV_EMULATORS_MAX)
        return cv_body_fail(err, "%u emulators", v->count);
    for (uint32_t i = 0; i < v->count; i++) {
        v->emulator[i].dmid = cv_cur_u32(&c);
        v->emulator[i].flags = cv_cur_u32(&c);
    }
    v->json = (const char *)cv_cur_bytes(&c, v->json_len);
    if (cv_body_finish(&c, err) < 0 || check_emulators(v, err) < 0)
        return -1;
    if (v->schema == 0 || reserved != 0)
        return cv_body_fail(err, v->schema == 0 ? "schema 0" : "reserved field is not 0");
    return cv_body_json(v->json, v->json_len, err);
}

int cv_rec_devices_encode(const struct cv_rec_devices *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_devices again;

    cv_put_u32(&p, v->schema);
    cv_put_u32(&p, v->json_len);
    cv_put_bytes(&p, v->json, v->json_len);
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_devices_decode(&again, out->data + start, out->len - start, err), err);
}

int cv_rec_devices_decode(struct cv_rec_devices *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->schema = cv_cur_u32(&c);
    v->json_len = cv_cur_u32(&c);
    v->json = (const char *)cv_cur_bytes(&c, v->json_len);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    if (v->schema == 0)
        return cv_body_fail(err, "schema 0");
    return cv_body_json(v->json, v->json_len, err);
}
