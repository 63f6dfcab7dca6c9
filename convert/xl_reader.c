/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert/xl_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "convert/xenopsd_format.h"

#define STEP (1u << 20) /* memory is taken in steps of this, when the bytes before have arrived */
#define MIB (1u << 20)

enum place { AT_LIBXL, IN_LIBXC, OVER };

struct cv_xl_reader {
    int fd;
    struct cv_cancel *cancel;
    uint64_t offset, number;
    char *config;
    size_t config_len;
    enum place place;
    bool xenopsd; /* its headers stand where libxl's records would */
    uint32_t libxc_version, xen_major, xen_minor;
    /* what was seen: each of these stands once, and in this order of phases */
    bool context_seen, static_end, pages_over;
    uint32_t libxc_seen, libxl_seen; /* bit = type */
    bool qemu_seen;                  /* of xenopsd's */
    bool pending_static_end;         /* an old stream: rec is held back behind the STATIC_DATA_END that is made up */
    struct cv_xl_record held;
};

/* ---- names and limits ---- */

struct rule {
    uint32_t type;
    const char *name;
    uint32_t min, max;
};

static const struct rule libxl_rules[] = {
    { CV_LIBXL_END, "END", 0, 0 },
    { CV_LIBXL_LIBXC_CONTEXT, "LIBXC_CONTEXT", 0, 0 },
    { CV_LIBXL_EMULATOR_XENSTORE, "EMULATOR_XENSTORE_DATA", CV_LIBXL_EMULATOR_HEAD, 4 * MIB },
    { CV_LIBXL_EMULATOR_CONTEXT, "EMULATOR_CONTEXT", CV_LIBXL_EMULATOR_HEAD + 1, CV_LIBXL_EMULATOR_HEAD + 64 * MIB },
    { CV_LIBXL_CHECKPOINT_END, "CHECKPOINT_END", 0, 0 },
    { CV_LIBXL_CHECKPOINT_STATE, "CHECKPOINT_STATE", 0, 64 },
};
/* clang-format off */
static const struct rule libxc_rules[] = {
    { CV_LIBXC_END, "END", 0, 0 },
    { CV_LIBXC_PAGE_DATA, "PAGE_DATA", 16, 8 + CV_LIBXC_BATCH_MAX * (8 + 4096) },
    { 0x02, "X86_PV_INFO", 0, MIB }, { 0x03, "X86_PV_P2M_FRAMES", 0, MIB }, { 0x04, "X86_PV_VCPU_BASIC", 0, MIB },
    { 0x05, "X86_PV_VCPU_EXTENDED", 0, MIB }, { 0x06, "X86_PV_VCPU_XSAVE", 0, MIB }, { 0x07, "SHARED_INFO", 0, MIB },
    { CV_LIBXC_TSC_INFO, "X86_TSC_INFO", 24, 24 },
    { CV_LIBXC_HVM_CONTEXT, "HVM_CONTEXT", 8, 64 * MIB },
    { CV_LIBXC_HVM_PARAMS, "HVM_PARAMS", 8, 16392 },
    { CV_LIBXC_TOOLSTACK, "TOOLSTACK", 0, MIB },
    { 0x0c, "X86_PV_VCPU_MSRS", 0, MIB },
    { CV_LIBXC_VERIFY, "VERIFY", 0, 0 },
    { CV_LIBXC_CHECKPOINT, "CHECKPOINT", 0, 0 },
    { 0x0f, "CHECKPOINT_DIRTY_PFN_LIST", 0, MIB },
    { CV_LIBXC_STATIC_DATA_END, "STATIC_DATA_END", 0, 0 },
    { CV_LIBXC_CPUID_POLICY, "X86_CPUID_POLICY", 24, 24 * 1024 },
    { CV_LIBXC_MSR_POLICY, "X86_MSR_POLICY", 16, 16 * 1024 },
};
/* clang-format on */

