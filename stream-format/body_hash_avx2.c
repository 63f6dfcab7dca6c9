/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XXH3 as its own header makes it when compiled for AVX2 (CMakeLists.txt).  libxxhash is built for any x86-64 and is a
 * quarter as fast, and there is no portable way to ask it for another variant. */
#include "stream-format/frame.h"

#ifdef __AVX2__

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t cv_body_hash_avx2(const void *data, size_t len) { return XXH3_64bits(data, len); }

void cv_body_hash128_avx2(const void *data, size_t len, uint8_t out[16])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, len));
    memcpy(out, canonical.digest, sizeof canonical.digest);
}

#endif
