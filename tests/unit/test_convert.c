/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl's save files: there and back again, and hostile ones. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/fd.h"
#include "convert/convert.h"
#include "convert/xl_format.h"
#include "image/image.h"
#include "memory/file_sink.h"
#include "tests/support/guest_image.h"

static struct cv_error err;

static void setup(void) { err = (struct cv_error)CV_ERROR_INIT; }

static const struct cv_convert_options options = {
    .mem = { .threads = 0, .codec = CV_CODEC_ZSTD, .level = 1 },
    .default_model = "/usr/bin/qemu-system-i386",
    .version = "test",
    .time = 1700000000,
    .stream_id = (const uint8_t *)"0123456789abcdef",
};

typedef int conversion(int in_fd, int out_fd, const struct cv_convert_options *opt, struct cv_error *e);

static int convert(conversion *f, const struct cv_buf *in, struct cv_buf *out)
{
    CV_AUTO_FD from = guest_image_fd(in->data, in->len), to = memfd_create("out", MFD_CLOEXEC);
    int rc = f(from, to, &options, &err);

    out->len = 0;
    guest_image_slurp(to, out);
    return rc;
}

/* ---- there and back ---- */

struct memory {
    struct cv_file_sink *sink;
    int fd;
};

static int open_sink(void *user, const struct cv_rec_memory *m, struct cv_page_sink **sink_out, struct cv_error *e)
{
    struct memory *mem = user;

    if (cv_file_sink_new(&mem->sink, mem->fd, m->pfn_count, e) < 0)
        return -1;
    *sink_out = cv_file_sink_port(mem->sink);
    return 0;
}

/* The whole of an image; its memory as a sparse file. */
static struct cv_image *look(const struct cv_buf *b, struct memory *mem)
{
    struct cv_image *img = calloc(1, sizeof *img);
    struct cv_reader_options ro = { 0 };
    struct cv_image_options opt = { .keep_states = true, .open_sink = open_sink, .sink_user = mem };
    struct cv_reader *r;

    mem->fd = memfd_create("memory", MFD_CLOEXEC);
    ck_assert_msg(cv_reader_new_memory(&r, b->data, b->len, &ro, &err) == 0, "%s", err.text);
    ck_assert_msg(cv_image_read(img, r, &opt, &err) == 0, "%s", err.text);
    ck_assert_msg(cv_image_check(img, &err) == 0, "%s", err.text);
    cv_reader_free(r);
    cv_file_sink_free(mem->sink);
    return img;
}