static const struct rule xenopsd_rules[] = {
    { CV_XENOPSD_XENOPS, "XENOPS", 2, CV_XENOPSD_XENOPS_MAX },
    { CV_XENOPSD_LIBXC, "LIBXC", 0, 0 },
    { CV_XENOPSD_LIBXL, "LIBXL", 0, UINT32_MAX },
    { CV_XENOPSD_LIBXC_LEGACY, "LIBXC_LEGACY", 0, UINT32_MAX },
    { CV_XENOPSD_QEMU, "QEMU", 1, CV_XENOPSD_QEMU_MAX },
    { CV_XENOPSD_QEMU_XEN, "QEMU_XEN", 0, UINT32_MAX },
    { CV_XENOPSD_DEMU, "DEMU", 0, UINT32_MAX },
    { CV_XENOPSD_VARSTORED, "VARSTORED", 0, UINT32_MAX },
    { CV_XENOPSD_SWTPM0, "SWTPM0", 0, UINT32_MAX },
    { CV_XENOPSD_SWTPM, "SWTPM", 0, UINT32_MAX },
    { CV_XENOPSD_END, "END", 0, 0 },
};

static const struct {
    const struct rule *rules;
    size_t count;
    const char *name;
} layers[] = {
    [CV_XL_LIBXL] = { libxl_rules, sizeof libxl_rules / sizeof *libxl_rules, "libxl" },
    [CV_XL_LIBXC] = { libxc_rules, sizeof libxc_rules / sizeof *libxc_rules, "libxc" },
    [CV_XL_XENOPSD] = { xenopsd_rules, sizeof xenopsd_rules / sizeof *xenopsd_rules, "xenopsd" },
};

static const struct rule *rule_of(enum cv_xl_layer layer, uint32_t type)
{
    for (size_t i = 0; i < layers[layer].count; i++)
        if (layers[layer].rules[i].type == type)
            return &layers[layer].rules[i];
    return NULL;
}

const char *cv_xl_record_name(enum cv_xl_layer layer, uint32_t type)
{
    const struct rule *rule = rule_of(layer, type);
    return rule != NULL ? rule->name : "?";
}

int cv_xl_record_context(const struct cv_xl_record *rec, struct cv_error *err)
{
    return cv_context(err, "record %" PRIu64 " %s of %s at offset %" PRIu64, rec->number,
                      cv_xl_record_name(rec->layer, rec->type), layers[rec->layer].name, rec->offset);
}

/* ---- bytes ---- */

static int read_exact(struct cv_xl_reader *r, void *data, size_t len, struct cv_error *err)
{
    size_t got;

    if (cv_read_full(r->fd, data, len, &got, CV_NEVER, r->cancel, err) < 0)
        return -1;
    r->offset += got;
    if (got < len)
        return cv_fail(err, CV_E_STREAM, 0, "the file ends at offset %" PRIu64 ": it is truncated", r->offset);
    return 0;
}

static int read_body(struct cv_xl_reader *r, struct cv_buf *b, size_t len, size_t pad, struct cv_error *err)
{
    uint8_t padding[8];

    b->len = 0;
    while (b->len < len) {
        size_t step = len - b->len > STEP ? STEP : len - b->len;
        if (cv_buf_reserve(b, step, err) < 0 || read_exact(r, b->data + b->len, step, err) < 0)
            return -1;
        b->len += step;
    }
    return pad ? read_exact(r, padding, pad, err) : 0;
}

/* ---- headers ---- */

