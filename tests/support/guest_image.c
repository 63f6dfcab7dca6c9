/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/guest_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "convert/chunk.h"
#include "layout/spec.h"
#include "memory/pipeline.h"
#include "stream-format/bodies.h"
#include "tests/support/rng.h"

#define PFN_COUNT 0x100000u
#define STORE_PFN 0xfeffcu

const char guest_image_config[] =
    "type = \"hvm\"\nname = \"sample\"\nuuid = \"01234567-89ab-cdef-0123-456789abcdef\"\n"
    "memory = 32\nmaxmem = 64\nvcpus = 2\nmaxvcpus = 3\nvga = \"stdvga\"\ntsc_mode = \"native\"\n"
    "kernel = \"/boot/vmlinuz\"\ncmdline = \"console=ttyS0 \\\"quoted\\\"\"\nserial = \"pty\"\non_crash = "
    "\"preserve\"\n"
    "vif = [ \"mac=00:16:3e:00:00:05,model=e1000,bridge=xenbr0\" ]\n"
    "disk = [ \"format=raw,vdev=hda,access=rw,target=/dev/vg/disk\", "
    "\"format=raw,vdev=hdc,devtype=cdrom,access=ro,target=/iso/x.iso\" ]\n";

const char guest_image_config3[] =
    "type = \"hvm\"\nname = \"three\"\nuuid = \"fedcba98-7654-3210-fedc-ba9876543210\"\nmemory = 32\nvga = \"stdvga\"\n"
    "vif = [ \"mac=00:16:3e:00:00:05,model=e1000,bridge=xenbr0\" ]\n"
    "disk = [ \"format=raw,vdev=hda,access=rw,target=/dev/vg/disk\", "
    "\"format=raw,vdev=xvdb,access=rw,model=virtio-blk,target=/dev/vg/b\" ]\n"
    "device_models = [ \"name=net,vifs=0\", \"name=storage,disks=xvdb\" ]\n";

static struct cv_error err;

static void must(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "guest_image: %s\n", err.text);
    abort();
}

struct make {
    const struct guest_image_options *opt;
    struct rng rng;
    struct cv_writer *w;
    struct cv_guest_config config;
    struct cv_layout layout;
    struct cv_domain_spec spec;
};

static void put(struct make *m, enum cv_record_type type, struct cv_buf *body)
{
    struct iovec iov = { .iov_base = body->data, .iov_len = body->len };

    must(cv_writer_put(m->w, type, &iov, 1, &err));
    body->len = 0;
}

/* ---- device states ---- */

static void be32(struct cv_buf *b, uint32_t v)
{
    for (int i = 24; i >= 0; i -= 8)
        must(cv_buf_put_u8(b, (uint8_t)(v >> i), &err));
}

static void section(struct make *m, struct cv_buf *b, uint32_t *n, const char *name, uint32_t version, size_t bytes)
{
    const char *without = m->opt->without_section;
    uint8_t data[600];

    if (without != NULL && strncmp(name, without, strlen(without)) == 0)
        return;
    must(cv_buf_put_u8(b, 4, &err));
    be32(b, (*n)++);
    must(cv_buf_put_u8(b, (uint8_t)strlen(name), &err));
    must(cv_buf_append(b, name, strlen(name), &err));
    be32(b, 0);
    be32(b, version);
    rng_fill(&m->rng, data, sizeof data);
    /* Nothing in it may look like a section's header. */
    for (size_t i = 0; i < sizeof data; i++)
        data[i] |= 0x80;
    must(cv_buf_append(b, data, bytes, &err));
}

