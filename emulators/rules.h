/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this host lets emulators be: which programs an image or a peer may start, and as whom secondaries run.  The
 * host's administrator says so in /etc/convoy/emulators.conf; an image has no say in it.
 *
 *      program = PATH              more programs for images and peers; may be repeated
 *      users = N                   the first of CV_EMU_USERS user ids for emulators; else that of the user convoy-qemu
 *      secondaries_as_root = 1     where there are no such users
 *      # ...                       comments and empty lines
 */
#ifndef CONVOY_EMULATORS_RULES_H
#define CONVOY_EMULATORS_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "layout/layout.h"

#define CV_EMU_RULES_FILE "/etc/convoy/emulators.conf"
#define CV_EMU_RULES_MAX (64u << 10) /* bytes of that file */
#define CV_EMU_PROGRAMS_MAX 32
#define CV_EMU_USER "convoy-qemu"
/* One for each emulator of each domain that there can be: domid * CV_DM_MAX + dmid. */
#define CV_EMU_DOMIDS 0x7ff0u
#define CV_EMU_USERS (CV_EMU_DOMIDS * CV_DM_MAX)
#define CV_EMU_USERS_LEAST 65536u /* people and services have ids below */

struct cv_emu_rules {
    char programs[CV_EMU_PROGRAMS_MAX][256];
    unsigned program_count;
    bool as_root;
    bool has_users;
    uint32_t users, group;
};

/* path NULL = CV_EMU_RULES_FILE, which may be missing.  CV_E_INVALID names the line; a file that others than its owner
 * may write is refused. */
int cv_emu_rules_load(struct cv_emu_rules *r, const char *path, struct cv_error *err) CV_CHECKED;
/* Also this program, as if the file had named it. */
int cv_emu_rules_trust(struct cv_emu_rules *r, const char *program, struct cv_error *err) CV_CHECKED;
/* May an image or a peer start this program?  CV_E_UNSUPPORTED says what to do. */
int cv_emu_rules_program(const struct cv_emu_rules *r, const char *program, struct cv_error *err) CV_CHECKED;
/* "UID:GID" for QEMU's -runas; "" = as root, which the rules allow.  buf of 32 bytes.  CV_E_UNSUPPORTED: there are no
 * users, or this one is somebody's. */
int cv_emu_rules_user(const struct cv_emu_rules *r, unsigned domid, unsigned dmid, char *buf, size_t len,
                      struct cv_error *err) CV_CHECKED;
/* Could the layout's emulators be started at all?  from_elsewhere: an image's or a peer's, whose programs must be
 * trusted.  The error names the emulator. */
int cv_emu_rules_check(const struct cv_emu_rules *r, const struct cv_layout *l, bool from_elsewhere,
                       struct cv_error *err) CV_CHECKED;

#endif
