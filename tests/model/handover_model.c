/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handover_model quick|full|mutation NAME|list
 * Explores the hand-over exhaustively within a budget of faults and prints what it saw.
 * mutation: the named mistake must be found (exit 0 when it is). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/model/explore.h"

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t reached;

static int run(const char *name, const struct limits *l, enum mutation m, bool show)
{
    static struct findings f;
    double start = seconds();

    explore(l, m, &f);
    reached |= f.reached;
    printf("%-44s %9zu states %10zu transitions %9zu recoveries %8zu without a guest (host lost) %5.1f s: %s\n", name,
           f.states, f.transitions, f.recoveries, f.none_lost, seconds() - start,
           f.broken ? f.broken : "all rules hold");
    if (f.broken && show)
        fputs(f.trace, stdout);
    return f.broken == NULL ? 0 : f.trace[0] ? 1 : 2; /* 2: out of memory */
}

/* A state that is never reached is a state that was not checked. */
static int not_reached(void)
{
    int missing = 0, all = 0;

    for (uint8_t i = 1; i < 64; i++) {
        struct cv_handover h = { .state = i };
        const char *name = cv_ho_state_name(&h);
        if (name == NULL)
            break;
        all++;
        if (!(reached >> i & 1)) {
            printf("state %s was never reached\n", name);
            missing++;
        }
    }
    printf("%d of the machines' %d states were reached\n", all - missing, all);
    return missing;
}

static const struct limits small = { .crashes = 1, .reboots = 1, .faults = 1, .recovers = 1, .wrong = 1 };
/* For the mistakes that somebody else's act brings to light. */
static const struct limits acts = { .crashes = 1, .faults = 1, .recovers = 1, .admin = 2 };

/* Several faults of each kind at once would be too many worlds for a minute: each budget goes deep in one direction. */
/* clang-format off */
static const struct { const char *name; struct limits l; } full[] = {
    { "processes die: 3 on each side", { .crashes = 3, .recovers = 3 } },
    { "hosts reboot: 2 on each side", { .crashes = 1, .reboots = 2, .recovers = 2 } },
    { "disks and hypervisors fail: 2", { .crashes = 1, .reboots = 1, .faults = 2, .recovers = 1 } },
    { "two of each death and reboot, recover twice", { .crashes = 2, .reboots = 2, .recovers = 2 } },
    { "an administrator acts once, everything once",
      { .crashes = 1, .reboots = 1, .faults = 1, .recovers = 1, .admin = 1 } },
    { "an administrator acts twice", { .crashes = 1, .recovers = 1, .admin = 2 } },
    { "everything once, recover twice", { .crashes = 1, .reboots = 1, .faults = 1, .recovers = 2, .wrong = 1 } },
};
/* clang-format on */

static int run_full(void)
{
    int failures = 0;
    for (size_t i = 0; i < sizeof full / sizeof full[0]; i++)
        failures += run(full[i].name, &full[i].l, M_NONE, true);
    return failures + not_reached();
}

static int run_mutation(const char *name)
{
    bool show = getenv("CONVOY_MODEL_TRACE") != NULL;

    for (enum mutation m = M_NONE + 1; m < M_COUNT; m++)
        if (strcmp(name, mutation_name(m)) == 0)
            return run(name, m < M_NO_HOLD ? &small : &acts, m, show) == 1 ? 0 : 1;
    fprintf(stderr, "no mutation '%s'\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "quick") == 0)
        return run("everything once, without disk faults", &(struct limits){ 1, 1, 0, 1, 1, 0 }, M_NONE, true) ||
               run("an administrator acts once", &(struct limits){ 0, 0, 1, 1, 0, 1 }, M_NONE, true);
    if (argc == 2 && strcmp(argv[1], "full") == 0)
        return run_full() ? 1 : 0;
    if (argc == 3 && strcmp(argv[1], "mutation") == 0)
        return run_mutation(argv[2]);
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (enum mutation m = M_NONE + 1; m < M_COUNT; m++)
            puts(mutation_name(m));
        return 0;
    }
    fprintf(stderr, "usage: %s quick|full|mutation NAME|list\n", argv[0]);
    return 2;
}
