/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dm/probe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "emulators/process.h"

#define ARGS_MAX 120

static int gone(struct cv_probe *p, struct cv_error *err)
{
    char words[220];
    int status;

    if (cv_probe_wait(p, &status, NULL) < 0)
        return cv_fail(err, CV_E_EMULATOR, 0, "it has closed the connection");
    cv_fd_last_line(p->log_fd, words, sizeof words);
    return cv_fail(err, CV_E_EMULATOR, 0, "it has ended, status %d%s", status, words);
}

/* ---- its life ---- */

/* An address without a name in the file system. */
static int listen_somewhere(struct cv_probe *p, struct cv_error *err)
{
    struct sockaddr_un any = { .sun_family = AF_UNIX };

    CV_AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->address_len = sizeof p->address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any.sun_family) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&p->address, &p->address_len) < 0)
        return cv_fail(err, CV_E_IO, errno, "listen");
    return cv_fd_take(&fd);
}

int cv_probe_start(struct cv_probe *p, const char *const *command, bool incoming, int answer_ms, struct cv_error *err)
{
    static const char *const ours[] = { "-S",
                                        "-chardev",
                                        "socket,id=convoy,fd=3,server=on,wait=off",
                                        "-mon",
                                        "chardev=convoy,mode=control",
                                        "-name",
                                        "check-emulator",
                                        NULL };
    const char *argv[ARGS_MAX + 12];
    unsigned n = 0;

    *p = (struct cv_probe){ .command = command, .answer_ms = answer_ms, .pidfd = -1, .fd = -1, .log_fd = -1 };
    for (; command[n] != NULL; n++) {
        if (n == ARGS_MAX)
            return cv_fail(err, CV_E_INVALID, 0, "more than %d arguments", ARGS_MAX);
        argv[n] = command[n];
    }
    for (unsigned i = 0; ours[i] != NULL; i++)
        argv[n++] = ours[i];
    if (incoming) {
        argv[n++] = "-incoming";
        argv[n++] = "defer";
    }
    argv[n] = NULL;
    CV_AUTO_FD listener = listen_somewhere(p, err);
    if (listener < 0)
        return -1;
    p->log_fd = memfd_create("emulator-log", MFD_CLOEXEC);
    if (p->log_fd < 0)
        return cv_fail(err, CV_E_IO, errno, "make a memory file for its log");
    struct cv_process process = { .argv = argv, .log_fd = p->log_fd, .fds = { listener }, .fd_count = 1 };
    if (cv_process_start(&process, &p->pid, &p->pidfd, err) < 0)
        return -1;
    cv_fd_dispose(&listener); /* it is the emulator's alone: when that ends, nobody listens */
    return cv_probe_connect(p, false, err);
}

void cv_probe_end(struct cv_probe *p)
{
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
    }
    p->pid = 0;
    json_decref(p->reply);
    p->reply = NULL;
    cv_fd_dispose(&p->pidfd);
    cv_fd_dispose(&p->fd);
    cv_fd_dispose(&p->log_fd);
}

int cv_probe_wait(struct cv_probe *p, int *status_out, struct cv_error *err)
{
    struct pollfd f = { .fd = p->pidfd, .events = POLLIN };
    int status;

    if (p->pid <= 0 || poll(&f, 1, p->answer_ms) != 1 || waitpid(p->pid, &status, 0) != p->pid)
        return cv_fail(err, CV_E_TIMEOUT, 0, "it does not end within %d s", p->answer_ms / 1000);
    p->pid = 0;
    *status_out = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

/* ---- lines ---- */

static int next_line(struct cv_probe *p, int ms, json_t **out, struct cv_error *err)
{
    int64_t deadline = cv_after_ms(ms);
    char *end;

    while ((end = memchr(p->in, '\n', p->have)) == NULL) {
        struct pollfd f = { .fd = p->fd, .events = POLLIN };
        int64_t left = deadline - cv_now_ms();
        if (p->have == sizeof p->in)
            return cv_fail(err, CV_E_EMULATOR, 0, "a line of %zu bytes and more", p->have);
        if (left <= 0 || poll(&f, 1, (int)left) == 0)
            return cv_fail(err, CV_E_TIMEOUT, 0, "no answer within %d s", ms / 1000);
        ssize_t n = read(p->fd, p->in + p->have, sizeof p->in - p->have);
        if (n <= 0)
            return gone(p, err);
        p->have += (size_t)n;
    }
    size_t len = (size_t)(end + 1 - p->in);
    *out = json_loadb(p->in, len, JSON_REJECT_DUPLICATES, NULL);
    char start[60];
    snprintf(start, sizeof start, "%.*s", (int)(len - 1 < 50 ? len - 1 : 50), p->in);
    p->have -= len;
    memmove(p->in, end + 1, p->have);
    if (json_is_object(*out))
        return 0;
    json_decref(*out);
    return cv_fail(err, CV_E_EMULATOR, 0, "no JSON object: '%s'", start);
}

static int line_within(struct cv_probe *p, int ms, json_t **out, struct cv_error *err)
{
    for (;;) {
        if (next_line(p, ms, out, err) < 0)
            return -1;
        const char *event = json_string_value(json_object_get(*out, "event"));
        if (event == NULL)
            return 0;
        const char *status = json_string_value(json_object_get(json_object_get(*out, "data"), "status"));
        if (strcmp(event, "MIGRATION") == 0 && status != NULL)
            snprintf(p->migration, sizeof p->migration, "%s", status);
        json_decref(*out);
    }
}

int cv_probe_line(struct cv_probe *p, json_t **out, struct cv_error *err)
{
    return line_within(p, p->answer_ms, out, err);
}

int cv_probe_connect(struct cv_probe *p, bool negotiated, struct cv_error *err)
{
    json_t *greeting;

    cv_fd_dispose(&p->fd);
    p->have = 0;
    p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&p->address, p->address_len) < 0)
        return errno == ECONNREFUSED ? gone(p, err) : cv_fail(err, CV_E_EMULATOR, errno, "connect");
    if (line_within(p, CV_PROBE_START_MS, &greeting, err) < 0)
        return cv_context(err, "greeting");
    const json_t *qmp = json_object_get(greeting, "QMP");
    bool good = json_is_object(json_object_get(qmp, "version")) && json_is_array(json_object_get(qmp, "capabilities"));
    json_decref(greeting);
    if (!good)
        return cv_fail(err, CV_E_EMULATOR, 0, "its greeting is not {\"QMP\": {\"version\": {}, \"capabilities\": []}}");
    return negotiated ? cv_probe_do(p, "qmp_capabilities", NULL, -1, err) : 0;
}

