/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/model/explore.h"

#include <stdlib.h>
#include <string.h>

struct node {
    struct world world;
    uint32_t parent;
    const char *what;
};

struct search {
    struct explorer x; /* first, so that visit finds us */
    struct node *nodes;
    size_t count, cap;
    uint32_t *slots;   /* index + 1 of a node, 0 = free */
    size_t slot_count; /* a power of two, at least twice the nodes */
    size_t at;
    struct findings *f;
};

static uint64_t hash(const struct world *w)
{
    uint64_t a[2];
    memcpy(a, w, sizeof a);
    uint64_t h = (a[0] ^ (a[1] * 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 29;
}

static void place(struct search *s, uint32_t index)
{
    size_t i = hash(&s->nodes[index].world) & (s->slot_count - 1);
    while (s->slots[i] != 0)
        i = (i + 1) & (s->slot_count - 1);
    s->slots[i] = index + 1;
}

static bool seen(const struct search *s, const struct world *w)
{
    for (size_t i = hash(w) & (s->slot_count - 1); s->slots[i] != 0; i = (i + 1) & (s->slot_count - 1))
        if (memcmp(&s->nodes[s->slots[i] - 1].world, w, sizeof *w) == 0)
            return true;
    return false;
}

static bool grow(struct search *s)
{
    size_t cap = s->cap ? s->cap * 2 : 1 << 14;
    struct node *nodes = realloc(s->nodes, cap * sizeof *nodes);
    if (nodes == NULL)
        return false;
    s->nodes = nodes;
    s->cap = cap;
    free(s->slots);
    s->slot_count = cap * 2;
    s->slots = calloc(s->slot_count, sizeof *s->slots);
    if (s->slots == NULL)
        return false;
    for (size_t i = 0; i < s->count; i++)
        place(s, (uint32_t)i);
    return true;
}

static void describe(const struct world *w, char *text, size_t size)
{
    struct cv_handover s = { .state = (uint8_t)w->s_state }, d = { .state = (uint8_t)w->d_state },
                       h = { .state = (uint8_t)w->h_state };
    static const char *const copy[] = { "none", "paused", "run" };
    snprintf(text, size, "S[%s %s %s/%s] D[%s %s %s %s/%s]", cv_ho_state_name(&s), copy[w->s_copy],
             cv_journal_state_name(w->s_vis), cv_journal_state_name(w->s_dur), cv_ho_state_name(&d),
             cv_ho_state_name(&h), copy[w->d_copy], cv_journal_state_name(w->d_vis), cv_journal_state_name(w->d_dur));
}

static void trace(struct search *s, uint32_t index, const char *last)
{
    uint32_t path[200];
    unsigned n = 0;
    size_t len = 0;
    char *text = s->f->trace;

    for (; n < 200 && index != UINT32_MAX; index = s->nodes[index].parent)
        path[n++] = index;
    while (n-- > 0 && len < sizeof s->f->trace - 400) {
        char state[200];
        describe(&s->nodes[path[n]].world, state, sizeof state);
        len += (size_t)snprintf(text + len, sizeof s->f->trace - len, "  %-40s %s\n", s->nodes[path[n]].what, state);
    }
    snprintf(text + len, sizeof s->f->trace - len, "  => %s\n", last);
}

static void broken(struct search *s, const char *rule)
{
    if (s->f->broken != NULL)
        return;
    s->f->broken = rule;
    trace(s, (uint32_t)s->at, rule);
}

static void visit(struct explorer *x, const struct world *next, const char *what)
{
    struct search *s = (struct search *)x;

    if (next == NULL) {
        broken(s, what);
        return;
    }
    s->f->transitions++;
    if (s->f->broken != NULL || seen(s, next))
        return;
    if (s->count == s->cap && !grow(s)) {
        s->f->broken = "out of memory";
        return;
    }
    s->nodes[s->count] = (struct node){ .world = *next, .parent = (uint32_t)s->at, .what = what };
    place(s, (uint32_t)s->count++);
}

/* From every world, recover on both hosts, in each order, must end with exactly one guest. */
static void recover_each(struct search *s, const struct world *w)
{
    for (int order = 0; order < 3 && s->f->broken == NULL; order++) {
        struct world end;
        const char *rule = world_recovered(w, s->x.mutation, order, &end);
        s->f->recoveries++;
        if (rule != NULL)
            broken(s, rule);
        else if (end.s_copy != COPY_RUN && end.d_copy != COPY_RUN)
            s->f->none_lost++;
    }
}

void explore(const struct limits *l, enum mutation m, struct findings *f_out)
{
    struct search s = { .x = { .mutation = m, .visit = visit }, .f = f_out };

    memset(f_out, 0, sizeof *f_out);
    if (!grow(&s)) {
        f_out->broken = "out of memory";
        return;
    }
    s.nodes[0] = (struct node){ .world = world_start(l), .parent = UINT32_MAX, .what = "start" };
    place(&s, 0);
    s.count = 1;
    for (s.at = 0; s.at < s.count && f_out->broken == NULL; s.at++) {
        struct world w = s.nodes[s.at].world;
        struct cv_handover h = { .state = (uint8_t)w.s_state };
        f_out->unknown += cv_ho_outcome(&h) == CV_OUT_UNKNOWN;
        f_out->reached |= 1ull << w.s_state | 1ull << w.d_state | 1ull << w.h_state;
        recover_each(&s, &w);
        world_successors(&s.x, &w);
    }
    f_out->states = s.count;
    f_out->exhausted = f_out->broken == NULL;
    free(s.nodes);
    free(s.slots);
}
