/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/order.h"

#include <stdio.h>

#include "stream-format/bodies.h"

int cv_rule_fail(struct cv_error *err, enum cv_code code, const char *rule, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cv_vfail(err, code, 0, fmt, ap);
    va_end(ap);
    return cv_context(err, "%s", rule);
}

void cv_order_init(struct cv_order *o, enum cv_code code, uint64_t features)
{
    *o = (struct cv_order){ .code = code,
                            .memory_only = features & CV_FEATURE_MEMORY_ONLY,
                            .states_only = features & CV_FEATURE_STATES_ONLY,
                            .incremental = features & CV_FEATURE_INCREMENTAL,
                            .fixed = features & CV_FEATURE_FIXED_OFFSETS };
}

static unsigned rule_bit(const struct cv_record_rule *rule) { return (unsigned)(rule - cv_record_rules); }

static bool seen(const struct cv_order *o, const struct cv_record_rule *rule) { return o->seen >> rule_bit(rule) & 1; }

/* Name of the record with the highest rank so far, for messages. */
static const char *last_name(const struct cv_order *o)
{
    for (size_t i = 0; i < cv_record_rules_count; i++)
        if (cv_record_rules[i].rank == o->rank && o->seen >> i & 1)
            return cv_record_rules[i].name;
    return "the header";
}

/* In a stream of states alone. */
static bool of_the_states(const struct cv_record_rule *rule)
{
    return rule->id == CV_REC_LAYOUT || rule->id == CV_REC_DEVICE_STATE || rule->id == CV_REC_NOTE ||
           rule->id == CV_REC_END;
}

static bool mandatory(const struct cv_order *o, const struct cv_record_rule *rule)
{
    if (o->states_only && !of_the_states(rule))
        return false;
    return (rule->presence == CV_PRESENCE_ONE || rule->presence == CV_PRESENCE_SOME ||
            (rule->presence == CV_PRESENCE_INCREMENTAL && o->incremental) ||
            (rule->presence == CV_PRESENCE_FIXED && o->fixed)) &&
           !(o->memory_only && rule->profile == CV_PROFILE_FULL);
}

/* Everything of a lower rank that must be there is there: a missing record is named as soon as it is passed over. */
static int check_passed_over(const struct cv_order *o, const struct cv_record_rule *rule, struct cv_error *err)
{
    for (size_t i = 0; i < cv_record_rules_count; i++) {
        const struct cv_record_rule *must = &cv_record_rules[i];
        if (must->rank < rule->rank && must->rank != 0 && mandatory(o, must) && !seen(o, must))
            return cv_rule_fail(err, o->code, "missing", "%s without %s before it", rule->name, must->name);
    }
    /* NOTE has rank 0 and passes over nothing. */
    if (rule->rank > cv_record_rule(CV_REC_PAGES)->rank && !o->last_pass_seen && !o->states_only)
        return cv_rule_fail(err, o->code, "missing", "%s without the last PASS_END before it", rule->name);
    if (rule->rank > cv_record_rule(CV_REC_DEVICE_STATE)->rank && o->states != o->dmids) {
        unsigned dmid = (unsigned)__builtin_ctz(o->dmids & ~o->states);
        return cv_rule_fail(err, o->code, "missing", "%s without DEVICE_STATE of dmid %u before it", rule->name, dmid);
    }
    return 0;
}

static int check_dmid(const struct cv_order *o, uint32_t dmid, struct cv_error *err)
{
    if (dmid >= CV_EMULATORS_MAX || !(o->dmids >> dmid & 1))
        return cv_rule_fail(err, o->code, "dmid", "LAYOUT lists no emulator with dmid %u", dmid);
    if (o->states >> dmid & 1)
        return cv_rule_fail(err, o->code, "dmid", "a second DEVICE_STATE of dmid %u", dmid);
    return 0;
}

static int check_pass(const struct cv_order *o, uint32_t pass, struct cv_error *err)
{
    if (o->last_pass_seen)
        return cv_rule_fail(err, o->code, "pass", "the last pass has ended");
    if (pass != o->pass)
        return cv_rule_fail(err, o->code, "pass", "pass %u where pass %u is due", pass, o->pass);
    return 0;
}

static int check_length(const struct cv_order *o, const struct cv_frame *f, struct cv_error *err)
{
    const struct cv_record_rule *rule = cv_record_rule(f->type);
    uint64_t min = rule ? rule->min : 0, max = rule ? rule->max : CV_OPTIONAL_RECORD_MAX;

    if (f->length < min || f->length > max)
        return cv_rule_fail(err, o->code, "length", "%llu bytes, allowed are %llu to %llu",
                            (unsigned long long)f->length, (unsigned long long)min, (unsigned long long)max);
    return 0;
}

