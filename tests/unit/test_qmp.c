/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One QMP connection over a socket pair: fragments, order, ids, bounds, descriptors. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/fd.h"
#include "emulators/qmp.h"

static struct cv_qmp q;
static int peer;

static void begin(void)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    cv_qmp_init(&q, pair[0]);
    peer = pair[1];
}

static void end(void)
{
    cv_qmp_dispose(&q);
    cv_fd_dispose(&peer);
}

static void say(const char *text)
{
    ck_assert_int_eq(write(peer, text, strlen(text)), (ssize_t)strlen(text));
    cv_qmp_handle(&q, POLLIN);
}

/* What the connection has sent, as text. */
static const char *heard(void)
{
    static char buf[4096];
    ssize_t n = read(peer, buf, sizeof buf - 1);

    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

static void ready(void)
{
    begin();
    say("{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
    ck_assert_str_eq(heard(), "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
    say("{\"return\": {}, \"id\": 1}\r\n");
    ck_assert_int_eq(q.state, CV_QMP_READY);
}

static void send_stop(void)
{
    struct cv_error err = CV_ERROR_INIT;

    ck_assert_int_eq(cv_qmp_send(&q, "stop", NULL, -1, &err), 0);
    ck_assert_int_eq(q.state, CV_QMP_AWAITING);
}

START_TEST(fragments_of_every_length)
{
    const char *text = "{\"QMP\": {\"version\": {}}}\r\n{\"event\": \"RESET\"}\n{\"return\": {}, \"id\": 1}\n";
    char byte[2] = { 0 };

    begin();
    for (const char *p = text; *p; p++) {
        byte[0] = *p;
        say(byte);
    }
    ck_assert_int_eq(q.state, CV_QMP_READY);
    ck_assert_str_eq(q.event, "RESET");
    end();
}
END_TEST

START_TEST(events_between_command_and_answer)
{
    ready();
    send_stop();
    say("{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\n{\"event\": \"STOP\", \"data\": {}}\n");
    ck_assert_int_eq(q.state, CV_QMP_AWAITING);
    say("{\"return\": {\"a\": 5}, \"id\": 2}\n");
    ck_assert_int_eq(q.state, CV_QMP_READY);
    ck_assert_int_eq(json_integer_value(json_object_get(q.reply, "a")), 5);
    ck_assert_str_eq(q.event, "STOP");
    ck_assert_str_eq(q.migration, "completed");
    end();
}
END_TEST

START_TEST(a_refusal_keeps_the_connection)
{
    ready();
    send_stop();
    say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no way\"}, \"id\": 2}\n");
    ck_assert_int_eq(q.state, CV_QMP_READY);
    ck_assert_str_eq(q.refusal, "no way");
    send_stop();
    ck_assert_str_eq(q.refusal, "");
    end();
}
END_TEST

START_TEST(an_answer_to_an_older_command_is_dropped)
{
    ready();
    send_stop();
    q.state = CV_QMP_READY; /* given up */
    send_stop();
    say("{\"return\": {\"old\": 1}, \"id\": 2}\n");
    ck_assert_int_eq(q.state, CV_QMP_AWAITING);
    say("{\"return\": {\"new\": 1}, \"id\": 3}\n");
    ck_assert_ptr_nonnull(json_object_get(q.reply, "new"));
    end();
}
END_TEST

static const char *const nonsense[] = {
    "hello\n",
    "[]\n",
    "5\n",
    "{\n",
    "{\"a\": }\n",
    "{} {}\n",
    "{\"return\": {}}\n",
    "{\"return\": {}, \"id\": \"2\"}\n",
    "{\"id\": 2}\n",
    "{\"QMP\": 1}\n",
    "\xff\xfe\n",
    "{\"return\": {}, \"id\": 2}\n{\"return\": {}, \"id\": 2}\n",
};

START_TEST(nonsense_ends_the_connection)
{
    ready();
    send_stop();
    say(nonsense[_i]);
    ck_assert_msg(q.state == CV_QMP_FAILED, "%s", nonsense[_i]);
    ck_assert_int_eq(q.err.code, CV_E_EMULATOR);
    ck_assert_msg(strncmp(q.err.text, "stop: ", 6) == 0, "%s", q.err.text);
    say("{\"return\": {}, \"id\": 2}\n"); /* nothing brings it back */
    ck_assert_int_eq(q.state, CV_QMP_FAILED);
    end();
}
END_TEST

START_TEST(a_wrong_greeting)
{
    begin();
    say("{\"return\": {}}\n");
    ck_assert_int_eq(q.state, CV_QMP_FAILED);
    ck_assert_str_eq(q.err.text, "does not greet as QMP does");
    end();
}
END_TEST

START_TEST(depth_is_bounded_and_strings_are_not_counted)
{
    char deep[400];

    ready();
    send_stop();
    say("{\"event\": \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"}\n");
    ck_assert_int_eq(q.state, CV_QMP_AWAITING);
    snprintf(deep, sizeof deep, "{\"return\": %.*s}\n", CV_QMP_DEPTH_MAX,
             "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
    say(deep);
    ck_assert_int_eq(q.state, CV_QMP_FAILED);
    end();
}
END_TEST

START_TEST(lines_are_bounded)
{
    static char block[65536];

    ready();
    send_stop();
    memset(block, ' ', sizeof block - 1);
    for (int i = 0; i < 40 && q.state != CV_QMP_FAILED; i++) {
        (void)!write(peer, block, sizeof block - 1);
        cv_qmp_handle(&q, POLLIN);
    }
    ck_assert_int_eq(q.state, CV_QMP_FAILED);
    ck_assert_uint_le(q.in.len, CV_QMP_LINE_MAX + 65536);
    end();
}
END_TEST

START_TEST(a_descriptor_goes_along_once)
{
    struct cv_error err = CV_ERROR_INIT;
    char text[200], control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { text, sizeof text };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ready();
    ck_assert_int_eq(cv_qmp_send(&q, "getfd", json_pack("{s:s}", "fdname", "x"), fd, &err), 0);
    ck_assert_int_gt(recvmsg(peer, &msg, MSG_CMSG_CLOEXEC), 0);
    ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&msg));
    int got;
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof got);
    close(got);
    close(fd);
    ck_assert_int_eq(q.pass_fd, -1);
    end();
}
END_TEST

