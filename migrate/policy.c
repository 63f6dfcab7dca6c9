/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/policy.h"

#include <stdbool.h>
#include <string.h>

#define WINDOW 3u
/* Less than this part of the expected down time depends on pages: more passes gain nothing. */
#define PAGES_DO_NOT_MATTER 0.15
/* A pass that leaves more than this part of the least that the WINDOW passes before it left has not helped. */
#define NO_PROGRESS 0.85
#define STALLED_PASSES 3u
/* Stopping a guest for long is worth waiting for it to calm down: so many times what it would stand still beyond the
 * limit, and no more than this part of the time allowed.  Every pass more costs the guest, too: each page that it
 * writes to again is a fault, and its emulators share the processors with us. */
#define CALM_TIMES 10
#define CALM_PART 40
/* What is dirtied between the decision and the suspend, and a link that wavers. */
#define MARGIN 1.2
#define CAP_STEP 0.6
#define CAP_MIN 10u
/* A pass this short moved too little for its speed to be believed. */
#define SHORT_PASS_NS 2000000
#define SLOW_LINK 2500.0 /* pages a second: 10 MB/s */

struct rates {
    double send; /* pages a second */
    double dirty;
};

static struct cv_limits with_defaults(const struct cv_limits *given)
{
    struct cv_limits l = *given;

    l.downtime_ms = l.downtime_ms ? l.downtime_ms : 300;
    l.max_time_ms = l.max_time_ms ? l.max_time_ms : 600000;
    l.max_passes = l.max_passes ? l.max_passes : 60;
    return l;
}

/* Over the last passes that say something; both rates are 0 if none does. */
static struct rates measure(const struct cv_pass *p, size_t count)
{
    double pages = 0, ns = 0, worst = 0;
    struct rates r;

    for (size_t i = count, used = 0; i-- > 0 && used < WINDOW;) {
        if (p[i].ns < SHORT_PASS_NS || p[i].pages == p[i].zero_pages)
            continue;
        pages += (double)(p[i].pages - p[i].zero_pages);
        ns += (double)p[i].ns;
        /* Distinct pages dirtied per second falls with the length of a pass: the worst recent rate counts. */
        double rate = p[i].ns > 0 ? (double)p[i].dirty * 1e9 / (double)p[i].ns : 0;
        worst = rate > worst ? rate : worst;
        used++;
    }
    r.send = ns > 0 ? pages * 1e9 / ns : 0;
    r.dirty = worst;
    return r;
}

/* The user's limit on bandwidth holds for the passes, not for the guest's silence: but only when it was the brake
 * (the link moved nine tenths of it) can more be hoped for, and then nobody knows how much: twice. */
static double final_rate(const struct cv_limits *l, const struct cv_pass *last, double send)
{
    double bytes_s = last->ns > 0 ? (double)last->bytes * 1e9 / (double)last->ns : 0;

    return l->bandwidth_bytes_s != 0 && bytes_s > 0.9 * (double)l->bandwidth_bytes_s ? 2 * send : send;
}

/* The least that one of the passes before pass i left: counts waver. */
static double best_before(const struct cv_pass *p, size_t i)
{
    uint64_t best = p[i - 1].dirty;

    for (size_t k = i - 1; k > 0 && i - k < WINDOW; k--)
        best = p[k - 1].dirty < best ? p[k - 1].dirty : best;
    return (double)best;
}

/* Enough passes in a row, up to the last, after which as much was dirty as before.  too_long_ms: that the guest would
 * stand still beyond its limit, were it stopped now. */
static bool stalled(const struct cv_limits *l, const struct cv_pass *p, size_t count, double too_long_ms)
{
    double calm_ms = CALM_TIMES * too_long_ms, most_ms = (double)l->max_time_ms / CALM_PART, ms = 0;
    unsigned n = 0;

    if (l->when_stuck != CV_STUCK_COPY)
        calm_ms = 0;
    for (size_t i = count; i-- > 1; n++) {
        if ((double)p[i].dirty < NO_PROGRESS * best_before(p, i))
            break;
        ms += (double)p[i].ns / 1e6;
    }
    return n >= STALLED_PASSES && ms >= (calm_ms < most_ms ? calm_ms : most_ms);
}

