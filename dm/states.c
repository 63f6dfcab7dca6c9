/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dm/states.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "emulators/state_memory.h"
#include "layout/record.h"
#include "stream-format/qemu_state.h"
#include "stream-format/state_file.h"

int cv_dm_states_look(int fd, enum cv_dm_states_kind *out, struct cv_error *err)
{
    uint8_t head[4] = { 0 };
    ssize_t n = pread(fd, head, sizeof head, 0);

    if (n < 0)
        return cv_fail(err, CV_E_IO, errno, "the device models' state");
    if (n == 4 && memcmp(head, "QEVM", 4) == 0)
        *out = CV_DM_STATES_STOCK;
    else if (n == 4 && memcmp(head,
                              "\x89"
                              "CVY",
                              4) == 0)
        *out = CV_DM_STATES_OURS;
    else
        return cv_fail(err, CV_E_STREAM, 0, "the device models' state is neither QEMU's nor convoy-dm's");
    return 0;
}

/* ---- writing ---- */

static int put_layout(struct cv_writer *w, const struct cv_layout *l, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };

    if (cv_layout_to_record(l, &body, err) < 0)
        return -1;
    struct iovec iov = { body.data, body.len };
    return cv_writer_put(w, CV_REC_LAYOUT, &iov, 1, err);
}

int cv_dm_states_write(int fd, const struct cv_layout *l, const int state_fds[CV_DM_MAX],
                       const uint64_t sizes[CV_DM_MAX], struct cv_error *err)
{
    const struct cv_writer_options opt = { .required_features = CV_FEATURE_STATES_ONLY };
    struct cv_writer *w;
    unsigned order[CV_DM_MAX];

    if (cv_writer_new(&w, fd, &opt, err) < 0)
        return -1;
    int rc = put_layout(w, l, err);
    cv_layout_rank_order(l, order);
    for (unsigned i = 0; i < l->count && rc == 0; i++) {
        rc = cv_writer_put_state_file(w, order[i], state_fds[order[i]], sizes[order[i]], err);
        if (rc < 0)
            cv_context(err, "emulator %u '%s'", order[i], l->dms[order[i]].name);
    }
    if (rc == 0)
        rc = cv_writer_finish(w, err);
    cv_writer_free(w);
    return rc;
}

/* ---- reading ---- */

struct reading {
    struct cv_layout layout;
    bool has_layout;
    int fds[CV_DM_MAX];
};

static int take_layout(struct reading *r, const struct cv_record *rec, struct cv_error *err)
{
    if (cv_layout_of_record(rec->body.data, rec->body.len, &r->layout, err) < 0)
        return -1;
    r->has_layout = true;
    for (unsigned i = 0; i < r->layout.count; i++)
        if (r->layout.dms[i].role == CV_DM_ATTACHED)
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "emulator %u is an attached one", i);
    return 0;
}

static int take_state(struct reading *r, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_device_state d;

    if (cv_rec_device_state_decode(&d, rec->body.data, rec->body.len, err) < 0)
        return -1;
    if (!r->has_layout || d.dmid >= r->layout.count || r->fds[d.dmid] >= 0)
        return cv_fail(err, CV_E_STREAM, 0, "a device state of emulator %u, which is not expected", d.dmid);
    if (d.format != CV_STATE_QEMU || cv_qemu_state_check(d.blob, d.blob_len, err) < 0)
        return cv_fail(err, CV_E_STREAM, 0, "the device state of emulator %u is no QEMU's", d.dmid);
    if ((r->fds[d.dmid] = cv_state_memory_to_load(d.dmid, err)) < 0)
        return -1;
    return cv_state_to_file(&d, r->fds[d.dmid], err);
}

static int read_records(struct reading *r, struct cv_reader *reader, struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };

    for (;;) {
        int more = cv_reader_next(reader, &rec, err);
        if (more <= 0)
            return more;
        int rc = rec.type == CV_REC_LAYOUT && rec.known         ? take_layout(r, &rec, err)
                 : rec.type == CV_REC_DEVICE_STATE && rec.known ? take_state(r, &rec, err)
                                                                : 0;
        if (rc < 0)
            return cv_record_context(&rec, err);
    }
}

static int read_all(struct cv_reader *reader, struct cv_layout *l_out, int fds_out[CV_DM_MAX], struct cv_error *err)
{
    struct reading r = { .has_layout = false };

    for (unsigned i = 0; i < CV_DM_MAX; i++)
        r.fds[i] = -1;
    int rc = read_records(&r, reader, err);
    cv_reader_free(reader);
    if (rc == 0) {
        *l_out = r.layout;
        memcpy(fds_out, r.fds, sizeof r.fds);
        return 0;
    }
    for (unsigned i = 0; i < CV_DM_MAX; i++)
        cv_fd_dispose(&r.fds[i]);
    if (r.has_layout)
        cv_layout_dispose(&r.layout);
    return cv_context(err, "the emulators' states");
}

static const struct cv_reader_options states_alone = { .accept_features = CV_FEATURE_STATES_ONLY };

static int check_feature(struct cv_reader *reader, struct cv_error *err)
{
    if (cv_reader_header(reader)->required_features & CV_FEATURE_STATES_ONLY)
        return 0;
    cv_reader_free(reader);
    return cv_fail(err, CV_E_STREAM, 0, "this is a whole image: convoy restore takes it");
}

int cv_dm_states_read(int fd, struct cv_layout *l_out, int fds_out[CV_DM_MAX], struct cv_error *err)
{
    struct cv_reader *reader;

    if (cv_reader_new(&reader, fd, &states_alone, err) < 0 || check_feature(reader, err) < 0)
        return cv_context(err, "the emulators' states");
    return read_all(reader, l_out, fds_out, err);
}
