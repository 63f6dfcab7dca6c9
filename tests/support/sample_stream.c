/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/sample_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "stream-format/bodies.h"
#include "tests/support/rng.h"

#define PAGE 4096u

static struct cv_error err;

static void must(int rc)
{
    if (rc == 0)
        return;
    fprintf(stderr, "sample_stream: %s\n", err.text);
    abort();
}

static void put(struct cv_writer *w, enum cv_record_type type, struct cv_buf *body)
{
    struct iovec iov = { .iov_base = body->data, .iov_len = body->len };

    must(cv_writer_put(w, type, &iov, 1, &err));
    body->len = 0;
}

void sample_pages(struct cv_buf *out, uint64_t seed, uint32_t pass, uint64_t first_pfn, unsigned pages, bool zstd)
{
    struct rng r = rng_seed(seed);
    uint8_t raw[6 * PAGE] = { 0 }, packed[7 * PAGE], head[CV_PAGES_HEAD_SIZE], runs[6];
    const void *payload = raw;
    struct cv_pages_head h = { .pass = pass, .first_pfn = first_pfn, .span = pages };

    /* DATA and ZERO in turn: runs of one page each, of the kinds 0 and 4. */
    for (unsigned i = 0; i < pages; i++) {
        runs[h.runs_length++] = (uint8_t)(1 << 3 | (i % 2 == 0 ? 0 : 4));
        if (i % 2 == 0)
            rng_fill(&r, raw + PAGE * h.data_pages++, 48); /* the rest of the page is zero: it packs well */
    }
    h.raw_length = h.payload_length = PAGE * h.data_pages;
    if (zstd) {
        size_t n = ZSTD_compress(packed, sizeof packed, raw, h.raw_length, 1);
        must(ZSTD_isError(n) || n >= h.raw_length ? -1 : 0);
        h.codec = 1;
        h.payload_length = (uint32_t)n;
        payload = packed;
    }
    cv_pages_head_encode(&h, head);
    must(cv_buf_append(out, head, sizeof head, &err));
    must(cv_buf_append(out, runs, h.runs_length, &err));
    must(cv_buf_append(out, payload, h.payload_length, &err));
}

static bool has_guest(const struct sample_options *opt) { return opt->emulators > 0 || opt->pvh; }

static void put_identity(struct cv_writer *w, const struct sample_options *opt, struct rng *r, struct cv_buf *b)
{
    const char host[] = "{\"convoy\":\"0.1.0\",\"xen_extra\":\".4\",\"caps\":\"hvm-3.0-x86_64\"}";
    const char guest[] = "{\"name\":\"b\xc3\xbc"
                         "cher\"}",
               config[] = "name = \"sample\"\ntype = \"hvm\"\nmemory = 64\n";
    const char layout[] = "{\"emulators\":[]}";
    struct cv_rec_host h = { .schema = 1,
                             .xen_major = 4,
                             .xen_minor = 17,
                             .time = 1700000000 + rng_below(r, 1000),
                             .json = host,
                             .json_len = sizeof host - 1 };
    struct cv_rec_guest g = { .schema = 1,
                              .type = opt->pvh ? CV_GUEST_PVH : CV_GUEST_HVM,
                              .json = guest,
                              .json_len = sizeof guest - 1,
                              .config = config,
                              .config_len = (uint32_t)rng_below(r, sizeof config) };
    struct cv_rec_layout l = { .schema = 1, .count = opt->emulators, .json = layout, .json_len = sizeof layout - 1 };

    rng_fill(r, g.uuid, sizeof g.uuid);
    for (unsigned i = 0; i < opt->emulators; i++)
        l.emulator[i].dmid = (i + 1) % opt->emulators; /* secondaries first, the default one (0) last */
    if (opt->emulators > 0)
        l.emulator[opt->emulators - 1].flags = CV_LAYOUT_DEFAULT;
    must(cv_rec_host_encode(&h, b, &err));
    put(w, CV_REC_HOST, b);
    must(cv_rec_guest_encode(&g, b, &err));
    put(w, CV_REC_GUEST, b);
    must(cv_rec_layout_encode(&l, b, &err));
    put(w, CV_REC_LAYOUT, b);
    if (!opt->devices)
        return;
    const char devices[] = "{\"c_info\":{\"type\":\"hvm\",\"name\":\"b\xc3\xbc"
                           "cher\"},\"disks\":[{\"pdev_path\":\"/dev/vg/a\",\"vdev\":\"xvda\"}],\"nics\":[]}";
    struct cv_rec_devices d = { .schema = 1, .json = devices, .json_len = sizeof devices - 1 };
    must(cv_rec_devices_encode(&d, b, &err));
    put(w, CV_REC_DEVICES, b);
}

