/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A model of a host (one_host.h) as a program sees it that has libconvoy: whoever links this is what the library's host
 * layer would find. */
#ifndef CONVOY_TESTS_API_DOOR_H
#define CONVOY_TESTS_API_DOOR_H

#include <check.h>
#include <string.h>

#include "convoy/convoy.h"
#include "one_host.h"

/* With a convoy_error err in sight. */
#define OK(call)                                                      \
    do {                                                              \
        int rc_ = (call);                                             \
        ck_assert_msg(rc_ == 0, "%s: %s (%d)", #call, err.text, rc_); \
    } while (0)
#define FAILS(call, wanted, words)                                                           \
    do {                                                                                     \
        memset(&err, 0, sizeof err);                                                         \
        ck_assert_msg((call) == -1, "%s succeeds", #call);                                   \
        ck_assert_msg(err.code == (wanted), "%s: %s", convoy_code_name(err.code), err.text); \
        ck_assert_msg(strstr(err.text, words) != NULL, "not '%s': %s", words, err.text);     \
    } while (0)

struct door {
    convoy_host *h;
    char fifo[128], program[128]; /* what is started in convoy's place writes its arguments there */
    int said;                     /* our end of fifo */
    unsigned messages, events;
    char last[2000], warning[2000]; /* of the messages; of those that are warnings */
};

/* What the library opens on this thread; NULL: there is no Xen. */
extern _Thread_local struct cv_host *door_host;

/* watched: a guest that is started gets a monitor, which is a program of the test's. */
void door_open(struct door *d, struct one_host *s, bool watched);
void door_close(struct door *d, struct one_host *s);
/* The same with a host of its own; at the end nothing is on it. */
void door_begin(struct door *d, struct one_host *s, bool watched);
void door_end(struct door *d, struct one_host *s);
/* Guest "g" first. */
void door_destroy_and_end(struct door *d, struct one_host *s);

/* Guest "g", with patterned RAM; its domid. */
uint32_t door_create(struct door *d, struct one_host *s);

/* Some process was started as "convoy WORDS"; or none at all. */
void door_was_started(struct door *d, const char *words);
void door_nothing_was_started(struct door *d);

#endif
