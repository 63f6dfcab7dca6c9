/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl's save file as xl itself writes it.  The caller keeps the order of records. */
#ifndef CONVOY_CONVERT_XL_WRITER_H
#define CONVOY_CONVERT_XL_WRITER_H

#include <sys/uio.h>

#include "base/cancel.h"
#include "convert/xl_format.h"

struct cv_xl_writer {
    int fd; /* borrowed */
    struct cv_cancel *cancel;
    uint64_t bytes;
};

/* xl's header and the configuration.  json: terminated. */
int cv_xl_put_config(struct cv_xl_writer *w, const char *json, struct cv_error *err) CV_CHECKED;
/* In their place: libvirt's header and the domain's XML, of at most CV_LIBVIRT_XML_MAX bytes. */
int cv_xl_put_libvirt(struct cv_xl_writer *w, const char *xml, struct cv_error *err) CV_CHECKED;
/* What follows either: libxl's header, LIBXC_CONTEXT. */
int cv_xl_put_head(struct cv_xl_writer *w, struct cv_error *err) CV_CHECKED;
/* libxc's headers. */
int cv_libxc_put_head(struct cv_xl_writer *w, uint32_t xen_major, uint32_t xen_minor, struct cv_error *err) CV_CHECKED;
/* What is no record: bytes as they are. */
int cv_xl_put_bytes(struct cv_xl_writer *w, const void *data, size_t len, struct cv_error *err) CV_CHECKED;
/* One record of either stream; at most 4 pieces, padding comes by itself. */
int cv_xl_put(struct cv_xl_writer *w, uint32_t type, const struct iovec *body, int count,
              struct cv_error *err) CV_CHECKED;

#endif
