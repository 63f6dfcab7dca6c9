/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "guest/blockers.h"
#include "handover/unsettled.h"
#include "migrate/offer.h"
#include "stream-format/stream.h"

#define HELLO_MS 30000
#define OFFER_MS 60000
#define ANSWER_MS 20000 /* of the emulators */

struct check {
    const struct cv_migrate_options *opt;
    struct cv_link link;
    struct cv_chan chan;
    bool chan_open;
    struct cv_offer offer;
    struct cv_msg theirs, answer;
    char host_name[65];
};

static int greet(struct check *c, const struct cv_guest *g, struct cv_error *err)
{
    struct cv_msg_hello h = { .role = CV_PEER_SOURCE,
                              .version_min = CV_PROTOCOL_MIN,
                              .version_max = CV_PROTOCOL_MAX,
                              .stream_version = CV_STREAM_VERSION,
                              .features = CV_PROTOCOL_FEATURES,
                              .keepalive_ms = CV_KEEPALIVE_MS,
                              .host = c->host_name,
                              .software = "convoy " CONVOY_VERSION };
    const char *store = c->opt->store != NULL ? c->opt->store : CV_JOURNAL_DIR;

    gethostname(c->host_name, sizeof c->host_name - 1);
    if (getrandom(h.migration.b, sizeof h.migration.b, 0) != (ssize_t)sizeof h.migration.b)
        return cv_fail(err, CV_E_IO, errno, "random numbers");
    if (cv_journal_boot_id(h.boot.b, err) < 0 || cv_journal_store_id(store, h.store.b, err) < 0)
        return -1;
    memcpy(h.guest.b, g->spec.uuid, sizeof h.guest.b);
    return cv_chan_hello_source(&c->chan, &h, &c->theirs, cv_after_ms(HELLO_MS), c->opt->cancel, err);
}

/* "!check: text" */
static void take_note(const struct check *c, const char *note, struct cv_findings *found)
{
    const char *colon = strchr(note, ':');
    struct cv_error e = CV_ERROR_INIT;
    char name[32] = "host";

    if (*note != CV_CHECK_BLOCKS) {
        cv_findings_warn(found, name, "%s: %s", c->opt->peer, note + (*note == CV_CHECK_WARNS));
        return;
    }
    if (colon != NULL && colon > note + 1)
        snprintf(name, sizeof name, "%.*s", (int)(colon - note - 1), note + 1);
    cv_fail(&e, CV_E_UNSUPPORTED, 0, "%s: %s", c->opt->peer, colon != NULL ? colon + 2 : note + 1);
    cv_findings_add(found, name, &e, NULL);
}

static int ask(struct check *c, struct cv_guest *g, struct cv_findings *found, struct cv_error *err)
{
    const char *note;

    if (cv_link_open(&c->link, c->opt->command, err) < 0 ||
        cv_chan_init(&c->chan, c->link.main.in, c->link.main.out, CV_PEER_SOURCE, err) < 0)
        return -1;
    c->chan_open = true;
    if (greet(c, g, err) < 0 || cv_offer_make(&c->offer, g, c->opt->live, err) < 0)
        return -1;
    c->offer.msg.offer.flags |= CV_OFFER_CHECK;
    if (cv_chan_send(&c->chan, &c->offer.msg, cv_after_ms(OFFER_MS), c->opt->cancel, err) < 0 ||
        cv_chan_recv(&c->chan, &c->answer, cv_after_ms(OFFER_MS), c->opt->cancel, err) < 0)
        return -1;
    if (c->answer.type != CV_MSG_ACCEPT)
        return cv_chan_refused(&c->answer, err);
    for (struct cv_strs s = c->answer.accept.notes; (note = cv_strs_next(&s)) != NULL;)
        take_note(c, note, found);
    return 0;
}

int cv_migrate_check(struct cv_guest *g, const struct cv_migrate_options *opt, struct cv_findings *found,
                     struct cv_error *err)
{
    struct check c = { .opt = opt };

    cv_link_init(&c.link, opt->dial, opt->dial_user);
    int rc = ask(&c, g, found, err);
    if (c.chan_open)
        cv_chan_dispose(&c.chan);
    cv_link_dispose(&c.link);
    cv_msg_dispose(&c.theirs);
    cv_msg_dispose(&c.answer);
    cv_offer_dispose(&c.offer);
    return rc < 0 ? cv_context(err, "%s", opt->peer) : 0;
}

static void check_unsettled(const struct cv_check_request *q, const struct cv_guest *g, struct cv_findings *found)
{
    static const uint8_t none[16];
    struct cv_error err = CV_ERROR_INIT;

    if (g->domid != 0 && cv_unsettled_refuse(q->store, g->spec.uuid, none, &err) < 0)
        cv_findings_add(found, "unsettled", &err, NULL);
}

/* What would be said of it there; that it cannot be asked is in the way, too. */
static void check_there(const struct cv_check_request *q, struct cv_guest *g, struct cv_findings *found)
{
    struct cv_migrate_options opt = {
        .command = q->command, .peer = q->peer, .store = q->store, .live = true, .cancel = q->cancel
    };
    struct cv_error err = CV_ERROR_INIT;
    char ssh[1024];
    int rc = 0;

    if (g->domid == 0 || cv_findings_errors(found) > 0) {
        cv_findings_warn(found, "host", "%s was not asked: the guest cannot leave", q->peer);
        return;
    }
    if (q->command == NULL) {
        rc = cv_peer_ssh_command(q->peer, ssh, sizeof ssh, &err);
        opt.command = ssh;
    }
    if (rc < 0 || cv_migrate_check(g, &opt, found, &err) < 0)
        cv_findings_add(found, "host", &err, NULL);
}

void cv_check_guest(struct cv_host *host, const struct cv_check_request *q, struct cv_sink *sink, struct cv_guest *g,
                    struct cv_findings *found)
{
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(ANSWER_MS), .cancel = q->cancel };

    cv_guest_check(host, q->who, &w, sink, g, found);
    check_unsettled(q, g, found);
    if (q->peer != NULL)
        check_there(q, g, found);
}

int cv_migrate_answer_check(struct cv_chan *chan, struct cv_offer_check *c, const struct cv_msg_offer *offer,
                            struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_msg accept = { .type = CV_MSG_ACCEPT };
    struct cv_findings found = { 0 };
    struct cv_error why = CV_ERROR_INIT;
    CV_AUTO_BUF notes = { 0 };
    struct cv_strs list = { 0 };
    uint32_t refusal;
    const char *note;
    int rc = 0;

    c->found = &found;
    (void)!cv_offer_check(c, offer, &refusal, &why); /* all of it is found */
    accept.accept.free_bytes = c->free_bytes;
    for (size_t i = 0; i < found.count && rc == 0; i++) {
        char text[sizeof found.items->text + 40];
        snprintf(text, sizeof text, "%c%s: %s", CV_CHECK_BLOCKS, found.items[i].check, found.items[i].text);
        rc = cv_strs_append(&notes, &list, text, err);
    }
    for (struct cv_strs s = c->notes; rc == 0 && (note = cv_strs_next(&s)) != NULL;) {
        char text[600];
        snprintf(text, sizeof text, "%c%s", CV_CHECK_WARNS, note);
        rc = cv_strs_append(&notes, &list, text, err);
    }
    accept.accept.notes = list;
    if (rc == 0)
        rc = cv_chan_send(chan, &accept, cv_after_ms(HELLO_MS), cancel, err);
    cv_findings_dispose(&found);
    return rc;
}
