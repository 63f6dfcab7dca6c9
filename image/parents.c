/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The chain below an incremental image, oldest first: each is checked as a whole, its pages go where the image's own
 * are to go, and the map of pages is handed from one to the next. */
#include <stdlib.h>

#include "image/reading.h"

static int read_link(struct cv_image_reading *t, const struct cv_chain_link *l, struct cv_image *link,
                     struct cv_page_sink *sink, struct cv_pagemap *map, struct cv_error *err)
{
    struct cv_reader_options ro = { .cancel = t->opt->mem.cancel,
                                    .defer_hash_of_pages = t->opt->check_pages || sink != NULL };
    struct cv_image_options opt = {
        .sink = sink, .check_pages = t->opt->check_pages, .mem = t->opt->mem, .map_below = map
    };
    struct cv_reader *r;

    if (cv_chain_open(l, ro, &r, err) < 0)
        return -1;
    int rc = cv_image_read(link, r, &opt, err);
    if (rc == 0)
        rc = cv_chain_check_end(l, r, err);
    cv_reader_free(r);
    if (rc < 0)
        return -1;
    *map = link->map;
    link->map = (struct cv_pagemap){ 0 };
    return 0;
}

static int read_links(struct cv_image_reading *t, const struct cv_chain *chain, struct cv_page_sink *sink,
                      struct cv_error *err)
{
    struct cv_image *link = calloc(1, sizeof *link);
    struct cv_pagemap map = { 0 };
    int rc = link != NULL ? 0 : cv_fail(err, CV_E_NOMEM, 0, "no memory");

    for (unsigned i = 0; rc == 0 && i < chain->count; i++) {
        rc = read_link(t, &chain->links[i], link, sink, &map, err);
        cv_image_dispose(link);
        if (rc < 0)
            cv_context(err, "parent %s", chain->links[i].path);
    }
    free(link);
    if (rc == 0)
        rc = cv_pagemap_grow(&map, t->img->memory.pfn_count, err);
    if (rc < 0) {
        cv_pagemap_dispose(&map);
        return -1;
    }
    cv_pagemap_dispose(&t->img->map);
    t->img->map = map;
    t->img->parents_read = chain->count;
    return 0;
}

int cv_image_read_parents(struct cv_image_reading *t, struct cv_page_sink *sink, struct cv_error *err)
{
    struct cv_chain chain;

    int rc = cv_chain_find(&chain, &t->img->parent, t->img->memory.pfn_count, t->opt->parents, err);
    if (rc == 0)
        rc = read_links(t, &chain, sink, err);
    cv_chain_dispose(&chain);
    return rc;
}
