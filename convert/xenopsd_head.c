/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert/xenopsd_head.h"

#include <string.h>

#include "convert/xenops_record.h"
#include "layout/record.h"
#include "stream-format/qemu_state.h"
#include "vm/spec.h"

/* Where each is in cv_xenopsd_head. */
enum { HOST, GUEST, LAYOUT, DEVICES, VCPUS, MEMORY };

/* ---- XENOPS records ---- */

static struct cv_buf *place_of(struct cv_xenopsd_in *in, const char *name)
{
    for (unsigned i = 0; i < CV_XENOPSD_HEAD; i++)
        if (strcmp(name, cv_record_name(cv_xenopsd_head[i])) == 0)
            return &in->head[i];
    return strcmp(name, "XENSTORE") == 0 ? &in->xenstore : NULL;
}

static int take_pair(void *user, const char *key, struct cv_buf *value, struct cv_error *err)
{
    struct cv_buf *place = NULL;

    if (strncmp(key, CV_XENOPSD_KEY, sizeof CV_XENOPSD_KEY - 1) == 0)
        place = place_of(user, key + sizeof CV_XENOPSD_KEY - 1);
    if (place == NULL)
        return 0;
    if (place->len > 0)
        return cv_fail(err, CV_E_STREAM, 0, "%s a second time", key);
    cv_buf_dispose(place);
    *place = cv_buf_take(value);
    return 0;
}

int cv_xenopsd_take(struct cv_xenopsd_in *in, const struct cv_buf *body, struct cv_error *err)
{
    return cv_xenops_decode(body->data, body->len, take_pair, in, err);
}

/* ---- the head ---- */

/* What the writer finds wrong with a body is the input's fault. */
static int put_given(struct cv_writer *w, enum cv_record_type type, const struct cv_buf *body, struct cv_error *err)
{
    if (cv_head_put(w, type, body, err) == 0)
        return 0;
    cv_error_recode(err, CV_E_INTERNAL, CV_E_STREAM);
    return -1;
}

static int check_host(const struct cv_buf *b, struct cv_error *err)
{
    struct cv_rec_host h;
    return cv_rec_host_decode(&h, b->data, b->len, err);
}

static int check_guest(const struct cv_buf *b, struct cv_error *err)
{
    struct cv_domain_spec spec;
    struct cv_rec_guest g;

    if (cv_rec_guest_decode(&g, b->data, b->len, err) < 0 || cv_spec_decode(g.json, g.json_len, &spec, err) < 0)
        return -1;
    return spec.pvh ? cv_fail(err, CV_E_UNSUPPORTED, 0, "it is a PVH guest, which is not converted") : 0;
}

static int check_small(const struct cv_xenopsd_in *in, uint64_t *pfn_count_out, struct cv_error *err)
{
    struct cv_rec_devices d;
    struct cv_rec_vcpus v;
    struct cv_rec_memory m;

    if ((in->head[DEVICES].len > 0 &&
         cv_rec_devices_decode(&d, in->head[DEVICES].data, in->head[DEVICES].len, err) < 0) ||
        cv_rec_vcpus_decode(&v, in->head[VCPUS].data, in->head[VCPUS].len, err) < 0 ||
        cv_rec_memory_decode(&m, in->head[MEMORY].data, in->head[MEMORY].len, err) < 0)
        return -1;
    *pfn_count_out = m.pfn_count;
    return 0;
}

int cv_xenopsd_check(struct cv_xenopsd_in *in, struct cv_layout *layout_out, struct cv_error *err)
{
    for (unsigned i = 0; i < CV_XENOPSD_HEAD; i++)
        if (in->head[i].len == 0 && cv_xenopsd_head[i] != CV_REC_DEVICES)
            return cv_fail(err, CV_E_UNSUPPORTED, 0,
                           "xenopsd's record has no " CV_XENOPSD_KEY "%s: only images of guests that convoy has "
                           "written are converted, for xenopsd does not say which devices a guest has",
                           cv_record_name(cv_xenopsd_head[i]));
    if (check_host(&in->head[HOST], err) < 0 || check_guest(&in->head[GUEST], err) < 0 ||
        check_small(in, &in->pfn_count, err) < 0 ||
        cv_layout_of_record(in->head[LAYOUT].data, in->head[LAYOUT].len, layout_out, err) < 0)
        return -1;
    if (layout_out->count > 0)
        return 0;
    cv_layout_dispose(layout_out);
    return cv_fail(err, CV_E_STREAM, 0, "the layout has no emulator");
}

int cv_xenopsd_head_write(const struct cv_xenopsd_in *in, struct cv_writer *w, struct cv_error *err)
{
    for (unsigned i = 0; i < CV_XENOPSD_HEAD; i++)
        if (in->head[i].len > 0 && put_given(w, cv_xenopsd_head[i], &in->head[i], err) < 0)
            return -1;
    return 0;
}

/* ---- the states ---- */

static int copy_record(const struct cv_xenopsd_in *in, const struct cv_record *rec, struct cv_writer *w,
                       struct cv_error *err)
{
    const struct cv_buf *layout = &in->head[LAYOUT];
    struct cv_rec_device_state s;

    if (rec->raw_type == CV_REC_LAYOUT &&
        (rec->body.len != layout->len || memcmp(rec->body.data, layout->data, layout->len) != 0))
        return cv_fail(err, CV_E_STREAM, 0, "it is not the layout in front of the memory");
    if (rec->raw_type != CV_REC_DEVICE_STATE)
        return 0;
    if (cv_rec_device_state_decode(&s, rec->body.data, rec->body.len, err) < 0)
        return -1;
    if (s.format == CV_STATE_QEMU && cv_qemu_state_check(s.blob, s.blob_len, err) < 0)
        return cv_fail(err, CV_E_STREAM, 0, "the device state of emulator %u is no QEMU's", s.dmid);
    return put_given(w, CV_REC_DEVICE_STATE, &rec->body, err);
}

/* The reader sees to it that there is one state for each emulator of the layout. */
int cv_xenopsd_states_write(const struct cv_xenopsd_in *in, const struct cv_buf *qemu, struct cv_writer *w,
                            struct cv_error *err)
{
    const struct cv_reader_options ro = { .accept_features = CV_FEATURE_STATES_ONLY };
    CV_AUTO_RECORD rec = { 0 };
    struct cv_reader *r;
    int n;

    if (cv_reader_new_memory(&r, qemu->data, qemu->len, &ro, err) < 0)
        return cv_context(err, "the emulators' states");
    if (!(cv_reader_header(r)->required_features & CV_FEATURE_STATES_ONLY)) {
        cv_reader_free(r);
        return cv_fail(err, CV_E_STREAM, 0, "the emulators' states: this is a whole image");
    }
    while ((n = cv_reader_next(r, &rec, err)) > 0)
        if (copy_record(in, &rec, w, err) < 0) {
            n = cv_record_context(&rec, err);
            break;
        }
    cv_reader_free(r);
    return n < 0 ? cv_context(err, "the emulators' states") : 0;
}

void cv_xenopsd_in_dispose(struct cv_xenopsd_in *in)
{
    for (unsigned i = 0; i < CV_XENOPSD_HEAD; i++)
        cv_buf_dispose(&in->head[i]);
    cv_buf_dispose(&in->xenstore);
}
