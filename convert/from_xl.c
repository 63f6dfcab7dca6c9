/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl's save file or xenopsd's image to a convoy stream.  libxc's stream has no passes: a pfn that is not above the one
 * before begins a new one (docs/stream-format.md, 8). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/chunk.h"
#include "convert/head.h"
#include "convert/xenopsd_head.h"
#include "convert/xenopsd_format.h"
#include "convert/xl_reader.h"
#include "image/image.h"
#include "memory/area.h"

/* A file that jumps about would be one pass a page: nobody writes that. */
#define PASSES_MAX 1024u

struct from_xl {
    const struct cv_convert_options *opt;
    struct cv_xl_reader *reader;
    struct cv_libxl_guest plan;    /* of xenopsd's image the layout alone */
    struct cv_xenopsd_in *xenopsd; /* NULL: it is xl's file */
    struct cv_writer *writer;
    struct cv_saver *saver;
    struct cv_chunk chunk;
    uint64_t *bitmap; /* pfns of the chunk */
    uint64_t pfn_count, next_pfn;
    uint32_t pass;
    struct cv_mem_stats before_pass;
    struct cv_buf leaves, msrs, tsc, context, params, state;
    struct cv_buf nodes;
    bool has_nodes;
};

/* ---- memory ---- */

static int flush_pages(struct from_xl *f, struct cv_error *err)
{
    struct cv_chunk *c = &f->chunk;

    if (c->n == 0)
        return 0;
    for (size_t i = 0; i < c->n; i++)
        f->bitmap[c->pfns[i] / 64] |= UINT64_C(1) << c->pfns[i] % 64;
    int rc = cv_saver_pass(f->saver, f->pass, f->bitmap, f->pfn_count, NULL, NULL, err);
    for (size_t i = 0; i < c->n; i++)
        f->bitmap[c->pfns[i] / 64] = 0;
    c->n = 0;
    return rc;
}

static int end_pass(struct from_xl *f, bool last, struct cv_error *err)
{
    if (flush_pages(f, err) < 0)
        return -1;
    const struct cv_mem_stats *now = cv_saver_stats(f->saver), *before = &f->before_pass;
    struct cv_rec_pass_end rec = { .pass = f->pass,
                                   .flags = last ? CV_PASS_LAST : 0,
                                   .records = now->records - before->records,
                                   .data_pages = (now->bytes_raw - before->bytes_raw) / CV_PAGE_SIZE,
                                   .pages = now->pages - before->pages };
    CV_AUTO_BUF body = { 0 };
    if (cv_rec_pass_end_encode(&rec, &body, err) < 0 || cv_head_put(f->writer, CV_REC_PASS_END, &body, err) < 0)
        return -1;
    f->before_pass = *now;
    f->next_pfn = 0;
    f->pass++;
    return 0;
}

static int add_page(struct from_xl *f, uint64_t pfn, unsigned xen_type, const uint8_t *page, struct cv_error *err)
{
    enum cv_page_type type = xen_type == CV_LIBXC_NOTAB    ? CV_PAGE_DATA
                             : xen_type == CV_LIBXC_XTAB   ? CV_PAGE_ABSENT
                             : xen_type == CV_LIBXC_BROKEN ? CV_PAGE_BROKEN
                                                           : CV_PAGE_ALLOC;

    if (pfn >= f->pfn_count)
        return cv_fail(err, CV_E_STREAM, 0,
                       "page %#" PRIx64 " lies behind the end of the guest's address space, %#" PRIx64, pfn,
                       f->pfn_count);
    if (pfn < f->next_pfn) {
        if (f->pass >= PASSES_MAX)
            return cv_fail(err, CV_E_STREAM, 0, "pages come in no order");
        if (end_pass(f, false, err) < 0)
            return -1;
    }
    f->next_pfn = pfn + 1;
    /* A page that was never there and is not now needs no words. */
    if (type == CV_PAGE_ABSENT && f->pass == 0)
        return 0;
    cv_chunk_add(&f->chunk, pfn, type, page);
    return f->chunk.n == CV_CHUNK_PAGES ? flush_pages(f, err) : 0;
}