static void put_memory(struct cv_writer *w, struct cv_buf *b)
{
    struct cv_rec_memory m = { .pfn_count = 0x100000,
                               .max_pages = 0x4400,
                               .owned_pages = 0x4200,
                               .target_kib = 65536,
                               .static_max_kib = 65536,
                               .videoram_kib = 8192,
                               .paging_pool_kib = 2048,
                               .e820_count = 2,
                               .e820 = { { 0, 0xa0000, 1 }, { 0x100000, 0x3f00000, 1 } } };

    must(cv_rec_memory_encode(&m, b, &err));
    put(w, CV_REC_MEMORY, b);
}

static void put_parent(struct cv_writer *w, struct rng *r, struct cv_buf *b)
{
    const char name[] = "mon-b\xc3\xbc.cvy";
    struct cv_rec_parent p = { .name = name, .name_len = rng_below(r, 2) ? sizeof name - 1 : 4 };

    rng_fill(r, p.stream_id, sizeof p.stream_id);
    rng_fill(r, p.digest, sizeof p.digest);
    must(cv_rec_parent_encode(&p, b, &err));
    put(w, CV_REC_PARENT, b);
}

/* Where put_hashes has pages with contents, and one place more. */
static const struct cv_place places[] = { { 2, 2 }, { 0xfff, 3 } };
#define AREA_PAGES 5u

static void put_places(struct cv_writer *w, struct cv_buf *b)
{
    must(cv_rec_places_encode(places, 2, b, &err));
    put(w, CV_REC_PLACES, b);
}

/* A page's contents at its place; hash_out: theirs. */
static void put_placed(int fd, uint64_t slot, struct rng *r, uint8_t hash_out[16])
{
    uint8_t page[PAGE] = { 0 };

    rng_fill(r, page, 48);
    must(pwrite(fd, page, sizeof page, (off_t)((slot + 1) * PAGE)) == sizeof page ? 0 : -1);
    cv_body_hash128(page, sizeof page, hash_out);
}

/* Two records: DATA ZERO SKIP ALLOC, and DATA of two pages.  fd: of fixed layout, contents go there; else -1. */
static void put_hashes(struct cv_writer *w, int fd, struct rng *r, struct cv_buf *b)
{
    static const uint64_t slots[2] = { 0, 3 };
    static const uint8_t runs[2][4] = { { 1 << 3 | 0, 2 << 3 | 4, 4 << 3 | 5, 3 << 3 | 3 }, { 2 << 3 | 0 } };
    const struct cv_rec_hashes h[2] = { { .first_pfn = 2, .span = 10, .runs_length = 4, .data_pages = 1 },
                                        { .first_pfn = 0x1000, .span = 2, .runs_length = 1, .data_pages = 2 } };
    uint8_t head[CV_HASHES_HEAD_SIZE], hash[32];

    for (unsigned i = 0; i < 2; i++) {
        cv_rec_hashes_head_encode(&h[i], head);
        rng_fill(r, hash, sizeof hash);
        for (unsigned k = 0; fd >= 0 && k < h[i].data_pages; k++)
            put_placed(fd, slots[i] + k, r, hash + 16 * (size_t)k);
        must(cv_buf_append(b, head, sizeof head, &err));
        must(cv_buf_append(b, runs[i], h[i].runs_length, &err));
        must(cv_buf_append(b, hash, h[i].data_pages * 16, &err));
        put(w, CV_REC_PAGE_HASHES, b);
    }
}

