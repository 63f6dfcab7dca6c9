/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One configuration being read: libxlutil's values, the place of every key, and errors that name both. */
#ifndef CONVOY_CONFIG_READER_H
#define CONVOY_CONFIG_READER_H

#include <libxlutil.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"
#include "base/error.h"
#include "config/config.h"
#include "config/keys.h"

struct cv_config_reader {
    XLU_Config *cfg;
    FILE *report; /* what libxlutil complains about, a memory stream */
    char *report_text;
    size_t report_len;
    struct cv_keys keys;
    struct cv_guest_config *c;
    const char *source;
    struct cv_findings *found; /* what is in the way so far, and warnings */
    const char *failed_key;    /* of the last error, "" = not known */
    bool hd_on_ahci;           /* hdtype */
    /* pv= of each disk and card: -1 not given; bits of those with a word that only a PV half can have */
    signed char disk_pv[CV_CONFIG_DISKS_MAX], vif_pv[CV_CONFIG_VIFS_MAX];
    uint32_t disk_pv_words, vif_pv_words, vif_is_pv_only, vif_is_emulated;
};

/* How errors go: a part that finds something wrong fails with one error, as everywhere; whoever calls several parts
 * that do not need each other keeps it with cv_reader_keep, and goes on to the next, so that the user is told all of
 * it.  The getters below keep by themselves: *out stays, and the reading goes on. */

/* rc < 0: err is in the way of the guest, too.  A second error of one key says nothing new, unless the key is a list of
 * devices.  Leaves err empty.  Returns rc. */
int cv_reader_keep(struct cv_config_reader *r, int rc, struct cv_error *err);
void cv_reader_warn(struct cv_config_reader *r, const char *key, const char *fmt, ...) CV_PRINTF(3, 4);
/* Was something found in the way of this key? */
bool cv_reader_is_bad(const struct cv_config_reader *r, const char *key);

/* Fails with "<source>:<line>: <key>: <text>".  Returns -1. */
int cv_reader_fail(struct cv_config_reader *r, const char *key, enum cv_code code, struct cv_error *err,
                   const char *fmt, ...) CV_PRINTF(5, 6);
/* Puts "<source>:<line>: <key>: " in front of an error.  Returns -1. */
int cv_reader_context(struct cv_config_reader *r, const char *key, struct cv_error *err);
/* First line that libxlutil has reported since the last call, in the pool; "" if none. */
const char *cv_reader_reported(struct cv_config_reader *r);

bool cv_reader_has(struct cv_config_reader *r, const char *key);
/* The getters leave *out alone when the key is absent or wrong; -1: no memory. */
int cv_reader_string(struct cv_config_reader *r, const char *key, const char **out, struct cv_error *err) CV_CHECKED;
int cv_reader_number(struct cv_config_reader *r, const char *key, long long min, long long max, long long *out,
                     struct cv_error *err) CV_CHECKED;
/* Any number, as xl has it: 0 is false. */
int cv_reader_bool(struct cv_config_reader *r, const char *key, bool *out, struct cv_error *err) CV_CHECKED;
/* A list of strings, or one string as a list of one. */
int cv_reader_strings(struct cv_config_reader *r, const char *key, struct cv_strings *out,
                      struct cv_error *err) CV_CHECKED;

/* "" stays; a relative path is taken from the current folder, as xl does: a restore may begin in another one. */
const char *cv_reader_absolute(struct cv_config_reader *r, const char *path);

/* The parts, one file each. */
int cv_config_read_guest(struct cv_config_reader *r, struct cv_error *err) CV_CHECKED; /* guest.c */
int cv_config_read_devices(struct cv_config_reader *r,
                           struct cv_error *err) CV_CHECKED; /* builtin.c: vga, serial, usb, ... */
/* After these two: takes away what a PVH guest does not have. */
int cv_config_settle_pvh(struct cv_config_reader *r, struct cv_error *err) CV_CHECKED; /* pvh.c */
int cv_config_read_disks(struct cv_config_reader *r, struct cv_error *err) CV_CHECKED; /* disk.c */
/* After its owner is known: decides the controller and checks that it can be there. */
int cv_config_settle_disk(struct cv_config_reader *r, unsigned n, struct cv_error *err) CV_CHECKED;
/* All are settled: no disk is there twice. */
int cv_config_check_disks(struct cv_config_reader *r, struct cv_error *err) CV_CHECKED;
int cv_config_read_vifs(struct cv_config_reader *r, struct cv_error *err) CV_CHECKED; /* vif.c */
/* After its owner is known: which halves it has. */
int cv_config_settle_vif(struct cv_config_reader *r, unsigned n, struct cv_error *err) CV_CHECKED;
/* One entry of device_models as written; claims are settled in owners.c when all are known. */
struct cv_dm_entry {
    struct cv_config_dm dm;
    const char *vifs, *disks;
    bool has_rank, named_default;
    unsigned given;  /* which of the keys that are given once were, one bit each */
    unsigned number; /* 1 = first, for messages */
};
int cv_config_read_entry(struct cv_config_reader *r, XLU_ConfigList *list, int i, struct cv_dm_entry *e,
                         struct cv_error *err) CV_CHECKED; /* dm.c */
int cv_config_settle_owners(struct cv_config_reader *r, struct cv_dm_entry *entries, unsigned count,
                            struct cv_error *err) CV_CHECKED;                        /* owners.c */
int cv_config_read_dms(struct cv_config_reader *r, struct cv_error *err) CV_CHECKED; /* dm.c, owners.c */

#endif
