/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convoy restore: the table of steps. */
#include "restore/restore.h"

#include "base/clock.h"
#include "guest/tell.h"

static const struct cv_step steps[] = {
    { "read-head", cv_restore_read_head, NULL, CV_NEVER, false },
    { "verify", cv_restore_verify, NULL, CV_NEVER, false },
    { "check-host", cv_restore_check_host, NULL, CV_NEVER, false },
    { "domain", cv_restore_domain, cv_restore_domain_undo, CV_NEVER, false },
    { "fill", cv_restore_fill_and_prepare, cv_restore_fill_and_prepare_undo, 60 * 1000, false },
    { "states", cv_restore_states, NULL, CV_NEVER, false },
    { "impose", cv_restore_impose, NULL, CV_NEVER, false },
    { "load", cv_restore_load, NULL, 60 * 1000, false },
    { "run", cv_restore_run, NULL, 20 * 1000, true },
};

static void tell_report(const struct cv_restore *r)
{
    const struct cv_restore_report *p = &r->report;
    json_t *list = json_array();

    for (unsigned i = 0; i < r->g.layout.count; i++)
        json_array_append_new(list, json_pack("{s:i,s:s,s:o}", "dmid", i, "name", r->g.layout.dms[i].name, "load_ms",
                                              cv_tell_ms(p->emulator_load_ns[i])));
    cv_tell(r->sink, json_pack("{s:s,s:i,s:s,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "event", "report", "domid",
                               (int)r->g.domid, "name", r->g.spec.name, "bytes", (json_int_t)p->bytes, "total_ms",
                               cv_tell_ms(p->total_ns), "verify_ms", cv_tell_ms(p->verify_ns), "domain_ms",
                               cv_tell_ms(p->domain_ns), "fill_ms", cv_tell_ms(p->fill_ns), "emulators_ms",
                               cv_tell_ms(p->emulators_ns), "devices_ms", cv_tell_ms(p->devices_ns), "load_ms",
                               cv_tell_ms(p->load_ns), "down_ms", cv_tell_ms(p->down_ns), "emulators", list));
}

int cv_restore_from(struct cv_host *host, int fd, const struct cv_restore_options *opt, struct cv_sink *sink,
                    uint32_t *domid_out, struct cv_restore_report *report_out, struct cv_error *err)
{
    struct cv_restore r;
    struct cv_phases p = {
        .steps = steps, .count = sizeof steps / sizeof steps[0], .sink = sink, .cancel = opt->cancel, .who = "restore"
    };

    int rc = cv_restore_init(&r, host, fd, opt, sink, err);
    if (rc == 0)
        rc = cv_phases_run(&p, &r, err);
    if (rc == 0)
        tell_report(&r);
    if (rc == 0 && domid_out != NULL)
        *domid_out = r.g.domid;
    if (report_out != NULL)
        *report_out = r.report;
    cv_restore_dispose(&r);
    return rc < 0 ? cv_context(err, "restore") : 0;
}
