/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/clock.h"
#include "base/fd.h"
#include "handover/channel.h"

static struct cv_error err;
static struct cv_chan s, d;
static int fds[2];

static void set_up(void)
{
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert_int_eq(cv_chan_init(&s, fds[0], fds[0], CV_PEER_SOURCE, &err), 0);
    ck_assert_int_eq(cv_chan_init(&d, fds[1], fds[1], CV_PEER_DESTINATION, &err), 0);
}

static void tear_down(void)
{
    cv_chan_dispose(&s);
    cv_chan_dispose(&d);
    close(fds[0]);
    close(fds[1]);
}

static struct cv_msg_hello hello(int role)
{
    struct cv_msg_hello h = { .role = (uint16_t)role,
                              .version_min = 1,
                              .version_max = 1,
                              .stream_version = 1,
                              .keepalive_ms = 100,
                              .host = role ? "host2" : "host1",
                              .software = "convoy test" };
    memset(h.migration.b, role ? 0 : 5, 16);
    return h;
}

static struct cv_msg_hello dest_hello;

static void *dest_opening(void *rc_out)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_msg m = { 0 };
    *(int *)rc_out = cv_chan_hello_destination(&d, &dest_hello, &m, cv_after_ms(5000), NULL, &e);
    cv_msg_dispose(&m);
    return NULL;
}

static int open_both(struct cv_msg_hello mine, struct cv_msg_hello theirs, int *dest_rc)
{
    pthread_t t;
    struct cv_msg m = { 0 };
    dest_hello = theirs;
    pthread_create(&t, NULL, dest_opening, dest_rc);
    int rc = cv_chan_hello_source(&s, &mine, &m, cv_after_ms(5000), NULL, &err);
    pthread_join(t, NULL);
    cv_msg_dispose(&m);
    return rc;
}

static void opened(void)
{
    int rc;
    ck_assert_msg(open_both(hello(0), hello(1), &rc) == 0, "%s", err.text);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(s.state, CV_CHAN_AGREED);
    ck_assert_int_eq(d.state, CV_CHAN_AGREED);
}

static int64_t soon(void) { return cv_after_ms(3000); }

