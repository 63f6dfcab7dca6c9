/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/state_file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"

int cv_writer_put_state(struct cv_writer *w, uint32_t dmid, const void *blob, size_t len, struct cv_error *err)
{
    const struct cv_rec_device_state rec = { .dmid = dmid, .format = CV_STATE_QEMU, .blob = blob, .blob_len = len };
    uint8_t head[CV_DEVICE_STATE_HEAD];

    if (cv_rec_device_state_head(&rec, head, err) < 0)
        return -1;
    struct iovec iov[2] = { { head, sizeof head }, { (void *)blob, len } };
    return cv_writer_put(w, CV_REC_DEVICE_STATE, iov, 2, err);
}

int cv_writer_put_state_file(struct cv_writer *w, uint32_t dmid, int fd, uint64_t size, struct cv_error *err)
{
    CV_AUTO_FREE void *blob = malloc(size ? size : 1);
    size_t got;

    if (blob == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for %llu bytes of device state", (unsigned long long)size);
    if (lseek(fd, 0, SEEK_SET) < 0)
        return cv_fail(err, CV_E_IO, errno, "rewind the device state");
    if (cv_read_full(fd, blob, size, &got, CV_NEVER, NULL, err) < 0)
        return -1;
    if (got != size || size == 0)
        return cv_fail(err, CV_E_EMULATOR, 0, "its device state has %zu of %llu bytes", got, (unsigned long long)size);
    return cv_writer_put_state(w, dmid, blob, size, err);
}

int cv_state_to_file(const struct cv_rec_device_state *state, int fd, struct cv_error *err)
{
    if (cv_write_full(fd, state->blob, state->blob_len, CV_NEVER, NULL, err) < 0)
        return -1;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return cv_fail(err, CV_E_IO, errno, "rewind emulator %u's device state", state->dmid);
    return 0;
}