static void device_state(struct make *m, const struct cv_layout_dm *dm, struct cv_buf *b)
{
    uint32_t n = 0;

    must(cv_buf_append(b, "QEVM", 4, &err));
    be32(b, 3);
    section(m, b, &n, "timer", 2, 24);
    section(m, b, &n, "0000:00:00.0/I440FX", 3, 277);
    section(m, b, &n, "0000:00:01.1/ide", 3, 300);
    for (unsigned i = 0; i < dm->device_count; i++) {
        char name[80], bdf[12];
        if (dm->devices[i].bdf == CV_BDF_NONE)
            continue;
        snprintf(name, sizeof name, "0000:%s/%.40s", cv_bdf_string(dm->devices[i].bdf, bdf, sizeof bdf),
                 dm->devices[i].driver);
        section(m, b, &n, name, 2, 400);
    }
    must(cv_buf_put_u8(b, 0, &err));
}

static void put_states(struct make *m)
{
    unsigned order[CV_DM_MAX];

    cv_layout_rank_order(&m->layout, order);
    for (unsigned i = 0; i < m->layout.count; i++) {
        uint8_t head[CV_DEVICE_STATE_HEAD];
        CV_AUTO_BUF b = { 0 };
        device_state(m, &m->layout.dms[order[i]], &b);
        struct cv_rec_device_state rec = {
            .dmid = order[i], .format = CV_STATE_QEMU, .blob = b.data, .blob_len = b.len
        };
        must(cv_rec_device_state_head(&rec, head, &err));
        struct iovec iov[2] = { { head, sizeof head }, { b.data, b.len } };
        must(cv_writer_put(m->w, CV_REC_DEVICE_STATE, iov, 2, &err));
    }
}

/* ---- head ---- */

static void put_head(struct make *m)
{
    CV_AUTO_BUF b = { 0 };
    CV_AUTO_FREE char *spec = NULL, *layout = NULL;
    const char host[] = "{\"convoy\":\"0.1.0\",\"hostname\":\"host1\",\"hypervisor\":\"Xen 4.17.4\"}";
    const char *config = m->opt->config ? m->opt->config : guest_image_config;
    unsigned order[CV_DM_MAX];

    must(cv_spec_encode(&m->spec, &spec, &err));
    must(cv_layout_encode(&m->layout, &layout, &err));
    struct cv_rec_host h = {
        .schema = 1, .xen_major = 4, .xen_minor = 17, .time = 1700000000, .json = host, .json_len = sizeof host - 1
    };
    must(cv_rec_host_encode(&h, &b, &err));
    put(m, CV_REC_HOST, &b);
    struct cv_rec_guest g = { .schema = 1,
                              .type = m->spec.pvh ? CV_GUEST_PVH : CV_GUEST_HVM,
                              .json = spec,
                              .json_len = (uint32_t)strlen(spec),
                              .config = config,
                              .config_len = (uint32_t)strlen(config) };
    memcpy(g.uuid, m->spec.uuid, sizeof g.uuid);
    must(cv_rec_guest_encode(&g, &b, &err));
    put(m, CV_REC_GUEST, &b);
    struct cv_rec_layout l = {
        .schema = 1, .count = m->layout.count, .json = layout, .json_len = (uint32_t)strlen(layout)
    };
    cv_layout_rank_order(&m->layout, order);
    for (unsigned i = 0; i < l.count; i++) {
        l.emulator[i].dmid = order[i];
        l.emulator[i].flags = order[i] == 0 ? CV_LAYOUT_DEFAULT : 0;
    }
    must(cv_rec_layout_encode(&l, &b, &err));
    put(m, CV_REC_LAYOUT, &b);
}

