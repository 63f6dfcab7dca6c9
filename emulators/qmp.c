/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulators/qmp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

static void qmp_fail(struct cv_qmp *q, int sys, const char *text)
{
    if (q->state == CV_QMP_FAILED)
        return;
    cv_fail(&q->err, CV_E_EMULATOR, sys, "%s%s%s", q->command, *q->command ? ": " : "", text);
    q->state = CV_QMP_FAILED;
}

void cv_qmp_init(struct cv_qmp *q, int fd)
{
    *q = (struct cv_qmp){ .fd = fd, .pass_fd = -1, .state = fd < 0 ? CV_QMP_DISCONNECTED : CV_QMP_GREETING };
}

void cv_qmp_dispose(struct cv_qmp *q)
{
    cv_fd_dispose(&q->fd);
    cv_fd_dispose(&q->pass_fd);
    cv_buf_dispose(&q->in);
    cv_buf_dispose(&q->out);
    json_decref(q->reply);
    cv_qmp_init(q, -1);
}

int cv_qmp_dial(struct cv_qmp *q, const char *path, struct cv_error *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    cv_qmp_dispose(q);
    if (strlen(path) >= sizeof sa.sun_path)
        return cv_fail(err, CV_E_INVALID, 0, "socket path '%.60s...' is too long", path);
    strcpy(sa.sun_path, path);
    CV_AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cv_fail(err, CV_E_EMULATOR, errno, "socket");
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
        if (errno == EAGAIN)
            return cv_fail(err, CV_E_BUSY, 0, "%s: its queue is full, other clients are waiting", path);
        return cv_fail(err, CV_E_EMULATOR, errno, "connect to %s", path);
    }
    cv_qmp_init(q, cv_fd_take(&fd));
    return 0;
}

/* ---- sending ---- */

static int queue_command(struct cv_qmp *q, const char *command, json_t *args, struct cv_error *err)
{
    json_t *object =
        json_pack("{s:s, s:o*, s:I}", "execute", command, "arguments", args, "id", (json_int_t)(q->id + 1));
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    int rc = -1;

    json_decref(object);
    if (text == NULL)
        return cv_fail(err, CV_E_INVALID, 0, "%s: arguments are not JSON", command);
    if (q->out_done == q->out.len) /* else a command that was given up is half sent: it must go out whole */
        q->out.len = q->out_done = 0;
    if (cv_buf_append(&q->out, text, strlen(text), err) == 0 && cv_buf_append(&q->out, "\n", 1, err) == 0)
        rc = 0;
    free(text);
    q->id++;
    return rc;
}

int cv_qmp_send(struct cv_qmp *q, const char *command, json_t *args, int fd, struct cv_error *err)
{
    assert(q->state == CV_QMP_READY || q->state == CV_QMP_NEGOTIATING);
    json_decref(q->reply);
    q->reply = NULL;
    q->refusal[0] = q->event[0] = '\0';
    snprintf(q->command, sizeof q->command, "%s", command);
    if (strcmp(command, "migrate-incoming") == 0)
        q->migration[0] = '\0';
    if (fd >= 0) {
        cv_fd_dispose(&q->pass_fd);
        q->pass_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (q->pass_fd < 0) {
            json_decref(args);
            return cv_fail(err, CV_E_IO, errno, "%s: duplicate a descriptor", command);
        }
    }
    if (queue_command(q, command, args, err) < 0)
        return -1;
    if (q->state == CV_QMP_READY)
        q->state = CV_QMP_AWAITING;
    cv_qmp_handle(q, POLLOUT); /* nearly always goes out at once */
    return 0;
}

static ssize_t send_some(struct cv_qmp *q)
{
    struct iovec iov = { q->out.data + q->out_done, q->out.len - q->out_done };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (q->pass_fd >= 0) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control.space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &q->pass_fd, sizeof(int));
    }
    return sendmsg(q->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void handle_output(struct cv_qmp *q)
{
    while (q->out_done < q->out.len) {
        ssize_t n = send_some(q);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            qmp_fail(q, errno, "write to its QMP socket");
            q->hung_up = true;
            return;
        }
        cv_fd_dispose(&q->pass_fd);
        q->out_done += (size_t)n;
    }
}

/* ---- receiving ---- */