static int read_config(struct cv_xl_reader *r, uint32_t optional_len, struct cv_error *err)
{
    uint8_t size[4];

    if (optional_len < 4 || optional_len > CV_XL_CONFIG_MAX)
        return cv_fail(err, CV_E_STREAM, 0, "optional data of %u bytes: 4 to %u are expected", optional_len,
                       CV_XL_CONFIG_MAX);
    if (read_exact(r, size, 4, err) < 0)
        return -1;
    uint32_t len = cv_load32(size);
    if (len == 0 || len > optional_len - 4)
        return cv_fail(err, CV_E_STREAM, 0, "a configuration of %u bytes in %u", len, optional_len - 4);
    r->config = calloc(1, optional_len);
    if (r->config == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for the configuration");
    /* What comes behind the configuration is for readers that know what it is. */
    if (read_exact(r, r->config, optional_len - 4, err) < 0)
        return -1;
    r->config[len] = '\0';
    r->config_len = strnlen(r->config, len);
    if (r->config_len + 1 < len)
        return cv_fail(err, CV_E_STREAM, 0, "the configuration has a NUL in its midst");
    return 0;
}

static int read_xl_header(struct cv_xl_reader *r, struct cv_error *err)
{
    uint8_t h[CV_XL_HEADER_SIZE];

    if (read_exact(r, h, sizeof h, err) < 0)
        return -1;
    if (memcmp(h,
               "\x89"
               "CVY",
               4) == 0)
        return cv_fail(err, CV_E_INVALID, 0, "this is a convoy image already");
    if (memcmp(h, CV_XL_MAGIC, CV_XL_MAGIC_SIZE) != 0)
        return cv_fail(err, CV_E_STREAM, 0, "no save file of xl: the magic number differs");
    if (cv_load32(h + 32) != CV_XL_BYTEORDER)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "written on a machine of another byte order");
    uint32_t flags = cv_load32(h + 36);
    if (flags & ~(CV_XL_FLAG_JSON | CV_XL_FLAG_STREAM2))
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "mandatory flags %#x are unknown here", flags);
    if (!(flags & CV_XL_FLAG_JSON) || !(flags & CV_XL_FLAG_STREAM2))
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "written by an xl before Xen 4.6: restore and save it again with a newer one");
    if (cv_load32(h + 40) != 0)
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "optional flags %#x are unknown here", cv_load32(h + 40));
    return read_config(r, cv_load32(h + 44), err);
}

static int read_libxl_header(struct cv_xl_reader *r, struct cv_error *err)
{
    uint8_t h[CV_LIBXL_HEADER_SIZE];

    if (read_exact(r, h, sizeof h, err) < 0)
        return -1;
    if (((uint64_t)cv_xl_load_be32(h) << 32 | cv_xl_load_be32(h + 4)) != CV_LIBXL_IDENT)
        return cv_fail(err, CV_E_STREAM, 0, "libxl's stream does not begin behind the configuration");
    if (cv_xl_load_be32(h + 8) != CV_LIBXL_VERSION)
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "libxl's stream has version %u", cv_xl_load_be32(h + 8));
    if (cv_xl_load_be32(h + 12) != 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0,
                       "libxl's stream has options %#x (big-endian, or converted from an old one)",
                       cv_xl_load_be32(h + 12));
    return 0;
}

static int read_libxc_headers(struct cv_xl_reader *r, struct cv_error *err)
{
    uint8_t h[CV_LIBXC_IMAGE_HEADER + CV_LIBXC_DOMAIN_HEADER];
    const uint8_t *d = h + CV_LIBXC_IMAGE_HEADER;

    if (read_exact(r, h, sizeof h, err) < 0)
        return -1;
    if (cv_load64(h) != CV_LIBXC_MARKER || cv_xl_load_be32(h + 8) != CV_LIBXC_ID)
        return cv_fail(err, CV_E_STREAM, 0, "libxc's stream does not begin here");
    r->libxc_version = cv_xl_load_be32(h + 12);
    if (r->libxc_version < 2 || r->libxc_version > CV_LIBXC_VERSION)
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "libxc's stream has version %u", r->libxc_version);
    if (h[17] & 1)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "libxc's stream is big-endian");
    if (cv_load32(d) != CV_LIBXC_HVM)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "the guest is not an HVM guest (type %u)", cv_load32(d));
    if (cv_load16(d + 4) != 12)
        return cv_fail(err, CV_E_STREAM, 0, "pages of 2^%u bytes", cv_load16(d + 4));
    r->xen_major = cv_load32(d + 8);
    r->xen_minor = cv_load32(d + 12);
    return 0;
}

static int read_signature(struct cv_xl_reader *r, struct cv_error *err)
{
    char s[CV_XENOPSD_SIGNATURE_SIZE];

    if (read_exact(r, s, sizeof s, err) < 0)
        return -1;
    if (memcmp(s, CV_XENOPSD_LEGACY, sizeof s) == 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "written by a XenServer before 6.5: resume it and suspend it again");
    if (memcmp(s, CV_XENOPSD_SIGNATURE, sizeof s) != 0)
        return cv_fail(err, CV_E_STREAM, 0, "no suspend image of xenopsd: the signature differs");
    return 0;
}

