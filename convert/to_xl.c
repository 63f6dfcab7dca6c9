/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A convoy stream to xl's save file or xenopsd's image, record by record: all have their parts in the same order. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "convert/plan.h"
#include "convert/xenopsd_writer.h"
#include "convert/xl_writer.h"
#include "layout/record.h"
#include "memory/area.h"
#include "memory/fixed.h"
#include "memory/hashes.h"
#include "memory/pages_codec.h"
#include "stream-format/bodies.h"
#include "stream-format/qemu_state.h"
#include "vm/spec.h"

#define RAW_BYTES ((size_t)CV_PAGES_MAX * CV_PAGE_SIZE)

struct to_xl {
    const struct cv_convert_options *opt;
    struct cv_reader *reader;
    struct cv_xl_writer out;
    struct cv_xenopsd_writer *xenopsd; /* NULL: xl's file is wanted */
    ZSTD_DCtx *dctx;
    uint8_t *raw; /* contents of one PAGES record */
    /* one PAGE_DATA in the making */
    uint64_t list[CV_LIBXC_BATCH];
    uint8_t *pages;
    uint32_t count, data;
    /* what is known before the memory */
    uint32_t xen_major, xen_minor;
    struct cv_fixed fixed; /* open: of fixed layout */
    struct cv_domain_spec spec;
    struct cv_layout layout;
    bool has_layout, begun;
    char *config, *json;
    uint64_t pfn_count;
    struct cv_buf leaves, msrs;
};

/* ---- before the memory ---- */

static int take_host(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_host h;

    if (cv_rec_host_decode(&h, rec->body.data, rec->body.len, err) < 0)
        return -1;
    t->xen_major = h.xen_major;
    t->xen_minor = h.xen_minor;
    return h.xen_major != 0
               ? 0
               : cv_fail(err, CV_E_UNSUPPORTED, 0, "the image does not say which Xen wrote it, and xl's files have to");
}

static int take_guest(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_guest g;

    if (cv_rec_guest_decode(&g, rec->body.data, rec->body.len, err) < 0 ||
        cv_spec_decode(g.json, g.json_len, &t->spec, err) < 0)
        return -1;
    t->config = strndup(g.config, g.config_len);
    return t->config != NULL ? 0 : cv_fail(err, CV_E_NOMEM, 0, "no memory for the configuration");
}

static int take_layout(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    if (cv_layout_of_record(rec->body.data, rec->body.len, &t->layout, err) < 0)
        return -1;
    t->has_layout = true;
    if (t->xenopsd != NULL)
        return cv_xenopsd_layout(t->xenopsd, &t->layout, err);
    return cv_plan_to_libxl(t->config, strlen(t->config), &t->spec, &t->layout, t->xen_minor, &t->json, err);
}

static int take_memory(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_memory m;

    if (cv_rec_memory_decode(&m, rec->body.data, rec->body.len, err) < 0)
        return -1;
    t->pfn_count = m.pfn_count;
    return 0;
}

/* Entries have the same bytes on both sides. */
static int take_cpu_policy(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_cpu_policy p;

    if (cv_rec_cpu_policy_decode(&p, rec->body.data, rec->body.len, err) < 0 ||
        cv_buf_append(&t->leaves, p.leaves, p.leaf_count * (size_t)24, err) < 0)
        return -1;
    return cv_buf_append(&t->msrs, p.msrs, p.msr_count * (size_t)16, err);
}

static int put_record(struct to_xl *t, uint32_t type, const void *body, size_t len, struct cv_error *err)
{
    struct iovec iov = { (void *)body, len };
    return cv_xl_put(&t->out, type, &iov, 1, err);
}

/* Up to libxc's stream. */
static int put_head(struct to_xl *t, struct cv_error *err)
{
    if (t->xenopsd != NULL)
        return cv_xenopsd_put_head(t->xenopsd, err);
    int rc = t->opt->libvirt_xml != NULL ? cv_xl_put_libvirt(&t->out, t->opt->libvirt_xml, err)
                                         : cv_xl_put_config(&t->out, t->json, err);
    return rc < 0 ? -1 : cv_xl_put_head(&t->out, err);
}