/* Deep nesting costs stack in any parser; QMP needs no more than a few levels. */
static bool too_deep(const char *line, size_t len)
{
    unsigned depth = 0;
    bool string = false;

    for (size_t i = 0; i < len; i++) {
        char ch = line[i];
        if (string) {
            if (ch == '\\')
                i++;
            else if (ch == '"')
                string = false;
        } else if (ch == '"') {
            string = true;
        } else if (ch == '{' || ch == '[') {
            if (++depth > CV_QMP_DEPTH_MAX)
                return true;
        } else if ((ch == '}' || ch == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static void take_event(struct cv_qmp *q, const char *name, const json_t *object)
{
    const char *status = json_string_value(json_object_get(json_object_get(object, "data"), "status"));

    snprintf(q->event, sizeof q->event, "%s", name);
    /* Kept apart: another event may come in the same breath. */
    if (strcmp(name, "MIGRATION") == 0)
        snprintf(q->migration, sizeof q->migration, "%s", status ? status : "");
}

static void take_reply(struct cv_qmp *q, const json_t *object)
{
    json_t *value = json_object_get(object, "return");
    const json_t *error = json_object_get(object, "error");
    const json_t *id = json_object_get(object, "id");

    /* An answer to a command that was given up: late, and of no interest any more.  Without an id: QEMU could not
     * parse. */
    if (json_is_integer(id) && json_integer_value(id) != q->id)
        return;
    if (q->state != CV_QMP_AWAITING && q->state != CV_QMP_NEGOTIATING) {
        qmp_fail(q, 0, "answers what was not asked");
        return;
    }
    if (error != NULL) {
        const char *text = json_string_value(json_object_get(error, "desc"));
        const char *class = json_string_value(json_object_get(error, "class"));
        snprintf(q->refusal, sizeof q->refusal, "%s", text && *text ? text : "refused without a reason");
        snprintf(q->refusal_class, sizeof q->refusal_class, "%s", class ? class : "GenericError");
    } else if (value != NULL && json_is_integer(id)) {
        json_decref(q->reply);
        q->reply = json_incref(value);
    } else {
        qmp_fail(q, 0, "neither a result nor an error");
        return;
    }
    if (q->state == CV_QMP_NEGOTIATING && *q->refusal)
        qmp_fail(q, 0, q->refusal);
    else
        q->state = CV_QMP_READY;
}

static void take_greeting(struct cv_qmp *q, const json_t *object)
{
    struct cv_error err;

    if (!json_is_object(json_object_get(object, "QMP"))) {
        qmp_fail(q, 0, "does not greet as QMP does");
        return;
    }
    q->state = CV_QMP_NEGOTIATING;
    if (cv_qmp_send(q, "qmp_capabilities", NULL, -1, &err) < 0)
        qmp_fail(q, err.sys, err.text);
}

void cv_qmp_line(struct cv_qmp *q, const char *line, size_t len)
{
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    if (len == 0)
        return;
    json_t *object = too_deep(line, len) ? NULL : json_loadb(line, len, 0, NULL);
    if (!json_is_object(object)) {
        qmp_fail(q, 0, "sends what is not a JSON object");
    } else if (q->state == CV_QMP_GREETING) {
        take_greeting(q, object);
    } else if (json_object_get(object, "event") != NULL) {
        const char *name = json_string_value(json_object_get(object, "event"));
        take_event(q, name ? name : "", object);
    } else {
        take_reply(q, object);
    }
    json_decref(object);
}

/* Whole lines are handled, the rest stays. */
static void handle_lines(struct cv_qmp *q)
{
    size_t start = 0;

    while (q->state != CV_QMP_FAILED) {
        uint8_t *end = memchr(q->in.data + start, '\n', q->in.len - start);
        if (end == NULL)
            break;
        size_t len = (size_t)(end - (q->in.data + start));
        cv_qmp_line(q, (const char *)q->in.data + start, len);
        start += len + 1;
    }
    if (start > 0) {
        memmove(q->in.data, q->in.data + start, q->in.len - start);
        q->in.len -= start;
    }
    if (q->in.len > CV_QMP_LINE_MAX)
        qmp_fail(q, 0, "sends a line of more than 1 MiB");
}

static void handle_input(struct cv_qmp *q)
{
    for (int rounds = 0; rounds < 16 && q->state != CV_QMP_FAILED; rounds++) {
        struct cv_error err;
        if (cv_buf_reserve(&q->in, 16384, &err) < 0) {
            qmp_fail(q, err.sys, err.text);
            return;
        }
        ssize_t n = recv(q->fd, q->in.data + q->in.len, 16384, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            qmp_fail(q, errno, "read from its QMP socket");
        else if (n == 0)
            qmp_fail(q, 0, "it closed its QMP connection");
        q->hung_up = q->hung_up || n <= 0;
        if (n <= 0)
            return;
        q->in.len += (size_t)n;
        handle_lines(q);
    }
}

short cv_qmp_events(const struct cv_qmp *q)
{
    if (q->state == CV_QMP_DISCONNECTED || q->state == CV_QMP_FAILED)
        return 0;
    return (short)(POLLIN | (q->out_done < q->out.len ? POLLOUT : 0));
}

void cv_qmp_handle(struct cv_qmp *q, short revents)
{
    if (q->state == CV_QMP_DISCONNECTED || q->state == CV_QMP_FAILED)
        return;
    if (revents & POLLOUT)
        handle_output(q);
    if (revents & (POLLIN | POLLHUP | POLLERR))
        handle_input(q);
}
