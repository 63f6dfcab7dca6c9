/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/auto_policy.h"

#include "base/clock.h"

#define WINDOW_PAGES (16u * 1024u) /* 64 MiB of guest memory between two decisions */
#define HARDER_ABOVE 800u          /* permille of the time in write */
#define LIGHTER_BELOW 400u

const struct cv_auto_rung cv_auto_rungs[] = {
    { CV_CODEC_NONE, 0 }, { CV_CODEC_ZSTD, -5 }, { CV_CODEC_ZSTD, -1 },
    { CV_CODEC_ZSTD, 1 }, { CV_CODEC_ZSTD, 3 },  { CV_CODEC_ZSTD, 6 },
};
const unsigned cv_auto_rung_count = sizeof cv_auto_rungs / sizeof cv_auto_rungs[0];

unsigned cv_auto_first_rung(void) { return 3; /* level 1 */ }

unsigned cv_auto_next_rung(unsigned rung, unsigned blocked_permille)
{
    if (blocked_permille > HARDER_ABOVE && rung + 1 < cv_auto_rung_count)
        return rung + 1;
    if (blocked_permille < LIGHTER_BELOW && rung > 0)
        return rung - 1;
    return rung;
}

static void set_rung(struct cv_auto *a, unsigned rung)
{
    a->rung = rung;
    a->codec = cv_auto_rungs[rung].codec;
    a->level = cv_auto_rungs[rung].level;
}

void cv_auto_init(struct cv_auto *a, const struct cv_mem_options *opt, uint8_t *codec_out, int *level_out)
{
    *a = (struct cv_auto){
        .on = opt->codec == CV_CODEC_AUTO, .codec = (uint8_t)opt->codec, .level = opt->level, .next_pages = WINDOW_PAGES
    };
    if (a->on)
        set_rung(a, cv_auto_first_rung());
    *codec_out = a->codec;
    *level_out = a->level;
}

void cv_auto_after_batch(struct cv_auto *a, const struct cv_mem_stats *stats, uint64_t blocked_ns)
{
    if (!a->on || (a->since_ns != 0 && stats->pages < a->next_pages))
        return;
    int64_t now = cv_now_ns();
    if (a->since_ns != 0 && now > a->since_ns) {
        uint64_t blocked = (blocked_ns - a->blocked_ns) * 1000 / (uint64_t)(now - a->since_ns);
        set_rung(a, cv_auto_next_rung(a->rung, blocked > 1000 ? 1000 : (unsigned)blocked));
    }
    a->since_ns = now;
    a->blocked_ns = blocked_ns;
    a->next_pages = stats->pages + WINDOW_PAGES;
}
