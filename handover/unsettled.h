/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CONVOY_HANDOVER_UNSETTLED_H
#define CONVOY_HANDOVER_UNSETTLED_H

#include "base/log.h"
#include "handover/journal.h"

/* One migration of a guest at a time: CV_E_BUSY when this store has an unsettled record of the guest, in either role,
 * of another migration than this one.  A damaged record is CV_E_STREAM: it may be the guest's. */
int cv_unsettled_refuse(const char *store, const uint8_t guest[16], const uint8_t migration[16],
                        struct cv_error *err) CV_CHECKED;

/* The same, and cv_journal_create, with nobody in between: of two that begin at once one is refused.  Forgets old
 * records that nobody can ask for any more on the way (cv_journal_prune). */
int cv_unsettled_begin(struct cv_journal *j, const char *store, const struct cv_journal_record *rec,
                       struct cv_sink *sink, struct cv_error *err) CV_CHECKED;

#endif
