/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api_door.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

_Thread_local struct cv_host *door_host;

/* What libconvoy has from host/xen. */
int cv_host_open_xen(struct cv_host **h_out, struct cv_sink *log, struct cv_error *err)
{
    (void)log;
    if (door_host == NULL)
        return cv_fail(err, CV_E_HYPERVISOR, 0, "no Xen here");
    *h_out = door_host;
    return 0;
}

static void on_message(void *user, int level, const char *text)
{
    struct door *d = user;
    d->messages++;
    if (level == 1)
        snprintf(d->warning, sizeof d->warning, "%s", text);
    snprintf(d->last, sizeof d->last, "%s", text);
}

static void on_event(void *user, const char *json)
{
    struct door *d = user;
    json_t *o = json_loads(json, 0, NULL);
    ck_assert_msg(o != NULL, "%s", json);
    json_decref(o);
    d->events++;
}

void door_open(struct door *d, struct one_host *s, bool watched)
{
    convoy_host_options o = { .size = sizeof o, .program = watched ? d->program : "", .journals = s->store };
    convoy_sink sink = { .size = sizeof sink, .message = on_message, .event = on_event, .user = d };
    convoy_error err;

    *d = (struct door){ 0 };
    snprintf(d->fifo, sizeof d->fifo, "%s/said", s->dir);
    snprintf(d->program, sizeof d->program, "%s/program", s->dir);
    ck_assert_int_eq(mkfifo(d->fifo, 0600), 0);
    d->said = open(d->fifo, O_RDWR | O_CLOEXEC);
    FILE *f = fopen(d->program, "w");
    fprintf(f, "#!/bin/sh\necho \"$*\" >%s\n", d->fifo);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(d->program, 0700), 0);
    door_host = &s->host->base;
    d->h = convoy_host_open(&sink, &o, &err);
    ck_assert_msg(d->h != NULL, "%s", err.text);
}

void door_close(struct door *d, struct one_host *s)
{
    convoy_host_close(d->h);
    s->host->base.gate = NULL;
    close(d->said);
    unlink(d->fifo);
    unlink(d->program);
}

void door_was_started(struct door *d, const char *words)
{
    char text[400] = "";
    struct pollfd p = { .fd = d->said, .events = POLLIN };

    while (strstr(text, words) == NULL) {
        ck_assert_msg(poll(&p, 1, 20000) == 1, "'%s' was not started: %s", words, text);
        size_t n = strlen(text);
        ck_assert_uint_lt(n, sizeof text - 1);
        ssize_t got = read(d->said, text + n, sizeof text - 1 - n);
        ck_assert_int_gt(got, 0);
        text[n + (size_t)got] = '\0';
    }
}

void door_nothing_was_started(struct door *d)
{
    struct pollfd p = { .fd = d->said, .events = POLLIN };
    ck_assert_int_eq(poll(&p, 1, 0), 0);
}

static void pattern(struct one_host *s, uint32_t domid)
{
    struct fake_domain *d = s->host->dom[domid];

    for (unsigned i = 0; i < FAKE_PFNS; i++) {
        d->there[i] = i % 7 != 6;
        memset(d->ram[i], i % 3 ? (int)i : 0, CV_PAGE_SIZE);
    }
}

uint32_t door_create(struct door *d, struct one_host *s)
{
    convoy_started started = { .size = sizeof started };
    convoy_error err;

    OK(convoy_create(d->h, s->config, NULL, &started, &err));
    pattern(s, started.domid);
    return started.domid;
}

void door_begin(struct door *d, struct one_host *s, bool watched)
{
    one_host_begin(s, NULL);
    door_open(d, s, watched);
}

void door_end(struct door *d, struct one_host *s)
{
    door_close(d, s);
    one_host_is_bare(s);
    one_host_end(s);
}

void door_destroy_and_end(struct door *d, struct one_host *s)
{
    convoy_error err;

    OK(convoy_destroy(d->h, "g", &err));
    reap();
    door_end(d, s);
}
