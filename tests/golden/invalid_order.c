/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faults of order, presence and length: docs/stream-format.md, 6.2. */
#include <stdio.h>
#include <stdlib.h>

#include "stream-format/bodies.h"
#include "tests/golden/vectors.h"
#include "tests/support/sample_stream.h"

static struct raw_stream *s;

static void lower(char *out, size_t size, const char *name)
{
    size_t i = 0;

    for (; name[i] != '\0' && i + 1 < size; i++)
        out[i] = name[i] == '_' ? '-' : (char)(name[i] | 0x20);
    out[i] = '\0';
}

/* Each record that has to be there, left out; each that may be there once, twice; each with a body out of bounds. */
static void each_rule(void)
{
    for (size_t i = 0; i < cv_record_rules_count; i++) {
        const struct cv_record_rule *rule = &cv_record_rules[i];
        char word[32], name[64];
        lower(word, sizeof word, rule->name);
        bool must = rule->presence == CV_PRESENCE_ONE || rule->presence == CV_PRESENCE_EMULATORS;
        if (must && rule->id != CV_REC_END) {
            snprintf(name, sizeof name, "missing-%s", word);
            base_having(s, rule->id);
            raw_remove(s, raw_find(s, rule->id, 0));
            invalid(name, s);
        }
        if (must || rule->presence == CV_PRESENCE_MAYBE) {
            snprintf(name, sizeof name, "twice-%s", word);
            base_having(s, rule->id);
            size_t at = raw_find(s, rule->id, 0);
            raw_insert(s, at, rule->id, s->record[at].tag, s->record[at].body.data, s->record[at].body.len);
            invalid(name, s);
        }
        snprintf(name, sizeof name, "length-below-%s", word);
        base_having(s, rule->id);
        s->record[raw_find(s, rule->id, 0)].body.len = rule->min - 1;
        invalid(name, s);
        snprintf(name, sizeof name, "length-above-%s", word);
        base_having(s, rule->id);
        s->record[raw_find(s, rule->id, 0)].length_error =
            rule->max + 1u - s->record[raw_find(s, rule->id, 0)].body.len;
        invalid(name, s);
    }
    base_stream(s);
    raw_insert(s, 2, 0x80000999u, 0, "", 0);
    s->record[2].length_error = CV_OPTIONAL_RECORD_MAX + 1;
    invalid("length-above-unknown", s);
    base_stream(s);
    s->record[raw_find(s, CV_REC_PAGES, 0)].length_error = UINT64_MAX - 100;
    invalid("length-wraps", s);
}

static void swapped(const char *name, uint32_t a, uint32_t b)
{
    base_stream(s);
    raw_swap(s, raw_find(s, a, 0), raw_find(s, b, 0));
    invalid(name, s);
}

static void passes(void)
{
    base_stream(s);
    size_t last = raw_find(s, CV_REC_PASS_END, 1);
    raw_remove(s, last);
    invalid("pass-never-ends", s);
    base_stream(s);
    s->record[raw_find(s, CV_REC_PASS_END, 1)].body.data[4] = 0;
    invalid("pass-without-last", s);
    base_stream(s);
    last = raw_find(s, CV_REC_PASS_END, 1);
    raw_insert(s, last + 1, CV_REC_PAGES, 1, s->record[last - 1].body.data, s->record[last - 1].body.len);
    invalid("pass-pages-after-last", s);
    base_stream(s);
    raw_swap(s, raw_find(s, CV_REC_PAGES, 0), raw_find(s, CV_REC_PAGES, 1));
    invalid("pass-pfn-again", s);
    base_stream(s);
    raw_swap(s, raw_find(s, CV_REC_PAGES, 1), raw_find(s, CV_REC_PAGES, 2));
    invalid("pass-number", s);
    base_stream(s);
    s->record[raw_find(s, CV_REC_PASS_END, 0)].body.data[8]++;
    invalid("pass-totals-records", s);
    base_stream(s);
    raw_remove(s, raw_find(s, CV_REC_PAGES, 0));
    invalid("pass-record-missing", s);
}

static void memory_only(void)
{
    struct sample_options opt = { .seed = 4, .passes = 1 };
    CV_AUTO_BUF b = { 0 };
    uint8_t tsc[24] = { 0 };

    sample_stream(&b, &opt);
    if (raw_parse(s, b.data, b.len) < 0)
        abort();
    raw_insert(s, 2, CV_REC_TSC_INFO, 0, tsc, sizeof tsc);
    invalid("memory-only-with-tsc-info", s);
}

static void states_only(void)
{
    static const uint32_t not_there[] = { CV_REC_HOST, CV_REC_MEMORY, CV_REC_PASS_END };
    static const char *const names[] = { "states-only-with-host", "states-only-with-memory",
                                         "states-only-with-pass-end" };

    for (size_t k = 0; k <= 4; k++) {
        base_stream(s);
        s->header.required_features = CV_FEATURE_STATES_ONLY | (k == 4 ? CV_FEATURE_MEMORY_ONLY : 0);
        for (size_t i = s->count; i-- > 0;)
            if ((k == 3 || s->record[i].type != CV_REC_LAYOUT) && s->record[i].type != CV_REC_DEVICE_STATE &&
                s->record[i].type != CV_REC_END && (k > 2 || s->record[i].type != not_there[k]))
                raw_remove(s, i);
        invalid(k < 3 ? names[k] : k == 3 ? "states-only-without-layout" : "states-only-and-memory-only", s);
    }
}

static void dmids(void)
{
    base_stream(s);
    size_t at = raw_find(s, CV_REC_DEVICE_STATE, 2);
    s->record[at].tag = 5;
    cv_store32(s->record[at].body.data, 5);
    invalid("dmid-not-in-layout", s);
    base_stream(s);
    at = raw_find(s, CV_REC_DEVICE_STATE, 2);
    s->record[at].tag = 0x80000001u;
    cv_store32(s->record[at].body.data, 0x80000001u);
    invalid("dmid-huge", s);
}

static void emulators(void)
{
    struct sample_options opt = { .seed = 8, .pvh = true, .passes = 1 };
    CV_AUTO_BUF b = { 0 };

    sample_stream(&b, &opt);
    if (raw_parse(s, b.data, b.len) < 0)
        abort();
    cv_store32(s->record[raw_find(s, CV_REC_GUEST, 0)].body.data + 4, CV_GUEST_HVM);
    invalid("hvm-without-emulators", s);
    base_stream(s);
    cv_store32(s->record[raw_find(s, CV_REC_GUEST, 0)].body.data + 4, CV_GUEST_PVH);
    invalid("pvh-with-three-emulators", s);
}

void make_invalid_order(void)
{
    s = calloc(1, sizeof *s);
    each_rule();
    swapped("order-guest-host", CV_REC_HOST, CV_REC_GUEST);
    base_having(s, CV_REC_DEVICES);
    raw_swap(s, raw_find(s, CV_REC_LAYOUT, 0), raw_find(s, CV_REC_DEVICES, 0));
    invalid("order-devices-layout", s);
    swapped("order-memory-pages", CV_REC_MEMORY, CV_REC_PAGES);
    swapped("order-context-params", CV_REC_HVM_CONTEXT, CV_REC_HVM_PARAMS);
    swapped("order-state-xenstore", CV_REC_XENSTORE, CV_REC_DEVICE_STATE);
    base_stream(s);
    raw_insert(s, s->count - 1, CV_REC_NOTE, 0, "late", 4);
    invalid("order-note-after-index", s);
    passes();
    memory_only();
    states_only();
    dmids();
    emulators();
    free(s);
}
