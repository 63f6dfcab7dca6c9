/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a toolstack hands over as the device models' state: refused with an error, or a layout and a state for each of
 * its emulators.  (Mutations that keep the frames' checks right are fuzz_stream's.) */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "dm/states.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_error err = CV_ERROR_INIT;
    int fds[CV_DM_MAX];
    struct cv_layout l;

    CV_AUTO_FD fd = memfd_create("states", MFD_CLOEXEC);
    if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    if (cv_dm_states_read(fd, &l, fds, &err) < 0) {
        if (err.code == CV_OK || err.text[0] == '\0')
            abort();
        return 0;
    }
    for (unsigned i = 0; i < CV_DM_MAX; i++) {
        if ((fds[i] >= 0) != (i < l.count))
            abort();
        cv_fd_dispose(&fds[i]);
    }
    cv_layout_dispose(&l);
    return 0;
}