START_TEST(the_other_end_goes_away)
{
    ready();
    send_stop();
    cv_fd_dispose(&peer);
    cv_qmp_handle(&q, POLLIN | POLLHUP);
    ck_assert_int_eq(q.state, CV_QMP_FAILED);
    ck_assert(q.hung_up);
    end();
}
END_TEST

START_TEST(dialing_nobody)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_qmp d;
    char buf[700], path[300];

    cv_qmp_init(&d, -1);
    ck_assert_int_eq(cv_qmp_dial(&d, "/nonexistent/sock", &err), -1);
    ck_assert_str_eq(cv_error_string(&err, buf, sizeof buf), "connect to /nonexistent/sock: No such file or directory");
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(cv_qmp_dial(&d, path, &err), -1);
    ck_assert_int_eq(err.code, CV_E_INVALID);
    cv_qmp_dispose(&d);
    cv_qmp_dispose(&d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("qmp");
    TCase *t = tcase_create("qmp");

    tcase_add_test(t, fragments_of_every_length);
    tcase_add_test(t, events_between_command_and_answer);
    tcase_add_test(t, a_refusal_keeps_the_connection);
    tcase_add_test(t, an_answer_to_an_older_command_is_dropped);
    tcase_add_loop_test(t, nonsense_ends_the_connection, 0, sizeof nonsense / sizeof *nonsense);
    tcase_add_test(t, a_wrong_greeting);
    tcase_add_test(t, depth_is_bounded_and_strings_are_not_counted);
    tcase_add_test(t, lines_are_bounded);
    tcase_add_test(t, a_descriptor_goes_along_once);
    tcase_add_test(t, the_other_end_goes_away);
    tcase_add_test(t, dialing_nobody);
    suite_add_tcase(s, t);
    return run_suite(s);
}
