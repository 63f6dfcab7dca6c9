/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* States of a journal: names and what may follow what.  Pure. */
#include "handover/journal.h"

#define TO(s) (1u << CV_J_##s)

/* A state may always be written again: recovery does so to make sure that it is durable. */
/* clang-format off */
static const struct { const char *name; uint16_t source, destination; } states[CV_J_STATES] = {
    [CV_J_NONE] = { "none", TO(OPEN), TO(OPEN) | TO(NEVER) },
    [CV_J_OPEN] = { "open", TO(COMMITTING) | TO(ABORTED) | TO(ABORTED_SETTLED) | TO(TAKEN) | TO(TAKEN_SETTLED),
                    TO(RUNNING) | TO(ABORTED) | TO(ABORTED_SETTLED) },
    [CV_J_COMMITTING] = { "committing", TO(TAKEN) | TO(TAKEN_SETTLED) | TO(ABORTED) | TO(ABORTED_SETTLED), 0 },
    /* Nothing but a person's word turns aborted into running.  At the source open and aborted become taken when the
     * other side has the guest and it is not here any more: then the record is older than what has happened. */
    [CV_J_ABORTED] = { "aborted", TO(ABORTED_SETTLED) | TO(TAKEN) | TO(TAKEN_SETTLED),
                       TO(ABORTED_SETTLED) | TO(RUNNING) },
    [CV_J_ABORTED_SETTLED] = { "aborted-settled", 0, 0 },
    [CV_J_TAKEN] = { "taken", TO(TAKEN_SETTLED), 0 },
    [CV_J_TAKEN_SETTLED] = { "taken-settled", 0, 0 },
    [CV_J_RUNNING] = { "running", 0, TO(RUNNING_SETTLED) | TO(ABORTED) },
    [CV_J_RUNNING_SETTLED] = { "running-settled", 0, 0 },
    [CV_J_NEVER] = { "never", 0, 0 },
};
/* clang-format on */

const char *cv_journal_state_name(enum cv_journal_state state)
{
    return (unsigned)state < CV_J_STATES ? states[state].name : "?";
}

bool cv_journal_legal(enum cv_journal_role role, enum cv_journal_state from, enum cv_journal_state to)
{
    uint16_t may = role == CV_ROLE_SOURCE ? states[from].source : states[from].destination;

    return (from == to && from != CV_J_NONE) || (may >> to & 1) != 0;
}

bool cv_journal_settled(enum cv_journal_state state)
{
    return state == CV_J_ABORTED_SETTLED || state == CV_J_TAKEN_SETTLED || state == CV_J_RUNNING_SETTLED ||
           state == CV_J_NEVER;
}
