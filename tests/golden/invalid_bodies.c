/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faults inside bodies, with all hashes right: docs/stream-format.md, 5. */
#include <stdio.h>
#include <stdlib.h>

#include "stream-format/bodies.h"
#include "tests/golden/vectors.h"

static struct raw_stream *s;

static const struct fault faults[] = {
    { "host-schema", CV_REC_HOST, 0, 4, 0 },
    { "host-json-length", CV_REC_HOST, 12, 4, 1 },
    { "host-json-length-wraps", CV_REC_HOST, 12, 4, 0xffffffff },
    { "host-json-no-object", CV_REC_HOST, 24, 1, '[' },
    { "host-json-nul", CV_REC_HOST, 26, 1, 0 },
    { "guest-schema", CV_REC_GUEST, 0, 4, 0 },
    { "guest-type", CV_REC_GUEST, 4, 4, 3 },
    { "guest-json-utf8", CV_REC_GUEST, 43, 1, 0xc0 },
    { "guest-config-length", CV_REC_GUEST, 28, 4, 1000 },
    { "layout-schema", CV_REC_LAYOUT, 0, 4, 0 },
    { "layout-no-emulator", CV_REC_LAYOUT, 4, 4, 0 },
    { "layout-nine-emulators", CV_REC_LAYOUT, 4, 4, 9 },
    { "layout-reserved", CV_REC_LAYOUT, 12, 4, 1 },
    { "layout-dmid-8", CV_REC_LAYOUT, 16, 4, 8 },
    { "layout-dmid-twice", CV_REC_LAYOUT, 16, 4, 2 },
    { "layout-flags", CV_REC_LAYOUT, 20, 4, 2 },
    { "layout-two-defaults", CV_REC_LAYOUT, 20, 4, 1 },
    { "layout-no-default", CV_REC_LAYOUT, 36, 4, 0 },
    { "vcpus-none", CV_REC_VCPUS, 0, 4, 0 },
    { "vcpus-max", CV_REC_VCPUS, 0, 4, 4097 },
    { "vcpus-length", CV_REC_VCPUS, 0, 4, 64 },
    { "vcpus-reserved", CV_REC_VCPUS, 4, 4, 1 },
    { "vcpus-online-beyond", CV_REC_VCPUS, 16, 8, 0x40 },
    { "memory-no-pfn", CV_REC_MEMORY, 0, 8, 0 },
    { "memory-pfns", CV_REC_MEMORY, 0, 8, (1ull << 40) + 1 },
    { "memory-page-shift", CV_REC_MEMORY, 56, 4, 13 },
    { "memory-e820-count", CV_REC_MEMORY, 60, 4, 3 },
    { "memory-e820-size", CV_REC_MEMORY, 72, 8, 0 },
    { "memory-e820-type", CV_REC_MEMORY, 80, 4, 0 },
    { "memory-e820-reserved", CV_REC_MEMORY, 84, 4, 1 },
    { "memory-e820-overlap", CV_REC_MEMORY, 88, 8, 0x9f000 },
    { "memory-e820-wraps", CV_REC_MEMORY, 96, 8, UINT64_MAX },
    { "policy-count", CV_REC_CPU_POLICY, 0, 4, 1025 },
    { "policy-msr-count", CV_REC_CPU_POLICY, 4, 4, 2 },
    { "policy-leaf-order", CV_REC_CPU_POLICY, 36, 4, 1 },
    { "pages-codec", CV_REC_PAGES, 4, 1, 2 },
    { "pages-flags", CV_REC_PAGES, 5, 1, 1 },
    { "pages-reserved", CV_REC_PAGES, 6, 2, 1 },
    { "pages-beyond-memory", CV_REC_PAGES, 8, 8, 0xfffff },
    { "pages-pfn-wraps", CV_REC_PAGES, 8, 8, UINT64_MAX },
    { "pages-no-span", CV_REC_PAGES, 16, 8, 0 },
    { "pages-no-runs", CV_REC_PAGES, 24, 4, 0 },
    { "pages-data-pages", CV_REC_PAGES, 28, 4, 2049 },
    { "pages-raw-length", CV_REC_PAGES, 32, 4, 4097 },
    { "pages-payload-length", CV_REC_PAGES, 36, 4, 5 },
    { "pages-run-kind", CV_REC_PAGES, 40, 1, 1 << 3 | 6 },
    { "pages-run-empty", CV_REC_PAGES, 40, 1, 0 },
    { "pages-run-skip-first", CV_REC_PAGES, 40, 1, 1 << 3 | 5 },
    { "pages-run-too-long", CV_REC_PAGES, 40, 1, 9 << 3 },
    { "pages-run-endless", CV_REC_PAGES, 40, 1, 0x80 },
    { "pass-end-flags", CV_REC_PASS_END, 4, 4, 2 },
    { "pass-end-pages", CV_REC_PASS_END, 24, 8, 0 },
    { "pass-end-last-dirty", CV_REC_PASS_END, 4, 4, 1 },
    { "tsc-reserved", CV_REC_TSC_INFO, 20, 4, 1 },
    { "params-count", CV_REC_HVM_PARAMS, 0, 4, 2 },
    { "params-reserved", CV_REC_HVM_PARAMS, 4, 4, 1 },
    { "params-order", CV_REC_HVM_PARAMS, 24, 8, 1 },
    { "xenstore-count", CV_REC_XENSTORE, 0, 4, 3 },
    { "xenstore-reserved", CV_REC_XENSTORE, 4, 4, 1 },
    { "xenstore-root", CV_REC_XENSTORE, 8, 1, 5 },
    { "xenstore-dmid", CV_REC_XENSTORE, 9, 1, 8 },
    { "xenstore-access", CV_REC_XENSTORE, 10, 1, 8 },
    { "xenstore-node-reserved", CV_REC_XENSTORE, 11, 1, 1 },
    { "xenstore-key-empty", CV_REC_XENSTORE, 12, 2, 0 },
    { "xenstore-key-slash", CV_REC_XENSTORE, 16, 1, '/' },
    { "xenstore-key-char", CV_REC_XENSTORE, 17, 1, ' ' },
    { "xenstore-order", CV_REC_XENSTORE, 8, 1, 1 },
    { "state-length", CV_REC_DEVICE_STATE, 8, 8, 1 },
    { "state-length-wraps", CV_REC_DEVICE_STATE, 8, 8, UINT64_MAX },
    { "state-format", CV_REC_DEVICE_STATE, 4, 4, 2 },
    { "state-digest", CV_REC_DEVICE_STATE, 16, 1, 0 },
    { "note-utf8", CV_REC_NOTE, 2, 1, 0xff },
    { "index-count", CV_REC_INDEX, 0, 4, 1 },
    { "index-reserved", CV_REC_INDEX, 4, 4, 1 },
    { "index-offset", CV_REC_INDEX, 8, 8, 63 },
    { "index-order", CV_REC_INDEX, 48, 8, 72 },
    { "index-number", CV_REC_INDEX, 56, 8, 0 },
};