static int take_pages(struct from_xl *f, const struct cv_buf *b, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(b->data, b->len);
    uint32_t count = cv_cur_u32(&c);
    uint64_t data = 0;

    (void)cv_cur_u32(&c);
    if (count == 0 || count > CV_LIBXC_BATCH_MAX || c.left / 8 < count)
        return cv_fail(err, CV_E_STREAM, 0, "%u pages in %zu bytes", count, b->len);
    const uint8_t *list = cv_cur_bytes(&c, count * 8u);
    for (uint32_t i = 0; i < count; i++) {
        unsigned type = (unsigned)(cv_load64(list + 8 * i) >> 60);
        if (type != CV_LIBXC_NOTAB && type < CV_LIBXC_BROKEN)
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "page type %u: only PV guests have it", type);
        data += type == CV_LIBXC_NOTAB;
    }
    if (c.left != data * CV_PAGE_SIZE)
        return cv_fail(err, CV_E_STREAM, 0, "%zu bytes of contents for %" PRIu64 " pages", c.left, data);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t v = cv_load64(list + 8 * i);
        const uint8_t *page = v >> 60 == CV_LIBXC_NOTAB ? cv_cur_bytes(&c, CV_PAGE_SIZE) : NULL;
        if (add_page(f, v & CV_LIBXC_PFN_MASK, (unsigned)(v >> 60), page, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- what comes before and after ---- */

static size_t bitmap_bytes(const struct from_xl *f) { return (f->pfn_count / 64 + 1) * sizeof *f->bitmap; }

static int write_head(struct from_xl *f, uint32_t major, uint32_t minor, struct cv_error *err)
{
    if (f->xenopsd == NULL)
        return cv_head_write(f->writer, &f->plan, f->pfn_count, major, minor, &f->leaves, &f->msrs, f->opt, err);
    return cv_xenopsd_head_write(f->xenopsd, f->writer, err) < 0 ? -1
                                                                 : cv_head_policy(f->writer, &f->leaves, &f->msrs, err);
}

/* STATIC_DATA_END: all that stands in front of the memory is known. */
static int begin_image(struct from_xl *f, struct cv_error *err)
{
    uint32_t major, minor;

    cv_xl_reader_xen(f->reader, &major, &minor);
    if (major == 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "converted from a stream of Xen 4.4 or before");
    if (f->xenopsd != NULL) {
        if (cv_xenopsd_check(f->xenopsd, &f->plan.layout, err) < 0)
            return -1;
        f->plan.has_layout = true;
    }
    f->pfn_count = f->xenopsd != NULL ? f->xenopsd->pfn_count : cv_plan_pfn_count(&f->plan);
    if (f->pfn_count > CV_PAGEMAP_PFNS_MAX)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "the guest's memory reaches to page %" PRIu64 ", beyond %" PRIu64,
                       f->pfn_count, (uint64_t)CV_PAGEMAP_PFNS_MAX);
    f->bitmap = (uint64_t *)cv_area_new(bitmap_bytes(f));
    if (f->bitmap == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a bitmap of %" PRIu64 " pages", f->pfn_count);
    if (write_head(f, major, minor, err) < 0 || cv_chunk_init(&f->chunk, err) < 0)
        return -1;
    return cv_saver_new(&f->saver, &f->chunk.source, f->writer, &f->opt->mem, err);
}

static int keep(struct cv_buf *out, struct cv_xl_record *rec)
{
    cv_buf_dispose(out);
    *out = cv_buf_take(&rec->body);
    return 0;
}

/* Records of these may come several times; entries come together. */
static int take_params(struct from_xl *f, const struct cv_buf *b, struct cv_error *err)
{
    uint32_t count = cv_load32(b->data);

    if (b->len != 8 + (uint64_t)count * 16)
        return cv_fail(err, CV_E_STREAM, 0, "%u parameters in %zu bytes", count, b->len);
    if (f->params.len + b->len > 16384)
        return cv_fail(err, CV_E_STREAM, 0, "more than 1024 parameters");
    return cv_buf_append(&f->params, b->data + 8, b->len - 8, err);
}

static int take_emulator(struct from_xl *f, const struct cv_xl_record *rec, struct cv_error *err)
{
    const uint8_t *p = rec->body.data;
    uint32_t id = cv_load32(p), index = cv_load32(p + 4);

    if (id != CV_LIBXL_QEMU)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "emulator %u is not upstream QEMU (%u)", id, CV_LIBXL_QEMU);
    if (index != 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "emulator index %u: xl's file has room for one", index);
    if (rec->type == CV_LIBXL_EMULATOR_XENSTORE) {
        f->has_nodes = true;
        return cv_buf_append(&f->nodes, p + CV_LIBXL_EMULATOR_HEAD, rec->body.len - CV_LIBXL_EMULATOR_HEAD, err);
    }
    return cv_buf_append(&f->state, p + CV_LIBXL_EMULATOR_HEAD, rec->body.len - CV_LIBXL_EMULATOR_HEAD, err);
}

static int take_xenopsd(struct from_xl *f, struct cv_xl_record *rec, struct cv_error *err)
{
    return rec->type == CV_XENOPSD_XENOPS ? cv_xenopsd_take(f->xenopsd, &rec->body, err) : keep(&f->state, rec);
}

static int take_libxc(struct from_xl *f, struct cv_xl_record *rec, struct cv_error *err)
{
    switch (rec->type) {
    case CV_LIBXC_CPUID_POLICY: return keep(&f->leaves, rec);
    case CV_LIBXC_MSR_POLICY: return keep(&f->msrs, rec);
    case CV_LIBXC_STATIC_DATA_END: return begin_image(f, err);
    case CV_LIBXC_PAGE_DATA: return take_pages(f, &rec->body, err);
    case CV_LIBXC_TSC_INFO: return keep(&f->tsc, rec);
    case CV_LIBXC_HVM_CONTEXT: return keep(&f->context, rec);
    case CV_LIBXC_HVM_PARAMS: return take_params(f, &rec->body, err);
    case CV_LIBXC_END: return end_pass(f, true, err);
    default: return cv_fail(err, CV_E_INTERNAL, 0, "a record that the reader should have refused");
    }
}

/* QEMU finds a device's state by its place. */
static int check_state(struct from_xl *f, struct cv_error *err)
{
    const char *where = f->xenopsd != NULL ? "QEMU" : "EMULATOR_CONTEXT";
    struct cv_qemu_state q = { 0 };
    struct cv_error why = CV_ERROR_INIT;

    if (cv_qemu_state_check(f->state.data, f->state.len, err) < 0)
        return cv_context(err, "%s", where);
    if (cv_qemu_state_decode(&q, f->state.data, f->state.len, &why) < 0)
        return 0; /* cannot be taken apart: QEMU itself will look */
    int rc = cv_image_check_sections(&f->plan.layout.dms[0], &q, true, err);
    cv_qemu_state_dispose(&q);
    if (rc < 0) {
        cv_error_recode(err, CV_E_STREAM, CV_E_UNSUPPORTED);
        cv_context(err, "%s", where);
    }
    return rc;
}

static int write_tail(struct from_xl *f, struct cv_error *err)
{
    bool several = f->xenopsd != NULL && f->plan.layout.count > 1;

    if (!several && check_state(f, err) < 0)
        return -1;
    const struct cv_tail tail = { .tsc = &f->tsc,
                                  .context = &f->context,
                                  .params = &f->params,
                                  .nodes = f->has_nodes ? &f->nodes : NULL,
                                  .xenstore =
                                      f->xenopsd != NULL && f->xenopsd->xenstore.len > 0 ? &f->xenopsd->xenstore : NULL,
                                  .state = several ? NULL : &f->state };
    if (cv_tail_write(f->writer, &tail, err) < 0 ||
        (several && cv_xenopsd_states_write(f->xenopsd, &f->state, f->writer, err) < 0))
        return -1;
    return cv_writer_finish(f->writer, err);
}

/* What xl's header says of the guest. */
static int plan_guest(struct from_xl *f, struct cv_error *err)
{
    struct cv_error why = CV_ERROR_INIT;
    size_t len;

    const char *json = cv_xl_reader_config(f->reader, &len);
    int planned = cv_libxl_guest_plan(&f->plan, json, len, f->opt->default_model, NULL, &why);
    if (f->plan.facts.pvh)
        return cv_fail(
            err, CV_E_UNSUPPORTED, 0,
            "configuration: c_info.type: it is a PVH guest, which is not converted: xl restore it, and convoy "
            "save it then");
    return planned < 0 ? cv_fail_as(err, &why) : 0;
}

static int read_records(struct from_xl *f, struct cv_error *err)
{
    CV_AUTO_XL_RECORD rec = { 0 };
    uint64_t reported = 0;
    int n;

    while ((n = cv_xl_reader_next(f->reader, &rec, err)) > 0) {
        int rc = rec.layer == CV_XL_LIBXC     ? take_libxc(f, &rec, err)
                 : rec.layer == CV_XL_XENOPSD ? take_xenopsd(f, &rec, err)
                                              : take_emulator(f, &rec, err);
        if (rc < 0)
            return cv_xl_record_context(&rec, err);
        if (f->opt->progress != NULL && cv_xl_reader_bytes(f->reader) - reported >= 8u << 20) {
            reported = cv_xl_reader_bytes(f->reader);
            f->opt->progress(f->opt->progress_user, reported);
        }
    }
    return n < 0 ? -1 : write_tail(f, err);
}

static void dispose(struct from_xl *f)
{
    cv_saver_free(f->saver);
    cv_writer_free(f->writer);
    cv_xl_reader_free(f->reader);
    cv_chunk_dispose(&f->chunk);
    cv_libxl_guest_dispose(&f->plan);
    cv_area_free((uint8_t *)f->bitmap, bitmap_bytes(f));
    struct cv_buf *bufs[] = { &f->leaves, &f->msrs, &f->tsc, &f->context, &f->params, &f->state, &f->nodes };
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        cv_buf_dispose(bufs[i]);
}

static int convert(struct from_xl *f, int in_fd, int out_fd, struct cv_error *err)
{
    const struct cv_convert_options *opt = f->opt;
    const struct cv_writer_options wo = { .cancel = opt->mem.cancel, .index = opt->index, .stream_id = opt->stream_id };

    int rc = f->xenopsd != NULL ? cv_xl_reader_new_xenopsd(&f->reader, in_fd, opt->mem.cancel, err)
                                : cv_xl_reader_new(&f->reader, in_fd, opt->mem.cancel, err);
    if (rc == 0)
        rc = cv_writer_new(&f->writer, out_fd, &wo, err);
    if (rc == 0 && f->xenopsd == NULL)
        rc = plan_guest(f, err);
    if (rc == 0)
        rc = read_records(f, err);
    dispose(f);
    return rc;
}

int cv_convert_from_xl(int in_fd, int out_fd, const struct cv_convert_options *opt, struct cv_error *err)
{
    struct from_xl f = { .opt = opt };

    return convert(&f, in_fd, out_fd, err);
}

int cv_convert_from_xenopsd(int in_fd, int out_fd, const struct cv_convert_options *opt, struct cv_error *err)
{
    struct cv_xenopsd_in in = { .pfn_count = 0 };
    struct from_xl f = { .opt = opt, .xenopsd = &in };
    int rc = convert(&f, in_fd, out_fd, err);

    cv_xenopsd_in_dispose(&in);
    return rc;
}
