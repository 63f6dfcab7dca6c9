/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an emulator may send: any bytes, in any pieces.  The connection stays consistent and bounded. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulators/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each line of the input is one line of QMP; a command is under way whenever one can be. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_error err;
    struct cv_qmp q;

    cv_qmp_init(&q, open("/dev/null", O_RDWR | O_CLOEXEC));
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end == NULL ? size - at : (size_t)(end - (data + at));
        if (q.state == CV_QMP_READY && cv_qmp_send(&q, "stop", NULL, -1, &err) < 0)
            abort();
        if (q.state == CV_QMP_FAILED)
            break;
        cv_qmp_line(&q, (const char *)data + at, len);
        /* sending to /dev/null fails at once (it is no socket): undo that, the parser is what is looked at */
        if (q.state == CV_QMP_FAILED && q.hung_up) {
            q.state = CV_QMP_AWAITING;
            q.hung_up = false;
        }
        if (q.state == CV_QMP_FAILED && q.err.text[0] == '\0')
            abort();
        at += len + 1;
    }
    cv_qmp_dispose(&q);
    return 0;
}
