/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/chain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "stream-format/frame.h"

const char *cv_chain_id(const uint8_t id[16], char *buf)
{
    for (unsigned i = 0; i < 16; i++)
        snprintf(buf + 2 * i, 3, "%02x", id[i]);
    return buf;
}

/* ---- looking for a file ---- */

struct search {
    const struct cv_rec_parent *want;
    struct cv_chain_link *found;
    bool namesake; /* a file has the name, and is another image */
};

/* An open image of that stream_id, or -1.  Only regular files: opening a device or a pipe may do something. */
static int open_if_it(int dir, const char *name, const uint8_t stream_id[16], bool *other)
{
    uint8_t head[CV_STREAM_HEADER_SIZE];
    struct stat st;
    CV_AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    *other = fd >= 0;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || pread(fd, head, sizeof head, 0) != sizeof head ||
        memcmp(head, cv_stream_magic, sizeof cv_stream_magic) != 0 || memcmp(head + 32, stream_id, 16) != 0)
        return -1;
    *other = false;
    return cv_fd_take(&fd);
}

static int try_file(struct search *s, int dir, const char *dir_name, const char *name, struct cv_error *err)
{
    bool other;
    int fd = open_if_it(dir, name, s->want->stream_id, &other);

    if (fd < 0)
        return 0;
    s->found->fd = fd;
    if (dir_name != NULL ? asprintf(&s->found->path, "%s/%s", dir_name, name) < 0
                         : (s->found->path = strdup(name)) == NULL) {
        s->found->path = NULL;
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a name");
    }
    return 1;
}

/* The file that has the right name first: then a folder of a thousand images is not gone through. */
static int try_dir(struct search *s, const char *dir_name, struct cv_error *err)
{
    char name[CV_PARENT_NAME_MAX + 1];
    struct dirent *e;
    int rc = 0;
    DIR *dir = opendir(dir_name);

    if (dir == NULL)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "folder %s", dir_name);
    snprintf(name, sizeof name, "%.*s", (int)s->want->name_len, s->want->name);
    if (*name != '\0' && strchr(name, '/') == NULL) {
        int fd = open_if_it(dirfd(dir), name, s->want->stream_id, &s->namesake);
        cv_fd_dispose(&fd);
        rc = try_file(s, dirfd(dir), dir_name, name, err);
    }
    while (rc == 0 && (e = readdir(dir)) != NULL)
        if (e->d_type == DT_REG || e->d_type == DT_UNKNOWN || e->d_type == DT_LNK)
            rc = try_file(s, dirfd(dir), dir_name, e->d_name, err);
    closedir(dir);
    return rc;
}

static int find_file(struct search *s, const struct cv_chain_places *places, struct cv_error *err)
{
    char id[33];
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < places->file_count; i++)
        rc = try_file(s, AT_FDCWD, NULL, places->files[i], err);
    for (unsigned i = 0; rc == 0 && i < places->dir_count; i++)
        rc = try_dir(s, places->dirs[i], err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    return cv_fail(err, CV_E_NOT_FOUND, 0, "the image is based on '%.*s' (stream %s), which is not there%s",
                   (int)s->want->name_len, s->want->name, cv_chain_id(s->want->stream_id, id),
                   s->namesake ? ": the file of that name is another image" : ": name its folder with --parents");
}

/* ---- the chain ---- */

/* What a link's head says: how much memory, and what it is based on itself. */
struct head {
    bool has_parent;
    struct cv_rec_parent parent; /* name in name */
    char name[CV_PARENT_NAME_MAX + 1];
};

static int take_head(struct cv_chain_link *l, struct head *h, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_memory m;

    if (rec->raw_type == CV_REC_PARENT) {
        if (cv_rec_parent_decode(&h->parent, rec->body.data, rec->body.len, err) < 0)
            return -1;
        snprintf(h->name, sizeof h->name, "%.*s", (int)h->parent.name_len, h->parent.name);
        h->parent.name = h->name;
        h->has_parent = true;
    }
    if (rec->raw_type != CV_REC_MEMORY)
        return 0;
    if (cv_rec_memory_decode(&m, rec->body.data, rec->body.len, err) < 0)
        return -1;
    l->pfn_count = m.pfn_count;
    return 1;
}