static int check_place(const struct cv_order *o, const struct cv_record_rule *rule, struct cv_error *err)
{
    if (o->memory_only && rule->profile == CV_PROFILE_FULL)
        return cv_rule_fail(err, o->code, "order", "not allowed in a memory-only stream");
    if (o->states_only && !of_the_states(rule))
        return cv_rule_fail(err, o->code, "order", "not allowed in a stream of device states alone");
    if (rule->presence == CV_PRESENCE_INCREMENTAL && !o->incremental)
        return cv_rule_fail(err, o->code, "order", "not allowed in a stream that is not incremental");
    if (rule->presence == CV_PRESENCE_FIXED && !o->fixed)
        return cv_rule_fail(err, o->code, "order", "not allowed in a stream that is not of fixed layout");
    if (rule->id == CV_REC_PAGES && o->fixed)
        return cv_rule_fail(err, o->code, "order", "not allowed in a stream of fixed layout");
    if (rule->rank != 0 && rule->rank < o->rank)
        return cv_rule_fail(err, o->code, "order", "may not follow %s", last_name(o));
    if ((rule->presence == CV_PRESENCE_ONE || rule->presence == CV_PRESENCE_MAYBE ||
         rule->presence == CV_PRESENCE_INCREMENTAL || rule->presence == CV_PRESENCE_FIXED) &&
        seen(o, rule))
        return cv_rule_fail(err, o->code, "order", "a second one");
    return rule->rank == 0 ? 0 : check_passed_over(o, rule, err);
}

int cv_order_check(const struct cv_order *o, const struct cv_frame *f, struct cv_error *err)
{
    const struct cv_record_rule *rule = cv_record_rule(f->type);

    if (rule == NULL && !(f->type & CV_RECORD_OPTIONAL))
        return cv_rule_fail(err, o->code == CV_E_STREAM ? CV_E_STREAM_VERSION : o->code, "unknown",
                            "mandatory record of type 0x%08x", f->type);
    if (o->index_seen && f->type != CV_REC_END)
        return cv_rule_fail(err, o->code, "order", "only END may follow INDEX");
    if (rule != NULL && check_place(o, rule, err) < 0)
        return -1;
    if (rule != NULL && rule->tag == CV_TAG_NONE && f->tag != 0)
        return cv_rule_fail(err, o->code, "tag", "%u where 0 is due", f->tag);
    if (f->type == CV_REC_DEVICE_STATE && check_dmid(o, f->tag, err) < 0)
        return -1;
    if ((f->type == CV_REC_PAGES || f->type == CV_REC_PASS_END) && check_pass(o, f->tag, err) < 0)
        return -1;
    return check_length(o, f, err);
}

/* A record whose frame is right, with as much of its body as is there already. */
struct arrived {
    const struct cv_frame *f;
    const uint8_t *head;
    size_t len;
    bool deferred;
};

/* The body's head is enough: who reads the whole of it checks it. */
static int take_guest(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    (void)err;
    o->pvh = a->len >= 8 && cv_load32(a->head + 4) == CV_GUEST_PVH;
    return 0;
}

static int take_layout(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    struct cv_rec_layout layout;

    if (cv_rec_layout_decode(&layout, a->head, a->len, err) < 0)
        return -1;
    if (layout.count == 0 && !o->pvh)
        return cv_rule_fail(err, o->code, "emulators", "none, and the guest is no PVH guest");
    if (layout.count > 1 && o->pvh)
        return cv_rule_fail(err, o->code, "emulators", "%u, and a PVH guest has one at most", layout.count);
    for (uint32_t i = 0; i < layout.count; i++)
        o->dmids |= 1u << layout.emulator[i].dmid;
    o->emulators_known = true;
    return 0;
}

static int take_memory(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    struct cv_rec_memory memory;

    if (cv_rec_memory_decode(&memory, a->head, a->len, err) < 0)
        return -1;
    o->pfn_count = memory.pfn_count;
    return 0;
}

static int take_pages(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    struct cv_pages_head pages;

    if (cv_pages_head_decode(&pages, a->head, a->len, a->f->length, err) < 0)
        return -1;
    if (pages.first_pfn + pages.span > o->pfn_count)
        return cv_rule_fail(err, o->code, "body", "pfns up to %#llx, MEMORY has %#llx",
                            (unsigned long long)(pages.first_pfn + pages.span), (unsigned long long)o->pfn_count);
    if (!a->deferred && pages.first_pfn < o->next_pfn)
        return cv_rule_fail(err, o->code, "pass", "pfn %#llx comes again in one pass, %#llx and up are due",
                            (unsigned long long)pages.first_pfn, (unsigned long long)o->next_pfn);
    o->next_pfn = pages.first_pfn + pages.span;
    o->pass_records++;
    o->pass_data += pages.data_pages;
    o->data_pages += pages.data_pages;
    return 0;
}

