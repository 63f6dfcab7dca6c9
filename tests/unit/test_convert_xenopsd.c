/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenopsd's suspend image: there and back again, as xenopsd would walk it, and hostile ones. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/fd.h"
#include "convert/convert.h"
#include "convert/xenops_record.h"
#include "convert/xenopsd_format.h"
#include "convert/xl_format.h"
#include "stream-format/bodies.h"
#include "stream-format/state_file.h"
#include "stream-format/stream.h"
#include "tests/support/guest_image.h"

static struct cv_error err;

static void setup(void) { err = (struct cv_error)CV_ERROR_INIT; }

static const struct cv_convert_options options = {
    .mem = { .threads = 0, .codec = CV_CODEC_ZSTD, .level = 1 },
    .version = "test",
    .time = 1700000000,
    .stream_id = (const uint8_t *)"0123456789abcdef",
};

typedef int conversion(int in_fd, int out_fd, const struct cv_convert_options *opt, struct cv_error *e);

static int run(conversion *f, const struct cv_buf *in, struct cv_buf *out)
{
    CV_AUTO_FD from = guest_image_fd(in->data, in->len), to = memfd_create("out", MFD_CLOEXEC);
    int rc = f(from, to, &options, &err);

    out->len = 0;
    guest_image_slurp(to, out);
    return rc;
}

/* ---- there and back ---- */

static bool is_memory(uint32_t type)
{
    return type == CV_REC_PAGES || type == CV_REC_PASS_END || type == CV_REC_END || type == CV_REC_INDEX;
}

/* The next record that is not memory's; false: the end. */
static bool next_other(struct cv_reader *r, struct cv_record *rec)
{
    int n;

    do
        n = cv_reader_next(r, rec, &err);
    while (n > 0 && is_memory(rec->raw_type));
    ck_assert_msg(n >= 0, "%s", err.text);
    return n > 0;
}

static void same_but_memory(const struct cv_buf *a, const struct cv_buf *b)
{
    const struct cv_reader_options ro = { 0 };
    CV_AUTO_RECORD x = { 0 }, y = { 0 };
    struct cv_reader *ra, *rb;
    unsigned count = 0;

    ck_assert_int_eq(cv_reader_new_memory(&ra, a->data, a->len, &ro, &err), 0);
    ck_assert_int_eq(cv_reader_new_memory(&rb, b->data, b->len, &ro, &err), 0);
    while (next_other(ra, &x)) {
        ck_assert(next_other(rb, &y));
        ck_assert_uint_eq(x.raw_type, y.raw_type);
        ck_assert_uint_eq(x.body.len, y.body.len);
        ck_assert_int_eq(memcmp(x.body.data, y.body.data, x.body.len), 0);
        count++;
    }
    ck_assert(!next_other(rb, &y));
    ck_assert_uint_gt(count, 8);
    cv_reader_free(ra);
    cv_reader_free(rb);
}

static const struct guest_image_options kinds[] = {
    { .seed = 1 },
    { .seed = 2, .passes = 3 },
    { .seed = 3, .no_policy = true, .no_nodes = true },
    { .seed = 4, .config = guest_image_config3 },
    { .seed = 5, .config = guest_image_config3, .passes = 2, .no_nodes = true },
};

START_TEST(there_and_back_nothing_is_lost)
{
    CV_AUTO_BUF first = { 0 }, xenopsd = { 0 }, second = { 0 }, again = { 0 };

    guest_image(&first, &kinds[_i]);
    ck_assert_msg(run(cv_convert_to_xenopsd, &first, &xenopsd) == 0, "%s", err.text);
    ck_assert_msg(run(cv_convert_from_xenopsd, &xenopsd, &second) == 0, "%s", err.text);
    same_but_memory(&first, &second);
    /* Memory is in it as well, page by page. */
    ck_assert_msg(run(cv_convert_to_xenopsd, &second, &again) == 0, "%s", err.text);
    ck_assert_uint_eq(xenopsd.len, again.len);
    ck_assert_int_eq(memcmp(xenopsd.data, again.data, again.len), 0);
}
END_TEST

/* ---- as xenopsd walks it ---- */

struct seen {
    uint64_t type, len;
    size_t at; /* of the header */
};

