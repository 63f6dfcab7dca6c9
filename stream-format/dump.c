/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/dump.h"

#include <inttypes.h>

#include "stream-format/bodies.h"

static void put_hex(FILE *out, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        fprintf(out, "%02x", p[i]);
}

/* Printable ASCII as it is, the rest and the backslash as \xNN: one line whatever is in it. */
static void put_text(FILE *out, const char *label, const char *text, size_t len)
{
    fprintf(out, "  %s ", label);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c < 0x20 || c > 0x7e || c == '\\')
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputc('\n', out);
}

static int dump_host(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_host v;

    if (cv_rec_host_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  schema %u xen %u.%u time %" PRIu64 "\n", v.schema, v.xen_major, v.xen_minor, v.time);
    put_text(d->out, "json", v.json, v.json_len);
    return 0;
}

static int dump_guest(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_guest v;

    if (cv_rec_guest_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  schema %u type %u uuid ", v.schema, v.type);
    put_hex(d->out, v.uuid, sizeof v.uuid);
    fputc('\n', d->out);
    put_text(d->out, "json", v.json, v.json_len);
    put_text(d->out, "config", v.config, v.config_len);
    return 0;
}

static int dump_layout(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_layout v;

    if (cv_rec_layout_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  schema %u emulators %u\n", v.schema, v.count);
    for (uint32_t i = 0; i < v.count; i++)
        fprintf(d->out, "  emulator dmid %u flags 0x%x\n", v.emulator[i].dmid, v.emulator[i].flags);
    put_text(d->out, "json", v.json, v.json_len);
    return 0;
}

static int dump_devices(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_devices v;

    if (cv_rec_devices_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  schema %u\n", v.schema);
    put_text(d->out, "json", v.json, v.json_len);
    return 0;
}

static int dump_vcpus(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_vcpus v;

    if (cv_rec_vcpus_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  max %u online", v.max);
    for (uint32_t i = 0; i < (v.max + 63) / 64; i++)
        fprintf(d->out, " %016" PRIx64, v.online[i]);
    fputc('\n', d->out);
    return 0;
}

static int dump_memory(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_memory v;

    if (cv_rec_memory_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  pfns %" PRIu64 " max %" PRIu64 " owned %" PRIu64 "\n", v.pfn_count, v.max_pages, v.owned_pages);
    fprintf(d->out, "  target %" PRIu64 " static-max %" PRIu64 " videoram %" PRIu64 " paging-pool %" PRIu64 "\n",
            v.target_kib, v.static_max_kib, v.videoram_kib, v.paging_pool_kib);
    for (uint32_t i = 0; i < v.e820_count; i++)
        fprintf(d->out, "  e820 0x%" PRIx64 " 0x%" PRIx64 " type %u\n", v.e820[i].start, v.e820[i].size,
                v.e820[i].type);
    return 0;
}

static int dump_cpu_policy(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_cpu_policy v;

    if (cv_rec_cpu_policy_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    for (uint32_t i = 0; i < v.leaf_count; i++) {
        struct cv_policy_leaf l = cv_cpu_policy_leaf(&v, i);
        fprintf(d->out, "  leaf %08x %08x %08x %08x %08x %08x\n", l.leaf, l.subleaf, l.a, l.b, l.c, l.d);
    }
    for (uint32_t i = 0; i < v.msr_count; i++) {
        struct cv_policy_msr m = cv_cpu_policy_msr(&v, i);
        fprintf(d->out, "  msr %08x flags 0x%x %016" PRIx64 "\n", m.index, m.flags, m.value);
    }
    return 0;
}

static int dump_pages(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_pages_head v;

    if (cv_pages_head_decode(&v, rec->body.data, rec->body.len, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out,
            "  pass %u codec %u first 0x%" PRIx64 " span %" PRIu64 " data %u runs-length %u payload-length %u\n",
            v.pass, v.codec, v.first_pfn, v.span, v.data_pages, v.runs_length, v.payload_length);
    return d->pages != NULL ? d->pages(d, rec, err) : 0;
}

static int dump_pass_end(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_pass_end v;

    if (cv_rec_pass_end_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out,
            "  pass %u flags 0x%x records %" PRIu64 " data %" PRIu64 " pages %" PRIu64 " dirty %" PRIu64 " us %" PRIu64
            "\n",
            v.pass, v.flags, v.records, v.data_pages, v.pages, v.dirty_left, v.duration_us);
    return 0;
}

static int dump_tsc_info(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_tsc_info v;

    if (cv_rec_tsc_info_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  mode %u khz %u nsec %" PRIu64 " incarnation %u\n", v.mode, v.khz, v.nsec, v.incarnation);
    return 0;
}

static int dump_hvm_params(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_hvm_params v;

    if (cv_rec_hvm_params_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    for (uint32_t i = 0; i < v.count; i++) {
        struct cv_hvm_param p = cv_hvm_params_at(&v, i);
        fprintf(d->out, "  param %" PRIu64 " 0x%" PRIx64 "\n", p.index, p.value);
    }
    return 0;
}

static int dump_xenstore(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_xenstore v;
    struct cv_xs_node n;

    if (cv_rec_xenstore_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    while (cv_xs_next(&v, &n)) {
        fprintf(d->out, "  node root %u dmid %u access %u %.*s\n", n.root, n.dmid, n.access, (int)n.key_len, n.key);
        put_text(d->out, "value", n.value, n.value_len);
    }
    return 0;
}

static int dump_device_state(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_device_state v;

    if (cv_rec_device_state_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  dmid %u format %u bytes %" PRIu64 " digest ", v.dmid, v.format, v.blob_len);
    put_hex(d->out, v.digest, sizeof v.digest);
    fputc('\n', d->out);
    return 0;
}

static int dump_parent(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_parent v;

    if (cv_rec_parent_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  id ");
    put_hex(d->out, v.stream_id, sizeof v.stream_id);
    fprintf(d->out, " digest ");
    put_hex(d->out, v.digest, sizeof v.digest);
    fputc('\n', d->out);
    put_text(d->out, "name", v.name, v.name_len);
    return 0;
}

static int dump_hashes(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_hashes v;

    if (cv_rec_hashes_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  first 0x%" PRIx64 " span %" PRIu64 " data %u runs-length %u\n", v.first_pfn, v.span,
            v.data_pages, v.runs_length);
    for (uint32_t i = 0; i < v.data_pages; i++) {
        fprintf(d->out, "  hash ");
        put_hex(d->out, v.hashes + (size_t)i * 16, 16);
        fputc('\n', d->out);
    }
    return d->pages != NULL ? d->pages(d, rec, err) : 0;
}

static int dump_places(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_places v;

    if (cv_rec_places_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    for (uint32_t i = 0; i < v.count; i++) {
        struct cv_place p = cv_places_at(&v, i);
        fprintf(d->out, "  place 0x%" PRIx64 " %" PRIu64 "\n", p.first_pfn, p.pages);
    }
    return d->pages != NULL ? d->pages(d, rec, err) : 0;
}

static int dump_freeze(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_freeze v;

    if (cv_rec_freeze_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    fprintf(d->out, "  time %" PRIu64 " ms %u flags 0x%x\n", v.time, v.duration_ms, v.flags);
    put_text(d->out, "command", v.command, v.command_len);
    put_text(d->out, "output", v.output, v.output_len);
    return 0;
}

static int dump_index(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_index v;

    if (cv_rec_index_decode(&v, rec->body.data, rec->body.len, err) < 0)
        return -1;
    for (uint32_t i = 0; i < v.count; i++) {
        struct cv_index_entry e = cv_index_at(&v, i);
        fprintf(d->out, "  entry %" PRIu64 " offset %" PRIu64 " %s tag %u key 0x%" PRIx64 " chain %016" PRIx64 "\n",
                e.number, e.offset, cv_record_name(e.type), e.tag, e.key, e.chain);
    }
    return 0;
}

static int dump_note(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    (void)err;
    put_text(d->out, "text", (const char *)rec->body.data, rec->body.len);
    return 0;
}

/* The record's own line has all that is to be said: Xen's blob has its length and hash there, END is printed at the
 * end. */
static int dump_no_more(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    (void)d, (void)rec, (void)err;
    return 0;
}
#define dump_hvm_context dump_no_more
#define dump_end dump_no_more

static int dump_body(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    switch (rec->raw_type) {
#define CV_R(name, word, ...)     \
    case (uint32_t)CV_REC_##name: \
        return dump_##word(d, rec, err);
#include "stream-format/records.def"
#undef CV_R
    default: return 0;
    }
}

void cv_dump_header(struct cv_dump *d, const struct cv_stream_header *h)
{
    fprintf(d->out, "header version %u required 0x%" PRIx64 " optional 0x%" PRIx64 " id ", h->version,
            h->required_features, h->optional_features);
    put_hex(d->out, h->stream_id, sizeof h->stream_id);
    if (h->required_features & CV_FEATURE_FIXED_OFFSETS)
        fprintf(d->out, " area %" PRIu64, h->area_pages);
    fputc('\n', d->out);
}

int cv_dump_record(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    fprintf(d->out, "record %" PRIu64 " %s type 0x%08x tag %u offset %" PRIu64 " length %zu hash %016" PRIx64 "\n",
            rec->number, cv_record_name(rec->raw_type), rec->raw_type, rec->tag, rec->offset, rec->body.len,
            rec->body_hash);
    return dump_body(d, rec, err) < 0 ? cv_record_context(rec, err) : 0;
}

int cv_dump_stream(struct cv_dump *d, struct cv_reader *r, struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    int rc;

    cv_dump_header(d, cv_reader_header(r));
    while ((rc = cv_reader_next(r, &rec, err)) == 1)
        if (cv_dump_record(d, &rec, err) < 0)
            return -1;
    if (rc < 0)
        return -1;
    const struct cv_rec_end *end = cv_reader_end(r);
    fprintf(d->out, "end records %" PRIu64 " bytes %" PRIu64 " data %" PRIu64 " index %" PRIu64 " digest ",
            end->records, end->bytes, end->data_pages, end->index_offset);
    put_hex(d->out, end->digest, sizeof end->digest);
    fputc('\n', d->out);
    return 0;
}
