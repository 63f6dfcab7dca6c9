/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenopsd's suspend image.  A signature without a length, then headers of two u64, little-endian: type and length of
 * what follows.  Nothing is padded; libxc's stream tells its own end.  An unknown type is an error to xenopsd, but
 * XENOPS may stand anywhere and any number of times, and of what is in it xenopsd looks at the form only.  Sources:
 * xen-api's ocaml/xenopsd/lib/suspend_image.ml and ocaml/xenopsd/xc/domain.ml. */
#ifndef CONVOY_CONVERT_XENOPSD_FORMAT_H
#define CONVOY_CONVERT_XENOPSD_FORMAT_H

#define CV_XENOPSD_SIGNATURE "XenSavedDomv2-\n"
#define CV_XENOPSD_LEGACY "XenSavedDomain\n"
#define CV_XENOPSD_SIGNATURE_SIZE 15u
#define CV_XENOPSD_HEADER 16u
/* clang-format off */
enum cv_xenopsd_type {
    CV_XENOPSD_XENOPS = 0x000f, CV_XENOPSD_LIBXC = 0x00f0, CV_XENOPSD_LIBXL = 0x00f1, CV_XENOPSD_LIBXC_LEGACY = 0x00f2,
    CV_XENOPSD_QEMU = 0x0f00, /* "Qemu_trad", but upstream QEMU's state is in it as well */
    CV_XENOPSD_QEMU_XEN = 0x0f01,
    CV_XENOPSD_DEMU = 0x0f10, CV_XENOPSD_VARSTORED = 0x0f11, CV_XENOPSD_SWTPM0 = 0x0f12, CV_XENOPSD_SWTPM = 0x0f13,
    CV_XENOPSD_END = 0xffff,
};
/* clang-format on */
#define CV_XENOPSD_QEMU_MAX 1048576u      /* xenopsd refuses longer ones when it restores */
#define CV_XENOPSD_XENOPS_MAX (16u << 20) /* what we take */

#endif
