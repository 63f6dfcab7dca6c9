/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/reading.h"

#include <stdlib.h>
#include <string.h>

#include "memory/hashes.h"

#define PROGRESS_STEP (8u << 20)

static int keep_text(char **out, const char *text, uint32_t len, struct cv_error *err)
{
    free(*out);
    *out = strndup(text, len);
    return *out == NULL ? cv_fail(err, CV_E_NOMEM, 0, "no memory for %u bytes of text", len) : 0;
}

static int take_host(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;

    if (cv_rec_host_decode(&img->host, rec->body.data, rec->body.len, err) < 0 ||
        keep_text(&img->host_json, img->host.json, img->host.json_len, err) < 0)
        return -1;
    img->host.json = img->host_json;
    img->has_host = true;
    return 0;
}

static int take_guest(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;
    struct cv_rec_guest g;

    if (cv_rec_guest_decode(&g, rec->body.data, rec->body.len, err) < 0 ||
        keep_text(&img->guest_json, g.json, g.json_len, err) < 0 ||
        keep_text(&img->config, g.config, g.config_len, err) < 0)
        return -1;
    img->guest_schema = g.schema;
    img->guest_type = g.type;
    memcpy(img->uuid, g.uuid, sizeof img->uuid);
    img->has_guest = true;
    img->has_spec = cv_spec_decode(g.json, g.json_len, &img->spec, &img->spec_error) == 0;
    return 0;
}

static int take_layout(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;
    struct cv_rec_layout *l = &img->layout_record;

    if (cv_rec_layout_decode(l, rec->body.data, rec->body.len, err) < 0 ||
        keep_text(&img->layout_json, l->json, l->json_len, err) < 0)
        return -1;
    l->json = img->layout_json;
    img->has_layout_record = true;
    img->has_layout = cv_layout_decode(l->json, l->json_len, &img->layout, &img->layout_error) == 0;
    return 0;
}

static int take_devices(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;
    struct cv_rec_devices d;

    return cv_rec_devices_decode(&d, rec->body.data, rec->body.len, err) < 0
               ? -1
               : keep_text(&img->devices_json, d.json, d.json_len, err);
}

static int take_memory(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;

    if (cv_rec_memory_decode(&img->memory, rec->body.data, rec->body.len, err) < 0)
        return -1;
    img->has_memory = true;
    if (t->opt->map_below == NULL)
        return cv_pagemap_init(&img->map, img->memory.pfn_count, err);
    img->map = *t->opt->map_below;
    *t->opt->map_below = (struct cv_pagemap){ 0 };
    return cv_pagemap_grow(&img->map, img->memory.pfn_count, err);
}

static int take_device_state(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_device_state d;

    if (cv_rec_device_state_decode(&d, rec->body.data, rec->body.len, err) < 0)
        return -1;
    struct cv_image_state *s = &t->img->states[d.dmid]; /* the reader has seen to dmid < 8, each once */
    s->there = true;
    s->format = d.format;
    s->bytes = d.blob_len;
    s->offset = rec->offset;
    memcpy(s->digest, d.digest, sizeof s->digest);
    if (d.format == CV_STATE_QEMU)
        s->taken_apart = cv_qemu_state_decode(&s->qemu, d.blob, d.blob_len, &s->why) == 0;
    else
        cv_fail(&s->why, CV_E_UNSUPPORTED, 0, "opaque");
    return t->opt->keep_states ? cv_buf_append(&s->blob, d.blob, d.blob_len, err) : 0;
}

static struct cv_image_pass *pass_of(struct cv_image *img, uint32_t pass)
{
    if (img->pass_count == 0 ||
        (img->passes[img->pass_count - 1].pass != pass && img->pass_count < CV_IMAGE_PASSES_MAX))
        img->passes[img->pass_count++] = (struct cv_image_pass){ .pass = pass };
    return &img->passes[img->pass_count - 1];
}

/* A body whose hash is checked by a worker later: damage is told from a wrong table first. */
static int decode_pages(struct cv_image *img, const struct cv_record *rec, struct cv_pages *p, struct cv_error *err)
{
    struct cv_error fault = CV_ERROR_INIT;

    if (cv_pages_decode(rec->body.data, rec->body.len, img->memory.pfn_count, p, &fault) == 0)
        return 0;
    if (!rec->body_checked && cv_record_check(rec, err) < 0)
        return -1;
    cv_fail_as(err, &fault);
    cv_context(err, "body");
    return cv_record_context(rec, err);
}