static int begin_file(struct to_xl *t, struct cv_error *err)
{
    if (t->begun)
        return 0;
    t->begun = true;
    if (put_head(t, err) < 0 || cv_libxc_put_head(&t->out, t->xen_major, t->xen_minor, err) < 0)
        return -1;
    if (t->leaves.len > 0 && put_record(t, CV_LIBXC_CPUID_POLICY, t->leaves.data, t->leaves.len, err) < 0)
        return -1;
    if (t->msrs.len > 0 && put_record(t, CV_LIBXC_MSR_POLICY, t->msrs.data, t->msrs.len, err) < 0)
        return -1;
    return cv_xl_put(&t->out, CV_LIBXC_STATIC_DATA_END, NULL, 0, err);
}

/* ---- memory ---- */

static int flush_pages(struct to_xl *t, struct cv_error *err)
{
    uint8_t head[8] = { 0 }, list[CV_LIBXC_BATCH * 8];

    if (t->count == 0)
        return 0;
    cv_store32(head, t->count);
    for (uint32_t i = 0; i < t->count; i++)
        cv_store64(list + 8 * i, t->list[i]);
    struct iovec iov[3] = { { head, sizeof head },
                            { list, t->count * 8u },
                            { t->pages, (size_t)t->data * CV_PAGE_SIZE } };
    t->count = t->data = 0;
    return cv_xl_put(&t->out, CV_LIBXC_PAGE_DATA, iov, 3, err);
}

/* page: NULL for a page of zeros.  libxc knows no such kind, and a page without contents would have those that Xen
 * finds. */
static int add_page(struct to_xl *t, uint64_t pfn, unsigned type, const uint8_t *page, struct cv_error *err)
{
    t->list[t->count++] = (uint64_t)type << 60 | pfn;
    if (type == CV_LIBXC_NOTAB) {
        uint8_t *to = t->pages + (size_t)t->data++ * CV_PAGE_SIZE;
        if (page != NULL)
            memcpy(to, page, CV_PAGE_SIZE);
        else
            memset(to, 0, CV_PAGE_SIZE);
    }
    return t->count == CV_LIBXC_BATCH ? flush_pages(t, err) : 0;
}

/* The contents of DATA pages are in t->raw. */
static int add_runs(struct to_xl *t, const struct cv_pages *p, struct cv_error *err)
{
    static const unsigned types[] = { [CV_RUN_DATA] = CV_LIBXC_NOTAB,
                                      [CV_RUN_ABSENT] = CV_LIBXC_XTAB,
                                      [CV_RUN_BROKEN] = CV_LIBXC_BROKEN,
                                      [CV_RUN_ALLOC] = CV_LIBXC_XALLOC,
                                      [CV_RUN_ZERO] = CV_LIBXC_NOTAB };
    struct cv_run_walk at = { 0 };
    struct cv_run run;
    const uint8_t *page = t->raw;

    while (cv_pages_next_run(p, &at, &run))
        for (uint64_t i = 0; i < run.length; i++) {
            if (add_page(t, run.pfn + i, types[run.kind], run.kind == CV_RUN_DATA ? page : NULL, err) < 0)
                return -1;
            page += run.kind == CV_RUN_DATA ? CV_PAGE_SIZE : 0;
        }
    return 0;
}

static int take_pages(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_pages p;

    if (begin_file(t, err) < 0)
        return -1;
    if (cv_pages_decode(rec->body.data, rec->body.len, t->pfn_count, &p, err) < 0 ||
        cv_pages_unpack(&p, t->dctx, t->raw, err) < 0)
        return cv_context(err, "body");
    return add_runs(t, &p, err);
}

