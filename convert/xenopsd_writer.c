/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert/xenopsd_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "convert/xenops_record.h"
#include "convert/xenopsd_format.h"
#include "layout/record.h"
#include "stream-format/bodies.h"
#include "stream-format/qemu_state.h"

#define KEY_MAX 64u

const enum cv_record_type cv_xenopsd_head[CV_XENOPSD_HEAD] = { CV_REC_HOST,    CV_REC_GUEST, CV_REC_LAYOUT,
                                                               CV_REC_DEVICES, CV_REC_VCPUS, CV_REC_MEMORY };

static int put_header(struct cv_xenopsd_writer *x, enum cv_xenopsd_type type, uint64_t len, struct cv_error *err)
{
    uint8_t h[CV_XENOPSD_HEADER];

    cv_store64(h, type);
    cv_store64(h + 8, len);
    return cv_xl_put_bytes(x->w, h, sizeof h, err);
}

static int put_record(struct cv_xenopsd_writer *x, enum cv_xenopsd_type type, const struct cv_buf *body,
                      struct cv_error *err)
{
    return put_header(x, type, body->len, err) < 0 ? -1 : cv_xl_put_bytes(x->w, body->data, body->len, err);
}

static int put_xenops(struct cv_xenopsd_writer *x, const struct cv_xenops_pair *pairs, unsigned count,
                      struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };

    if (cv_xenops_encode(x->opt->time, pairs, count, &body, err) < 0)
        return -1;
    return put_record(x, CV_XENOPSD_XENOPS, &body, err);
}

int cv_xenopsd_keep(struct cv_xenopsd_writer *x, const struct cv_record *rec, struct cv_error *err)
{
    for (unsigned i = 0; i < CV_XENOPSD_HEAD; i++)
        if (rec->raw_type == (uint32_t)cv_xenopsd_head[i])
            return cv_buf_append(&x->head[i], rec->body.data, rec->body.len, err);
    return 0;
}

/* The same bytes that convoy-dm writes: LAYOUT, and the states behind it. */
static int begin_states(struct cv_xenopsd_writer *x, const struct cv_layout *l, struct cv_error *err)
{
    const struct cv_writer_options wo = { .required_features = CV_FEATURE_STATES_ONLY, .stream_id = x->opt->stream_id };
    CV_AUTO_BUF body = { 0 };

    if ((x->states_fd = memfd_create("states", MFD_CLOEXEC)) < 0)
        return cv_fail(err, CV_E_IO, errno, "a memory file for the emulators' states");
    if (cv_writer_new(&x->states, x->states_fd, &wo, err) < 0 || cv_layout_to_record(l, &body, err) < 0)
        return -1;
    struct iovec iov = { body.data, body.len };
    return cv_writer_put(x->states, CV_REC_LAYOUT, &iov, 1, err);
}

int cv_xenopsd_layout(struct cv_xenopsd_writer *x, const struct cv_layout *l, struct cv_error *err)
{
    if (l->count == 0 || cv_layout_is_backend(&l->dms[0]))
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "it is a PVH guest, which is not converted");
    x->several = l->count > 1;
    return x->several ? begin_states(x, l, err) : 0;
}

int cv_xenopsd_put_head(struct cv_xenopsd_writer *x, struct cv_error *err)
{
    struct cv_xenops_pair pairs[CV_XENOPSD_HEAD];
    char keys[CV_XENOPSD_HEAD][KEY_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < CV_XENOPSD_HEAD; i++) {
        if (x->head[i].len == 0)
            continue;
        snprintf(keys[n], sizeof keys[n], CV_XENOPSD_KEY "%s", cv_record_name(cv_xenopsd_head[i]));
        pairs[n] = (struct cv_xenops_pair){ keys[n], &x->head[i] };
        n++;
    }
    if (cv_xl_put_bytes(x->w, CV_XENOPSD_SIGNATURE, CV_XENOPSD_SIGNATURE_SIZE, err) < 0 ||
        put_xenops(x, pairs, n, err) < 0)
        return -1;
    return put_header(x, CV_XENOPSD_LIBXC, 0, err);
}

int cv_xenopsd_put_nodes(struct cv_xenopsd_writer *x, const struct cv_record *rec, struct cv_error *err)
{
    const struct cv_xenops_pair pair = { CV_XENOPSD_KEY "XENSTORE", &rec->body };
    return put_xenops(x, &pair, 1, err);
}

int cv_xenopsd_state(struct cv_xenopsd_writer *x, const struct cv_record *rec, struct cv_error *err)
{
    struct iovec iov = { rec->body.data, rec->body.len };
    struct cv_rec_device_state s;

    if (x->several)
        return cv_writer_put(x->states, CV_REC_DEVICE_STATE, &iov, 1, err);
    if (cv_rec_device_state_decode(&s, rec->body.data, rec->body.len, err) < 0)
        return -1;
    if (s.format != CV_STATE_QEMU)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "the device state is not QEMU's");
    if (cv_qemu_state_check(s.blob, s.blob_len, err) < 0)
        return -1;
    return cv_buf_append(&x->qemu, s.blob, s.blob_len, err);
}

static int take_states(struct cv_xenopsd_writer *x, struct cv_error *err)
{
    struct stat st;
    size_t got;

    if (cv_writer_finish(x->states, err) < 0)
        return -1;
    if (fstat(x->states_fd, &st) < 0 || lseek(x->states_fd, 0, SEEK_SET) < 0)
        return cv_fail(err, CV_E_IO, errno, "the emulators' states");
    if (cv_buf_reserve(&x->qemu, (size_t)st.st_size, err) < 0 ||
        cv_read_full(x->states_fd, x->qemu.data, (size_t)st.st_size, &got, CV_NEVER, NULL, err) < 0)
        return -1;
    x->qemu.len = got;
    return 0;
}

int cv_xenopsd_put_end(struct cv_xenopsd_writer *x, struct cv_error *err)
{
    if (x->several && take_states(x, err) < 0)
        return -1;
    if (x->qemu.len > CV_XENOPSD_QEMU_MAX)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "the emulators' states have %zu bytes: xenopsd takes no more than %u",
                       x->qemu.len, CV_XENOPSD_QEMU_MAX);
    if (put_record(x, CV_XENOPSD_QEMU, &x->qemu, err) < 0)
        return -1;
    return put_header(x, CV_XENOPSD_END, 0, err);
}

void cv_xenopsd_writer_dispose(struct cv_xenopsd_writer *x)
{
    for (unsigned i = 0; i < CV_XENOPSD_HEAD; i++)
        cv_buf_dispose(&x->head[i]);
    cv_buf_dispose(&x->qemu);
    cv_writer_free(x->states);
    cv_fd_dispose(&x->states_fd);
}