static int take_pass_end(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    struct cv_rec_pass_end end;

    if (cv_rec_pass_end_decode(&end, a->head, a->len, err) < 0)
        return -1;
    if (end.records != o->pass_records || end.data_pages != o->pass_data)
        return cv_rule_fail(err, o->code, "totals", "%llu records, %llu data pages announced; %llu and %llu were there",
                            (unsigned long long)end.records, (unsigned long long)end.data_pages,
                            (unsigned long long)o->pass_records, (unsigned long long)o->pass_data);
    o->pass++;
    o->pass_records = o->pass_data = o->next_pfn = 0;
    o->last_pass_seen = end.flags & CV_PASS_LAST;
    return 0;
}

static int take_hashes(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    struct cv_rec_hashes h;

    if (cv_rec_hashes_decode(&h, a->head, a->len, err) < 0)
        return -1;
    if (h.first_pfn + h.span > o->pfn_count)
        return cv_rule_fail(err, o->code, "body", "pages up to %#llx, and the memory ends at %#llx",
                            (unsigned long long)(h.first_pfn + h.span), (unsigned long long)o->pfn_count);
    if (h.first_pfn < o->next_hash_pfn)
        return cv_rule_fail(err, o->code, "order", "pfn %#llx comes again, %#llx and up are due",
                            (unsigned long long)h.first_pfn, (unsigned long long)o->next_hash_pfn);
    o->next_hash_pfn = h.first_pfn + h.span;
    if (o->fixed)
        o->data_pages += h.data_pages;
    return 0;
}

static int take_places(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    struct cv_rec_places v;

    if (cv_rec_places_decode(&v, a->head, a->len, err) < 0)
        return -1;
    struct cv_place last = cv_places_at(&v, v.count - 1);
    if (last.first_pfn + last.pages > o->pfn_count)
        return cv_rule_fail(err, o->code, "body", "pfns up to %#llx, MEMORY has %#llx",
                            (unsigned long long)(last.first_pfn + last.pages), (unsigned long long)o->pfn_count);
    if (cv_places_pages(&v) != o->area_pages)
        return cv_rule_fail(err, o->code, "area", "places for %llu pages in an area of %llu",
                            (unsigned long long)cv_places_pages(&v), (unsigned long long)o->area_pages);
    return 0;
}

/* The writer comes here without having looked at the body. */
static int take_device_state(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    struct cv_rec_device_state state;

    if (cv_rec_device_state_head_decode(&state, a->head, a->f->length, err) < 0)
        return -1;
    o->states |= 1u << a->f->tag;
    return 0;
}

static int take_index(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    (void)a, (void)err;
    o->index_seen = true;
    return 0;
}

static int take_end(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    (void)a, (void)err;
    o->ended = true;
    return 0;
}

/* No rule binds another record to what it says. */
static int rules_nothing(struct cv_order *o, const struct arrived *a, struct cv_error *err)
{
    (void)o, (void)a, (void)err;
    return 0;
}
#define take_host rules_nothing
#define take_devices rules_nothing
#define take_vcpus rules_nothing
#define take_parent rules_nothing
#define take_cpu_policy rules_nothing
#define take_tsc_info rules_nothing
#define take_hvm_context rules_nothing
#define take_hvm_params rules_nothing
#define take_xenstore rules_nothing
#define take_note rules_nothing
#define take_freeze rules_nothing

int cv_order_take(struct cv_order *o, const struct cv_frame *f, const uint8_t *head, size_t head_len, bool deferred,
                  struct cv_error *err)
{
    const struct cv_record_rule *rule = cv_record_rule(f->type);

    if (rule == NULL)
        return 0;
    if (rule->tag == CV_TAG_BODY && (head_len < 4 || cv_load32(head) != f->tag))
        return cv_rule_fail(err, o->code, "tag", "%u, but the body begins with another number", f->tag);
    o->seen |= 1u << rule_bit(rule);
    if (rule->rank != 0)
        o->rank = rule->rank;
    const struct arrived a = { f, head, head_len, deferred };
    switch (f->type) {
#define CV_R(name, word, ...)     \
    case (uint32_t)CV_REC_##name: \
        return take_##word(o, &a, err);
#include "stream-format/records.def"
#undef CV_R
    default: return 0;
    }
}