/* Of fixed layout: behind the last PASS_END. */
static int take_hashes(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    uint64_t pfns[CV_PAGES_MAX];
    struct cv_run_walk at = { 0 };
    const uint8_t *hashes;
    struct cv_pages p;
    struct cv_run run;
    size_t n = 0;

    if (!cv_fixed_is_open(&t->fixed))
        return 0;
    if (cv_hashes_decode(rec->body.data, rec->body.len, &p, &hashes, err) < 0)
        return -1;
    while (cv_pages_next_run(&p, &at, &run))
        for (uint64_t i = 0; run.kind == CV_RUN_DATA && i < run.length; i++)
            pfns[n++] = run.pfn + i;
    if (cv_fixed_read(&t->fixed, pfns, n, t->raw, hashes, err) < 0 || add_runs(t, &p, err) < 0)
        return -1;
    return flush_pages(t, err);
}

/* ---- behind the memory ---- */

static int take_hvm_params(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    struct cv_rec_hvm_params p;

    if (cv_rec_hvm_params_decode(&p, rec->body.data, rec->body.len, err) < 0)
        return -1;
    /* The same head and entries on both sides. */
    if (p.count > 0 && put_record(t, CV_LIBXC_HVM_PARAMS, rec->body.data, rec->body.len, err) < 0)
        return -1;
    return cv_xl_put(&t->out, CV_LIBXC_END, NULL, 0, err);
}

static int take_xenstore(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    uint8_t head[CV_LIBXL_EMULATOR_HEAD] = { 0 };
    struct cv_rec_xenstore x;
    struct cv_xs_node n;
    CV_AUTO_BUF out = { 0 };

    if (t->xenopsd != NULL)
        return cv_xenopsd_put_nodes(t->xenopsd, rec, err);
    if (cv_rec_xenstore_decode(&x, rec->body.data, rec->body.len, err) < 0)
        return -1;
    while (cv_xs_next(&x, &n)) {
        if (n.root != CV_XS_DEVICE_MODEL)
            continue;
        if (memchr(n.value, 0, n.value_len) != NULL)
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "the value of %.*s has a NUL", (int)n.key_len, n.key);
        if (cv_buf_append(&out, n.key, n.key_len, err) < 0 || cv_buf_put_u8(&out, 0, err) < 0 ||
            cv_buf_append(&out, n.value, n.value_len, err) < 0 || cv_buf_put_u8(&out, 0, err) < 0)
            return -1;
    }
    if (out.len == 0)
        return 0;
    cv_store32(head, CV_LIBXL_QEMU);
    struct iovec iov[2] = { { head, sizeof head }, { out.data, out.len } };
    return cv_xl_put(&t->out, CV_LIBXL_EMULATOR_XENSTORE, iov, 2, err);
}

static int take_device_state(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    uint8_t head[CV_LIBXL_EMULATOR_HEAD] = { 0 };
    struct cv_rec_device_state s;

    if (t->xenopsd != NULL)
        return cv_xenopsd_state(t->xenopsd, rec, err);
    if (cv_rec_device_state_decode(&s, rec->body.data, rec->body.len, err) < 0)
        return -1;
    if (s.format != CV_STATE_QEMU)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "the device state is not QEMU's");
    if (cv_qemu_state_check(s.blob, s.blob_len, err) < 0)
        return -1;
    cv_store32(head, CV_LIBXL_QEMU);
    struct iovec iov[2] = { { head, sizeof head }, { (void *)s.blob, s.blob_len } };
    return cv_xl_put(&t->out, CV_LIBXL_EMULATOR_CONTEXT, iov, 2, err);
}

/* ---- the whole ---- */

static int take_pass_end(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    (void)rec;
    return begin_file(t, err) < 0 ? -1 : flush_pages(t, err);
}

static int take_places(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    return cv_fixed_take(&t->fixed, t->reader, rec, err);
}

static int take_tsc_info(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    return put_record(t, CV_LIBXC_TSC_INFO, rec->body.data, rec->body.len, err);
}

static int take_hvm_context(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    return put_record(t, CV_LIBXC_HVM_CONTEXT, rec->body.data, rec->body.len, err);
}