static void put_static(struct cv_writer *w, const struct sample_options *opt, struct rng *r, struct cv_buf *b)
{
    struct cv_rec_vcpus v = { .max = 70, .online = { 0x3, 0x20 } };
    const struct cv_policy_leaf leaves[] = { { 0, 0xffffffff, 13, 0x756e6547, 0x6c65746e, 0x49656e69 },
                                             { 4, 0, 1, 2, 3, 4 },
                                             { 4, 1, 5, 6, 7, 8 } };
    const struct cv_policy_msr msrs[] = { { 0xce, 0, 0x80000000 } };

    must(cv_rec_vcpus_encode(&v, b, &err));
    put(w, CV_REC_VCPUS, b);
    if (opt->parent)
        put_parent(w, r, b);
    put_memory(w, b);
    if (opt->fixed)
        put_places(w, b);
    must(cv_rec_cpu_policy_encode(leaves, 3, msrs, 1, b, &err));
    put(w, CV_REC_CPU_POLICY, b);
}

static void put_passes(struct cv_writer *w, const struct sample_options *opt, struct rng *r, struct cv_buf *b)
{
    for (uint32_t pass = 0; pass < opt->passes; pass++) {
        bool last = pass + 1 == opt->passes;
        struct cv_rec_pass_end end = {
            .pass = pass, .flags = last ? CV_PASS_LAST : 0, .dirty_left = last ? 0 : 7, .duration_us = 1000
        };
        uint64_t pfn = 0;
        for (unsigned i = 0; !opt->fixed && i < opt->pages_records; i++) {
            unsigned pages = 1 + (unsigned)rng_below(r, 4);
            pfn += rng_below(r, 3);
            sample_pages(b, rng_next(r), pass, pfn, pages, opt->zstd > i % 2);
            end.records++;
            end.pages += pages;
            end.data_pages += cv_load32(b->data + 28);
            pfn += pages;
            put(w, CV_REC_PAGES, b);
        }
        must(cv_rec_pass_end_encode(&end, b, &err));
        put(w, CV_REC_PASS_END, b);
    }
}

static void put_state(struct cv_writer *w, uint32_t dmid, struct rng *r)
{
    uint8_t blob[64], head[CV_DEVICE_STATE_HEAD];
    struct cv_rec_device_state v = {
        .dmid = dmid, .format = CV_STATE_OPAQUE, .blob = blob, .blob_len = 1 + rng_below(r, 64)
    };

    rng_fill(r, blob, sizeof blob);
    must(cv_rec_device_state_head(&v, head, &err));
    struct iovec iov[2] = { { head, sizeof head }, { blob, (size_t)v.blob_len } };
    must(cv_writer_put(w, CV_REC_DEVICE_STATE, iov, 2, &err));
}

static void put_freeze(struct cv_writer *w, struct rng *r, struct cv_buf *b)
{
    const char command[] = "lvcreate -s vg/b\xc3\xbc"
                           "cher",
               output[] = "snapshot 1\nsnapshot 2\n";
    struct cv_rec_freeze f = { .time = 1700000000 + rng_below(r, 1000),
                               .duration_ms = (uint32_t)rng_below(r, 9999),
                               .flags = (uint32_t)rng_below(r, 2),
                               .command = command,
                               .command_len = sizeof command - 1,
                               .output = output,
                               .output_len = (uint32_t)rng_below(r, sizeof output) };

    must(cv_rec_freeze_encode(&f, b, &err));
    put(w, CV_REC_FREEZE, b);
}

