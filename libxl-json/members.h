/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The members of libxl_domain_config that are known, one table for each object.  Private to libxl-json/. */
#ifndef CONVOY_LIBXL_JSON_MEMBERS_H
#define CONVOY_LIBXL_JSON_MEMBERS_H

enum cv_libxl_fate {
    IGNORE, /* of the old host, or of no weight for an emulated guest */
    REFUSE, /* only if it holds nothing */
    TEXT,
    NUMBER,
    BOOLEAN,   /* to the key named */
    WORD,      /* one of words, to the key named */
    ELSEWHERE, /* a function of its own looks at it */
};

/* key: of xl.cfg; of REFUSE the reason, NULL for the common one.  words: pairs of libxl's word and xl.cfg's ("" = write
 * nothing), ended by NULL. */
struct cv_libxl_member {
    const char *name;
    enum cv_libxl_fate fate;
    const char *key;
    const char *const *words;
};

extern const struct cv_libxl_member cv_libxl_create_members[];
extern const struct cv_libxl_member cv_libxl_build_members[];
extern const struct cv_libxl_member cv_libxl_hvm_members[];
extern const struct cv_libxl_member cv_libxl_vnc_members[];
extern const struct cv_libxl_member cv_libxl_vga_members[];
extern const struct cv_libxl_member cv_libxl_disk_members[];
extern const struct cv_libxl_member cv_libxl_nic_members[];
extern const struct cv_libxl_member cv_libxl_top_members[];
extern const char cv_libxl_passed_through[], cv_libxl_pv_device[];

#endif
