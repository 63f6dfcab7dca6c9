/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The channel behind HELLO: whatever the other side says, with right sequence numbers and checksums, in every state and
 * to both roles; an OFFER is judged as a destination does, on a model of a host. Input: who we are (bit 0: the
 * destination; bit 1: we answer, with what may be said next; bit 2: the raw stream ends as soon as it has begun), the
 * state to begin in (0: with the exchange of HELLOs), then messages: type, length (16 bits, little endian), body. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "handover/channel.h"
#include "migrate/offer.h"
#include "tests/support/fake_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_MAX_HERE 100000u
#define PATIENCE_MS 20

static struct fake_host *host;

static void walk(struct cv_strs list)
{
    const char *text;

    while ((text = cv_strs_next(&list)) != NULL)
        if (strlen(text) > CV_MSG_STR_MAX)
            abort();
}

/* An emulator's version is asked of its program (five words each: dmid, name, program, ...): not of whatever is on this
 * machine. */
static bool runs_a_program(struct cv_strs list)
{
    const char *text;

    while ((text = cv_strs_next(&list)) != NULL)
        if (access(text, X_OK) == 0)
            return true;
    return false;
}

/* A layout that is one, in the place of what none is: else nothing behind it would be looked at. */
static const char *good_layout(void)
{
    static const char config[] = "type='hvm'\nname='x'\nmemory=32\ndisk=['/x,raw,hda,w']\n";
    static const struct cv_layout_host there = { .default_model = "/nowhere/qemu" };
    static char *json;
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest_config c;
    struct cv_layout l;

    if (json != NULL)
        return json;
    if (cv_guest_config_parse(config, sizeof config - 1, "fuzz", &c, &err) < 0 ||
        cv_layout_decide(&c, &there, &l, &err) < 0 || cv_layout_encode(&l, &json, &err) < 0)
        abort();
    cv_layout_dispose(&l);
    cv_guest_config_dispose(&c);
    return json;
}

static void take_good_layout(struct cv_msg_offer *o)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout l;

    if (cv_layout_decode(o->layout.data, o->layout.len, &l, &err) == 0) {
        cv_layout_dispose(&l);
        return;
    }
    o->layout.data = (const void *)good_layout();
    o->layout.len = (uint32_t)strlen(good_layout());
}

/* Rules that trust the good layout's program, which is not there to be run. */
static const char *rules(void)
{
    static const char text[] = "program = /nowhere/qemu\nsecondaries_as_root = 1\n";
    static char path[32];

    if (*path != '\0')
        return path;
    int fd = memfd_create("rules", MFD_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0600) < 0 || write(fd, text, sizeof text - 1) != (ssize_t)sizeof text - 1)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static void judge(const struct cv_msg_offer *offer)
{
    const struct cv_host_dirs dirs = { .run = "/nowhere", .log = "/nowhere", .lib = "/nowhere", .rules = rules() };
    struct cv_offer_check c = { .host = &host->base };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_msg_offer o = *offer;
    uint32_t refusal = 0;

    host->base.dirs = &dirs;
    if (o.memory_bytes % 4 != 1)
        take_good_layout(&o);
    if (runs_a_program(o.emulators))
        o.emulators = (struct cv_strs){ 0 };
    if (cv_offer_check(&c, &o, &refusal, &err) < 0 && (refusal == 0 || err.code == CV_OK || err.text[0] == '\0'))
        abort();
    walk(c.notes);
    cv_offer_check_dispose(&c);
}

static void heard(const struct cv_msg *m)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_buf again = { 0 };

    switch (m->type) {
    case CV_MSG_OFFER: judge(&m->offer); break;
    case CV_MSG_ACCEPT: walk(m->accept.notes); break;
    case CV_MSG_READY: walk(m->ready.emulators); break;
    default: break;
    }
    if (cv_chan_refused(m, &err) == 0 || err.text[0] == '\0')
        abort();
    /* What was accepted can be said. */
    if (cv_msg_encode(m, &again, &err) < 0)
        abort();
    cv_buf_dispose(&again);
}