static void put_machine(struct cv_writer *w, const struct sample_options *opt, struct rng *r, struct cv_buf *b)
{
    const struct cv_rec_tsc_info tsc = { .mode = 2, .khz = 2600000, .nsec = rng_next(r), .incarnation = 1 };
    const struct cv_hvm_param params[] = { { 1, 0xfeffc }, { 5, 0xfeffe }, { 17, 0xfefff } };
    const struct cv_xs_node nodes[] = {
        { CV_XS_GUEST, CV_XS_NO_DMID, CV_XS_GUEST_READ | CV_XS_GUEST_WRITE, "control/feature-suspend", 23, "1", 1 },
        { CV_XS_DEVICE_MODEL, 0, 0, "physmap/f0000000/name", 21, "vga.vram", 8 },
    };
    uint8_t context[40];

    must(cv_rec_tsc_info_encode(&tsc, b, &err));
    put(w, CV_REC_TSC_INFO, b);
    rng_fill(r, context, sizeof context);
    must(cv_buf_append(b, context, 8 + (size_t)rng_below(r, 32), &err));
    put(w, CV_REC_HVM_CONTEXT, b);
    must(cv_rec_hvm_params_encode(params, 3, b, &err));
    put(w, CV_REC_HVM_PARAMS, b);
    must(cv_rec_xenstore_encode(nodes, 2, b, &err));
    put(w, CV_REC_XENSTORE, b);
    for (unsigned i = 0; i < opt->emulators; i++)
        put_state(w, i, r);
}

static void put_note(struct cv_writer *w, const struct sample_options *opt, struct cv_buf *b)
{
    if (!opt->notes)
        return;
    must(cv_buf_append(b, "made by a test", 14, &err));
    put(w, CV_REC_NOTE, b);
}

void sample_stream(struct cv_buf *out, const struct sample_options *opt)
{
    struct rng r = rng_seed(opt->seed);
    uint8_t id[16];
    struct cv_writer *w;
    CV_AUTO_BUF b = { 0 };
    int fd = memfd_create("sample", MFD_CLOEXEC);

    rng_fill(&r, id, sizeof id);
    struct cv_writer_options wo = { .stream_id = id,
                                    .index = opt->index,
                                    .required_features = (!has_guest(opt) ? CV_FEATURE_MEMORY_ONLY : 0) |
                                                         (opt->parent ? CV_FEATURE_INCREMENTAL : 0) |
                                                         (opt->fixed ? CV_FEATURE_FIXED_OFFSETS : 0),
                                    .area_pages = opt->fixed ? AREA_PAGES : 0,
                                    .optional_features = opt->hashes ? CV_OPTIONAL_PAGE_HASHES : 0 };
    must(cv_writer_new(&w, fd, &wo, &err));
    put_note(w, opt, &b);
    if (has_guest(opt)) {
        put_identity(w, opt, &r, &b);
        put_static(w, opt, &r, &b);
    } else {
        if (opt->parent)
            put_parent(w, &r, &b);
        put_memory(w, &b);
        if (opt->fixed)
            put_places(w, &b);
    }
    put_passes(w, opt, &r, &b);
    put_note(w, opt, &b);
    if (opt->hashes)
        put_hashes(w, opt->fixed ? fd : -1, &r, &b);
    if (has_guest(opt)) {
        if (opt->freeze)
            put_freeze(w, &r, &b);
        put_machine(w, opt, &r, &b);
    }
    must(cv_writer_finish(w, &err));

    size_t len = (size_t)cv_writer_bytes(w);
    must(cv_buf_reserve(out, len, &err));
    must(pread(fd, out->data + out->len, len, 0) == (ssize_t)len ? 0 : -1);
    out->len += len;
    cv_writer_free(w);
    close(fd);
}

struct cv_reader *sample_reader(const struct cv_buf *stream, struct cv_error *e)
{
    struct cv_reader_options opt = { .accept_features =
                                         CV_FEATURE_MEMORY_ONLY | CV_FEATURE_INCREMENTAL | CV_FEATURE_FIXED_OFFSETS };
    struct cv_reader *r = NULL;

    return cv_reader_new_memory(&r, stream->data, stream->len, &opt, e) < 0 ? NULL : r;
}
