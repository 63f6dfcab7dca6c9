/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journals' say in what may run on this host: docs/migrate-protocol.md, 6 ("Who asks").  Knows nothing of Xen. */
#ifndef CONVOY_MIGRATE_GATE_H
#define CONVOY_MIGRATE_GATE_H

#include "host/host.h"
#include "migrate/journal.h"

struct cv_journal_gate {
    struct cv_gate base; /* first */
    const char *store;   /* borrowed */
};

/* For cv_host.gate.  CV_E_BUSY: a migration has this guest in hand, or only recovery may decide; CV_E_IO: the store is
 * there, but not what was kept in it (not mounted?); CV_E_STREAM: a record is damaged, and may be this guest's.
 * A guest that was handed over to another host and has not come back is worth a warning. */
struct cv_journal_gate cv_journal_gate(const char *store);

#endif