/* One message with its frame; false when there is no room for it. */
static bool say(struct cv_chan *c, int fd, uint16_t type, const uint8_t *body, size_t len)
{
    const struct cv_msg_frame f = { type, (uint32_t)len, c->received };
    uint8_t head[CV_MSG_HEADER];

    cv_msg_frame_put(head, &f, body, c->seed_in);
    return send(fd, head, sizeof head, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof head &&
           send(fd, body, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

enum { DESTINATION = 1, ANSWERS = 2, STREAM_ENDS = 4, WAITS = 8 };

/* Whatever may be said now and is neither a keep-alive nor the end. */
static void answer(struct cv_chan *c)
{
    static const struct cv_msg empty = { 0 };
    struct cv_error err = CV_ERROR_INIT;

    for (int type = CV_MSG_OFFER; type <= CV_MSG_ANSWER; type++) {
        struct cv_msg m = empty;
        m.type = (enum cv_msg_type)type;
        bool end = type == CV_MSG_REFUSE || type == CV_MSG_FAILED || type == CV_MSG_ABORT;
        if (type == CV_MSG_KEEPALIVE || end || cv_chan_next(c->state, c->role, m.type) < 0)
            continue;
        (void)!cv_chan_send(c, &m, cv_after_ms(PATIENCE_MS), NULL, &err);
        return;
    }
}

/* The opening: their first message, whatever it is, is to be a HELLO. */
static int open_channel(struct cv_chan *c)
{
    struct cv_msg_hello mine = { .role = (uint16_t)c->role,
                                 .version_min = CV_PROTOCOL_MIN,
                                 .version_max = CV_PROTOCOL_MAX,
                                 .stream_version = 1,
                                 .migration = { { 1, 2, 3 } } };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_msg theirs = { 0 };
    int64_t until = cv_after_ms(PATIENCE_MS);
    int rc = c->role == CV_PEER_SOURCE ? cv_chan_hello_source(c, &mine, &theirs, until, NULL, &err)
                                       : cv_chan_hello_destination(c, &mine, &theirs, until, NULL, &err);

    if (rc < 0 && (err.code == CV_OK || err.text[0] == '\0'))
        abort();
    cv_msg_dispose(&theirs);
    return rc;
}

static void converse(struct cv_chan *c, int fd, unsigned how, const uint8_t *data, size_t size)
{
    char answers[4096];
    struct cv_error err = CV_ERROR_INIT;
    struct cv_msg m;
    int rc = 0;

    while (size >= 3 && rc >= 0) {
        size_t len = data[1] | (size_t)data[2] << 8;
        uint16_t type = data[0];
        data += 3, size -= 3;
        len = len < size ? len : size;
        if (!say(c, fd, type, data, len))
            return;
        data += len, size -= len;
        if (c->state == CV_CHAN_START) {
            if (open_channel(c) < 0)
                return;
            if (how & ANSWERS)
                answer(c);
            continue;
        }
        while ((rc = cv_chan_poll(c, &m, &err)) > 0) {
            heard(&m);
            cv_msg_dispose(&m);
            if (how & ANSWERS)
                answer(c);
        }
        if (rc < 0 && (err.code == CV_OK || err.code == CV_E_INTERNAL || err.text[0] == '\0'))
            abort();
        if (c->state == CV_CHAN_STREAM && how & STREAM_ENDS) {
            cv_chan_stream_ended(c);
            if (how & ANSWERS)
                answer(c);
        }
        (void)!cv_chan_tick(c, &err);
        while (recv(fd, answers, sizeof answers, MSG_DONTWAIT) > 0)
            ;
    }
}

/* Waiting for what does not come, and for what was said before the other side closed. */
static void last_words(struct cv_chan *c, int fd, unsigned how)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_msg m;

    if (how & WAITS && cv_chan_recv(c, &m, cv_after_ms(2), NULL, &err) == 0)
        cv_msg_dispose(&m);
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 4 && cv_chan_recv(c, &m, cv_after_ms(PATIENCE_MS), NULL, &err) == 0; i++)
        cv_msg_dispose(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t migration[16] = { 1, 2, 3 };
    struct cv_chan c;
    struct cv_error err;
    int fds[2];

    if (host == NULL) {
        signal(SIGPIPE, SIG_IGN);
        host = fake_host_new();
        fake_host_add_guest(host, "taken");
    }
    if (size < 2 || size > SIZE_MAX_HERE || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return 0;
    int role = data[0] & DESTINATION ? CV_PEER_DESTINATION : CV_PEER_SOURCE;
    if (cv_chan_init(&c, fds[0], fds[0], role, &err) < 0)
        abort();
    c.state = data[1] % CV_CHAN_STATES;
    if (c.state != CV_CHAN_START) {
        c.sent = c.received = 1;
        memcpy(c.migration, migration, sizeof migration);
        c.seed_out = cv_frame_seed(migration, role);
        c.seed_in = cv_frame_seed(migration, !role);
    }
    converse(&c, fds[1], data[0], data + 2, size - 2);
    last_words(&c, fds[1], data[0]);
    cv_chan_dispose(&c);
    close(fds[0]);
    close(fds[1]);
    return 0;
}