static void put_machine(struct make *m)
{
    CV_AUTO_BUF b = { 0 };
    struct cv_rec_vcpus v = { .max = m->spec.vcpus, .online = { (UINT64_C(1) << m->spec.vcpus_online) - 1 } };
    struct cv_rec_memory mem = { .pfn_count = PFN_COUNT,
                                 .target_kib = m->spec.target_kib,
                                 .static_max_kib = m->spec.max_kib,
                                 .videoram_kib = m->spec.video_kib,
                                 .e820_count = 1,
                                 .e820 = { { 0x100000, (m->spec.ram_kib << 10) - 0x100000, 1 } } };
    const struct cv_policy_leaf leaves[] = { { 0, 0xffffffff, 13, 1, 2, 3 },
                                             { 4, 0, 1, 2, 3, 4 },
                                             { 4, 1, 5, 6, 7, 8 } };
    const struct cv_policy_msr msrs[] = { { 0xce, 0, 0x80000000 }, { 0x10a, 0, 5 } };

    must(cv_rec_vcpus_encode(&v, &b, &err));
    put(m, CV_REC_VCPUS, &b);
    must(cv_rec_memory_encode(&mem, &b, &err));
    put(m, CV_REC_MEMORY, &b);
    if (m->opt->no_policy)
        return;
    must(cv_rec_cpu_policy_encode(leaves, 3, msrs, 2, &b, &err));
    put(m, CV_REC_CPU_POLICY, &b);
}

/* ---- memory ---- */

static void put_pass(struct make *m, struct cv_saver *s, struct cv_chunk *c, uint32_t pass, bool last)
{
    static uint64_t bitmap[PFN_COUNT / 64];
    static const struct {
        uint64_t first, count;
    } all[] = { { 0, 160 }, { 256, 700 }, { 0x8000, 10 }, { 0xfeff0, 16 } };
    static const struct {
        uint64_t first, count;
    } few[] = { { 0, 6 }, { 0x8000, 0 }, { 0xfeffc, 1 }, { 0xfefff, 1 } };
    struct cv_mem_stats before = *cv_saver_stats(s);
    uint8_t page[CV_PAGE_SIZE];

    c->n = 0;
    memset(bitmap, 0, sizeof bitmap);
    for (size_t r = 0; r < sizeof all / sizeof *all; r++) {
        uint64_t first = m->opt->small ? few[r].first : all[r].first,
                 count = m->opt->small ? few[r].count : all[r].count;
        for (uint64_t pfn = first; pfn < first + count; pfn++) {
            unsigned kind = (unsigned)rng_below(&m->rng, 16);
            bool special = pfn >= 0xfeff0;
            if (pass > 0 && kind > 3)
                continue;
            memset(page, 0, sizeof page);
            if (kind > 4 || special)
                rng_fill(&m->rng, page, kind > 12 ? sizeof page : 200);
            cv_chunk_add(c, pfn,
                         kind == 0 && pass > 0 && !special ? CV_PAGE_ABSENT
                         : kind == 1 && !special           ? CV_PAGE_ALLOC
                                                           : CV_PAGE_DATA,
                         page);
            bitmap[pfn / 64] |= UINT64_C(1) << pfn % 64;
        }
    }
    must(cv_saver_pass(s, pass, bitmap, PFN_COUNT, NULL, NULL, &err));
    const struct cv_mem_stats *now = cv_saver_stats(s);
    struct cv_rec_pass_end e = { .pass = pass,
                                 .flags = last ? CV_PASS_LAST : 0,
                                 .records = now->records - before.records,
                                 .data_pages = (now->bytes_raw - before.bytes_raw) / CV_PAGE_SIZE,
                                 .pages = now->pages - before.pages,
                                 .dirty_left = last ? 0 : 12,
                                 .duration_us = 1000 };
    CV_AUTO_BUF b = { 0 };
    must(cv_rec_pass_end_encode(&e, &b, &err));
    put(m, CV_REC_PASS_END, &b);
}

static void put_memory(struct make *m)
{
    const struct cv_mem_options mem = { .codec = CV_CODEC_ZSTD, .level = 1 };
    struct cv_chunk c;
    struct cv_saver *s;
    unsigned passes = m->opt->passes ? m->opt->passes : 1;

    must(cv_chunk_init(&c, &err));
    must(cv_saver_new(&s, &c.source, m->w, &mem, &err));
    for (unsigned i = 0; i < passes; i++)
        put_pass(m, s, &c, i, i + 1 == passes);
    cv_saver_free(s);
    cv_chunk_dispose(&c);
}

