/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/check.h"

#include "memory/fixed.h"

struct check {
    struct cv_reader *r;
    struct cv_mem_options mem;
    struct cv_fixed fixed;
    struct cv_loader *loader; /* of fixed layout, from PLACES on */
};

static int take_record(struct check *c, struct cv_record *rec, struct cv_error *err)
{
    if (rec->raw_type == CV_REC_PLACES) {
        if (cv_fixed_take(&c->fixed, c->r, rec, err) < 0)
            return cv_record_context(rec, err);
        c->mem.fixed = &c->fixed;
        return cv_loader_new(&c->loader, NULL, CV_PFN_LIMIT, &c->mem, err);
    }
    if (rec->raw_type == CV_REC_PAGE_HASHES && c->loader != NULL)
        return cv_loader_record(c->loader, rec, err);
    return 0;
}

int cv_memory_check(struct cv_reader *r, const struct cv_mem_options *opt, struct cv_error *err)
{
    struct check c = { .r = r, .mem = { .threads = opt->threads, .cancel = opt->cancel } };
    CV_AUTO_RECORD rec = { 0 };
    int n, rc = 0;

    while (rc == 0 && (n = cv_reader_next(r, &rec, err)) != 0)
        rc = n < 0 ? -1 : take_record(&c, &rec, err);
    if (rc == 0 && c.loader != NULL)
        rc = cv_loader_end(c.loader, err);
    cv_loader_free(c.loader);
    cv_fixed_dispose(&c.fixed);
    return rc;
}
