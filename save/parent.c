/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "save/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "save/write.h"
#include "stream-format/jump.h"

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

static int take_head(struct cv_parent *p, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_memory m;
    struct cv_rec_guest g;

    switch (rec->raw_type) {
    case CV_REC_GUEST:
        if (cv_rec_guest_decode(&g, rec->body.data, rec->body.len, err) < 0)
            return -1;
        memcpy(p->uuid, g.uuid, sizeof p->uuid);
        return 0;
    case CV_REC_PARENT:
        if (cv_rec_parent_decode(&p->below, rec->body.data, rec->body.len, err) < 0)
            return -1;
        memcpy(p->below_name, p->below.name, p->below.name_len);
        p->below.name = p->below_name;
        p->has_parent = true;
        return 0;
    case CV_REC_MEMORY:
        if (cv_rec_memory_decode(&m, rec->body.data, rec->body.len, err) < 0)
            return -1;
        return cv_hashes_init(&p->hashes, m.pfn_count, err);
    default: return 0;
    }
}

static int take_hashes(struct cv_parent *p, const struct cv_record *rec, struct cv_error *err)
{
    if (rec->raw_type != CV_REC_PAGE_HASHES)
        return 0;
    return cv_hashes_take(&p->hashes, rec->body.data, rec->body.len, err) < 0 ? cv_record_context(rec, err) : 0;
}

/* The hashes of one image of the chain, over those of the images below it: from behind its memory where there is an
 * INDEX, else (it came through a pipe) by reading all of it.  digest_out: END's. */
static int read_hashes(struct cv_parent *p, int fd, struct cv_reader_options o, uint8_t digest_out[16],
                       struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    struct cv_reader *r;
    struct cv_jump jump;
    int n, rc = 0;

    if (cv_jump_begin(&jump, fd) == 1) {
        while ((n = cv_jump_next(&jump, &rec, err)) > 0)
            if (take_hashes(p, &rec, err) < 0)
                return -1;
        memcpy(digest_out, jump.end.digest, sizeof jump.end.digest);
        return n;
    }
    if (lseek(fd, 0, SEEK_SET) < 0)
        return cv_fail(err, CV_E_IO, errno, "rewind: is it a file?");
    o.accept_features = CV_FEATURE_INCREMENTAL | CV_FEATURE_FIXED_OFFSETS;
    if (cv_reader_new(&r, fd, &o, err) < 0)
        return -1;
    while (rc == 0 && (n = cv_reader_next(r, &rec, err)) != 0)
        rc = n < 0 ? -1 : take_hashes(p, &rec, err);
    if (rc == 0)
        memcpy(digest_out, cv_reader_end(r)->digest, sizeof jump.end.digest);
    cv_reader_free(r);
    return rc;
}

static int has_hashes(const struct cv_reader *r, struct cv_error *err)
{
    if (cv_reader_header(r)->optional_features & CV_OPTIONAL_PAGE_HASHES)
        return 0;
    return cv_fail(err, CV_E_UNSUPPORTED, 0, "it was saved without hashes of its pages: save once with --page-hashes");
}

static int read_head(struct cv_parent *p, int fd, struct cv_reader_options o, struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    struct cv_reader *r;
    int n, rc;

    o.accept_features = CV_FEATURE_INCREMENTAL | CV_FEATURE_FIXED_OFFSETS;
    if (cv_reader_new(&r, fd, &o, err) < 0)
        return -1;
    memcpy(p->rec.stream_id, cv_reader_header(r)->stream_id, sizeof p->rec.stream_id);
    rc = has_hashes(r, err);
    while (rc == 0 && p->hashes.kinds == NULL && (n = cv_reader_next(r, &rec, err)) != 0)
        rc = n < 0 ? -1 : take_head(p, &rec, err);
    cv_reader_free(r);
    return rc;
}

static int read_link(struct cv_parent *p, const struct cv_chain_link *l, struct cv_reader_options o,
                     struct cv_error *err)
{
    uint8_t digest[16];
    struct cv_reader *r;

    if (cv_chain_open(l, o, &r, err) < 0)
        return -1;
    int rc = has_hashes(r, err);
    cv_reader_free(r);
    if (rc < 0 || read_hashes(p, l->fd, o, digest, err) < 0)
        return -1;
    return memcmp(digest, l->digest, sizeof digest) == 0
               ? 0
               : cv_fail(err, CV_E_STREAM, 0, "it is not the image that others were made from: its digest differs");
}

static int read_below(struct cv_parent *p, const struct cv_chain_places *places, struct cv_reader_options o,
                      struct cv_error *err)
{
    struct cv_chain chain;

    int rc = cv_chain_find(&chain, &p->below, p->hashes.pfn_count, places, err);
    for (unsigned i = 0; rc == 0 && i < chain.count; i++)
        if ((rc = read_link(p, &chain.links[i], o, err)) < 0)
            cv_context(err, "parent %s", chain.links[i].path);
    cv_chain_dispose(&chain);
    return rc;
}

int cv_parent_read(struct cv_parent *p, const char *path, const struct cv_chain_places *places,
                   struct cv_cancel *cancel, struct cv_error *err)
{
    struct cv_chain_places all = places != NULL ? *places : (struct cv_chain_places){ 0 };
    struct cv_reader_options o = { .cancel = cancel };
    CV_AUTO_FREE char *folder = strdup(path);
    CV_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);

    *p = (struct cv_parent){ 0 };
    take_name(p, path);
    if (fd < 0)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "parent %s", path);
    if (folder == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a name");
    if (all.dir_count < CV_CHAIN_PLACES_MAX)
        all.dirs[all.dir_count++] = dirname(folder);
    if (read_head(p, fd, o, err) < 0 || (p->has_parent && read_below(p, &all, o, err) < 0) ||
        read_hashes(p, fd, o, p->rec.digest, err) < 0)
        return cv_context(err, "parent %s", path);
    return 0;
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
    if (cv_parent_read(&s->parent, s->opt->parent, s->opt->parents, s->opt->cancel, err) < 0)
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
    if (cv_hashes_grow(&s->hashes, s->pfn_count, err) < 0)
        return -1;
    cv_hashes_begin_child(&s->hashes);
    return 0;
}
