/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is done to one guest with one call, whoever asks for it: the command or a program with the library. */
#ifndef CONVOY_GUEST_VERBS_H
#define CONVOY_GUEST_VERBS_H

#include "base/log.h"
#include "host/host.h"

/* who: name or domid.  Errors: CV_E_NOT_FOUND; those of cv_guest_may_touch. */
int cv_guest_pause_named(struct cv_host *host, const char *who, struct cv_sink *sink, struct cv_error *err) CV_CHECKED;
/* cv_guest_unpause. */
int cv_guest_unpause_named(struct cv_host *host, const char *who, bool *ran_out, struct cv_sink *sink,
                           struct cv_error *err) CV_CHECKED;
/* Ends it at once.  Torn nodes are no reason to keep a domain that is to be ended; somebody else's may be one that is
 * being built (CV_E_UNSUPPORTED). */
int cv_guest_destroy_named(struct cv_host *host, const char *who, struct cv_sink *sink,
                           struct cv_error *err) CV_CHECKED;

#endif