/* The next header behind libxc's stream, which begins at at. */
static size_t behind_libxc(const struct cv_buf *b, size_t at)
{
    uint32_t type;

    at += CV_LIBXC_IMAGE_HEADER + CV_LIBXC_DOMAIN_HEADER;
    do {
        ck_assert_uint_le(at + 8, b->len);
        type = cv_load32(b->data + at);
        at += 8 + ((size_t)cv_load32(b->data + at + 4) + 7) / 8 * 8;
    } while (type != CV_LIBXC_END);
    return at;
}

static unsigned walk(const struct cv_buf *b, struct seen seen[16])
{
    size_t at = CV_XENOPSD_SIGNATURE_SIZE;

    ck_assert_int_eq(memcmp(b->data, "XenSavedDomv2-\n", 15), 0);
    for (unsigned n = 0; n < 16; n++) {
        ck_assert_uint_le(at + 16, b->len);
        seen[n] = (struct seen){ cv_load64(b->data + at), cv_load64(b->data + at + 8), at };
        at += 16;
        if (seen[n].type == 0xffff) {
            ck_assert_uint_eq(at, b->len);
            return n + 1;
        }
        at = seen[n].type == 0x00f0 ? behind_libxc(b, at) : at + seen[n].len;
    }
    ck_abort_msg("too many headers");
}

START_TEST(xenopsd_finds_its_records)
{
    static const uint64_t order[] = { 0x000f, 0x00f0, 0x000f, 0x0f00, 0xffff };
    static const char begins[] = "((time 2023-11-14T22:13:20Z)(word_size 64)(xs_subtree((convoy/HOST \"";
    CV_AUTO_BUF image = { 0 }, b = { 0 };
    struct seen seen[16];

    guest_image(&image, &(struct guest_image_options){ .seed = 1, .config = _i ? guest_image_config3 : NULL });
    ck_assert_msg(run(cv_convert_to_xenopsd, &image, &b) == 0, "%s", err.text);
    ck_assert_uint_eq(walk(&b, seen), 5);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_uint_eq(seen[i].type, order[i]);
    ck_assert_uint_eq(seen[1].len, 0);
    ck_assert_uint_eq(seen[4].len, 0);
    ck_assert_int_eq(memcmp(b.data + seen[0].at + 16, begins, sizeof begins - 1), 0);
    /* One QEMU's state is QEMU's; that of several is what convoy-dm takes. */
    ck_assert_int_eq(memcmp(b.data + seen[3].at + 16,
                            _i ? "\x89"
                                 "CVY"
                               : "QEVM",
                            4),
                     0);
}
END_TEST

/* ---- S-expressions ---- */

static int collect(void *user, const char *key, struct cv_buf *value, struct cv_error *e)
{
    struct cv_buf *all = user;

    if (cv_buf_append(all, key, strlen(key), e) < 0 || cv_buf_put_u8(all, '=', e) < 0 ||
        (value->len > 0 && cv_buf_append(all, value->data, value->len, e) < 0))
        return -1;
    return cv_buf_put_u8(all, ';', e);
}

static const struct {
    const char *text, *pairs; /* NULL: refused */
} words[] = {
    { "((time 20260801T10:11:12Z)(word_size 64)(vm_str\"((id \\\"x\\\")(a(b c)))\")(xs_subtree()))", "" },
    { "((time\"a b\")(word_size 64))", "" },
    { "( (xs_subtree ( (k v) (\"k 2\" \"\\065\\n\\\"\\\\\")\n) ) )", "k=v;k 2=A\n\"\\;" },
    { "((xs_subtree((k\"\"))))", "k=;" },
    { "((unknown(deep((deeper))x))(xs_subtree((a b))))", "a=b;" },
    { "((xs_subtree((a b)))", NULL },
    { "((xs_subtree((a b))))x", NULL },
    { "((xs_subtree((a))))", NULL },
    { "((xs_subtree((a b c))))", NULL },
    { "((xs_subtree a))", NULL },
    { "((xs_subtree((a \"\\256\"))))", NULL },
    { "((xs_subtree((a \"\\q\"))))", NULL },
    { "((xs_subtree((a \"b))))", NULL },
    { "((xs_subtree((\"a\\000\" b))))", NULL },
    { "((a ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((", NULL },
    { "x", NULL },
    { "", NULL },
    { "()()", NULL },
};

