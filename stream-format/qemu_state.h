/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking apart what QEMU's xen-save-devices-state writes, as far as that is possible.
 *
 * The file (all numbers big-endian; QEMU: migration/savevm.c, qemu_save_device_state; docs/xen-save-devices-state.txt):
 *     "QEVM"  u32 3                                                      magic and version
 *     { 0x04  u32 section  u8 n  name[n]  u32 instance  u32 version  data  [ 0x7e  u32 section ] }...
 *     0x00                                                               end
 * The length of data is nowhere: only the device's own code knows it.  A footer (0x7e) closes a section, but the Xen
 * machines of QEMU 2.4 and later switch it off (accel/xen: migration.send-section-footer = off), so that usually the
 * next section's header is all there is to find.  Two ways, then:
 *   - with footers, a section ends where its footer is followed by a header or by the end: exact;
 *   - without, sections are found by their headers' pattern.  Device data that imitates one (a guest can do that)
 *     misleads the listing, never the program.  What contradicts itself is reported as not to be taken apart.
 * So the sections serve for showing and comparing.  Only cv_qemu_state_check decides anything. */
#ifndef CONVOY_STREAM_FORMAT_QEMU_STATE_H
#define CONVOY_STREAM_FORMAT_QEMU_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct cv_qemu_section {
    char name[256]; /* "0000:00:04.0/e1000", printable ASCII, terminated */
    uint32_t section, instance, version;
    size_t offset;                /* of the section's type byte in the blob */
    size_t data_offset, data_len; /* the device's own bytes */
};

struct cv_qemu_state {
    bool exact;                       /* every section was closed by its footer */
    char machine[256];                /* from a configuration section (0x07), "" if there is none */
    struct cv_qemu_section *sections; /* owned */
    size_t count;
};

/* More sections than any machine has; more of them means that the blob is something else. */
#define CV_QEMU_SECTIONS_MAX 4096u

/* Magic, version, a well-formed first section, and the end mark as the last byte (a file that was cut, or that has
 * the tail of an older one behind it, H-6, does not end so but by chance).  For use before a state is given to QEMU.
 * data: whole blob.  Errors: CV_E_EMULATOR. */
int cv_qemu_state_check(const void *data, size_t len, struct cv_error *err) CV_CHECKED;

/* Checks, and splits into sections.  data is not referred to afterwards.  out: untouched on error.
 * Errors: CV_E_EMULATOR (as check), CV_E_UNSUPPORTED (cannot be taken apart), CV_E_NOMEM. */
int cv_qemu_state_decode(struct cv_qemu_state *out, const void *data, size_t len, struct cv_error *err) CV_CHECKED;
void cv_qemu_state_dispose(struct cv_qemu_state *s);

#endif