int cv_probe_put(struct cv_probe *p, const char *text, int fd, struct cv_error *err)
{
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec iov = { (char *)text, strlen(text) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        m.msg_control = control;
        m.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    /* Questions are short and it has answered all before: they fit into the socket. */
    if (sendmsg(p->fd, &m, MSG_NOSIGNAL) == (ssize_t)iov.iov_len)
        return 0;
    return errno == EPIPE || errno == ECONNRESET ? gone(p, err) : cv_fail(err, CV_E_EMULATOR, errno, "send");
}

/* ---- questions ---- */

static int take_answer(struct cv_probe *p, json_t *answer, struct cv_error *err)
{
    const json_t *error = json_object_get(answer, "error");
    const char *desc = json_string_value(json_object_get(error, "desc"));

    if (json_integer_value(json_object_get(answer, "id")) != p->id)
        return cv_fail(err, CV_E_EMULATOR, 0, "its answer has not the question's id");
    p->reply = json_incref(json_object_get(answer, "return"));
    if (p->reply != NULL)
        return 0;
    if (desc == NULL || json_string_value(json_object_get(error, "class")) == NULL)
        return cv_fail(err, CV_E_EMULATOR, 0,
                       "an answer has \"return\", or \"error\" with \"class\" and \"desc\"; this has neither");
    snprintf(p->refusal, sizeof p->refusal, "%s", *desc != '\0' ? desc : "(nothing)");
    return 0;
}

int cv_probe_ask(struct cv_probe *p, const char *command, json_t *args, int fd, struct cv_error *err)
{
    char line[2000];
    json_t *answer,
        *question = json_pack("{s:s, s:I, s:o*}", "execute", command, "id", (json_int_t)++p->id, "arguments", args);
    CV_AUTO_FREE char *text = json_dumps(question, JSON_COMPACT);

    json_decref(question);
    json_decref(p->reply);
    p->reply = NULL;
    p->refusal[0] = '\0';
    snprintf(line, sizeof line, "%s\n", text != NULL ? text : "");
    if (cv_probe_put(p, line, fd, err) < 0 || cv_probe_line(p, &answer, err) < 0)
        return cv_context(err, "%s", command);
    int rc = take_answer(p, answer, err);
    json_decref(answer);
    return rc < 0 ? cv_context(err, "%s", command) : 0;
}

int cv_probe_do(struct cv_probe *p, const char *command, json_t *args, int fd, struct cv_error *err)
{
    if (cv_probe_ask(p, command, args, fd, err) < 0)
        return -1;
    return *p->refusal == '\0' ? 0 : cv_fail(err, CV_E_EMULATOR, 0, "%s: refused: %s", command, p->refusal);
}

int cv_probe_refused(struct cv_probe *p, const char *command, json_t *args, const char *when, struct cv_error *err)
{
    if (cv_probe_ask(p, command, args, -1, err) < 0)
        return -1;
    return *p->refusal != '\0' ? 0 : cv_fail(err, CV_E_EMULATOR, 0, "%s %s: not refused", command, when);
}
