/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert/xl_writer.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"

#define PIECES_MAX 4

static int put_pieces(struct cv_xl_writer *w, struct iovec *iov, int count, struct cv_error *err)
{
    for (int i = 0; i < count; i++)
        w->bytes += iov[i].iov_len;
    return cv_writev_full(w->fd, iov, count, CV_NEVER, w->cancel, err);
}

int cv_xl_put(struct cv_xl_writer *w, uint32_t type, const struct iovec *body, int count, struct cv_error *err)
{
    static const uint8_t zeros[8];
    uint8_t head[CV_XL_RECORD_HEADER];
    struct iovec iov[PIECES_MAX + 2];
    uint64_t len = 0;

    if (count > PIECES_MAX)
        return cv_fail(err, CV_E_INTERNAL, 0, "%d pieces of a record", count);
    for (int i = 0; i < count; i++) {
        iov[i + 1] = body[i];
        len += body[i].iov_len;
    }
    if (len > UINT32_MAX - 8)
        return cv_fail(err, CV_E_INTERNAL, 0, "a record of %llu bytes", (unsigned long long)len);
    cv_store32(head, type);
    cv_store32(head + 4, (uint32_t)len);
    iov[0] = (struct iovec){ head, sizeof head };
    iov[count + 1] = (struct iovec){ (void *)zeros, -len & 7 };
    return put_pieces(w, iov, count + 2, err);
}

int cv_xl_put_bytes(struct cv_xl_writer *w, const void *data, size_t len, struct cv_error *err)
{
    struct iovec iov = { (void *)data, len };
    return put_pieces(w, &iov, 1, err);
}

int cv_xl_put_config(struct cv_xl_writer *w, const char *json, struct cv_error *err)
{
    uint32_t len = (uint32_t)strlen(json) + 1;
    uint8_t xl[CV_XL_HEADER_SIZE + 4] = { 0 };

    memcpy(xl, CV_XL_MAGIC, CV_XL_MAGIC_SIZE);
    cv_store32(xl + 32, CV_XL_BYTEORDER);
    cv_store32(xl + 36, CV_XL_FLAG_JSON | CV_XL_FLAG_STREAM2);
    cv_store32(xl + 44, 4 + len);
    cv_store32(xl + 48, len);
    struct iovec iov[2] = { { xl, sizeof xl }, { (void *)json, len } };
    return put_pieces(w, iov, 2, err);
}

int cv_xl_put_libvirt(struct cv_xl_writer *w, const char *xml, struct cv_error *err)
{
    uint32_t len = (uint32_t)strlen(xml) + 1;
    uint8_t head[CV_LIBVIRT_HEADER_SIZE] = { 0 };

    memcpy(head, CV_LIBVIRT_MAGIC, CV_LIBVIRT_MAGIC_SIZE);
    cv_store32(head + 16, CV_LIBVIRT_VERSION);
    cv_store32(head + 20, len);
    struct iovec iov[2] = { { head, sizeof head }, { (void *)xml, len } };
    return put_pieces(w, iov, 2, err);
}

int cv_xl_put_head(struct cv_xl_writer *w, struct cv_error *err)
{
    uint8_t libxl[CV_LIBXL_HEADER_SIZE] = { 0 };

    cv_xl_store_be32(libxl, (uint32_t)(CV_LIBXL_IDENT >> 32));
    cv_xl_store_be32(libxl + 4, (uint32_t)CV_LIBXL_IDENT);
    cv_xl_store_be32(libxl + 8, CV_LIBXL_VERSION);
    if (cv_xl_put_bytes(w, libxl, sizeof libxl, err) < 0)
        return -1;
    return cv_xl_put(w, CV_LIBXL_LIBXC_CONTEXT, NULL, 0, err);
}

int cv_libxc_put_head(struct cv_xl_writer *w, uint32_t xen_major, uint32_t xen_minor, struct cv_error *err)
{
    uint8_t libxc[CV_LIBXC_IMAGE_HEADER + CV_LIBXC_DOMAIN_HEADER] = { 0 }, *domain = libxc + CV_LIBXC_IMAGE_HEADER;

    cv_store64(libxc, CV_LIBXC_MARKER);
    cv_xl_store_be32(libxc + 8, CV_LIBXC_ID);
    cv_xl_store_be32(libxc + 12, CV_LIBXC_VERSION);
    cv_store32(domain, CV_LIBXC_HVM);
    cv_store16(domain + 4, 12);
    cv_store32(domain + 8, xen_major);
    cv_store32(domain + 12, xen_minor);
    return cv_xl_put_bytes(w, libxc, sizeof libxc, err);
}