static void count_pages(struct cv_image_pass *pass, const struct cv_pages *p)
{
    pass->records++;
    pass->pages += p->listed;
    for (unsigned i = 0; i < CV_RUN_KINDS; i++)
        pass->counts[i] += p->counts[i];
    pass->raw += p->raw_length;
    pass->stored += p->payload_length;
}

static int take_pages(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;
    struct cv_pages p;

    if (decode_pages(img, rec, &p, err) < 0)
        return -1;
    if (cv_pagemap_take(&img->map, &p, err) < 0)
        return cv_record_context(rec, err);
    count_pages(pass_of(img, p.pass), &p);
    return t->loader != NULL ? cv_loader_record(t->loader, rec, err) : 0;
}

static int take_pass_end(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_pass_end e;

    if (cv_rec_pass_end_decode(&e, rec->body.data, rec->body.len, err) < 0)
        return cv_record_context(rec, err);
    struct cv_image_pass *pass = pass_of(t->img, e.pass);
    t->img->passes_seen++;
    pass->last = e.flags & CV_PASS_LAST;
    pass->dirty_left = e.dirty_left;
    pass->duration_us += e.duration_us;
    return t->loader != NULL ? cv_loader_pass_end(t->loader, rec, err) : 0;
}

static int keep_body(struct cv_buf *out, struct cv_record *rec)
{
    cv_buf_dispose(out);
    *out = cv_buf_take(&rec->body);
    return 0;
}

static int take_note(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;

    if (img->notes_seen++ >= CV_IMAGE_NOTES_MAX)
        return 0;
    return keep_text(&img->notes[img->note_count++], (const char *)rec->body.data, (uint32_t)rec->body.len, err);
}

static int take_parent(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;
    struct cv_rec_parent *p = &img->parent;

    if (cv_rec_parent_decode(p, rec->body.data, rec->body.len, err) < 0 ||
        keep_text(&img->parent_name, p->name, p->name_len, err) < 0)
        return -1;
    p->name = img->parent_name;
    img->has_parent = true;
    return 0;
}

/* Of fixed layout the pages themselves: what the last pass left. */
static int take_hashes(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;
    const uint8_t *hashes;
    struct cv_pages p;

    if (cv_hashes_decode(rec->body.data, rec->body.len, &p, &hashes, err) < 0)
        return cv_record_context(rec, err);
    img->hashes_listed += p.listed;
    if (!cv_fixed_is_open(&t->fixed))
        return 0;
    p.raw_length = p.payload_length = p.data_pages * CV_PAGE_SIZE;
    if (cv_pagemap_take(&img->map, &p, err) < 0)
        return cv_record_context(rec, err);
    count_pages(&img->passes[img->pass_count - 1], &p); /* the last PASS_END has been there */
    return t->loader != NULL ? cv_loader_record(t->loader, rec, err) : 0;
}

static int take_freeze(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;
    struct cv_rec_freeze *f = &img->freeze;

    if (cv_rec_freeze_decode(f, rec->body.data, rec->body.len, err) < 0 ||
        keep_text(&img->freeze_command, f->command, f->command_len, err) < 0 ||
        keep_text(&img->freeze_output, f->output, f->output_len, err) < 0)
        return -1;
    f->command = img->freeze_command;
    f->output = img->freeze_output;
    img->has_freeze = true;
    return 0;
}

static int take_index(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;
    struct cv_rec_index x;

    if (cv_rec_index_decode(&x, rec->body.data, rec->body.len, err) < 0)
        return -1;
    img->has_index = true;
    img->index_count = x.count;
    return 0;
}

static int take_vcpus(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;

    img->has_vcpus = cv_rec_vcpus_decode(&img->vcpus, rec->body.data, rec->body.len, err) == 0;
    return img->has_vcpus ? 0 : -1;
}

static int take_tsc_info(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    struct cv_image *img = t->img;

    img->has_tsc = cv_rec_tsc_info_decode(&img->tsc, rec->body.data, rec->body.len, err) == 0;
    return img->has_tsc ? 0 : -1;
}

static int take_places(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    return cv_fixed_take(&t->fixed, t->r, rec, err);
}

/* Kept as they are: who looks at them decodes them then. */
#define KEPT(word)                                                                                  \
    static int take_##word(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err) \
    {                                                                                               \
        (void)err;                                                                                  \
        return keep_body(&t->img->word, rec);                                                       \
    }
KEPT(cpu_policy)
KEPT(hvm_context)
KEPT(hvm_params)
KEPT(xenstore)

