/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl's save file or xenopsd's suspend image, record by record.  The input may be hostile: lengths are bounded before
 * anything is allocated, memory grows with what arrives, order and number of records are checked here; what is in a
 * body is for who asked for it. */
#ifndef CONVOY_CONVERT_XL_READER_H
#define CONVOY_CONVERT_XL_READER_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/cancel.h"
#include "convert/xl_format.h"

enum cv_xl_layer { CV_XL_LIBXL, CV_XL_LIBXC, CV_XL_XENOPSD };

struct cv_xl_record {
    enum cv_xl_layer layer;
    uint32_t type;           /* enum cv_libxl_type, cv_libxc_type or cv_xenopsd_type */
    uint64_t number, offset; /* both layers counted together; of the record's header */
    struct cv_buf body;      /* owned by the caller, used again by cv_xl_reader_next */
};
static inline void cv_xl_record_dispose(struct cv_xl_record *r) { cv_buf_dispose(&r->body); }
#define CV_AUTO_XL_RECORD __attribute__((cleanup(cv_xl_record_dispose))) struct cv_xl_record

struct cv_xl_reader;
/* Reads xl's header with the configuration, and libxl's.  fd is borrowed.
 * Errors: CV_E_STREAM (not xl's, damaged, truncated), CV_E_STREAM_VERSION (flags or versions unknown here), CV_E_IO. */
int cv_xl_reader_new(struct cv_xl_reader **r_out, int fd, struct cv_cancel *cancel, struct cv_error *err) CV_CHECKED;
/* The same of xenopsd's image: given out are, beside libxc's records, XENOPS and QEMU. */
int cv_xl_reader_new_xenopsd(struct cv_xl_reader **r_out, int fd, struct cv_cancel *cancel,
                             struct cv_error *err) CV_CHECKED;
/* libxl's JSON, terminated; borrowed; NULL for xenopsd's image. */
const char *cv_xl_reader_config(const struct cv_xl_reader *r, size_t *len_out);
/* From libxc's domain header: 0, 0 before its first record was given out. */
void cv_xl_reader_xen(const struct cv_xl_reader *r, uint32_t *major_out, uint32_t *minor_out);
uint64_t cv_xl_reader_bytes(const struct cv_xl_reader *r);
/* 1 with *rec, 0 after libxl's END with nothing behind it (xenopsd's lies on a disk, which goes on), -1.  Given out are
 * the records that carry something: of libxc's stream CPUID_POLICY, MSR_POLICY, STATIC_DATA_END (once, also where an
 * old stream leaves it out), PAGE_DATA, TSC_INFO, HVM_CONTEXT, HVM_PARAMS and END; of libxl's the emulator's two.
 * Unknown optional ones of libxc's are passed over. */
int cv_xl_reader_next(struct cv_xl_reader *r, struct cv_xl_record *rec, struct cv_error *err) CV_CHECKED;
void cv_xl_reader_free(struct cv_xl_reader *r);
/* Prepends "record 5 PAGE_DATA at offset 4711".  Returns -1. */
int cv_xl_record_context(const struct cv_xl_record *rec, struct cv_error *err);
const char *cv_xl_record_name(enum cv_xl_layer layer, uint32_t type);

#endif