START_TEST(a_whole_conversation)
{
    struct cv_buf emus = { 0 };
    struct cv_strs list = { 0 };
    struct cv_msg m;

    opened();
    ck_assert_int_eq(cv_strs_append(&emus, &list, "0", &err), 0);
    ck_assert_int_eq(cv_strs_append(&emus, &list, "default", &err), 0);
    struct cv_msg offer = {
        .type = CV_MSG_OFFER,
        .offer = { .name = "g", .memory_bytes = 1ull << 40, .vcpus = 2, .config = { "a = 1\n", 6 }, .emulators = list }
    };
    ck_assert_int_eq(cv_chan_send(&s, &offer, soon(), NULL, &err), 0);
    cv_buf_dispose(&emus);
    ck_assert_int_eq(cv_chan_recv(&d, &m, soon(), NULL, &err), 0);
    ck_assert_str_eq(m.offer.name, "g");
    ck_assert_uint_eq(m.offer.memory_bytes, 1ull << 40);
    ck_assert_uint_eq(m.offer.config.len, 6);
    struct cv_strs it = m.offer.emulators;
    ck_assert_str_eq(cv_strs_next(&it), "0");
    ck_assert_str_eq(cv_strs_next(&it), "default");
    ck_assert_ptr_null(cv_strs_next(&it));
    cv_msg_dispose(&m);
    ck_assert_int_eq(cv_chan_send(&d, &(struct cv_msg){ .type = CV_MSG_ACCEPT }, soon(), NULL, &err), 0);
    ck_assert_int_eq(cv_chan_recv(&s, &m, soon(), NULL, &err), 0);
    ck_assert_int_eq(m.type, CV_MSG_ACCEPT);
    cv_msg_dispose(&m);

    /* The raw stream on the same descriptor, PROGRESS the other way, then messages again. */
    char raw[1000], got[1000];
    size_t n;
    memset(raw, 'x', sizeof raw);
    ck_assert_int_eq(cv_chan_poll(&s, &m, &err), 0);
    ck_assert_int_eq(cv_write_full(s.out, raw, sizeof raw, soon(), NULL, &err), 0);
    ck_assert_int_eq(
        cv_chan_send(&d, &(struct cv_msg){ .type = CV_MSG_PROGRESS, .progress.pages = 3 }, soon(), NULL, &err), 0);
    ck_assert_int_eq(cv_chan_poll(&s, &m, &err), 1);
    ck_assert_uint_eq(m.progress.pages, 3);
    cv_msg_dispose(&m);
    ck_assert_int_eq(cv_chan_send(&s, &(struct cv_msg){ .type = CV_MSG_COMMIT }, soon(), NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_INTERNAL);
    cv_chan_stream_ended(&s);
    ck_assert_int_eq(cv_read_full(d.in, got, sizeof got, &n, soon(), NULL, &err), 0);
    ck_assert_mem_eq(got, raw, sizeof raw);
    cv_chan_stream_ended(&d);

    static const struct {
        int from;
        enum cv_msg_type type;
    } rest[] = { { 1, CV_MSG_READY }, { 0, CV_MSG_COMMIT }, { 1, CV_MSG_RUNNING }, { 0, CV_MSG_DONE } };
    for (unsigned i = 0; i < 4; i++) {
        struct cv_msg say = { .type = rest[i].type };
        ck_assert_int_eq(cv_chan_send(rest[i].from ? &d : &s, &say, soon(), NULL, &err), 0);
        ck_assert_int_eq(cv_chan_recv(rest[i].from ? &s : &d, &m, soon(), NULL, &err), 0);
        ck_assert_int_eq(m.type, rest[i].type);
        cv_msg_dispose(&m);
    }
    ck_assert_int_eq(s.state, CV_CHAN_CLOSED);
    ck_assert_int_eq(d.state, CV_CHAN_CLOSED);
}
END_TEST

START_TEST(versions)
{
    static const struct {
        unsigned a, b, c, d, want;
    } rows[] = { { 1, 1, 1, 1, 1 }, { 1, 3, 2, 5, 3 }, { 2, 5, 1, 3, 3 },
                 { 1, 2, 3, 4, 0 }, { 3, 4, 1, 2, 0 }, { 2, 2, 1, 9, 2 } };
    for (unsigned i = 0; i < 6; i++)
        ck_assert_uint_eq(cv_chan_version(rows[i].a, rows[i].b, rows[i].c, rows[i].d), rows[i].want);
}
END_TEST

/* One refusal each, with a text that names both sides, before anything else is said. */
START_TEST(refused_openings)
{
    static const char *const texts[] = { "refuses: no common protocol version", "refuses: the stream's version",
                                         "refuses: a required feature" };
    struct cv_msg_hello mine = hello(0);
    int rc;
    if (_i == 0)
        mine.version_min = mine.version_max = 9;
    else if (_i == 1)
        mine.stream_version = 7;
    else
        mine.features = 0x80;
    ck_assert_int_eq(open_both(mine, hello(1), &rc), -1);
    ck_assert_int_eq(rc, -1);
    ck_assert_msg(strstr(err.text, texts[_i]) != NULL, "%s", err.text);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
}
END_TEST

START_TEST(a_later_hello_may_be_longer)
{
    struct cv_buf b = { 0 };
    struct cv_msg m = { .type = CV_MSG_HELLO, .hello = hello(0) }, got;
    ck_assert_int_eq(cv_msg_encode(&m, &b, &err), 0);
    ck_assert_int_eq(cv_buf_append(&b, "more", 4, &err), 0);
    ck_assert_int_eq(cv_msg_decode(CV_MSG_HELLO, &b, &got, &err), 0);
    cv_msg_dispose(&got);
    m = (struct cv_msg){ .type = CV_MSG_COMMIT };
    b = (struct cv_buf){ 0 };
    ck_assert_int_eq(cv_msg_encode(&m, &b, &err), 0);
    ck_assert_int_eq(cv_buf_append(&b, "more", 4, &err), 0);
    ck_assert_int_eq(cv_msg_decode(CV_MSG_COMMIT, &b, &got, &err), -1);
    cv_buf_dispose(&b);
}
END_TEST

static int first_message(const char *bytes, size_t len)
{
    struct cv_msg m;
    ck_assert_int_eq(write(fds[0], bytes, len), (ssize_t)len);
    shutdown(fds[0], SHUT_WR);
    return cv_chan_recv(&d, &m, soon(), NULL, &err);
}

START_TEST(no_convoy_there)
{
    ck_assert_int_eq(first_message("bash: convoy: command not found\n", 32), -1);
    ck_assert_int_eq(err.code, CV_E_PEER);
    ck_assert_msg(strstr(err.text, "bash: convoy: command not found") != NULL, "%s", err.text);
}
END_TEST

START_TEST(a_short_greeting)
{
    ck_assert_int_eq(first_message("Welcome!\n", 9), -1);
    ck_assert_msg(strstr(err.text, "Welcome!") != NULL, "%s", err.text);
}
END_TEST

/* Any byte flipped, any length cut: refused, never accepted, never waits for ever. */
START_TEST(damage)
{
    struct cv_buf b = { 0 };
    struct cv_msg m = { .type = CV_MSG_HELLO, .hello = hello(0) }, got;
    uint8_t header[CV_MSG_HEADER];
    ck_assert_int_eq(cv_msg_encode(&m, &b, &err), 0);
    cv_msg_frame_put(header, &(struct cv_msg_frame){ CV_MSG_HELLO, (uint32_t)b.len, 0 }, b.data, 0);
    size_t all = sizeof header + b.len;
    uint8_t *frame = malloc(all);
    memcpy(frame, header, sizeof header);
    memcpy(frame + sizeof header, b.data, b.len);
    cv_buf_dispose(&b);
    for (size_t i = 0; i < 2 * all; i++) {
        bool cut = i >= all;
        size_t n = cut ? i - all : all;
        tear_down();
        set_up();
        if (!cut)
            frame[i] ^= 0x10;
        ck_assert_int_eq(write(fds[0], frame, n), (ssize_t)n);
        shutdown(fds[0], SHUT_WR);
        ck_assert_msg(cv_chan_recv(&d, &got, soon(), NULL, &err) == -1, "byte %zu", i);
        ck_assert_int_eq(err.code, CV_E_PEER);
        if (!cut)
            frame[i] ^= 0x10;
    }
    free(frame);
}
END_TEST

START_TEST(byte_by_byte)
{
    struct cv_buf b = { 0 };
    struct cv_msg m = { .type = CV_MSG_HELLO, .hello = hello(0) }, got;
    uint8_t header[CV_MSG_HEADER];
    ck_assert_int_eq(cv_msg_encode(&m, &b, &err), 0);
    cv_msg_frame_put(header, &(struct cv_msg_frame){ CV_MSG_HELLO, (uint32_t)b.len, 0 }, b.data, 0);
    for (size_t i = 0; i < sizeof header + b.len; i++) {
        ck_assert_int_eq(cv_chan_poll(&d, &got, &err), 0);
        const uint8_t *p = i < sizeof header ? &header[i] : &b.data[i - sizeof header];
        ck_assert_int_eq(write(fds[0], p, 1), 1);
    }
    ck_assert_int_eq(cv_chan_poll(&d, &got, &err), 1);
    ck_assert_str_eq(got.hello.host, "host1");
    cv_msg_dispose(&got);
    cv_buf_dispose(&b);
}
END_TEST

START_TEST(ones_own_words_do_not_pass)
{
    opened();
    struct cv_msg m, q = { .type = CV_MSG_QUERY };
    ck_assert_int_eq(cv_chan_send(&s, &q, soon(), NULL, &err), 0);
    char raw[200];
    ssize_t n = read(fds[1], raw, sizeof raw);
    ck_assert_int_eq(write(fds[1], raw, (size_t)n), n);
    ck_assert_int_eq(cv_chan_recv(&s, &m, soon(), NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_PEER);
}
END_TEST

START_TEST(a_repeated_frame_does_not_pass)
{
    opened();
    struct cv_msg m;
    ck_assert_int_eq(cv_chan_send(&s, &(struct cv_msg){ .type = CV_MSG_KEEPALIVE }, soon(), NULL, &err), 0);
    char raw[200];
    ssize_t n = read(fds[1], raw, sizeof raw);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(write(fds[0], raw, (size_t)n), n);
    ck_assert_int_eq(cv_chan_recv(&d, &m, soon(), NULL, &err), -1);
    ck_assert_msg(strstr(err.text, "number 1") != NULL || strstr(err.text, "expected 2") != NULL, "%s", err.text);
}
END_TEST

START_TEST(silence_and_keep_alives)
{
    opened();
    struct cv_msg m;
    s.silence_ms = 60;
    int64_t start = cv_now_ms();
    ck_assert_int_eq(cv_chan_recv(&s, &m, cv_after_ms(5000), NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_PEER);
    ck_assert_int_lt(cv_now_ms() - start, 2000);
    /* With a peer that ticks, it is the deadline that ends the wait. */
    d.keepalive_ms = 0;
    s.silence_ms = 1000000;
    ck_assert_int_eq(cv_chan_tick(&d, &err), 0);
    ck_assert_int_eq(cv_chan_recv(&s, &m, cv_after_ms(60), NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_TIMEOUT);
    ck_assert_int_ge(s.received, 2);
}
END_TEST

/* Keep-alives without end: who waits is still held to its time limit, and hears its cancel. */
static void *says_nothing_else(void *arg)
{
    struct cv_error e = CV_ERROR_INIT;

    (void)arg;
    d.keepalive_ms = 0;
    while (cv_chan_tick(&d, &e) == 0)
        ;
    return NULL;
}

START_TEST(a_flood_of_keep_alives)
{
    pthread_t t;
    struct cv_msg m;
    int64_t start = cv_now_ms();

    opened();
    ck_assert_int_eq(pthread_create(&t, NULL, says_nothing_else, NULL), 0);
    ck_assert_int_eq(cv_chan_recv(&s, &m, cv_after_ms(200), NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_TIMEOUT);
    ck_assert_int_lt(cv_now_ms() - start, 20000);
    ck_assert_uint_gt(s.received, 1);
    shutdown(fds[0], SHUT_RDWR);
    pthread_join(t, NULL);
}
END_TEST

START_TEST(cancel)
{
    struct cv_cancel c;
    struct cv_msg m;
    opened();
    ck_assert_int_eq(cv_cancel_init(&c, &err), 0);
    cv_cancel_request(&c);
    ck_assert_int_eq(cv_chan_recv(&s, &m, CV_NEVER, &c, &err), -1);
    ck_assert_int_eq(err.code, CV_E_CANCELLED);
    cv_cancel_dispose(&c);
}
END_TEST

/* A peer that reads nothing: tick never blocks, send ends at its deadline, and what is half out is not mixed up. */
START_TEST(a_full_pipe)
{
    opened();
    char junk[4096] = { 0 };
    while (write(fds[1], junk, sizeof junk) > 0)
        ;
    d.keepalive_ms = 0;
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(cv_chan_tick(&d, &err), 0);
    d.state = CV_CHAN_LOADING;
    ck_assert_int_eq(cv_chan_send(&d, &(struct cv_msg){ .type = CV_MSG_READY }, cv_after_ms(50), NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_TIMEOUT);
}
END_TEST

/* The last words of a peer that failed are heard although writing to it fails. */
START_TEST(last_words)
{
    opened();
    struct cv_msg m;
    s.state = d.state = CV_CHAN_STREAM;
    struct cv_msg no = { .type = CV_MSG_FAILED, .failed = { CV_E_NOMEM, "out of memory" } };
    ck_assert_int_eq(cv_chan_send(&d, &no, soon(), NULL, &err), 0);
    shutdown(fds[1], SHUT_RDWR);
    ck_assert_int_eq(cv_chan_recv(&s, &m, soon(), NULL, &err), 0);
    ck_assert_int_eq(cv_chan_refused(&m, &err), -1);
    ck_assert_str_eq(err.text, "the destination failed: out of memory");
    cv_msg_dispose(&m);
    ck_assert_int_eq(cv_chan_recv(&s, &m, soon(), NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_PEER);
}
END_TEST

START_TEST(limits)
{
    static char big[CV_MSG_STR_MAX + 2];
    memset(big, 'a', CV_MSG_STR_MAX + 1);
    struct cv_buf b = { 0 };
    struct cv_msg m = { .type = CV_MSG_FAILED, .failed.text = big };
    ck_assert_int_eq(cv_msg_encode(&m, &b, &err), -1);
    ck_assert_int_eq(err.code, CV_E_INVALID);
    b.len = 0;
    m = (struct cv_msg){ .type = CV_MSG_ACCEPT, .accept.notes = { 70, (uint8_t[70000]){ 0 }, 70000 } };
    ck_assert_int_eq(cv_msg_encode(&m, &b, &err), -1);
    cv_buf_dispose(&b);
    uint8_t h[CV_MSG_HEADER];
    struct cv_msg_frame f = { CV_MSG_COMMIT, 65, 0 };
    cv_store32(h, CV_MSG_MAGIC);
    cv_store16(h + 4, f.type);
    cv_store16(h + 6, 0);
    cv_store32(h + 8, f.length);
    ck_assert_int_eq(cv_msg_frame_get(h, &f, &err), -1); /* before a byte of it is allocated */
}
END_TEST

/* The docs' tables of messages, refusals and states are those of handover/messages.def. */
START_TEST(docs_have_the_same_tables)
{
    char *text, line[256];
    struct cv_error e;
    ck_assert_int_eq(cv_file_read("docs/migrate-protocol.md", 1 << 20, &text, NULL, &e), 0);
#define WANT(...)                                                                              \
    do {                                                                                       \
        snprintf(line, sizeof line, __VA_ARGS__);                                              \
        ck_assert_msg(strstr(text, line) != NULL, "docs/migrate-protocol.md lacks: %s", line); \
    } while (0)
#define M(NAME, name, id, from, max) WANT("\n| %d | %s | %s | %u |", id, #NAME, #from, (unsigned)max);
#define R(NAME, number, text_) WANT("\n| %d | %s | %s |", number, #NAME, text_);
#define A(st, from, NAME, next) WANT("\n| %s | %s | %s | %s |", #st, #from, #NAME, #next);
    CV_MESSAGES(M)
    CV_REFUSALS(R)
    CV_ALLOWED(A)
    free(text);
}
END_TEST
#undef M
#undef R
#undef A

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    Suite *suite = suite_create("channel");
    TCase *t = tcase_create("channel");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_whole_conversation);
    tcase_add_test(t, versions);
    tcase_add_loop_test(t, refused_openings, 0, 3);
    tcase_add_test(t, a_later_hello_may_be_longer);
    tcase_add_test(t, no_convoy_there);
    tcase_add_test(t, a_short_greeting);
    tcase_add_test(t, damage);
    tcase_add_test(t, byte_by_byte);
    tcase_add_test(t, ones_own_words_do_not_pass);
    tcase_add_test(t, a_repeated_frame_does_not_pass);
    tcase_add_test(t, silence_and_keep_alives);
    tcase_add_test(t, a_flood_of_keep_alives);
    tcase_add_test(t, cancel);
    tcase_add_test(t, a_full_pipe);
    tcase_add_test(t, last_words);
    tcase_add_test(t, limits);
    tcase_add_test(t, docs_have_the_same_tables);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