/* The first record of the memory: what is below it comes first. */
static int begin_memory(struct cv_image_reading *t, struct cv_error *err)
{
    struct cv_page_sink *sink = t->opt->sink;

    if (t->memory_begun)
        return 0;
    t->memory_begun = true;
    if (t->opt->open_sink != NULL && t->opt->open_sink(t->opt->sink_user, &t->img->memory, &sink, err) < 0)
        return -1;
    if (t->img->has_parent && t->opt->want_parents && cv_image_read_parents(t, sink, sink ? err : &t->below) < 0 &&
        sink != NULL)
        return -1;
    if (!t->opt->check_pages && sink == NULL)
        return 0;
    struct cv_mem_options mem = t->opt->mem;
    mem.fixed = cv_fixed_is_open(&t->fixed) ? &t->fixed : NULL;
    return cv_loader_new(&t->loader, sink, t->img->memory.pfn_count, &mem, err);
}

/* The reader's own: it is never handed out. */
static int take_end(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    (void)t;
    return cv_fail(err, CV_E_INTERNAL, 0, "%s as a record", cv_record_name(rec->raw_type));
}

static int take_body(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    switch (rec->raw_type) {
#define CV_R(name, word, ...)     \
    case (uint32_t)CV_REC_##name: \
        return take_##word(t, rec, err);
#include "stream-format/records.def"
#undef CV_R
    default: t->img->unknown_records++; return 0;
    }
}

/* They name the record themselves, where the fault is its own: the loader may come to an earlier one's. */
static bool names_itself(uint32_t raw_type)
{
    return raw_type == CV_REC_PAGES || raw_type == CV_REC_PASS_END || raw_type == CV_REC_PAGE_HASHES;
}

static int take_record(struct cv_image_reading *t, struct cv_record *rec, struct cv_error *err)
{
    if ((rec->raw_type == CV_REC_PAGES || rec->raw_type == CV_REC_PASS_END) && begin_memory(t, err) < 0)
        return -1;
    if (take_body(t, rec, err) == 0)
        return 0;
    return names_itself(rec->raw_type) ? -1 : cv_record_context(rec, err);
}

static int read_records(struct cv_image_reading *t, struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    int n;

    while ((n = cv_reader_next(t->r, &rec, err)) > 0) {
        if (cv_cancel_check(t->opt->mem.cancel, err) < 0 || take_record(t, &rec, err) < 0)
            return -1;
        t->img->records++;
        t->img->bytes = cv_reader_bytes(t->r);
        if (t->opt->progress != NULL && t->img->bytes - t->reported >= PROGRESS_STEP) {
            t->reported = t->img->bytes;
            t->opt->progress(t->opt->progress_user, t->img->bytes);
        }
    }
    if (n == 0) {
        t->img->whole = true;
        t->img->bytes = cv_reader_bytes(t->r);
    }
    return n == 0 && t->below.code != CV_OK ? cv_fail_as(err, &t->below) : n;
}

int cv_image_read(struct cv_image *img, struct cv_reader *r, const struct cv_image_options *opt, struct cv_error *err)
{
    struct cv_image_reading t = { .img = img, .r = r, .opt = opt };

    *img = (struct cv_image){ .header = *cv_reader_header(r), .bytes = cv_reader_bytes(r) };
    int rc = read_records(&t, err);
    if (rc == 0 && t.loader != NULL)
        rc = cv_loader_end(t.loader, err);
    cv_loader_free(t.loader);
    cv_fixed_dispose(&t.fixed);
    return rc;
}

void cv_image_dispose(struct cv_image *img)
{
    free(img->host_json);
    free(img->guest_json);
    free(img->config);
    free(img->layout_json);
    free(img->devices_json);
    if (img->has_layout)
        cv_layout_dispose(&img->layout);
    cv_buf_dispose(&img->cpu_policy);
    cv_buf_dispose(&img->hvm_context);
    cv_buf_dispose(&img->hvm_params);
    cv_buf_dispose(&img->xenstore);
    for (unsigned i = 0; i < CV_EMULATORS_MAX; i++) {
        cv_qemu_state_dispose(&img->states[i].qemu);
        cv_buf_dispose(&img->states[i].blob);
    }
    for (unsigned i = 0; i < img->note_count; i++)
        free(img->notes[i]);
    free(img->parent_name);
    free(img->freeze_command);
    free(img->freeze_output);
    cv_pagemap_dispose(&img->map);
    *img = (struct cv_image){ 0 };
}
