/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control messages from anybody.  First byte: message type (1 to 63: decode the rest as its body; what is accepted must
 * encode to the same bytes), 64: the rest is what the other side of a channel says, 65: the rest is a journal
 * without its checksum line. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

#include "handover/channel.h"
#include "handover/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_body(uint32_t type, const uint8_t *data, size_t size)
{
    struct cv_buf body = { 0 }, again = { 0 };
    struct cv_msg m;
    struct cv_error err;

    if (cv_buf_append(&body, data, size, &err) == 0 && cv_msg_decode(type, &body, &m, &err) == 0) {
        if (cv_msg_encode(&m, &again, &err) < 0 || again.len > size ||
            memcmp(again.data ? again.data : data, data, again.len) != 0 || (again.len != size && type != CV_MSG_HELLO))
            abort();
        cv_msg_dispose(&m);
    }
    cv_buf_dispose(&body);
    cv_buf_dispose(&again);
}

static void one_conversation(const uint8_t *data, size_t size)
{
    int fds[2];
    struct cv_chan c;
    struct cv_error err;
    struct cv_msg m;

    if (size > 60000 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return;
    if (cv_chan_init(&c, fds[0], fds[0], CV_PEER_DESTINATION, &err) == 0) {
        if (write(fds[1], data, size) == (ssize_t)size)
            while (cv_chan_poll(&c, &m, &err) > 0)
                cv_msg_dispose(&m);
        cv_chan_dispose(&c);
    }
    close(fds[0]);
    close(fds[1]);
}

/* The checksum is made right, so that what is behind it is reached. */
static void one_journal(const uint8_t *data, size_t size)
{
    struct cv_journal_record rec, again;
    struct cv_error err;
    char text[CV_JOURNAL_MAX + 64], back[CV_JOURNAL_MAX + 64];

    if (size > CV_JOURNAL_MAX)
        return;
    memcpy(text, data, size);
    int n = snprintf(text + size, sizeof text - size, "checksum %016" PRIx64 "\n", (uint64_t)XXH3_64bits(data, size));
    if (cv_journal_decode(text, size + (size_t)n, &rec, &err) < 0)
        return;
    n = cv_journal_encode(&rec, back, sizeof back, &err);
    if (n < 0 || cv_journal_decode(back, (size_t)n, &again, &err) < 0 || again.state != rec.state ||
        strcmp(again.note, rec.note) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    signal(SIGPIPE, SIG_IGN);
    if (size == 0)
        return 0;
    if (data[0] < 64)
        one_body(data[0], data + 1, size - 1);
    else if (data[0] == 64)
        one_conversation(data + 1, size - 1);
    else
        one_journal(data + 1, size - 1);
    return 0;
}
