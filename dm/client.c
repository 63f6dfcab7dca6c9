/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dm/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"

#define SEND_MS 5000 /* who does not read its answer for so long is not waited for */

static int send_object(struct cv_dm_client *c, json_t *object, struct cv_error *err)
{
    CV_AUTO_FREE char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    struct iovec iov[2] = { { text, text != NULL ? strlen(text) : 0 }, { "\r\n", 2 } };

    json_decref(object);
    if (text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for an answer");
    return cv_writev_full(c->fd, iov, 2, cv_after_ms(SEND_MS), NULL, err);
}

int cv_dm_client_open(struct cv_dm_client *c, int fd, const char *version, struct cv_error *err)
{
    int v[3] = { 0, 0, 0 };

    *c = (struct cv_dm_client){ .fd = fd, .came_fd = -1 };
    sscanf(version, "%d.%d.%d", &v[0], &v[1], &v[2]);
    json_t *greeting = json_pack("{s:{s:{s:{s:i, s:i, s:i}, s:s}, s:[]}}", "QMP", "version", "qemu", "major", v[0],
                                 "minor", v[1], "micro", v[2], "package", "convoy-dm", "capabilities");
    if (send_object(c, greeting, err) == 0)
        return 0;
    cv_dm_client_close(c);
    return -1;
}

void cv_dm_client_close(struct cv_dm_client *c)
{
    cv_fd_dispose(&c->fd);
    cv_fd_dispose(&c->came_fd);
    cv_buf_dispose(&c->in);
}

/* The last one of those that came counts, as in QEMU; the others are closed. */
static void take_fds(struct cv_dm_client *c, struct msghdr *msg)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h != NULL; h = CMSG_NXTHDR(msg, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            cv_fd_dispose(&c->came_fd);
            memcpy(&c->came_fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
        }
    }
}

static ssize_t receive(struct cv_dm_client *c)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(16 * sizeof(int))];
    } control;
    struct iovec iov = { c->in.data + c->in.len, 16384 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t n;

    while ((n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    if (n > 0) {
        take_fds(c, &msg);
        c->in.len += (size_t)n;
    }
    return n;
}

static int answer_line(struct cv_dm_client *c, struct cv_dm_desk *d, const char *line, size_t len, struct cv_error *err)
{
    while (len > 0 && strchr("\r \t", line[len - 1]) != NULL)
        len--;
    if (len == 0)
        return 0;
    json_t *answer = cv_dm_desk_answer(d, line, len, c->came_fd);
    cv_fd_dispose(&c->came_fd);
    return send_object(c, answer, err);
}

static int answer_lines(struct cv_dm_client *c, struct cv_dm_desk *d, struct cv_error *err)
{
    size_t start = 0;
    int rc = 0;

    while (rc == 0 && !d->quit) {
        const uint8_t *end = memchr(c->in.data + start, '\n', c->in.len - start);
        if (end == NULL)
            break;
        size_t len = (size_t)(end - (c->in.data + start));
        rc = answer_line(c, d, (const char *)c->in.data + start, len, err);
        start += len + 1;
    }
    memmove(c->in.data, c->in.data + start, c->in.len - start);
    c->in.len -= start;
    return rc;
}

int cv_dm_client_handle(struct cv_dm_client *c, struct cv_dm_desk *d, struct cv_error *err)
{
    if (cv_buf_reserve(&c->in, 16384, err) < 0)
        return -1;
    ssize_t n = receive(c);
    if (n < 0)
        return errno == EAGAIN ? 0 : cv_fail(err, CV_E_IO, errno, "read from a toolstack");
    if (n == 0)
        return cv_fail(err, CV_E_IO, 0, "it has closed its connection");
    if (answer_lines(c, d, err) < 0)
        return -1;
    return c->in.len <= CV_DM_LINE_MAX ? 0 : cv_fail(err, CV_E_INVALID, 0, "sends a line of more than 1 MiB");
}