static void same_buf(const struct cv_buf *a, const struct cv_buf *b)
{
    ck_assert_uint_eq(a->len, b->len);
    ck_assert(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void same_memory(const struct cv_image *a, int fa, const struct cv_image *b, int fb)
{
    uint8_t x[4096], y[4096];

    ck_assert_uint_eq(a->map.pfn_count, b->map.pfn_count);
    for (uint64_t pfn = 0; pfn < a->map.pfn_count; pfn++) {
        enum cv_run_kind k = cv_pagemap_kind(&a->map, pfn), l = cv_pagemap_kind(&b->map, pfn);
        if (k == CV_PAGEMAP_NONE && l == CV_PAGEMAP_NONE)
            continue;
        /* A page that no pass mentions is absent. */
        ck_assert_int_eq(k == CV_PAGEMAP_NONE ? CV_RUN_ABSENT : k, l == CV_PAGEMAP_NONE ? CV_RUN_ABSENT : l);
        ck_assert_int_eq(pread(fa, x, sizeof x, (off_t)(pfn * 4096)), 4096);
        ck_assert_int_eq(pread(fb, y, sizeof y, (off_t)(pfn * 4096)), 4096);
        ck_assert_int_eq(memcmp(x, y, sizeof x), 0);
    }
}

static void same_guest(const struct cv_image *a, const struct cv_image *b)
{
    ck_assert_int_eq(memcmp(a->uuid, b->uuid, 16), 0);
    ck_assert_str_eq(a->guest_json, b->guest_json);
    ck_assert_str_eq(a->layout_json, b->layout_json);
    ck_assert_int_eq(memcmp(&a->vcpus, &b->vcpus, sizeof a->vcpus), 0);
    ck_assert_int_eq(memcmp(&a->tsc, &b->tsc, sizeof a->tsc), 0);
    same_buf(&a->cpu_policy, &b->cpu_policy);
    same_buf(&a->hvm_context, &b->hvm_context);
    same_buf(&a->hvm_params, &b->hvm_params);
    same_buf(&a->xenstore, &b->xenstore);
    same_buf(&a->states[0].blob, &b->states[0].blob);
}

START_TEST(there_and_back_is_the_same_guest)
{
    static const struct guest_image_options kinds[] = { { .seed = 1 },
                                                        { .seed = 2, .passes = 3 },
                                                        { .seed = 3, .nic_roms = true },
                                                        { .seed = 4, .no_policy = true, .no_nodes = true } };
    CV_AUTO_BUF first = { 0 }, xl = { 0 }, second = { 0 }, again = { 0 };
    struct memory ma = { 0 }, mb = { 0 };

    guest_image(&first, &kinds[_i]);
    ck_assert_msg(convert(cv_convert_to_xl, &first, &xl) == 0, "%s", err.text);
    ck_assert_msg(convert(cv_convert_from_xl, &xl, &second) == 0, "%s", err.text);
    struct cv_image *a = look(&first, &ma), *b = look(&second, &mb);
    same_guest(a, b);
    same_memory(a, ma.fd, b, mb.fd);
    /* And xl's file once more: now nothing changes but the configuration's text, which is no longer a person's. */
    ck_assert_msg(convert(cv_convert_to_xl, &second, &again) == 0, "%s", err.text);
    same_buf(&xl, &again);
    cv_image_dispose(a);
    cv_image_dispose(b);
    free(a);
    free(b);
    close(ma.fd);
    close(mb.fd);
}
END_TEST

/* ---- to xl: refusals ---- */

#define ONE "type=\"hvm\"\nname=\"g\"\nuuid=\"01234567-89ab-cdef-0123-456789abcdef\"\nmemory=32\n"
static const struct {
    const char *config, *text;
} refused[] = {
    { guest_image_config3, "record 2 LAYOUT at offset " },
    { ONE "disk=[\"format=raw,vdev=hda,access=rw,model=virtio-blk,target=/dev/x\"]\n",
      "disk hda is on virtio-blk, which xl does not know" },
    { ONE "device_models=[\"name=default,default=1,device=edu\"]\n", "devices of its own" },
    { ONE "vga=\"none\"\n", "without a VGA card" },
    { ONE "usbversion=2\n", "usbversion" },
    { ONE "xen_platform_pci=0\n", "without the platform device" },
    { ONE "memory=3832\n", "they would reach into the PCI hole" },
};

START_TEST(what_xl_cannot_hold_is_refused)
{
    CV_AUTO_BUF in = { 0 }, out = { 0 };

    if (_i == 6)
        guest_image(
            &in,
            &(struct guest_image_options){
                .config = "type=\"hvm\"\nname=\"g\"\nuuid=\"01234567-89ab-cdef-0123-456789abcdef\"\nmemory=3845\n" });
    else
        guest_image(&in, &(struct guest_image_options){ .config = refused[_i].config });
    ck_assert_int_eq(convert(cv_convert_to_xl, &in, &out), -1);
    ck_assert_msg(err.code == CV_E_UNSUPPORTED, "%s", err.text);
    ck_assert_msg(strstr(err.text, refused[_i].text) != NULL, "'%s', not '%s'", err.text, refused[_i].text);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(a_damaged_image_gives_no_whole_file)
{
    CV_AUTO_BUF in = { 0 }, out = { 0 }, good = { 0 };

    guest_image(&in, &(struct guest_image_options){ .seed = 1 });
    ck_assert_int_eq(convert(cv_convert_to_xl, &in, &good), 0);
    for (size_t cut = 1; cut < 200; cut += 13) {
        struct cv_buf part = { .data = in.data, .len = in.len - cut };
        ck_assert_int_eq(convert(cv_convert_to_xl, &part, &out), -1);
        ck_assert_int_eq(err.code, CV_E_STREAM);
        ck_assert(out.len < good.len);
    }
}
END_TEST

/* ---- from xl: hostile files ---- */

static void xl_file(struct cv_buf *out)
{
    CV_AUTO_BUF image = { 0 };

    guest_image(&image, &(struct guest_image_options){ .seed = 5 });
    ck_assert_msg(convert(cv_convert_to_xl, &image, out) == 0, "%s", err.text);
}

/* Offset of the n-th record of a type; libxl's and libxc's do not share the numbers used here. */
static size_t find(const struct cv_buf *b, uint32_t type, unsigned nth)
{
    size_t at = CV_XL_HEADER_SIZE + cv_load32(b->data + 44) + CV_LIBXL_HEADER_SIZE;
    bool libxc = false;

    for (;;) {
        uint32_t t = cv_load32(b->data + at), len = cv_load32(b->data + at + 4);
        if (t + (libxc ? 0 : 0x100) == type && nth-- == 0)
            return at;
        ck_assert(at + 8 + len <= b->len);
        at += 8 + ((size_t)len + 7) / 8 * 8;
        if (!libxc && t == CV_LIBXL_LIBXC_CONTEXT) {
            at += CV_LIBXC_IMAGE_HEADER + CV_LIBXC_DOMAIN_HEADER;
            libxc = true;
        } else if (libxc && t == CV_LIBXC_END) {
            libxc = false;
        }
    }
}
#define LIBXL(t) (0x100 + (t))

static size_t record_size(const struct cv_buf *b, size_t at)
{
    return 8 + ((size_t)cv_load32(b->data + at + 4) + 7) / 8 * 8;
}

static void cut_out(struct cv_buf *b, size_t at, size_t len)
{
    memmove(b->data + at, b->data + at + len, b->len - at - len);
    b->len -= len;
}

static void put_in(struct cv_buf *b, size_t at, const void *data, size_t len)
{
    uint8_t *copy = malloc(len);
    memcpy(copy, data, len);
    ck_assert_int_eq(cv_buf_reserve(b, len, &err), 0);
    memmove(b->data + at + len, b->data + at, b->len - at);
    memcpy(b->data + at, copy, len);
    b->len += len;
    free(copy);
}

static void drop(struct cv_buf *b, uint32_t type)
{
    size_t at = find(b, type, 0);
    cut_out(b, at, record_size(b, at));
}

static void twice(struct cv_buf *b, uint32_t type)
{
    size_t at = find(b, type, 0);
    put_in(b, at, b->data + at, record_size(b, at));
}

static void config_edit(struct cv_buf *b, const char *from, const char *to)
{
    char *at = memmem(b->data, b->len, from, strlen(from));
    ck_assert_ptr_nonnull(at);
    ck_assert_uint_eq(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

static void magic(struct cv_buf *b) { b->data[3] ^= 1; }
static void byteorder(struct cv_buf *b) { memcpy(b->data + 32, "\1\2\3\4", 4); }
static void flag(struct cv_buf *b) { b->data[36] |= 4; }
static void no_json(struct cv_buf *b) { b->data[36] = 2; }
static void optional_flag(struct cv_buf *b) { b->data[40] = 1; }
static void config_huge(struct cv_buf *b) { cv_store32(b->data + 44, 0xffffffffu); }
static void config_beyond(struct cv_buf *b) { cv_store32(b->data + 48, cv_load32(b->data + 44)); }
static void config_zero(struct cv_buf *b) { cv_store32(b->data + 48, 0); }
static void config_no_json(struct cv_buf *b) { b->data[52] = 'x'; }
static void libxl_ident(struct cv_buf *b) { b->data[find(b, LIBXL(1), 0) - 16] ^= 1; }
static void libxl_version(struct cv_buf *b) { b->data[find(b, LIBXL(1), 0) - 5] = 3; }
static void libxl_endian(struct cv_buf *b) { b->data[find(b, LIBXL(1), 0) - 1] = 1; }
static void libxc_marker(struct cv_buf *b) { b->data[find(b, LIBXL(1), 0) + 8] = 0; }
static void libxc_version(struct cv_buf *b) { b->data[find(b, LIBXL(1), 0) + 8 + 15] = 4; }
static void libxc_pv(struct cv_buf *b) { b->data[find(b, LIBXL(1), 0) + 8 + 24] = 1; }
static void libxc_shift(struct cv_buf *b) { b->data[find(b, LIBXL(1), 0) + 8 + 28] = 13; }
static void xen_zero(struct cv_buf *b) { b->data[find(b, LIBXL(1), 0) + 8 + 32] = 0; }
static void length_wraps(struct cv_buf *b) { cv_store32(b->data + find(b, LIBXL(3), 0) + 4, 0xfffffff9u); }
static void length_of_pages(struct cv_buf *b) { cv_store32(b->data + find(b, CV_LIBXC_PAGE_DATA, 0) + 4, 0x7fffffffu); }
static void length_of_end(struct cv_buf *b) { cv_store32(b->data + find(b, CV_LIBXC_END, 0) + 4, 8); }
static void unknown_mandatory(struct cv_buf *b) { cv_store32(b->data + find(b, CV_LIBXC_TSC_INFO, 0), 0x77); }
static void unknown_libxl(struct cv_buf *b) { cv_store32(b->data + find(b, LIBXL(2), 0), 0x80000077u); }
static void pages_zero(struct cv_buf *b) { cv_store32(b->data + find(b, CV_LIBXC_PAGE_DATA, 0) + 8, 0); }
static void pages_many(struct cv_buf *b) { cv_store32(b->data + find(b, CV_LIBXC_PAGE_DATA, 0) + 8, 0x20000001u); }
static void page_type_pv(struct cv_buf *b) { b->data[find(b, CV_LIBXC_PAGE_DATA, 0) + 16 + 7] = 0x10; }
static void page_beyond(struct cv_buf *b) { b->data[find(b, CV_LIBXC_PAGE_DATA, 0) + 16 + 4] = 1; }
static void no_static_end(struct cv_buf *b) { drop(b, CV_LIBXC_STATIC_DATA_END); }
static void static_end_twice(struct cv_buf *b) { twice(b, CV_LIBXC_STATIC_DATA_END); }
static void no_tsc(struct cv_buf *b) { drop(b, CV_LIBXC_TSC_INFO); }
static void no_context(struct cv_buf *b) { drop(b, CV_LIBXC_HVM_CONTEXT); }
static void no_params(struct cv_buf *b) { drop(b, CV_LIBXC_HVM_PARAMS); }
static void context_twice(struct cv_buf *b) { twice(b, CV_LIBXC_HVM_CONTEXT); }
static void params_count(struct cv_buf *b) { cv_store32(b->data + find(b, CV_LIBXC_HVM_PARAMS, 0) + 8, 0x10000001u); }
static void policy_late(struct cv_buf *b)
{
    uint8_t r[32] = { CV_LIBXC_CPUID_POLICY, 0, 0, 0, 24 };
    put_in(b, find(b, CV_LIBXC_PAGE_DATA, 0), r, sizeof r);
}
static void policy_again(struct cv_buf *b) { twice(b, CV_LIBXC_MSR_POLICY); }
static void policy_odd(struct cv_buf *b)
{
    size_t at = find(b, CV_LIBXC_CPUID_POLICY, 0);
    cv_store32(b->data + at + 4, cv_load32(b->data + at + 4) - 8);
    cut_out(b, at + 16, 8);
}
static void policy_same_leaf(struct cv_buf *b)
{
    size_t at = find(b, CV_LIBXC_CPUID_POLICY, 0);
    memcpy(b->data + at + 8, b->data + at + 32, 8);
}
static void pages_late(struct cv_buf *b)
{
    size_t at = find(b, CV_LIBXC_PAGE_DATA, 0);
    CV_AUTO_BUF copy = { 0 };
    ck_assert_int_eq(cv_buf_append(&copy, b->data + at, record_size(b, at), &err), 0);
    put_in(b, find(b, CV_LIBXC_HVM_CONTEXT, 0), copy.data, copy.len);
}
static void no_emulator(struct cv_buf *b) { drop(b, LIBXL(3)); }
static void second_emulator(struct cv_buf *b) { twice(b, LIBXL(3)); }
static void emulator_index(struct cv_buf *b) { b->data[find(b, LIBXL(3), 0) + 12] = 1; }
static void emulator_traditional(struct cv_buf *b) { b->data[find(b, LIBXL(3), 0) + 8] = 1; }
static void emulator_no_qemu(struct cv_buf *b) { b->data[find(b, LIBXL(3), 0) + 16] = 'X'; }
static void nodes_unpaired(struct cv_buf *b) { b->data[find(b, LIBXL(2), 0) + 16 + 21] = 'x'; }
static void checkpoint(struct cv_buf *b)
{
    uint8_t r[8] = { CV_LIBXL_CHECKPOINT_END };
    put_in(b, find(b, LIBXL(2), 0), r, sizeof r);
}
static void verify_record(struct cv_buf *b)
{
    uint8_t r[8] = { CV_LIBXC_VERIFY };
    put_in(b, find(b, CV_LIBXC_TSC_INFO, 0), r, sizeof r);
}
static void context_first(struct cv_buf *b)
{
    size_t at = find(b, LIBXL(1), 0);
    uint8_t r[16] = { 3, 0, 0, 0, 8 };
    r[4] = 16;
    put_in(b, at, r, 16);
}
static void trailing(struct cv_buf *b) { ck_assert_int_eq(cv_buf_put_u8(b, 0, &err), 0); }
static void no_hvm(struct cv_buf *b) { config_edit(b, "\"type\": \"hvm\"", "\"type\": \"pvh\""); }
static void unplugged(struct cv_buf *b)
{
    char *at = memmem(b->data, b->len, "0000:00:04.0/e1000", 18);
    memcpy(at, "0000:00:09.0/e1000", 18);
}
static void unknown_member(struct cv_buf *b) { config_edit(b, "\"on_watchdog\"", "\"on_watchcat\""); }

static const struct {
    void (*change)(struct cv_buf *b);
    enum cv_code code;
    const char *text;
} hostile[] = {
    { magic, CV_E_STREAM, "header: no save file of xl" },
    { byteorder, CV_E_UNSUPPORTED, "byte order" },
    { flag, CV_E_STREAM_VERSION, "mandatory flags" },
    { no_json, CV_E_UNSUPPORTED, "before Xen 4.6" },
    { optional_flag, CV_E_STREAM_VERSION, "optional flags" },
    { config_huge, CV_E_STREAM, "optional data of 4294967295" },
    { config_beyond, CV_E_STREAM, "a configuration of" },
    { config_zero, CV_E_STREAM, "a configuration of" },
    { config_no_json, CV_E_STREAM, "configuration: no JSON" },
    { libxl_ident, CV_E_STREAM, "libxl's stream does not begin" },
    { libxl_version, CV_E_STREAM_VERSION, "libxl's stream has version" },
    { libxl_endian, CV_E_UNSUPPORTED, "options 0x1" },
    { libxc_marker, CV_E_STREAM, "libxc's stream does not begin" },
    { libxc_version, CV_E_STREAM_VERSION, "libxc's stream has version" },
    { libxc_pv, CV_E_UNSUPPORTED, "not an HVM guest" },
    { libxc_shift, CV_E_STREAM, "pages of 2^13" },
    { xen_zero, CV_E_UNSUPPORTED, "Xen 4.4" },
    { length_wraps, CV_E_STREAM, "EMULATOR_CONTEXT of libxl" },
    { length_of_pages, CV_E_STREAM, "PAGE_DATA of libxc" },
    { length_of_end, CV_E_STREAM, "END of libxc" },
    { unknown_mandatory, CV_E_STREAM_VERSION, "type 0x77" },
    { unknown_libxl, CV_E_STREAM_VERSION, "type 0x80000077" },
    { pages_zero, CV_E_STREAM, "0 pages" },
    { pages_many, CV_E_STREAM, "536870913 pages" },
    { page_type_pv, CV_E_UNSUPPORTED, "page type 1" },
    { page_beyond, CV_E_STREAM, "behind the end" },
    { no_static_end, CV_E_STREAM, "before STATIC_DATA_END" },
    { static_end_twice, CV_E_STREAM, "a second one" },
    { no_tsc, CV_E_STREAM, "X86_TSC_INFO is missing" },
    { no_context, CV_E_STREAM, "HVM_CONTEXT is missing" },
    { no_params, CV_E_STREAM, "HVM_PARAMS is missing" },
    { context_twice, CV_E_STREAM, "a second one" },
    { params_count, CV_E_STREAM, "parameters in" },
    { policy_late, CV_E_STREAM, "behind STATIC_DATA_END" },
    { policy_again, CV_E_STREAM, "a second one" },
    { policy_odd, CV_E_STREAM, "not whole entries" },
    { policy_same_leaf, CV_E_STREAM, "CPU policy" },
    { pages_late, CV_E_STREAM, "behind the state" },
    { no_emulator, CV_E_STREAM, "the emulator's state is missing" },
    { second_emulator, CV_E_UNSUPPORTED, "a second emulator" },
    { emulator_index, CV_E_UNSUPPORTED, "emulator index 1" },
    { emulator_traditional, CV_E_UNSUPPORTED, "not upstream QEMU" },
    { emulator_no_qemu, CV_E_EMULATOR, "EMULATOR_CONTEXT" },
    { nodes_unpaired, CV_E_STREAM, "EMULATOR_XENSTORE_DATA" },
    { checkpoint, CV_E_UNSUPPORTED, "checkpoints" },
    { verify_record, CV_E_UNSUPPORTED, "--debug" },
    { context_first, CV_E_STREAM, "before LIBXC_CONTEXT" },
    { trailing, CV_E_STREAM, "bytes follow" },
    { no_hvm, CV_E_UNSUPPORTED, "c_info.type" },
    { unknown_member, CV_E_UNSUPPORTED, "on_watchcat: is unknown here" },
};

/* A guest with PV drivers has unplugged its emulated card: the state says nothing of it, and xl's devices are in the
 * image, in xl's words. */
START_TEST(an_unplugged_card_is_no_fault)
{
    CV_AUTO_BUF b = { 0 }, out = { 0 };

    xl_file(&b);
    unplugged(&b);
    ck_assert_msg(convert(cv_convert_from_xl, &b, &out) == 0, "%s", err.text);
    ck_assert_ptr_nonnull(memmem(out.data, out.len, "\"nictype\"", 9));
}
END_TEST

START_TEST(hostile_files_are_refused)
{
    CV_AUTO_BUF b = { 0 }, out = { 0 };

    xl_file(&b);
    hostile[_i].change(&b);
    ck_assert_int_eq(convert(cv_convert_from_xl, &b, &out), -1);
    ck_assert_msg(err.code == hostile[_i].code, "%s: %s", cv_code_name(err.code), err.text);
    ck_assert_msg(strstr(err.text, hostile[_i].text) != NULL, "'%s', not '%s'", err.text, hostile[_i].text);
}
END_TEST

START_TEST(every_cut_is_found)
{
    CV_AUTO_BUF b = { 0 }, out = { 0 };

    xl_file(&b);
    for (size_t len = 0; len < b.len; len += len < 6000 ? 37 : len + 3000 > b.len ? 29 : 65537) {
        struct cv_buf cut = { .data = b.data, .len = len };
        ck_assert_int_eq(convert(cv_convert_from_xl, &cut, &out), -1);
        ck_assert_msg(err.code == CV_E_STREAM, "%zu: %s: %s", len, cv_code_name(err.code), err.text);
        ck_assert_msg(strstr(err.text, "truncated") != NULL, "%zu: %s", len, err.text);
    }
}
END_TEST

/* What Xen's own tools have written at times, and is right. */
static void no_policy(struct cv_buf *b)
{
    drop(b, CV_LIBXC_CPUID_POLICY);
    drop(b, CV_LIBXC_MSR_POLICY);
}
static void version2(struct cv_buf *b)
{
    b->data[find(b, LIBXL(1), 0) + 8 + 15] = 2;
    no_static_end(b);
    no_policy(b);
}
static void no_nodes(struct cv_buf *b) { drop(b, LIBXL(2)); }
static void params_before_context(struct cv_buf *b)
{
    size_t at = find(b, CV_LIBXC_HVM_PARAMS, 0), len = record_size(b, at);
    CV_AUTO_BUF copy = { 0 };
    ck_assert_int_eq(cv_buf_append(&copy, b->data + at, len, &err), 0);
    cut_out(b, at, len);
    put_in(b, find(b, CV_LIBXC_HVM_CONTEXT, 0), copy.data, copy.len);
}
static void empty_params(struct cv_buf *b)
{
    uint8_t r[16] = { CV_LIBXC_HVM_PARAMS, 0, 0, 0, 8 };
    put_in(b, find(b, CV_LIBXC_HVM_PARAMS, 0), r, sizeof r);
}
static void optional_record(struct cv_buf *b)
{
    uint8_t r[24] = { 0x55, 0, 0, 0x80, 13 };
    put_in(b, find(b, CV_LIBXC_PAGE_DATA, 0), r, sizeof r);
}
static void pages_again(struct cv_buf *b) { twice(b, CV_LIBXC_PAGE_DATA); }

static void (*const harmless[])(struct cv_buf *b) = { no_policy,    version2,        no_nodes,   params_before_context,
                                                      empty_params, optional_record, pages_again };

START_TEST(what_xen_has_written_is_taken)
{
    CV_AUTO_BUF b = { 0 }, out = { 0 };
    struct memory m = { 0 };

    xl_file(&b);
    harmless[_i](&b);
    ck_assert_msg(convert(cv_convert_from_xl, &b, &out) == 0, "%s", err.text);
    struct cv_image *img = look(&out, &m);
    if (harmless[_i] == pages_again)
        ck_assert_uint_eq(img->pass_count, 2);
    cv_image_dispose(img);
    free(img);
    close(m.fd);
}
END_TEST

START_TEST(the_other_kind_is_told)
{
    CV_AUTO_BUF image = { 0 }, xl = { 0 }, out = { 0 };

    guest_image(&image, &(struct guest_image_options){ .seed = 1 });
    xl_file(&xl);
    ck_assert_int_eq(convert(cv_convert_from_xl, &image, &out), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "convoy image already"));
    ck_assert_int_eq(convert(cv_convert_to_xl, &xl, &out), -1);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "a save file of xl"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("convert");
    TCase *t = tcase_create("convert");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, there_and_back_is_the_same_guest, 0, 4);
    tcase_add_loop_test(t, what_xl_cannot_hold_is_refused, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(t, a_damaged_image_gives_no_whole_file);
    tcase_add_test(t, an_unplugged_card_is_no_fault);
    tcase_add_loop_test(t, hostile_files_are_refused, 0, (int)(sizeof hostile / sizeof *hostile));
    tcase_add_test(t, every_cut_is_found);
    tcase_add_loop_test(t, what_xen_has_written_is_taken, 0, (int)(sizeof harmless / sizeof *harmless));
    tcase_add_test(t, the_other_kind_is_told);
    suite_add_tcase(s, t);
    return run_suite(s);
}