static int read_head(struct cv_chain_link *l, struct head *h, struct cv_error *err)
{
    struct cv_reader_options opt = { .defer_hash_of_pages = true };
    CV_AUTO_RECORD rec = { 0 };
    struct cv_reader *r;
    int n, rc = 0;

    h->has_parent = false;
    if (cv_chain_open(l, opt, &r, err) < 0)
        return -1;
    l->required_features = cv_reader_header(r)->required_features;
    while (rc == 0 && (n = cv_reader_next(r, &rec, err)) != 0)
        rc = n < 0 ? -1 : take_head(l, h, &rec, err);
    cv_reader_free(r);
    return rc < 0 ? -1 : 0;
}

static bool seen_before(const struct cv_chain *c, const uint8_t stream_id[16])
{
    for (unsigned i = 0; i < c->count; i++)
        if (memcmp(c->links[i].stream_id, stream_id, 16) == 0)
            return true;
    return false;
}

static struct cv_chain_link *add_link(struct cv_chain *c, const struct cv_rec_parent *want, struct cv_error *err)
{
    struct cv_chain_link *links = NULL;

    if (c->count >= CV_CHAIN_LINKS_MAX || seen_before(c, want->stream_id))
        (void)!cv_fail(err, CV_E_STREAM, 0, "the chain of images has no beginning");
    else if ((links = realloc(c->links, (c->count + 1) * sizeof *links)) == NULL)
        (void)!cv_fail(err, CV_E_NOMEM, 0, "no memory for a chain of images");
    if (links == NULL)
        return NULL;
    c->links = links;
    struct cv_chain_link *l = &links[c->count++];
    *l = (struct cv_chain_link){ .fd = -1 };
    memcpy(l->stream_id, want->stream_id, sizeof l->stream_id);
    memcpy(l->digest, want->digest, sizeof l->digest);
    return l;
}

static void reverse(struct cv_chain *c)
{
    for (unsigned i = 0; i < c->count / 2; i++) {
        struct cv_chain_link t = c->links[i];
        c->links[i] = c->links[c->count - 1 - i];
        c->links[c->count - 1 - i] = t;
    }
}

int cv_chain_find(struct cv_chain *out, const struct cv_rec_parent *child, uint64_t pfn_count,
                  const struct cv_chain_places *places, struct cv_error *err)
{
    struct cv_rec_parent want = *child;
    struct head head;

    *out = (struct cv_chain){ 0 };
    do {
        struct cv_chain_link *l = add_link(out, &want, err);
        if (l == NULL)
            return -1;
        struct search s = { .want = &want, .found = l };
        if (find_file(&s, places, err) < 0)
            return out->count > 1 ? cv_context(err, "%s", out->links[out->count - 2].path) : -1;
        if (read_head(l, &head, err) < 0)
            return cv_context(err, "parent %s", l->path);
        if (l->pfn_count > pfn_count)
            return cv_fail(err, CV_E_STREAM, 0, "parent %s has more memory than what is based on it", l->path);
        pfn_count = l->pfn_count;
        want = head.parent;
    } while (head.has_parent);
    reverse(out);
    return 0;
}

void cv_chain_dispose(struct cv_chain *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        cv_fd_dispose(&c->links[i].fd);
        free(c->links[i].path);
    }
    free(c->links);
    *c = (struct cv_chain){ 0 };
}

int cv_chain_open(const struct cv_chain_link *l, struct cv_reader_options opt, struct cv_reader **r_out,
                  struct cv_error *err)
{
    opt.accept_features |= CV_FEATURE_INCREMENTAL | CV_FEATURE_MEMORY_ONLY | CV_FEATURE_FIXED_OFFSETS;
    opt.stays_open = false;
    if (lseek(l->fd, 0, SEEK_SET) < 0)
        return cv_fail(err, CV_E_IO, errno, "rewind");
    return cv_reader_new(r_out, l->fd, &opt, err);
}

int cv_chain_check_end(const struct cv_chain_link *l, const struct cv_reader *r, struct cv_error *err)
{
    const struct cv_rec_end *end = cv_reader_end(r);

    if (end != NULL && memcmp(end->digest, l->digest, sizeof l->digest) == 0)
        return 0;
    return cv_fail(err, CV_E_STREAM, 0, "it is not the image that others were made from: its digest differs");
}