static const struct fault device_faults[] = {
    { "devices-schema", CV_REC_DEVICES, 0, 4, 0 },
    { "devices-json-length", CV_REC_DEVICES, 4, 4, 11 },
    { "devices-json-length-wraps", CV_REC_DEVICES, 4, 4, 0xffffffff },
    { "devices-json-no-object", CV_REC_DEVICES, 8, 1, '[' },
};

static void devices_base(struct raw_stream *raw) { base_having(raw, CV_REC_DEVICES); }

/* An INDEX of right form that is not that of the stream. */
static const struct fault lies[] = {
    { "index-lies-about-an-offset", CV_REC_INDEX, 8, 8, 64 },
    { "index-lies-about-a-type", CV_REC_INDEX, 8 + 16, 4, CV_REC_GUEST },
    { "index-lies-about-a-tag", CV_REC_INDEX, 8 + 20, 4, 1 },
    { "index-lies-about-a-key", CV_REC_INDEX, 8 + 24, 8, 1 },
    { "index-lies-about-a-chain", CV_REC_INDEX, 8 + 32, 8, 1 },
};

static void leave_out(const char *name, bool first)
{
    base_stream(s);
    struct cv_buf *b = &s->record[raw_find(s, CV_REC_INDEX, 0)].body;
    if (first)
        memmove(b->data + 8, b->data + 8 + CV_INDEX_ENTRY_SIZE, b->len - 8 - CV_INDEX_ENTRY_SIZE);
    b->len -= CV_INDEX_ENTRY_SIZE;
    cv_store32(b->data, cv_load32(b->data) - 1);
    invalid(name, s);
}

/* A stream that lost a record in front of END, with everything but INDEX made right again. */
static void old_index(void)
{
    base_stream(s);
    raw_remove(s, raw_find(s, CV_REC_XENSTORE, 0));
    invalid("index-of-another-stream", s);
}

static void damage_payload(void)
{
    base_stream(s);
    struct cv_buf *b = &s->record[raw_find(s, CV_REC_PAGES, 0)].body;
    b->data[b->len - 1] ^= 0x55;
    b->data[b->len - 3] ^= 0x55;
    b->data[cv_load32(b->data + 24) + CV_PAGES_HEAD_SIZE] ^= 1; /* zstd's magic */
    invalid("pages-payload-no-zstd", s);
}

void invalid_fields(void (*base)(struct raw_stream *s), const struct fault *list, size_t count, const char *prefix)
{
    struct raw_stream *raw = calloc(1, sizeof *raw);

    for (size_t i = 0; i < count; i++) {
        const struct fault *f = &list[i];
        char name[64];
        uint8_t value[8];
        base(raw);
        struct cv_buf *b = &raw->record[raw_find(raw, f->type, 0)].body;
        cv_store64(value, f->value);
        if (f->offset + f->size > b->len)
            abort();
        memcpy(b->data + f->offset, value, f->size);
        snprintf(name, sizeof name, "%s%s", prefix, f->name);
        invalid(name, raw);
    }
    free(raw);
}

void make_invalid_bodies(void)
{
    s = calloc(1, sizeof *s);
    invalid_fields(base_stream, faults, sizeof faults / sizeof faults[0], "body-");
    invalid_fields(base_stream, lies, sizeof lies / sizeof lies[0], "");
    invalid_fields(devices_base, device_faults, sizeof device_faults / sizeof device_faults[0], "body-");
    leave_out("index-without-its-first-entry", true);
    leave_out("index-without-its-last-entry", false);
    old_index();
    damage_payload();
    free(s);
}
