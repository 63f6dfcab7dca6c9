/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* May this guest run here?  The one question of every verb that lets vCPUs run or takes hold of a domain: what the
 * host's domains and the journals of migrations say to it.  docs/migrate-protocol.md, 6 ("Who asks").  Knows nothing of
 * Xen: whoever asks shows it the host's domains, one after the other. */
#ifndef CONVOY_HANDOVER_GATE_H
#define CONVOY_HANDOVER_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"

/* What somebody wants to do with a guest. */
enum cv_gate_verb {
    CV_GATE_NEW,     /* make a domain of this uuid, and let it run */
    CV_GATE_RESTART, /* the same, in the place of one that has ended here by itself */
    CV_GATE_GO_ON,   /* let the vcpus of this domain run */
    CV_GATE_HOLD,    /* pause or save this domain */
};

/* A domain, as Xen says it is now. */
struct cv_gate_domain {
    uint32_t domid;
    uint8_t uuid[16];
    char name[128]; /* for messages */
    bool dying, paused, shutdown;
    uint64_t cpu_time_ns; /* 0: it has never run */
};

struct cv_gate {
    const char *store; /* path of the journals of this host, borrowed; NULL: there are none (a test) */
};

struct cv_gate_question {
    enum cv_gate_verb verb;
    struct cv_gate_domain subject; /* domid 0: it is not made yet, and uuid and name alone count */
    /* private: another domain of this uuid, if one was shown */
    struct cv_gate_domain other;
    bool twice;
};

/* Shows one domain of this host; a question other than HOLD needs all of them. */
void cv_gate_see(struct cv_gate_question *q, const struct cv_gate_domain *d);

/* gate NULL: no journals.  CV_E_BUSY: another domain has this uuid, or a migration has this guest in hand, or only
 * recovery may decide; CV_E_IO: the store is there, but not what was kept in it (not mounted?); CV_E_STREAM: a record
 * is damaged, and may be this guest's.  A guest that was handed over to another host and has not come back is worth a
 * warning. */
int cv_gate_answer(const struct cv_gate *gate, const struct cv_gate_question *q, struct cv_sink *sink,
                   struct cv_error *err) CV_CHECKED;

#endif
