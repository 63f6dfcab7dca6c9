/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* destroy, pause, unpause, monitor: one domain, one call. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "cli/cli.h"
#include "guest/guest.h"
#include "guest/monitor.h"

/* Also after a save that was killed: the guest is suspended then, and its emulators stand still.  One that is being
 * saved or migrated is safe: who does that holds the emulators' sockets. */
static int unpause_it(struct cv_host *h, const struct cv_domain_info *d, struct cv_sink *sink, struct cv_error *err)
{
    char name[sizeof d->name];
    bool ran = false;
    int rc = cv_guest_unpause(h, d, &ran, sink, err);

    if (rc == 0 && ran)
        printf("domain %u '%s' runs already: nothing is paused\n", d->domid,
               cv_text_cleaned(d->name, name, sizeof name));
    return rc;
}

enum action { DESTROY, PAUSE, UNPAUSE };
static int pause_it(struct cv_host *h, const struct cv_domain_info *d, struct cv_sink *sink, struct cv_error *err)
{
    return cv_guest_may_touch(h, CV_GATE_HOLD, d, "pause", sink, err) < 0 ? -1 : h->ops->pause(h, d->domid, err);
}

static const char *const actions[] = { "destroy", "pause", "unpause" };

static int on_domain(struct cli *c, int argc, char **argv, enum action action)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_domain_info d;
    int status = 0, rc;

    if (argc != 2 || argv[1][0] == '-')
        return cli_usage(argv, "one domain is wanted");
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    rc = h->ops->find(h, argv[1], &d, &err);
    if (rc == 0 && action == DESTROY) {
        struct cv_guest g;
        rc = cv_guest_open_domain(&g, h, d.domid, &c->sink, &err);
        /* Torn nodes are no reason to keep a domain that is to be ended; somebody else's may be one that is being
         * built. */
        if (rc < 0 && !cv_guest_is_ours(h, d.domid))
            cv_context(&err, "xl destroy is for it");
        else if (rc < 0 && err.code != CV_E_UNSUPPORTED)
            g = (struct cv_guest){ .host = h, .sink = &c->sink, .domid = d.domid }, rc = 0;
        if (rc == 0) {
            rc = cv_guest_destroy(&g, &err);
            cv_guest_dispose(&g);
        }
    } else if (rc == 0) {
        rc = (action == PAUSE ? pause_it : unpause_it)(h, &d, &c->sink, &err);
    }
    if (rc < 0) {
        cv_context(&err, "%s '%s'", actions[action], argv[1]);
        status = cli_error(&err);
    }
    h->ops->close(h);
    return status;
}

int cmd_destroy(struct cli *c, int argc, char **argv) { return on_domain(c, argc, argv, DESTROY); }
int cmd_pause(struct cli *c, int argc, char **argv) { return on_domain(c, argc, argv, PAUSE); }
int cmd_unpause(struct cli *c, int argc, char **argv) { return on_domain(c, argc, argv, UNPAUSE); }

int cmd_monitor(struct cli *c, int argc, char **argv)
{
    struct cv_error err = CV_ERROR_INIT;
    int status = 0;

    if (argc != 2)
        return cli_usage(argv, "one domid is wanted");
    char *end;
    c->sink.level = CV_LOG_INFO;
    uint32_t domid = (uint32_t)strtoul(argv[1], &end, 10);
    if (domid == 0 || *end != '\0' || argv[1][0] == '-')
        return cli_usage(argv, "the domid of a guest is wanted");
    struct cv_host *h = cli_host(c, &status);
    if (h == NULL)
        return status;
    /* A restarted guest has a new number and is watched by the same process. */
    if (!cv_guest_is_ours(h, domid)) {
        cv_fail(&err, CV_E_UNSUPPORTED, 0, "domain %u is not convoy's: whoever made it watches over it", domid);
        status = cli_error(&err);
    }
    while (domid != 0 && status == 0)
        if (cv_monitor_run(h, domid, &c->cancel, &c->sink, &domid, &err) < 0)
            status = cli_error(&err);
    h->ops->close(h);
    return status;
}
