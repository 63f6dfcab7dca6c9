/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between journal.c and journal_store.c only. */
#ifndef CONVOY_HANDOVER_JOURNAL_FILES_H
#define CONVOY_HANDOVER_JOURNAL_FILES_H

#include "handover/journal.h"

enum cv_journal_file { CV_JF_RECORD, CV_JF_NEW, CV_JF_LOCK };
const char *cv_journal_file(enum cv_journal_role role, enum cv_journal_file which);
/* Descriptor of the store's directory; with make, it and its parents are made.  CV_E_NOT_FOUND. */
int cv_journal_store_open(const char *store, bool make, struct cv_error *err) CV_CHECKED;
int cv_journal_read_at(int dir_fd, enum cv_journal_role role, struct cv_journal_record *rec_out,
                       struct cv_error *err) CV_CHECKED;

#endif
