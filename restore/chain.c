/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An incremental image: the images that it is based on are found and checked before there is a domain, and their
 * memory is put in place before its own. */
#include <string.h>

#include "memory/check.h"
#include "memory/fixed.h"
#include "restore/internal.h"

int cv_restore_take_parent(struct cv_restore *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_parent p;

    if (cv_rec_parent_decode(&p, rec->body.data, rec->body.len, err) < 0)
        return -1;
    memcpy(r->parent_name, p.name, p.name_len);
    r->parent = p;
    r->parent.name = r->parent_name;
    r->has_parent = true;
    return 0;
}

int cv_restore_find_parents(struct cv_restore *r, struct cv_error *err)
{
    static const struct cv_chain_places nowhere;

    if (!r->has_parent)
        return 0;
    return cv_chain_find(&r->chain, &r->parent, r->pfn_count, r->opt->parents ? r->opt->parents : &nowhere, err);
}

static int verify_link(const struct cv_restore *r, const struct cv_chain_link *l, struct cv_error *err)
{
    struct cv_reader_options o = { .cancel = r->opt->cancel };
    struct cv_mem_options mem = r->opt->mem;
    struct cv_reader *reader;

    mem.cancel = r->opt->cancel;
    if (cv_chain_open(l, o, &reader, err) < 0)
        return -1;
    int rc = cv_memory_check(reader, &mem, err);
    if (rc == 0)
        rc = cv_chain_check_end(l, reader, err);
    cv_reader_free(reader);
    return rc;
}

int cv_restore_verify_parents(const struct cv_restore *r, struct cv_error *err)
{
    for (unsigned i = 0; i < r->chain.count; i++)
        if (verify_link(r, &r->chain.links[i], err) < 0)
            return cv_context(err, "parent %s", r->chain.links[i].path);
    return 0;
}

static int fill_link(struct cv_restore *r, const struct cv_chain_link *l, struct cv_reader *reader,
                     struct cv_loader *loader, struct cv_fixed *fixed, struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    int n;

    while ((n = cv_reader_next(reader, &rec, err)) > 0) {
        if (rec.raw_type == CV_REC_PLACES && cv_fixed_take(fixed, reader, &rec, err) < 0)
            return cv_record_context(&rec, err);
        bool pages = rec.raw_type == CV_REC_PAGES || (rec.raw_type == CV_REC_PAGE_HASHES && cv_fixed_is_open(fixed));
        if (pages && cv_loader_record(loader, &rec, err) < 0)
            return -1;
        if (rec.raw_type == CV_REC_PASS_END && cv_loader_pass_end(loader, &rec, err) < 0)
            return -1;
        if (cv_cancel_check(&r->fill_cancel, err) < 0)
            return -1;
    }
    if (n < 0 || cv_loader_end(loader, err) < 0)
        return -1;
    return cv_chain_check_end(l, reader, err);
}

int cv_restore_fill_parents(struct cv_restore *r, struct cv_page_sink *sink, const struct cv_mem_options *mem,
                            struct cv_error *err)
{
    struct cv_reader_options o = { .cancel = r->opt->cancel, .defer_hash_of_pages = true };
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < r->chain.count; i++) {
        const struct cv_chain_link *l = &r->chain.links[i];
        struct cv_mem_options link_mem = *mem;
        struct cv_loader *loader = NULL;
        struct cv_reader *reader = NULL;
        struct cv_fixed fixed = { 0 };

        link_mem.fixed = &fixed;
        rc = cv_chain_open(l, o, &reader, err);
        if (rc == 0)
            rc = cv_loader_new(&loader, sink, r->pfn_count, &link_mem, err);
        if (rc == 0)
            rc = fill_link(r, l, reader, loader, &fixed, err);
        cv_loader_free(loader);
        cv_fixed_dispose(&fixed);
        cv_reader_free(reader);
        if (rc < 0)
            cv_context(err, "parent %s", l->path);
    }
    return rc;
}
