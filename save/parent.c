/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "save/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "save/write.h"

/* A name that the format takes: without it the parent is still found, by its stream_id. */
static void take_name(struct cv_parent *p, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t len = strlen(base);

    if (len > CV_PARENT_NAME_MAX || cv_body_check(CV_REC_NOTE, base, len, NULL) < 0)
        len = 0;
    memcpy(p->name, base, len);
    p->rec.name = p->name;
    p->rec.name_len = (uint32_t)len;
}

static int take(struct cv_parent *p, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_memory m;
    struct cv_rec_guest g;

    switch (rec->raw_type) {
    case CV_REC_GUEST:
        if (cv_rec_guest_decode(&g, rec->body.data, rec->body.len, err) < 0)
            return -1;
        memcpy(p->uuid, g.uuid, sizeof p->uuid);
        return 0;
    case CV_REC_MEMORY:
        if (cv_rec_memory_decode(&m, rec->body.data, rec->body.len, err) < 0)
            return -1;
        return cv_hashes_init(&p->hashes, m.pfn_count, err);
    case (uint32_t)CV_REC_PAGE_HASHES:
        return cv_hashes_take(&p->hashes, rec->body.data, rec->body.len, err) < 0 ? cv_record_context(rec, err) : 0;
    default: return 0;
    }
}

static int read_all(struct cv_parent *p, struct cv_reader *r, struct cv_error *err)
{
    const struct cv_stream_header *h = cv_reader_header(r);
    CV_AUTO_RECORD rec = { 0 };
    int n;

    if (!(h->optional_features & CV_OPTIONAL_PAGE_HASHES))
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "it was saved without hashes of its pages: save once with --page-hashes");
    while ((n = cv_reader_next(r, &rec, err)) > 0)
        if (take(p, &rec, err) < 0)
            return -1;
    if (n < 0)
        return -1;
    memcpy(p->rec.stream_id, h->stream_id, sizeof p->rec.stream_id);
    memcpy(p->rec.digest, cv_reader_end(r)->digest, sizeof p->rec.digest);
    return 0;
}

int cv_parent_read(struct cv_parent *p, const char *path, struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_reader_options o = { .cancel = cancel, .accept_features = CV_FEATURE_INCREMENTAL };
    struct cv_reader *r;
    CV_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);

    *p = (struct cv_parent){ 0 };
    take_name(p, path);
    if (fd < 0)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "parent %s", path);
    if (cv_reader_new(&r, fd, &o, err) < 0)
        return cv_context(err, "parent %s", path);
    int rc = read_all(p, r, err);
    cv_reader_free(r);
    return rc < 0 ? cv_context(err, "parent %s", path) : 0;
}

void cv_parent_dispose(struct cv_parent *p) { cv_hashes_dispose(&p->hashes); }

/* The new image takes the place of the old file of its name: a parent would be gone. */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int cv_save_read_parent(struct cv_save *s, const char *path, struct cv_error *err)
{
    if (s->opt->parent == NULL)
        return 0;
    if (path != NULL && same_file(path, s->opt->parent))
        return cv_fail(err, CV_E_INVALID, 0, "%s would replace its own parent: give the new image another name", path);
    if (cv_parent_read(&s->parent, s->opt->parent, s->opt->cancel, err) < 0)
        return -1;
    if (memcmp(s->parent.uuid, s->g.spec.uuid, sizeof s->parent.uuid) != 0)
        return cv_fail(err, CV_E_INVALID, 0, "parent %s is an image of another guest", s->opt->parent);
    s->parent.rec.name = s->parent.name;
    s->has_parent = true;
    return 0;
}

int cv_save_begin_hashes(struct cv_save *s, struct cv_error *err)
{
    if (!s->has_hashes)
        return 0;
    if (!s->has_parent)
        return cv_hashes_init(&s->hashes, s->pfn_count, err);
    s->hashes = s->parent.hashes;
    s->parent.hashes = (struct cv_hashes){ 0 };
    /* Pages beyond today's highest have to be taken away by a restore, and so to be in the memory's range. */
    if (s->pfn_count < s->hashes.pfn_count)
        s->pfn_count = s->hashes.pfn_count;
    return cv_hashes_grow(&s->hashes, s->pfn_count, err);
}