static unsigned next_cap(unsigned cap)
{
    unsigned next = (unsigned)((double)cap * CAP_STEP);
    return next < CAP_MIN ? CAP_MIN : next;
}

static void decide(struct cv_verdict *v, enum cv_decision d, const char *why)
{
    v->decision = d;
    v->why = why;
}

/* It does not converge, or its time is over. */
static void stuck(const struct cv_limits *l, unsigned cap, bool time_over, struct cv_verdict *v)
{
    switch (l->when_stuck) {
    case CV_STUCK_COPY:
        decide(v, CV_STOP, time_over ? "time is over: stop and copy" : "it does not converge: stop and copy");
        return;
    case CV_STUCK_GIVE_UP:
        if (time_over)
            decide(v, CV_GIVE_UP, "time is over");
        else
            decide(v, CV_GO_ON, "it does not converge yet");
        return;
    case CV_STUCK_THROTTLE:
        if (time_over || cap <= CAP_MIN) {
            decide(v, CV_STOP,
                   time_over ? "time is over: stop and copy" : "slowing it down did not help: stop and copy");
            return;
        }
        v->cap_percent = next_cap(cap);
        decide(v, CV_THROTTLE, "it does not converge: slow it down");
        return;
    }
}

/* Geometric: each pass leaves dirty/send of what the one before left. */
static int64_t time_left(double dirty, double send, double now_pages, double goal_pages)
{
    double ratio = dirty / send, ns = 0;

    if (now_pages <= goal_pages)
        return 0;
    if (ratio >= NO_PROGRESS)
        return -1;
    for (int i = 0; i < 100 && now_pages > goal_pages; i++) {
        ns += now_pages / send * 1e3;
        now_pages *= ratio;
    }
    return (int64_t)ns;
}

void cv_policy_decide(const struct cv_limits *limits, const struct cv_pass *passes, size_t count, int64_t spent_ms,
                      unsigned cap_percent, struct cv_verdict *out)
{
    struct cv_limits l = with_defaults(limits);
    const struct cv_pass *last = &passes[count - 1];
    struct rates r = measure(passes, count);
    bool blind = r.send <= 0; /* zero pages only, or a pass too short: assume a slow link */
    if (blind)
        r.send = SLOW_LINK;
    double final = final_rate(&l, last, r.send), pages_ms = (double)last->dirty / final * 1e3 * MARGIN;
    double budget_ms = (double)(l.downtime_ms - l.fixed_ms), next_pass_ms = (double)last->dirty / r.send * 1e3;

    memset(out, 0, sizeof *out);
    out->cap_percent = cap_percent;
    out->expect_down_ms = l.fixed_ms + (int64_t)pages_ms;
    out->expect_left_ms = time_left(r.dirty, r.send, (double)last->dirty, budget_ms / 1e3 * final / MARGIN);
    out->dirty_pages_s = r.dirty;
    out->send_pages_s = r.send;

    if (pages_ms <= budget_ms)
        decide(out, CV_STOP, "the rest fits into the down time");
    else if (pages_ms <= PAGES_DO_NOT_MATTER * (double)l.fixed_ms)
        decide(out, CV_STOP, "the down time no longer depends on pages");
    else if (count >= l.max_passes || spent_ms >= l.max_time_ms ||
             (!blind && (double)spent_ms + next_pass_ms > (double)l.max_time_ms))
        stuck(&l, cap_percent, true, out);
    else if (stalled(&l, passes, count, pages_ms - budget_ms))
        stuck(&l, cap_percent, false, out);
    else
        decide(out, CV_GO_ON, "another pass helps");
}

const char *cv_decision_name(enum cv_decision d)
{
    static const char *const names[] = { "go-on", "stop", "throttle", "give-up" };
    return names[d];
}
