/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of xl's save file and the two streams in it.  Sources: Xen's docs/specs/libxl-migration-stream.pandoc,
 * docs/specs/libxc-migration-stream.pandoc, tools/xl/xl.h. */
#ifndef CONVOY_CONVERT_XL_FORMAT_H
#define CONVOY_CONVERT_XL_FORMAT_H

#include <stdint.h>

/* ---- xl's header: 32 bytes of magic, then u32: byte order, mandatory flags, optional flags, length of optional data
 * ---- */
#define CV_XL_MAGIC "Xen saved domain, xl format\n \0 \r"
#define CV_XL_MAGIC_SIZE 32u
#define CV_XL_HEADER_SIZE 48u
#define CV_XL_BYTEORDER 0x01020304u
#define CV_XL_FLAG_JSON 1u
#define CV_XL_FLAG_STREAM2 2u
#define CV_XL_CONFIG_MAX (1u << 20) /* libxl's JSON is some kilobytes */

/* libvirt's in the place of xl's: 16 bytes of magic, u32 version, u32 length of the XML with its final zero, zeros up
 * to 64 bytes, the XML; then the same streams (as its Xen driver writes it). */
#define CV_LIBVIRT_MAGIC "libvirt-xml\n \0 \r"
#define CV_LIBVIRT_MAGIC_SIZE 16u
#define CV_LIBVIRT_HEADER_SIZE 64u
#define CV_LIBVIRT_VERSION 2u
#define CV_LIBVIRT_XML_MAX (1u << 20)

/* ---- libxl's stream: header big-endian, records little-endian ---- */
#define CV_LIBXL_IDENT UINT64_C(0x4c6962786c466d74)
#define CV_LIBXL_VERSION 2u
#define CV_LIBXL_HEADER_SIZE 16u
/* clang-format off */
enum cv_libxl_type {
    CV_LIBXL_END = 0, CV_LIBXL_LIBXC_CONTEXT = 1, CV_LIBXL_EMULATOR_XENSTORE = 2, CV_LIBXL_EMULATOR_CONTEXT = 3,
    CV_LIBXL_CHECKPOINT_END = 4, CV_LIBXL_CHECKPOINT_STATE = 5,
};
/* clang-format on */
#define CV_LIBXL_EMULATOR_HEAD 8u /* u32 id, u32 index */
#define CV_LIBXL_QEMU 2u          /* emulator id of upstream QEMU */

/* ---- libxc's stream: image header big-endian, the rest little-endian ---- */
#define CV_LIBXC_MARKER UINT64_C(0xffffffffffffffff)
#define CV_LIBXC_ID 0x58454e46u
#define CV_LIBXC_VERSION 3u
#define CV_LIBXC_IMAGE_HEADER 24u
#define CV_LIBXC_DOMAIN_HEADER 16u
#define CV_LIBXC_HVM 2u
/* clang-format off */
enum cv_libxc_type {
    CV_LIBXC_END = 0x00, CV_LIBXC_PAGE_DATA = 0x01, CV_LIBXC_TSC_INFO = 0x08, CV_LIBXC_HVM_CONTEXT = 0x09,
    CV_LIBXC_HVM_PARAMS = 0x0a, CV_LIBXC_TOOLSTACK = 0x0b, CV_LIBXC_VERIFY = 0x0d, CV_LIBXC_CHECKPOINT = 0x0e,
    CV_LIBXC_STATIC_DATA_END = 0x10, CV_LIBXC_CPUID_POLICY = 0x11, CV_LIBXC_MSR_POLICY = 0x12,
};
/* clang-format on */
#define CV_LIBXC_OPTIONAL 0x80000000u
#define CV_LIBXC_BATCH 1024u     /* pages that Xen's own tools put into one PAGE_DATA */
#define CV_LIBXC_BATCH_MAX 4096u /* and what we take */
#define CV_LIBXC_PFN_MASK UINT64_C(0x000fffffffffffff)
enum { CV_LIBXC_NOTAB = 0x0, CV_LIBXC_BROKEN = 0xd, CV_LIBXC_XALLOC = 0xe, CV_LIBXC_XTAB = 0xf }; /* bits 60 to 63 */

#define CV_XL_RECORD_HEADER 8u /* u32 type, u32 length; bodies are padded to 8 */

static inline void cv_xl_store_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}
static inline uint32_t cv_xl_load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif
