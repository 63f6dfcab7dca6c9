/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OFFER: what the source says of the guest before the first page, and what the destination checks of it while a
 * refusal is still free. */
#ifndef CONVOY_MIGRATE_OFFER_H
#define CONVOY_MIGRATE_OFFER_H

#include "base/findings.h"
#include "guest/guest.h"
#include "handover/messages.h"

/* The message and what it points into.  { 0 } is empty. */
struct cv_offer {
    struct cv_msg msg;
    struct cv_buf emulators, bridges, disks, facts, policy;
    char *layout;
};
/* g: open and connected (its emulators' versions are known). */
int cv_offer_make(struct cv_offer *o, struct cv_guest *g, bool live, struct cv_error *err) CV_CHECKED;
void cv_offer_dispose(struct cv_offer *o);

/* A fact of OFFER: what a raw disk holds, "disk-bytes=1073741824 /dev/vg/disk"; the disk is one of OFFER's disks. */
#define CV_FACT_DISK_BYTES "disk-bytes="
/* Bytes of a file or block device; -1 if it cannot be opened, or has no size. */
int cv_disk_bytes(const char *path, uint64_t *bytes_out);

struct cv_offer_check {
    struct cv_host *host;
    uint8_t guest[16];  /* HELLO's */
    uint32_t own_domid; /* the source's domain when it is on this very host, else 0 */
    /* Not NULL: everything that is in the way is added, not the first thing only. */
    struct cv_findings *found;
    /* results */
    uint64_t free_bytes; /* left after this guest */
    struct cv_buf notes_data;
    struct cv_strs notes; /* warnings for the user */
};
/* 0, or -1 with the code for REFUSE in *refusal_out and the text in err. */
int cv_offer_check(struct cv_offer_check *c, const struct cv_msg_offer *offer, uint32_t *refusal_out,
                   struct cv_error *err) CV_CHECKED;
void cv_offer_check_dispose(struct cv_offer_check *c);

#endif