START_TEST(s_expressions)
{
    CV_AUTO_BUF all = { 0 };
    int rc = cv_xenops_decode(words[_i].text, strlen(words[_i].text), collect, &all, &err);

    if (words[_i].pairs == NULL) {
        ck_assert_int_eq(rc, -1);
        ck_assert_int_eq(err.code, CV_E_STREAM);
        return;
    }
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_uint_eq(all.len, strlen(words[_i].pairs));
    ck_assert(all.len == 0 || memcmp(all.data, words[_i].pairs, all.len) == 0);
}
END_TEST

START_TEST(every_byte_goes_through)
{
    CV_AUTO_BUF value = { 0 }, text = { 0 }, all = { 0 };
    const struct cv_xenops_pair pair = { "k", &value };

    for (unsigned i = 0; i < 256; i++)
        ck_assert_int_eq(cv_buf_put_u8(&value, (uint8_t)i, &err), 0);
    ck_assert_int_eq(cv_xenops_encode(0, &pair, 1, &text, &err), 0);
    for (size_t i = 0; i < text.len; i++)
        ck_assert(text.data[i] >= 0x20 && text.data[i] < 0x7f);
    ck_assert_msg(cv_xenops_decode(text.data, text.len, collect, &all, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(all.len, 2 + 256 + 1);
    ck_assert_int_eq(memcmp(all.data + 2, value.data, 256), 0);
}
END_TEST

/* ---- hostile images ---- */

static void xenopsd_image(struct cv_buf *out, const char *config)
{
    CV_AUTO_BUF image = { 0 };

    guest_image(&image, &(struct guest_image_options){ .seed = 5, .config = config });
    ck_assert_msg(run(cv_convert_to_xenopsd, &image, out) == 0, "%s", err.text);
}

static size_t header(const struct cv_buf *b, unsigned n)
{
    struct seen seen[16];

    ck_assert_uint_lt(n, walk(b, seen));
    return seen[n].at;
}

static void insert(struct cv_buf *b, size_t at, const void *data, size_t len)
{
    CV_AUTO_BUF tail = { 0 };

    ck_assert_int_eq(cv_buf_append(&tail, b->data + at, b->len - at, &err), 0);
    b->len = at;
    ck_assert_int_eq(cv_buf_append(b, data, len, &err), 0);
    ck_assert_int_eq(cv_buf_append(b, tail.data, tail.len, &err), 0);
}

/* A header of this type and length in front of header n. */
static void add(struct cv_buf *b, unsigned n, uint64_t type, uint64_t len)
{
    uint8_t h[16];

    cv_store64(h, type);
    cv_store64(h + 8, len);
    insert(b, header(b, n), h, sizeof h);
}

static void rename_key(struct cv_buf *b, const char *from, const char *to)
{
    char *at = memmem(b->data, b->len, from, strlen(from));

    ck_assert_ptr_nonnull(at);
    memcpy(at, to, strlen(to));
}

static void signature(struct cv_buf *b) { b->data[3] ^= 1; }
static void legacy(struct cv_buf *b) { memcpy(b->data, CV_XENOPSD_LEGACY, 15); }
static void unknown(struct cv_buf *b) { add(b, 3, 0x0f20, 0); }
static void unknown_high(struct cv_buf *b) { add(b, 3, 0x10000000fu, 0); }
static void vgpu(struct cv_buf *b) { add(b, 3, CV_XENOPSD_DEMU, 0); }
static void uefi(struct cv_buf *b) { add(b, 3, CV_XENOPSD_VARSTORED, 7); }
static void tpm(struct cv_buf *b) { add(b, 3, CV_XENOPSD_SWTPM, 7); }
static void libxl(struct cv_buf *b) { add(b, 3, CV_XENOPSD_LIBXL, 7); }
static void libxc_twice(struct cv_buf *b) { add(b, 3, CV_XENOPSD_LIBXC, 0); }
static void qemu_early(struct cv_buf *b) { add(b, 0, CV_XENOPSD_QEMU, 4); }
static void qemu_long(struct cv_buf *b) { cv_store64(b->data + header(b, 3) + 8, CV_XENOPSD_QEMU_MAX + 1); }
static void qemu_longer(struct cv_buf *b) { cv_store64(b->data + header(b, 3) + 8, UINT64_C(0x100000004)); }
static void no_qemu(struct cv_buf *b)
{
    size_t at = header(b, 3);
    b->len = at;
    insert(b, at, "\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}
static void qemu_twice(struct cv_buf *b) { add(b, 4, CV_XENOPSD_QEMU, 5); }
static void no_layout(struct cv_buf *b) { rename_key(b, "convoy/LAYOUT", "convoy/LAYOUX"); }
static void host_twice(struct cv_buf *b) { rename_key(b, "convoy/VCPUS", "convoy/HOST "); }
static void sexp(struct cv_buf *b) { b->data[header(b, 0) + 16] = 'x'; }
static void guest_json(struct cv_buf *b)
{
    uint8_t *at = memmem(b->data, b->len, "convoy/GUEST", 12);
    *(uint8_t *)memchr(at, '{', 4096) = '[';
}
static void layout_body(struct cv_buf *b) { rename_key(b, "convoy/LAYOUT \"", "convoy/LAYOUT \"x"); }
static void pages_beyond(struct cv_buf *b)
{
    size_t at = header(b, 1) + 16 + CV_LIBXC_IMAGE_HEADER + CV_LIBXC_DOMAIN_HEADER;
    while (cv_load32(b->data + at) != CV_LIBXC_PAGE_DATA)
        at += 8 + ((size_t)cv_load32(b->data + at + 4) + 7) / 8 * 8;
    b->data[at + 16 + 4] = 1;
}
static void nodes(struct cv_buf *b)
{
    uint8_t *at = memmem(b->data, b->len, "convoy/XENSTORE \"", 17);
    memcpy(at + 17, "\\255\\255", 8);
}
static void state(struct cv_buf *b) { b->data[header(b, 3) + 16] ^= 1; }
static void state_inside(struct cv_buf *b) { b->data[header(b, 4) - 200] ^= 1; }

static const struct {
    void (*change)(struct cv_buf *b);
    bool several;
    enum cv_code code;
    const char *text;
} hostile[] = {
    { signature, false, CV_E_STREAM, "the signature differs" },
    { legacy, false, CV_E_UNSUPPORTED, "before 6.5" },
    { unknown, false, CV_E_STREAM_VERSION, "type 0xf20 is unknown" },
    { unknown_high, false, CV_E_STREAM_VERSION, "is unknown" },
    { vgpu, false, CV_E_UNSUPPORTED, "vGPU" },
    { uefi, false, CV_E_UNSUPPORTED, "UEFI" },
    { tpm, false, CV_E_UNSUPPORTED, "TPM" },
    { libxl, false, CV_E_UNSUPPORTED, "takes no such record" },
    { libxc_twice, false, CV_E_STREAM, "a second one" },
    { qemu_early, false, CV_E_STREAM, "before LIBXC" },
    { qemu_long, false, CV_E_STREAM, "length 1048577" },
    { qemu_longer, false, CV_E_STREAM, "length 4294967295" },
    { no_qemu, false, CV_E_STREAM, "the emulator's state is missing" },
    { qemu_twice, false, CV_E_STREAM, "a second one" },
    { no_layout, false, CV_E_UNSUPPORTED, "no convoy/LAYOUT" },
    { host_twice, false, CV_E_STREAM, "convoy/HOST a second time" },
    { sexp, false, CV_E_STREAM, "'(' is missing" },
    { guest_json, false, CV_E_STREAM, "" },
    { layout_body, false, CV_E_STREAM, "" },
    { pages_beyond, false, CV_E_STREAM, "behind the end" },
    { nodes, false, CV_E_STREAM, "XENSTORE" },
    { state, false, CV_E_EMULATOR, "QEMU" },
    { state, true, CV_E_STREAM, "the emulators' states" },
    { state_inside, true, CV_E_STREAM, "the emulators' states" },
};

START_TEST(hostile_images_are_refused)
{
    CV_AUTO_BUF b = { 0 }, out = { 0 };

    xenopsd_image(&b, hostile[_i].several ? guest_image_config3 : NULL);
    hostile[_i].change(&b);
    ck_assert_int_eq(run(cv_convert_from_xenopsd, &b, &out), -1);
    ck_assert_msg(err.code == hostile[_i].code, "%s: %s", cv_code_name(err.code), err.text);
    ck_assert_msg(strstr(err.text, hostile[_i].text) != NULL, "'%s', not '%s'", err.text, hostile[_i].text);
}
END_TEST

START_TEST(every_cut_is_found)
{
    CV_AUTO_BUF b = { 0 }, out = { 0 };

    xenopsd_image(&b, guest_image_config3);
    for (size_t len = 0; len < b.len; len += len < 6000 ? 37 : len + 3000 > b.len ? 29 : 65537) {
        struct cv_buf cut = { .data = b.data, .len = len };
        ck_assert_int_eq(run(cv_convert_from_xenopsd, &cut, &out), -1);
        ck_assert_msg(err.code == CV_E_STREAM && strstr(err.text, "truncated"), "%zu: %s: %s", len,
                      cv_code_name(err.code), err.text);
    }
}
END_TEST

/* XenServer's images lie on disks, which do not end where they do. */
START_TEST(what_is_behind_the_image_is_the_disks)
{
    CV_AUTO_BUF b = { 0 }, out = { 0 };

    xenopsd_image(&b, NULL);
    ck_assert_int_eq(cv_buf_append(&b, "old bytes", 9, &err), 0);
    ck_assert_msg(run(cv_convert_from_xenopsd, &b, &out) == 0, "%s", err.text);
}
END_TEST

/* The same image with a state that xenopsd would not take. */
static void fatten(const struct cv_buf *in, struct cv_buf *out)
{
    const struct cv_writer_options wo = { .stream_id = options.stream_id };
    const struct cv_reader_options ro = { 0 };
    CV_AUTO_FD fd = memfd_create("fat", MFD_CLOEXEC);
    CV_AUTO_RECORD rec = { 0 };
    struct cv_reader *r;
    struct cv_writer *w;

    ck_assert_int_eq(cv_reader_new_memory(&r, in->data, in->len, &ro, &err), 0);
    ck_assert_int_eq(cv_writer_new(&w, fd, &wo, &err), 0);
    while (cv_reader_next(r, &rec, &err) > 0 && rec.raw_type != CV_REC_END) {
        struct cv_rec_device_state s;
        CV_AUTO_BUF blob = { 0 };
        struct iovec iov = { rec.body.data, rec.body.len };
        if (rec.raw_type != CV_REC_DEVICE_STATE) {
            ck_assert_msg(cv_writer_put(w, rec.type, &iov, 1, &err) == 0, "%s", err.text);
            continue;
        }
        ck_assert_int_eq(cv_rec_device_state_decode(&s, rec.body.data, rec.body.len, &err), 0);
        ck_assert_int_eq(cv_buf_append(&blob, s.blob, s.blob_len, &err), 0);
        ck_assert_int_eq(cv_buf_reserve(&blob, 1 << 19, &err), 0);
        memset(blob.data + blob.len, 0, 1 << 19);
        ck_assert_int_eq(cv_writer_put_state(w, s.dmid, blob.data, blob.len + (1 << 19), &err), 0);
    }
    ck_assert_msg(cv_writer_finish(w, &err) == 0, "%s", err.text);
    cv_writer_free(w);
    cv_reader_free(r);
    guest_image_slurp(fd, out);
}

START_TEST(states_that_xenopsd_would_not_take_are_refused)
{
    CV_AUTO_BUF image = { 0 }, fat = { 0 }, out = { 0 };

    guest_image(&image, &(struct guest_image_options){ .seed = 1, .config = guest_image_config3 });
    fatten(&image, &fat);
    ck_assert_int_eq(run(cv_convert_to_xenopsd, &fat, &out), -1);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "xenopsd takes no more than 1048576") != NULL, "%s", err.text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("convert_xenopsd");
    TCase *t = tcase_create("convert_xenopsd");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, there_and_back_nothing_is_lost, 0, (int)(sizeof kinds / sizeof *kinds));
    tcase_add_loop_test(t, xenopsd_finds_its_records, 0, 2);
    tcase_add_loop_test(t, s_expressions, 0, (int)(sizeof words / sizeof *words));
    tcase_add_test(t, every_byte_goes_through);
    tcase_add_loop_test(t, hostile_images_are_refused, 0, (int)(sizeof hostile / sizeof *hostile));
    tcase_add_test(t, every_cut_is_found);
    tcase_add_test(t, what_is_behind_the_image_is_the_disks);
    tcase_add_test(t, states_that_xenopsd_would_not_take_are_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