/* ---- order ---- */

static int stray(struct cv_error *err, const char *why) { return cv_fail(err, CV_E_STREAM, 0, "%s", why); }

static int check_libxl(struct cv_xl_reader *r, uint32_t type, struct cv_error *err)
{
    if (type == CV_LIBXL_CHECKPOINT_END || type == CV_LIBXL_CHECKPOINT_STATE)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "a stream of checkpoints (Remus, COLO), no saved guest");
    if (r->libxl_seen >> type & 1) {
        if (type == CV_LIBXL_EMULATOR_CONTEXT || type == CV_LIBXL_EMULATOR_XENSTORE)
            return cv_fail(err, CV_E_UNSUPPORTED, 0, "a second emulator");
        return stray(err, "a second one");
    }
    if (type != CV_LIBXL_LIBXC_CONTEXT && !r->context_seen)
        return stray(err, "before LIBXC_CONTEXT");
    if (type == CV_LIBXL_EMULATOR_XENSTORE && (r->libxl_seen >> CV_LIBXL_EMULATOR_CONTEXT & 1))
        return stray(err, "behind EMULATOR_CONTEXT");
    if (type == CV_LIBXL_END && !(r->libxl_seen >> CV_LIBXL_EMULATOR_CONTEXT & 1))
        return stray(err, "before EMULATOR_CONTEXT: the emulator's state is missing");
    r->libxl_seen |= 1u << type;
    return 0;
}

static int check_xenopsd(struct cv_xl_reader *r, uint32_t type, struct cv_error *err)
{
    switch (type) {
    case CV_XENOPSD_XENOPS: return 0;
    case CV_XENOPSD_LIBXC: return r->context_seen ? stray(err, "a second one") : 0;
    case CV_XENOPSD_QEMU:
        if (r->qemu_seen || !r->context_seen)
            return stray(err, r->qemu_seen ? "a second one" : "before LIBXC");
        r->qemu_seen = true;
        return 0;
    case CV_XENOPSD_END: return r->qemu_seen ? 0 : stray(err, "before QEMU: the emulator's state is missing");
    case CV_XENOPSD_DEMU: return cv_fail(err, CV_E_UNSUPPORTED, 0, "the guest has a vGPU");
    case CV_XENOPSD_VARSTORED: return cv_fail(err, CV_E_UNSUPPORTED, 0, "the guest has UEFI variables");
    case CV_XENOPSD_SWTPM0:
    case CV_XENOPSD_SWTPM: return cv_fail(err, CV_E_UNSUPPORTED, 0, "the guest has a TPM");
    default: return cv_fail(err, CV_E_UNSUPPORTED, 0, "xenopsd itself takes no such record, or only of old images");
    }
}

static int check_libxc_end(const struct cv_xl_reader *r, struct cv_error *err)
{
    static const uint32_t wanted[] = { CV_LIBXC_TSC_INFO, CV_LIBXC_HVM_CONTEXT, CV_LIBXC_HVM_PARAMS };

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!(r->libxc_seen >> wanted[i] & 1))
            return cv_fail(err, CV_E_STREAM, 0, "%s is missing", cv_xl_record_name(CV_XL_LIBXC, wanted[i]));
    return 0;
}

