/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/phases.h"

#include "base/clock.h"
#include "base/testpoint.h"

static void unwind(struct cv_phases *p, void *op)
{
    for (int i = p->at; i >= 0; i--) {
        struct cv_error e = CV_ERROR_INIT;
        char text[700];

        if (p->steps[i].undo == NULL || p->steps[i].undo(op, cv_after_ms(CV_UNDO_TIMEOUT_MS), &e) == 0)
            continue;
        cv_log(p->sink, CV_LOG_WARN, "taking back step '%s' failed: %s", p->steps[i].name,
               cv_error_string(&e, text, sizeof text));
    }
}

static int run_step(struct cv_phases *p, const struct cv_step *step, void *op, struct cv_error *err)
{
    cv_testpoint(p->who, step->name);
    /* Behind the commit point there is no way back, and standing still half-way is worse than the end of it. */
    if (!p->committed && cv_cancel_check(p->cancel, err) < 0)
        return -1;
    cv_event(p->sink, "{\"event\":\"phase\",\"name\":\"%s\",\"at_ms\":%lld}", step->name,
             (long long)((cv_now_ns() - p->start_ns) / 1000000));
    return step->run(op, cv_after_ms(step->timeout_ms), err);
}

int cv_phases_run(struct cv_phases *p, void *op, struct cv_error *err)
{
    int rc = 0;

    p->start_ns = cv_now_ns();
    p->committed = false;
    for (p->at = 0; p->at < p->count; p->at++) {
        const struct cv_step *step = &p->steps[p->at];
        int64_t begin = cv_now_ns();

        rc = run_step(p, step, op, err);
        p->step_ns[p->at] = cv_now_ns() - begin;
        if (rc < 0) {
            cv_context(err, "step '%s'", step->name);
            break;
        }
        p->committed |= step->commits;
    }
    if (rc < 0 && !p->committed)
        unwind(p, op);
    p->end_ns = cv_now_ns();
    return rc;
}
