/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CONVOY_RESTORE_INTERNAL_H
#define CONVOY_RESTORE_INTERNAL_H

#include "restore/restore.h"

/* records.c: one record of the head or the tail into r.  known types only. */
int cv_restore_take_record(struct cv_restore *r, struct cv_record *rec, struct cv_error *err);
/* chain.c: the record PARENT; the files of the chain, once MEMORY is known; all of their memory into a sink. */
int cv_restore_take_parent(struct cv_restore *r, struct cv_record *rec, struct cv_error *err);
int cv_restore_find_parents(struct cv_restore *r, struct cv_error *err);
int cv_restore_verify_parents(const struct cv_restore *r, struct cv_error *err);
int cv_restore_fill_parents(struct cv_restore *r, struct cv_page_sink *sink, const struct cv_mem_options *mem,
                            struct cv_error *err);
/* disks.c: opt->disks into the layout.  CV_E_NOT_FOUND: it has no such disk. */
int cv_restore_map_disks(struct cv_restore *r, struct cv_error *err);
/* changes.c: XENSTORE taken apart; and, when memory is in place, its changes made. */
int cv_restore_take_changes(struct cv_restore *r, struct cv_record *rec, struct cv_error *err);
int cv_restore_put_changes(struct cv_restore *r, struct cv_error *err);
/* genid.c: at a restore, not at a migration's end, the guest gets another VM generation ID, if it has any; and, when
 * Xen's state is in place, finds it in its memory. */
void cv_restore_new_genid(struct cv_restore *r);
int cv_restore_put_genid(struct cv_restore *r, struct cv_error *err);
/* records.c: a memory file for each emulator's device state. */
int cv_restore_make_state_files(struct cv_restore *r, struct cv_error *err);
/* fill.c: memory until the last PASS_END, of fixed layout until the last PAGE_HASHES, on a thread of its own, which has
 * the reader, the record and the page sink from begin until end, which joins it and says what came of it, or until
 * stop, which ends it (twice is fine). */
int cv_restore_fill_begin(struct cv_restore *r, struct cv_error *err);
int cv_restore_fill_end(struct cv_restore *r, struct cv_error *err);
void cv_restore_fill_stop(struct cv_restore *r);
/* prepare.c: emulators, xenstore, PV devices.  What it has begun is taken back by the step's undo. */
int cv_restore_prepare(struct cv_restore *r, int64_t deadline_ms, struct cv_error *err);

#endif