static int check_libxc(struct cv_xl_reader *r, uint32_t type, struct cv_error *err)
{
    bool again = r->libxc_seen >> type & 1;

    r->libxc_seen |= 1u << type;
    switch (type) {
    case CV_LIBXC_CPUID_POLICY:
    case CV_LIBXC_MSR_POLICY:
        return again || r->static_end ? stray(err, r->static_end ? "behind STATIC_DATA_END" : "a second one") : 0;
    case CV_LIBXC_STATIC_DATA_END:
        if (again || r->static_end)
            return stray(err, "a second one");
        r->static_end = true;
        return 0;
    case CV_LIBXC_PAGE_DATA: return r->pages_over ? stray(err, "behind the state that comes after the memory") : 0;
    case CV_LIBXC_TSC_INFO:
    case CV_LIBXC_HVM_CONTEXT: r->pages_over = true; return again ? stray(err, "a second one") : 0;
    case CV_LIBXC_HVM_PARAMS: r->pages_over = true; return 0;
    case CV_LIBXC_END: return check_libxc_end(r, err);
    case CV_LIBXC_VERIFY: return cv_fail(err, CV_E_UNSUPPORTED, 0, "a migration with --debug, no saved guest");
    case CV_LIBXC_CHECKPOINT:
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "a stream of checkpoints (Remus, COLO), no saved guest");
    case CV_LIBXC_TOOLSTACK: return cv_fail(err, CV_E_UNSUPPORTED, 0, "written by an xl before Xen 4.6");
    default: return cv_fail(err, CV_E_UNSUPPORTED, 0, "only PV guests and checkpoints have it");
    }
}

/* ---- records ---- */

/* Numbers above 32 bits are of no type and no length that there is. */
static uint32_t narrow(uint64_t v) { return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX; }

static int read_numbers(struct cv_xl_reader *r, struct cv_xl_record *rec, uint32_t *length, struct cv_error *err)
{
    uint8_t h[CV_XENOPSD_HEADER];
    bool wide = rec->layer == CV_XL_XENOPSD;

    if (read_exact(r, h, wide ? CV_XENOPSD_HEADER : CV_XL_RECORD_HEADER, err) < 0)
        return -1;
    rec->type = wide ? narrow(cv_load64(h)) : cv_load32(h);
    *length = wide ? narrow(cv_load64(h + 8)) : cv_load32(h + 4);
    return 0;
}

static int take_header(struct cv_xl_reader *r, struct cv_xl_record *rec, uint32_t *length, bool *skip,
                       struct cv_error *err)
{
    rec->layer = r->place == IN_LIBXC ? CV_XL_LIBXC : r->xenopsd ? CV_XL_XENOPSD : CV_XL_LIBXL;
    rec->offset = r->offset;
    rec->number = r->number++;
    rec->type = UINT32_MAX;
    if (read_numbers(r, rec, length, err) < 0)
        return -1;
    const struct rule *rule = rule_of(rec->layer, rec->type);
    *skip = rule == NULL && rec->layer == CV_XL_LIBXC && (rec->type & CV_LIBXC_OPTIONAL);
    if (rule == NULL && !*skip)
        return cv_fail(err, CV_E_STREAM_VERSION, 0, "type %#x is unknown here", rec->type);
    uint32_t min = rule ? rule->min : 0, max = rule ? rule->max : 16 * MIB;
    if (*length < min || *length > max)
        return cv_fail(err, CV_E_STREAM, 0, "length %u: must be %u to %u", *length, min, max);
    if (*skip)
        return 0;
    return rec->layer == CV_XL_LIBXC     ? check_libxc(r, rec->type, err)
           : rec->layer == CV_XL_XENOPSD ? check_xenopsd(r, rec->type, err)
                                         : check_libxl(r, rec->type, err);
}

static int at_end(struct cv_xl_reader *r, struct cv_error *err)
{
    uint8_t byte;
    size_t got;

    r->place = OVER;
    if (r->xenopsd)
        return 0;
    if (cv_read_full(r->fd, &byte, 1, &got, CV_NEVER, r->cancel, err) < 0)
        return -1;
    return got == 0 ? 0 : cv_fail(err, CV_E_STREAM, 0, "bytes follow libxl's END at offset %" PRIu64, r->offset);
}

/* Streams of version 2 have no STATIC_DATA_END: it stands in front of the first record that may only come after it. */
static bool implies_static_end(const struct cv_xl_reader *r, const struct cv_xl_record *rec)
{
    return rec->layer == CV_XL_LIBXC && !r->static_end && rec->type != CV_LIBXC_CPUID_POLICY &&
           rec->type != CV_LIBXC_MSR_POLICY && rec->type != CV_LIBXC_STATIC_DATA_END;
}

