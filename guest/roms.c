/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the emulators' ROMs held when the guest was created: an image tells later from which firmware it comes. */
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "guest/guest.h"
#include "memory/pages.h"

#define CHUNK 64u

static bool is_rom(const char *what)
{
    size_t n = strlen(what);
    return n > 4 && strcmp(what + n - 4, ".rom") == 0;
}

static int hash_chunk(struct cv_page_source *source, uint64_t gfn, size_t n, XXH3_state_t *hash, struct cv_error *err)
{
    static const uint8_t nothing[CV_PAGE_SIZE];
    uint64_t pfns[CHUNK];
    uint8_t types[CHUNK];
    const void *pages[CHUNK];
    void *handle;

    for (size_t i = 0; i < n; i++)
        pfns[i] = gfn + i;
    if (source->ops->map(source, pfns, n, types, pages, &handle, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        XXH3_128bits_update(hash, types[i] == CV_PAGE_DATA && pages[i] != NULL ? pages[i] : nothing, CV_PAGE_SIZE);
    source->ops->unmap(source, handle);
    return 0;
}

static int digest(struct cv_guest *g, struct cv_page_source *source, struct cv_layout_region *r, XXH3_state_t *hash,
                  struct cv_error *err)
{
    XXH128_canonical_t c;
    char text[33];

    XXH3_128bits_reset(hash);
    for (uint64_t at = 0; at < r->pages; at += CHUNK)
        if (hash_chunk(source, r->gfn + at, r->pages - at < CHUNK ? (size_t)(r->pages - at) : CHUNK, hash, err) < 0)
            return cv_context(err, "read %s", r->what);
    XXH128_canonicalFromHash(&c, XXH3_128bits_digest(hash));
    for (size_t i = 0; i < sizeof c.digest; i++)
        snprintf(text + 2 * i, 3, "%02x", c.digest[i]);
    r->digest = cv_pool_string(&g->layout.pool, text);
    return 0;
}

int cv_guest_digest_roms(struct cv_guest *g, struct cv_error *err)
{
    struct cv_page_source *source;
    XXH3_state_t *hash = XXH3_createState();

    if (hash == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a digest");
    int rc = g->host->ops->page_source(g->host, g->domid, &source, err);
    if (rc == 0) {
        for (unsigned i = 0; rc == 0 && i < g->layout.count; i++)
            for (unsigned k = 0; rc == 0 && k < g->layout.dms[i].region_count; k++)
                if (is_rom(g->layout.dms[i].regions[k].what))
                    rc = digest(g, source, &g->layout.dms[i].regions[k], hash, err);
        g->host->ops->page_source_free(g->host, source);
    }
    XXH3_freeState(hash);
    return rc;
}
