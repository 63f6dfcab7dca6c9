/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The timeline, out of what the steps have noted. */
#include <stdio.h>
#include <string.h>

#include "migrate/source_internal.h"

static struct cv_span span(const struct cv_source *s, int64_t begin_ns, int64_t ns)
{
    if (begin_ns == 0)
        return (struct cv_span){ 0, 0 };
    return (struct cv_span){ begin_ns - s->save.start_ns, begin_ns - s->save.start_ns + ns };
}

static struct cv_span waited(const struct cv_source *s, const struct cv_ho_wait *wait)
{
    return span(s, wait->start_ns, wait->end_ns - wait->start_ns);
}

static void emulators(struct cv_source *s, struct cv_timeline *t, const struct cv_handover_run *run)
{
    const struct cv_save_report *r = &s->save.report;

    t->emulator_count = s->save.g.layout.count;
    for (unsigned i = 0; i < t->emulator_count; i++) {
        struct cv_tl_emulator *e = &t->emulators[i];
        snprintf(e->name, sizeof e->name, "%s", s->save.g.layout.dms[i].name);
        e->stop = span(s, r->stop_at_ns, r->emulator_stop_ns[i]);
        e->save = span(s, r->states_at_ns, r->emulator_state_ns[i]);
        e->load = (struct cv_span){ t->part[CV_TL_LOAD].start_ns, t->part[CV_TL_LOAD].start_ns + run->peer_load_ns[i] };
        e->state_bytes = r->state_bytes[i];
    }
}

/* The wait for READY holds the stream's way to the other side and the load there, which READY tells apart. */
static void split_load(struct cv_source *s, struct cv_timeline *t, const struct cv_handover_run *run)
{
    struct cv_span *load = &t->part[CV_TL_LOAD];
    int64_t sent_ns = s->save.report.tail_at_ns + s->save.report.tail_ns - s->save.start_ns;

    if (load->end_ns <= load->start_ns || s->save.report.tail_at_ns == 0)
        return;
    load->start_ns = sent_ns;
    int64_t there = run->peer_ready_ns < load->end_ns - sent_ns ? run->peer_ready_ns : load->end_ns - sent_ns;
    t->part[CV_TL_TRANSFER] = (struct cv_span){ s->save.report.tail_at_ns - s->save.start_ns, load->end_ns - there };
    load->start_ns = load->end_ns - there;
}

/* The answer comes after the network was told and the name given, while the guest runs already: COMMIT's way there is
 * taken to be short, and what the other side says of itself is added up. */
static void split_commit(struct cv_timeline *t, const struct cv_handover_run *run)
{
    struct cv_span *commit = &t->part[CV_TL_COMMIT], *resume = &t->part[CV_TL_RESUME];
    int64_t heard = commit->end_ns;

    if (commit->end_ns <= commit->start_ns)
        return;
    commit->end_ns = commit->start_ns + run->peer_decide_ns;
    if (commit->end_ns > heard)
        commit->end_ns = heard;
    *resume = (struct cv_span){ commit->end_ns, commit->end_ns + run->peer_resume_ns };
    if (resume->end_ns > heard)
        resume->end_ns = heard;
}

void cv_source_report(struct cv_source *s, const struct cv_handover_run *run, int64_t end_ns)
{
    struct cv_timeline *t = &s->result->timeline;
    const struct cv_save_report *r = &s->save.report;

    snprintf(t->guest, sizeof t->guest, "%s", s->save.g.spec.name);
    snprintf(t->source, sizeof t->source, "%s", s->host_name);
    snprintf(t->destination, sizeof t->destination, "%s", s->opt->peer);
    snprintf(t->outcome, sizeof t->outcome, "%s", cv_ho_outcome_name(s->result->outcome));
    t->total_ns = end_ns - s->save.start_ns;
    t->part[CV_TL_SUSPEND] = span(s, s->save.down_since_ns, r->suspend_ns);
    t->part[CV_TL_STOP] = span(s, r->stop_at_ns, r->stop_ns);
    t->part[CV_TL_LAST_PAGES] = span(s, r->last_pages_at_ns, r->last_pages_ns);
    t->part[CV_TL_DEVICE_STATES] = span(s, r->states_at_ns, r->states_ns);
    t->part[CV_TL_LOAD] = waited(s, &run->ready_wait);
    t->part[CV_TL_COMMIT] = waited(s, &run->yes_wait);
    split_load(s, t, run);
    split_commit(t, run);
    if (s->save.down_since_ns != 0) {
        int64_t resumed = t->part[CV_TL_RESUME].end_ns;
        t->down = (struct cv_span){ s->save.down_since_ns - s->save.start_ns, resumed > 0 ? resumed : t->total_ns };
    }
    emulators(s, t, run);
    t->pages = r->mem.pages;
    t->bytes_raw = r->mem.bytes_raw;
    t->bytes_wire = s->save.writer != NULL ? cv_writer_bytes(s->save.writer) : r->bytes;
}
