/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One entry for all decoders: the reader hands out no body that its own decoder would refuse. */
#include "stream-format/bodies.h"
#include "stream-format/body_util.h"

/* On the heap-free path every body is decoded once more by its user: microseconds, except for PAGES and blobs. */
#define BY_ITS_DECODER(word)                                                    \
    static int check_##word(const void *body, size_t len, struct cv_error *err) \
    {                                                                           \
        struct cv_rec_##word v;                                                 \
        return cv_rec_##word##_decode(&v, body, len, err);                      \
    }
BY_ITS_DECODER(host)
BY_ITS_DECODER(guest)
BY_ITS_DECODER(layout)
BY_ITS_DECODER(devices)
BY_ITS_DECODER(vcpus)
BY_ITS_DECODER(parent)
BY_ITS_DECODER(memory)
BY_ITS_DECODER(places)
BY_ITS_DECODER(cpu_policy)
BY_ITS_DECODER(pass_end)
BY_ITS_DECODER(tsc_info)
BY_ITS_DECODER(hvm_params)
BY_ITS_DECODER(xenstore)
BY_ITS_DECODER(device_state)
BY_ITS_DECODER(end)
BY_ITS_DECODER(hashes)
BY_ITS_DECODER(freeze)
BY_ITS_DECODER(index)

static int check_pages(const void *body, size_t len, struct cv_error *err)
{
    struct cv_pages_head v;

    return cv_pages_head_decode(&v, body, len, len, err);
}

static int check_note(const void *body, size_t len, struct cv_error *err)
{
    return cv_body_text("note", body, len, err);
}

/* Xen's own, which Xen checks when it is loaded. */
static int check_hvm_context(const void *body, size_t len, struct cv_error *err)
{
    (void)body, (void)len, (void)err;
    return 0;
}

int cv_body_check(uint32_t raw_type, const void *body, size_t len, struct cv_error *err)
{
    switch (raw_type) {
#define CV_R(name, word, ...)     \
    case (uint32_t)CV_REC_##name: \
        return check_##word(body, len, err);
#include "stream-format/records.def"
#undef CV_R
    default: return 0;
    }
}
