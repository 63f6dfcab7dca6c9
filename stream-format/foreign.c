/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/foreign.h"

#include <string.h>

/* What lies beside our images on hosts, by its first bytes. */
static const struct {
    const char *magic;
    size_t len;
    const char *name;
} kinds[] = {
    { "Xen saved domain", 16, "a save file of xl: 'convoy convert --to convoy' makes an image of it" },
    { "XenSavedDomv2-", 14, "a suspend image of xenopsd, which convoy does not read" },
    { "XenSavedDomain", 14, "a suspend image of an old xapi, which convoy does not read" },
    { "LibvirtQemudSave", 16, "a save file of libvirt for KVM" },
    { "libvirt-xml", 11, "a save file of libvirt, which convoy does not read" },
    { "QEVM", 4, "a state of QEMU alone, without a guest around it" },
    { "\x7f"
      "ELF",
      4, "an ELF file: a program or a core dump" },
    { "\x1f\x8b", 2, "compressed with gzip: unpack it first (zcat FILE | convoy ... -)" },
    { "\xfd"
      "7zXZ",
      5, "compressed with xz: unpack it first (xzcat FILE | convoy ... -)" },
    { "\x28\xb5\x2f\xfd", 4, "compressed with zstd: unpack it first (zstdcat FILE | convoy ... -)" },
    { "\x04\x22\x4d\x18", 4, "compressed with lz4: unpack it first (lz4cat FILE | convoy ... -)" },
    { "Salted__", 8, "encrypted with openssl" },
};

const char *cv_foreign_name(const uint8_t *begin, size_t len)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (len >= kinds[i].len && memcmp(begin, kinds[i].magic, kinds[i].len) == 0)
            return kinds[i].name;
    return NULL;
}