/* xl's format has no place for it, or another record has it as well. */
static int leave_out(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    (void)t, (void)rec, (void)err;
    return 0;
}
#define take_vcpus leave_out   /* the configuration has them, */
#define take_devices leave_out /* and these */
#define take_parent leave_out  /* the reader refuses incremental images */
#define take_note leave_out
#define take_freeze leave_out
#define take_index leave_out
#define take_end leave_out /* the reader's own */

static int take_record(struct to_xl *t, const struct cv_record *rec, struct cv_error *err)
{
    if (t->xenopsd != NULL && cv_xenopsd_keep(t->xenopsd, rec, err) < 0)
        return -1;
    switch (rec->raw_type) {
#define CV_R(name, word, ...)     \
    case (uint32_t)CV_REC_##name: \
        return take_##word(t, rec, err);
#include "stream-format/records.def"
#undef CV_R
    default: return 0;
    }
}

static int write_records(struct to_xl *t, struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    uint64_t reported = 0;
    int n;

    while ((n = cv_reader_next(t->reader, &rec, err)) > 0) {
        if (take_record(t, &rec, err) < 0)
            return cv_record_context(&rec, err);
        if (t->opt->progress != NULL && cv_reader_bytes(t->reader) - reported >= 8u << 20) {
            reported = cv_reader_bytes(t->reader);
            t->opt->progress(t->opt->progress_user, reported);
        }
    }
    /* Their END only when ours was right: a damaged image gives no whole file. */
    if (n < 0)
        return -1;
    return t->xenopsd != NULL ? cv_xenopsd_put_end(t->xenopsd, err) : cv_xl_put(&t->out, CV_LIBXL_END, NULL, 0, err);
}

static void dispose(struct to_xl *t)
{
    cv_reader_free(t->reader);
    ZSTD_freeDCtx(t->dctx);
    cv_area_free(t->raw, RAW_BYTES);
    cv_fixed_dispose(&t->fixed);
    free(t->pages);
    free(t->config);
    free(t->json);
    if (t->has_layout)
        cv_layout_dispose(&t->layout);
    cv_buf_dispose(&t->leaves);
    cv_buf_dispose(&t->msrs);
}

static int convert(int in_fd, int out_fd, const struct cv_convert_options *opt, struct cv_xenopsd_writer *xenopsd,
                   struct cv_error *err)
{
    const struct cv_reader_options ro = { .cancel = opt->mem.cancel, .accept_features = CV_FEATURE_FIXED_OFFSETS };
    struct to_xl *t = calloc(1, sizeof *t);

    if (t == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory");
    t->opt = opt;
    t->out = (struct cv_xl_writer){ .fd = out_fd, .cancel = opt->mem.cancel };
    if (xenopsd != NULL) {
        xenopsd->w = &t->out;
        xenopsd->opt = opt;
        t->xenopsd = xenopsd;
    }
    t->dctx = ZSTD_createDCtx();
    t->raw = cv_area_new(RAW_BYTES);
    t->pages = malloc((size_t)CV_LIBXC_BATCH * CV_PAGE_SIZE);
    int rc = t->dctx != NULL && t->raw != NULL && t->pages != NULL ? 0 : cv_fail(err, CV_E_NOMEM, 0, "no memory");
    if (rc == 0)
        rc = cv_reader_new(&t->reader, in_fd, &ro, err);
    if (rc == 0)
        rc = write_records(t, err);
    dispose(t);
    free(t);
    return rc;
}

int cv_convert_to_xl(int in_fd, int out_fd, const struct cv_convert_options *opt, struct cv_error *err)
{
    return convert(in_fd, out_fd, opt, NULL, err);
}

int cv_convert_to_xenopsd(int in_fd, int out_fd, const struct cv_convert_options *opt, struct cv_error *err)
{
    struct cv_xenopsd_writer x = { CV_XENOPSD_WRITER_INIT };
    int rc = convert(in_fd, out_fd, opt, &x, err);

    cv_xenopsd_writer_dispose(&x);
    return rc;
}
