/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What backups need beside the guest itself: PARENT, PAGE_HASHES, PLACES, FREEZE. */
#include "stream-format/bodies.h"
#include "stream-format/body_util.h"

int cv_rec_freeze_encode(const struct cv_rec_freeze *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_freeze again;

    cv_put_u64(&p, v->time);
    cv_put_u32(&p, v->duration_ms);
    cv_put_u32(&p, v->flags);
    cv_put_u32(&p, v->command_len);
    cv_put_u32(&p, v->output_len);
    if (p.rc < 0 || cv_body_put_text(v->command, v->command_len, out, err) < 0 ||
        cv_body_put_text(v->output, v->output_len, out, err) < 0)
        return -1;
    return cv_encoded(cv_rec_freeze_decode(&again, out->data + start, out->len - start, err), err);
}

int cv_rec_freeze_decode(struct cv_rec_freeze *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->time = cv_cur_u64(&c);
    v->duration_ms = cv_cur_u32(&c);
    v->flags = cv_cur_u32(&c);
    v->command_len = cv_cur_u32(&c);
    v->output_len = cv_cur_u32(&c);
    v->command = (const char *)cv_cur_bytes(&c, v->command_len);
    v->output = (const char *)cv_cur_bytes(&c, v->output_len);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    if (v->flags & ~CV_FREEZE_CUT)
        return cv_body_fail(err, "flags 0x%x", v->flags);
    if (v->command_len == 0 || v->command_len > CV_FREEZE_COMMAND_MAX || v->output_len > CV_FREEZE_OUTPUT_MAX)
        return cv_body_fail(err, "command of %u bytes, output of %u", v->command_len, v->output_len);
    if (cv_body_text("command", v->command, v->command_len, err) < 0)
        return -1;
    return cv_body_text("output", v->output, v->output_len, err);
}

int cv_rec_parent_encode(const struct cv_rec_parent *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_parent again;

    cv_put_bytes(&p, v->stream_id, sizeof v->stream_id);
    cv_put_bytes(&p, v->digest, sizeof v->digest);
    cv_put_u32(&p, v->name_len);
    cv_put_u32(&p, 0);
    cv_put_bytes(&p, v->name, v->name_len);
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_parent_decode(&again, out->data + start, out->len - start, err), err);
}

int cv_rec_parent_decode(struct cv_rec_parent *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);
    const uint8_t *ids = cv_cur_bytes(&c, 32);

    v->name_len = cv_cur_u32(&c);
    uint32_t reserved = cv_cur_u32(&c);
    v->name = (const char *)cv_cur_bytes(&c, v->name_len);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    memcpy(v->stream_id, ids, sizeof v->stream_id);
    memcpy(v->digest, ids + 16, sizeof v->digest);
    if (reserved != 0)
        return cv_body_fail(err, "reserved field is not 0");
    if (v->name_len > CV_PARENT_NAME_MAX)
        return cv_body_fail(err, "name of %u bytes", v->name_len);
    if (memchr(v->name, '/', v->name_len) != NULL)
        return cv_body_fail(err, "name of a file with a slash");
    return cv_body_text("name", v->name, v->name_len, err);
}

#define RUNS_MAX (2048u * 9u) /* these two as for PAGES */
#define PAGES_MAX 2048u
#define HASH_SIZE 16u

void cv_rec_hashes_head_encode(const struct cv_rec_hashes *v, uint8_t out[CV_HASHES_HEAD_SIZE])
{
    cv_store64(out, v->first_pfn);
    cv_store64(out + 8, v->span);
    cv_store32(out + 16, v->runs_length);
    cv_store32(out + 20, v->data_pages);
}

int cv_rec_hashes_decode(struct cv_rec_hashes *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->first_pfn = cv_cur_u64(&c);
    v->span = cv_cur_u64(&c);
    v->runs_length = cv_cur_u32(&c);
    v->data_pages = cv_cur_u32(&c);
    if (!cv_cur_ok(&c))
        return cv_body_fail(err, "shorter than its fields");
    if (v->span == 0 || v->span > CV_PFN_COUNT_MAX || v->first_pfn > CV_PFN_COUNT_MAX - v->span)
        return cv_body_fail(err, "%llu pages from pfn %#llx on", (unsigned long long)v->span,
                            (unsigned long long)v->first_pfn);
    if (v->runs_length == 0 || v->runs_length > RUNS_MAX || v->data_pages > PAGES_MAX || v->data_pages > v->span)
        return cv_body_fail(err, "run table of %u bytes, hashes of %u pages", v->runs_length, v->data_pages);
    v->runs = cv_cur_bytes(&c, v->runs_length);
    v->hashes = cv_cur_bytes(&c, (size_t)v->data_pages * HASH_SIZE);
    return cv_body_finish(&c, err);
}

#define PLACE_SIZE 16u

int cv_rec_places_encode(const struct cv_place *places, uint32_t count, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_places again;

    cv_put_u32(&p, count);
    cv_put_u32(&p, 0);
    for (uint32_t i = 0; i < count; i++) {
        cv_put_u64(&p, places[i].first_pfn);
        cv_put_u64(&p, places[i].pages);
    }
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_places_decode(&again, out->data + start, out->len - start, err), err);
}

struct cv_place cv_places_at(const struct cv_rec_places *v, uint32_t i)
{
    const uint8_t *e = v->entries + (size_t)i * PLACE_SIZE;

    return (struct cv_place){ .first_pfn = cv_load64(e), .pages = cv_load64(e + 8) };
}

uint64_t cv_places_pages(const struct cv_rec_places *v)
{
    uint64_t pages = 0;

    for (uint32_t i = 0; i < v->count; i++)
        pages += cv_places_at(v, i).pages;
    return pages;
}

int cv_rec_places_decode(struct cv_rec_places *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);
    uint64_t due = 0; /* the next entry may begin here */

    v->count = cv_cur_u32(&c);
    uint32_t reserved = cv_cur_u32(&c);
    if (cv_cur_ok(&c) && (v->count == 0 || v->count > CV_PLACES_MAX || reserved != 0))
        return cv_body_fail(err, "%u entries, or the reserved field is not 0", v->count);
    v->entries = cv_cur_bytes(&c, (size_t)v->count * PLACE_SIZE);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    for (uint32_t i = 0; i < v->count; i++) {
        struct cv_place p = cv_places_at(v, i);
        if (p.first_pfn < due || p.pages == 0 || p.first_pfn > CV_PFN_COUNT_MAX ||
            p.pages > CV_PFN_COUNT_MAX - p.first_pfn)
            return cv_body_fail(err, "entry %u: %llu pages from pfn %#llx on", i, (unsigned long long)p.pages,
                                (unsigned long long)p.first_pfn);
        due = p.first_pfn + p.pages + 1;
    }
    return 0;
}