static int hold_back(struct cv_xl_reader *r, struct cv_xl_record *rec, struct cv_error *err)
{
    if (r->libxc_version >= 3)
        return cv_fail(err, CV_E_STREAM, 0, "before STATIC_DATA_END");
    r->static_end = true;
    r->pending_static_end = true;
    struct cv_buf used = r->held.body;
    r->held = *rec;
    rec->body = used;
    rec->body.len = 0;
    rec->type = CV_LIBXC_STATIC_DATA_END;
    return 1;
}

/* 1 given out, 2 look for the next one, 0 the end, -1. */
static int next_one(struct cv_xl_reader *r, struct cv_xl_record *rec, struct cv_error *err)
{
    uint32_t length;
    bool skip;

    if (take_header(r, rec, &length, &skip, err) < 0)
        return -1;
    bool xenopsd = rec->layer == CV_XL_XENOPSD;
    if (read_body(r, &rec->body, length, xenopsd ? 0 : -length & 7, err) < 0)
        return -1;
    if (skip)
        return 2;
    if (implies_static_end(r, rec))
        return hold_back(r, rec, err);
    if (rec->layer == CV_XL_LIBXC) {
        if (rec->type == CV_LIBXC_END)
            r->place = AT_LIBXL;
        return 1;
    }
    if (rec->type == (xenopsd ? (uint32_t)CV_XENOPSD_LIBXC : (uint32_t)CV_LIBXL_LIBXC_CONTEXT)) {
        r->context_seen = true;
        r->place = IN_LIBXC;
        return read_libxc_headers(r, err) < 0 ? -1 : 2;
    }
    return rec->type == (xenopsd ? (uint32_t)CV_XENOPSD_END : (uint32_t)CV_LIBXL_END) ? at_end(r, err) : 1;
}

int cv_xl_reader_next(struct cv_xl_reader *r, struct cv_xl_record *rec, struct cv_error *err)
{
    int rc = 2;

    if (r->pending_static_end) {
        struct cv_buf used = rec->body;
        r->pending_static_end = false;
        *rec = r->held;
        r->held.body = used;
        if (rec->type == CV_LIBXC_END)
            r->place = AT_LIBXL;
        return 1;
    }
    if (r->place == OVER)
        return 0;
    while (rc == 2) {
        if (cv_cancel_check(r->cancel, err) < 0)
            return -1;
        rc = next_one(r, rec, err);
    }
    return rc < 0 ? cv_xl_record_context(rec, err) : rc;
}

/* ---- life ---- */

static int open_reader(struct cv_xl_reader **r_out, int fd, bool xenopsd, struct cv_cancel *cancel,
                       struct cv_error *err)
{
    struct cv_xl_reader *r = calloc(1, sizeof *r);

    if (r == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "xl reader");
    r->fd = fd;
    r->cancel = cancel;
    r->xenopsd = xenopsd;
    if (xenopsd ? read_signature(r, err) < 0 : read_xl_header(r, err) < 0 || read_libxl_header(r, err) < 0) {
        cv_xl_reader_free(r);
        return cv_context(err, "header");
    }
    *r_out = r;
    return 0;
}

int cv_xl_reader_new(struct cv_xl_reader **r_out, int fd, struct cv_cancel *cancel, struct cv_error *err)
{
    return open_reader(r_out, fd, false, cancel, err);
}

int cv_xl_reader_new_xenopsd(struct cv_xl_reader **r_out, int fd, struct cv_cancel *cancel, struct cv_error *err)
{
    return open_reader(r_out, fd, true, cancel, err);
}

void cv_xl_reader_free(struct cv_xl_reader *r)
{
    if (r == NULL)
        return;
    cv_buf_dispose(&r->held.body);
    free(r->config);
    free(r);
}

const char *cv_xl_reader_config(const struct cv_xl_reader *r, size_t *len_out)
{
    *len_out = r->config_len;
    return r->config;
}

void cv_xl_reader_xen(const struct cv_xl_reader *r, uint32_t *major_out, uint32_t *minor_out)
{
    *major_out = r->xen_major;
    *minor_out = r->xen_minor;
}

uint64_t cv_xl_reader_bytes(const struct cv_xl_reader *r) { return r->offset; }
