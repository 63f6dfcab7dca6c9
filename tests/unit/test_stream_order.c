/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order table against a model that is told in one sentence for each rule, over random walks; and the writer's
 * side of the same table. */
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "stream-format/bodies.h"
#include "stream-format/order.h"
#include "tests/support/rng.h"
#include "tests/support/sample_stream.h"

/* Bodies that fit the state of the walk. */
static size_t body_for(uint32_t type, const struct cv_order *o, uint32_t *tag, uint8_t *out)
{
    CV_AUTO_BUF b = { 0 };
    struct cv_rec_layout layout = {
        .schema = 1, .count = 2, .emulator = { { 1, 0 }, { 0, 1 } }, .json = "{}", .json_len = 2
    };
    struct cv_rec_memory memory = { .pfn_count = 1000000 };
    struct cv_rec_pass_end end = { .pass = *tag,
                                   .records = o->pass_records,
                                   .data_pages = o->pass_data,
                                   .pages = o->pass_data,
                                   .flags = o->pass >= 1 ? CV_PASS_LAST : 0 };
    struct cv_rec_parent parent = { .name = "" };
    const struct cv_place place = { 7, 1 };
    struct cv_rec_hashes hashes = { .first_pfn = o->next_hash_pfn, .span = 1, .runs_length = 1 };
    struct cv_rec_device_state state = { .blob = (const uint8_t *)"x", .blob_len = 1 };
    uint8_t head[CV_DEVICE_STATE_HEAD];
    int rc = 0;

    switch (type) {
    case CV_REC_LAYOUT: rc = cv_rec_layout_encode(&layout, &b, NULL); break;
    case CV_REC_PLACES: rc = cv_rec_places_encode(&place, 1, &b, NULL); break;
    case CV_REC_PARENT: rc = cv_rec_parent_encode(&parent, &b, NULL); break;
    case (uint32_t)CV_REC_PAGE_HASHES:
        cv_rec_hashes_head_encode(&hashes, head);
        rc = cv_buf_append(&b, head, CV_HASHES_HEAD_SIZE, NULL) < 0 || cv_buf_put_u8(&b, 1 << 3 | 4, NULL) < 0 ? -1 : 0;
        break;
    case CV_REC_MEMORY: rc = cv_rec_memory_encode(&memory, &b, NULL); break;
    case CV_REC_PAGES: sample_pages(&b, 1, *tag, o->next_pfn, 1, false); break;
    case CV_REC_PASS_END: rc = cv_rec_pass_end_encode(&end, &b, NULL); break;
    case CV_REC_DEVICE_STATE:
        ck_assert_int_eq(cv_rec_device_state_head(&state, head, NULL), 0);
        cv_store32(head, *tag);
        rc = cv_buf_append(&b, head, sizeof head, NULL) < 0 || cv_buf_put_u8(&b, 'x', NULL) < 0 ? -1 : 0;
        break;
    default:
        rc = cv_buf_append(&b, "\0\0\0\0", 4, NULL);
        cv_store32(b.data, *tag);
        break;
    }
    ck_assert_int_eq(rc, 0);
    memcpy(out, b.data, b.len);
    return b.len;
}

/* The model: what was seen, as counts. */
struct model {
    unsigned n[32];
    unsigned pass;
    bool last, incremental, fixed;
};

static unsigned row(uint32_t type) { return (unsigned)(cv_record_rule(type) - cv_record_rules); }

static bool model_allows(const struct model *m, uint32_t type, uint32_t tag)
{
    const struct cv_record_rule *r = cv_record_rule(type);
    unsigned states = m->n[row(CV_REC_DEVICE_STATE)];

    if (m->n[row(CV_REC_INDEX)] && type != CV_REC_END)
        return false;
    if (type == CV_REC_PARENT && !m->incremental)
        return false;
    if ((type == CV_REC_PLACES && !m->fixed) || (type == CV_REC_PAGES && m->fixed))
        return false;
    if (r->rank > 55 && m->fixed && !m->n[row(CV_REC_PLACES)])
        return false;
    if (r->rank > 45 && m->incremental && !m->n[row(CV_REC_PARENT)])
        return false;
    if (r->rank != 0)
        for (size_t i = 0; i < cv_record_rules_count; i++) {
            const struct cv_record_rule *other = &cv_record_rules[i];
            if (other->rank > r->rank && m->n[i])
                return false; /* something later was there already */
            if (other->rank != 0 && other->rank < r->rank && !m->n[i] &&
                (other->presence == CV_PRESENCE_ONE || other->presence == CV_PRESENCE_SOME))
                return false; /* something earlier is missing */
        }
    if ((r->presence == CV_PRESENCE_ONE || r->presence == CV_PRESENCE_MAYBE || r->presence == CV_PRESENCE_INCREMENTAL ||
         r->presence == CV_PRESENCE_FIXED) &&
        m->n[row(type)])
        return false;
    if (r->rank > 70 && !m->last)
        return false;
    if (r->rank > 120 && states != 3) /* bit set of dmids: LAYOUT lists 0 and 1 */
        return false;
    if (type == CV_REC_DEVICE_STATE)
        return tag < 2 && !(states >> tag & 1);
    if (type == CV_REC_PAGES || type == CV_REC_PASS_END)
        return !m->last && tag == m->pass;
    return true;
}

static void model_take(struct model *m, uint32_t type, uint32_t tag)
{
    if (type == CV_REC_DEVICE_STATE) {
        m->n[row(type)] |= 1u << tag;
        return;
    }
    m->n[row(type)]++;
    if (type == CV_REC_PASS_END) {
        m->last = m->pass >= 1;
        m->pass++;
    }
}