/* ---- Xen's state ---- */

static void entry(struct cv_buf *b, uint16_t type, uint16_t instance, uint32_t bytes)
{
    must(cv_buf_put_u16(b, type, &err));
    must(cv_buf_put_u16(b, instance, &err));
    must(cv_buf_put_u32(b, bytes, &err));
    for (uint32_t i = 0; i < bytes; i++)
        must(cv_buf_put_u8(b, (uint8_t)i, &err));
}

static void put_xen(struct make *m)
{
    CV_AUTO_BUF b = { 0 };
    const struct cv_rec_tsc_info t = { .mode = 2, .khz = 2600000, .nsec = 1234567, .incarnation = 1 };
    const struct cv_hvm_param params[] = { { 1, STORE_PFN }, { 17, 0xfefff }, { 32, 0xfeff0 }, { 33, 8 } };
    const struct cv_xs_node nodes[] = {
        { CV_XS_DEVICE_MODEL, 0, 0, "physmap/f1000000/name", 21, "vga.vram", 8 },
        { CV_XS_DEVICE_MODEL, 0, 0, "physmap/f1000000/size", 21, "1000000", 7 },
    };

    must(cv_rec_tsc_info_encode(&t, &b, &err));
    put(m, CV_REC_TSC_INFO, &b);
    entry(&b, 1, 0, 24);
    for (uint16_t i = 0; i < m->spec.vcpus_online; i++)
        entry(&b, 2, i, 100);
    entry(&b, 3, 0, 8);
    entry(&b, 0, 0, 0);
    put(m, CV_REC_HVM_CONTEXT, &b);
    must(cv_rec_hvm_params_encode(params, 4, &b, &err));
    put(m, CV_REC_HVM_PARAMS, &b);
    if (m->opt->no_nodes)
        return;
    must(cv_rec_xenstore_encode(nodes, 2, &b, &err));
    put(m, CV_REC_XENSTORE, &b);
}

/* ---- the whole ---- */

int guest_image_fd(const void *data, size_t len)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    must(fd);
    must(cv_write_full(fd, data, len, CV_NEVER, NULL, &err));
    must((int)lseek(fd, 0, SEEK_SET));
    return fd;
}

void guest_image_slurp(int fd, struct cv_buf *out)
{
    off_t len = lseek(fd, 0, SEEK_END);
    size_t got;

    must((int)lseek(fd, 0, SEEK_SET));
    must(cv_buf_reserve(out, (size_t)len + 1, &err));
    must(cv_read_full(fd, out->data + out->len, (size_t)len, &got, CV_NEVER, NULL, &err));
    out->len += got;
}

void guest_image(struct cv_buf *out, const struct guest_image_options *opt)
{
    struct make m = { .opt = opt, .rng = rng_seed(opt->seed + 1) };
    const struct cv_layout_host host = { .default_model = "/usr/bin/qemu-system-i386", .nic_roms = opt->nic_roms };
    const char *config = opt->config ? opt->config : guest_image_config;
    uint8_t id[16];
    const struct cv_writer_options wo = { .stream_id = id };
    int fd = memfd_create("image", MFD_CLOEXEC);

    rng_fill(&m.rng, id, sizeof id);
    must(cv_guest_config_parse(config, strlen(config), "test", &m.config, &err));
    must(cv_layout_decide(&m.config, &host, &m.layout, &err));
    cv_spec_from_config(&m.spec, &m.config, &m.layout);
    if (!m.spec.pvh)
        m.spec.emulation_flags = 0x3ff;
    must(cv_writer_new(&m.w, fd, &wo, &err));
    put_head(&m);
    put_machine(&m);
    put_memory(&m);
    put_xen(&m);
    put_states(&m);
    must(cv_writer_finish(m.w, &err));
    cv_writer_free(m.w);
    guest_image_slurp(fd, out);
    close(fd);
    cv_layout_dispose(&m.layout);
    cv_guest_config_dispose(&m.config);
}