static uint32_t random_tag(struct rng *r, uint32_t type, const struct model *m)
{
    if (type == CV_REC_DEVICE_STATE)
        return (uint32_t)rng_below(r, 3);
    if (type == CV_REC_PAGES || type == CV_REC_PASS_END)
        return rng_below(r, 8) ? m->pass : (uint32_t)rng_below(r, 3);
    return 0;
}

START_TEST(agrees_with_the_model_on_random_walks)
{
    struct rng r = rng_seed(1);
    uint8_t body[8192];
    unsigned ended = 0;

    for (unsigned walk = 0; walk < 1000; walk++) {
        struct cv_order o;
        bool incremental = walk % 3 == 1, fixed = walk % 3 == 2;
        struct model m = { .incremental = incremental, .fixed = fixed };
        cv_order_init(&o, CV_E_STREAM,
                      (incremental ? CV_FEATURE_INCREMENTAL : 0) | (fixed ? CV_FEATURE_FIXED_OFFSETS : 0));
        o.area_pages = fixed ? 1 : 0;
        for (unsigned step = 0; step < 400 && !o.ended; step++) {
            uint32_t type = cv_record_rules[rng_below(&r, cv_record_rules_count)].id;
            uint32_t tag = random_tag(&r, type, &m);
            struct cv_frame f = { .type = type, .tag = tag, .length = cv_record_rule(type)->min };
            struct cv_error err = CV_ERROR_INIT;
            if (type == CV_REC_NOTE && rng_below(&r, 4))
                continue;
            size_t len = body_for(type, &o, &tag, body);
            if (len >= f.length && len <= cv_record_rule(type)->max)
                f.length = len;
            bool allowed = cv_order_check(&o, &f, &err) == 0;
            ck_assert_msg(allowed == model_allows(&m, type, tag), "walk %u: %s: %s", walk, cv_record_name(type),
                          err.text);
            if (!allowed)
                continue;
            ck_assert_msg(cv_order_take(&o, &f, body, len, false, &err) == 0, "%s: %s", cv_record_name(type), err.text);
            model_take(&m, type, tag);
        }
        ended += o.ended;
    }
    ck_assert_uint_gt(ended, 300); /* the walks get through, or nothing was tested */
}
END_TEST

static struct cv_writer *new_writer(int fd)
{
    struct cv_writer_options wo = { .required_features = CV_FEATURE_MEMORY_ONLY };
    struct cv_writer *w;

    ck_assert_int_eq(cv_writer_new(&w, fd, &wo, NULL), 0);
    return w;
}

static int put(struct cv_writer *w, enum cv_record_type type, const void *body, size_t len, struct cv_error *err)
{
    struct iovec iov = { (void *)body, len };
    return cv_writer_put(w, type, &iov, 1, err);
}

START_TEST(the_writer_refuses_what_no_reader_takes)
{
    static const struct {
        enum cv_record_type type;
        const char *body;
        size_t len;
        const char *text;
    } bad[] = {
        { CV_REC_PASS_END, "", 0, "missing" },
        { CV_REC_HOST, "", 0, "order" },
        { CV_REC_NOTE, "", 0, "length" },
        { CV_REC_NOTE, "\xff", 1, "body" },
        { CV_REC_END, "", 0, "cv_writer_finish" },
        { CV_REC_INDEX, "", 0, "cv_writer_finish" },
        { (enum cv_record_type)0x777, "", 0, "record type" },
    };
    int fd = memfd_create("order", MFD_CLOEXEC);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cv_writer *w = new_writer(fd);
        struct cv_error err = CV_ERROR_INIT;
        ck_assert_int_lt(put(w, bad[i].type, bad[i].body, bad[i].len, &err), 0);
        ck_assert_int_eq(err.code, CV_E_INTERNAL);
        ck_assert_msg(strstr(err.text, bad[i].text) != NULL, "%zu: %s", i, err.text);
        cv_writer_free(w);
    }
    struct cv_writer *w = new_writer(fd);
    struct cv_error err = CV_ERROR_INIT;
    ck_assert_int_lt(cv_writer_finish(w, &err), 0); /* nothing was put */
    ck_assert_msg(strstr(err.text, "missing") != NULL, "%s", err.text);
    cv_writer_free(w);
    close(fd);
}
END_TEST

START_TEST(unbuilt_features_are_not_written)
{
    struct cv_writer_options wo = { .required_features = CV_FEATURE_CHANNELS };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_writer *w;

    ck_assert_int_lt(cv_writer_new(&w, 1, &wo, &err), 0);
    ck_assert_int_eq(err.code, CV_E_INTERNAL);
}
END_TEST

START_TEST(memory_only_streams_need_a_user_who_wants_them)
{
    struct sample_options opt = { .seed = 3, .passes = 1 };
    struct cv_reader_options ro = { 0 };
    CV_AUTO_BUF s = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_reader *r;

    sample_stream(&s, &opt);
    ck_assert_int_lt(cv_reader_new_memory(&r, s.data, s.len, &ro, &err), 0);
    ck_assert_int_eq(err.code, CV_E_STREAM_VERSION);
    ck_assert_msg(strstr(err.text, "header at offset 0: feature: ") == err.text, "%s", err.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream-order");
    TCase *tc = tcase_create("order");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, agrees_with_the_model_on_random_walks);
    tcase_add_test(tc, the_writer_refuses_what_no_reader_takes);
    tcase_add_test(tc, unbuilt_features_are_not_written);
    tcase_add_test(tc, memory_only_streams_need_a_user_who_wants_them);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
