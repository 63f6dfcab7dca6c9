/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Damages valid streams in N ways from a seed and reads them: none may be accepted.
 *
 *     mutate [--count N] [--seed S] [--jobs J]
 *     mutate --count N --seed S --write FOLDER     writes them instead; every second one with its checks made right
 *                                                  again, so that rules behind the checks are met too
 *
 * Prints one line: mutations, by kind, and how many were not found.  Exit status 1 if any was not. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory/check.h"
#include "tests/support/raw_stream.h"
#include "tests/support/rng.h"
#include "tests/support/sample_stream.h"

#define BASES 15u
#define FIXED 12u /* and up: of fixed layout */
#define RECORDS 64u

/* A valid stream and the offsets of its records; at[count] is the end. */
struct base {
    struct cv_buf bytes;
    size_t at[RECORDS + 1], count;
};
static struct base bases[BASES];

static void make_bases(void)
{
    for (unsigned i = 0; i < BASES; i++) {
        /* Numbers 0 to 3 differ in nothing but contents: the likeliest to be mixed up. */
        struct sample_options opt = { .seed = 100 + i,
                                      .emulators = i < 4 ? 3 : i % 9,
                                      .passes = i < 4 ? 2 : 1 + i % 3,
                                      .pages_records = 1 + i % 2,
                                      .index = i % 2,
                                      .notes = i % 3 == 0,
                                      .freeze = i % 4 == 1,
                                      .parent = i % 3 == 1 && i < FIXED,
                                      .hashes = i % 2 == 1 || i >= FIXED,
                                      .fixed = i >= FIXED,
                                      .zstd = 2 };
        struct base *b = &bases[i];
        struct raw_stream *raw = calloc(1, sizeof *raw);
        sample_stream(&b->bytes, &opt);
        if (raw_parse(raw, b->bytes.data, b->bytes.len) < 0 || raw->count > RECORDS)
            abort();
        size_t at = CV_STREAM_HEADER_SIZE + raw->area.len;
        for (b->count = 0; b->count < raw->count; b->count++) {
            b->at[b->count] = at;
            at += CV_RECORD_HEADER_SIZE + ((raw->record[b->count].body.len + 7) & ~(size_t)7);
        }
        b->at[b->count] = at;
        raw_dispose(raw);
        free(raw);
    }
}

static void add(struct cv_buf *out, const struct cv_buf *from, size_t start, size_t end)
{
    if (cv_buf_append(out, from->data + start, end - start, NULL) < 0)
        abort();
}

/* clang-format off */
enum kind { FLIP, BYTE, BURST, TRUNCATE, EXTEND, DELETE, INSERT, SPLICE, SPLICE_RECORDS, DUPLICATE, DROP, SWAP, LENGTH,
            REPLAY, KINDS };
/* clang-format on */
static const char *const kind_names[] = { "flip",   "byte",   "burst",  "truncate",       "extend",
                                          "delete", "insert", "splice", "splice-records", "duplicate",
                                          "drop",   "swap",   "length", "replay" };

static void mutate_bytes(struct cv_buf *out, enum kind kind, const struct base *b, struct rng *r)
{
    size_t at = (size_t)rng_below(r, b->bytes.len), n = 1 + (size_t)rng_below(r, 64);
    uint8_t junk[64];

    rng_fill(r, junk, sizeof junk);
    if (n > b->bytes.len - at)
        n = b->bytes.len - at;
    switch (kind) {
    case FLIP:
        add(out, &b->bytes, 0, b->bytes.len);
        out->data[at] ^= (uint8_t)(1u << rng_below(r, 8));
        return;
    case BYTE:
        add(out, &b->bytes, 0, b->bytes.len);
        out->data[at] = junk[0];
        return;
    case BURST:
        add(out, &b->bytes, 0, b->bytes.len);
        memset(out->data + at, rng_below(r, 2) ? 0 : 0xff, n);
        return;
    case TRUNCATE: add(out, &b->bytes, 0, at); return;
    case EXTEND: add(out, &b->bytes, 0, b->bytes.len); break;
    case DELETE:
        add(out, &b->bytes, 0, at);
        add(out, &b->bytes, at + n, b->bytes.len);
        return;
    default: add(out, &b->bytes, 0, at); break;
    }
    if (cv_buf_append(out, junk, n, NULL) < 0)
        abort();
    if (kind == INSERT)
        add(out, &b->bytes, at, b->bytes.len);
}

static void mutate_records(struct cv_buf *out, enum kind kind, const struct base *b, const struct base *other,
                           struct rng *r)
{
    size_t i = (size_t)rng_below(r, b->count), j = (size_t)rng_below(r, b->count),
           k = (size_t)rng_below(r, other->count);
    size_t lo = i < j ? i : j, hi = i < j ? j : i;

    add(out, &b->bytes, 0, b->at[lo]);
    switch (kind) {
    case SPLICE_RECORDS: add(out, &other->bytes, other->at[k], other->at[other->count]); return;
    case REPLAY: /* the record at the same place of another stream */
        k = lo < other->count ? lo : k;
        add(out, &other->bytes, other->at[k], other->at[k + 1]);
        break;
    case DUPLICATE:
        add(out, &b->bytes, b->at[lo], b->at[lo + 1]);
        add(out, &b->bytes, b->at[lo], b->at[lo + 1]);
        break;
    case DROP: break;
    case SWAP:
        if (lo == hi)
            break;
        add(out, &b->bytes, b->at[hi], b->at[hi + 1]);
        add(out, &b->bytes, b->at[lo + 1], b->at[hi]);
        add(out, &b->bytes, b->at[lo], b->at[lo + 1]);
        add(out, &b->bytes, b->at[hi + 1], b->at[b->count]);
        return;
    default: abort();
    }
    add(out, &b->bytes, b->at[lo + 1], b->at[b->count]);
}

static void mutate_length(struct cv_buf *out, const struct base *b, struct rng *r)
{
    size_t at = b->at[rng_below(r, b->count)] + 8;
    static const uint64_t values[] = { 0, 1, 7, 8, 1u << 20, 0xffffffffu, UINT64_MAX, UINT64_MAX - 40 };

    add(out, &b->bytes, 0, b->bytes.len);
    cv_store64(out->data + at,
               rng_below(r, 2) ? values[rng_below(r, 8)] : cv_load64(out->data + at) + rng_below(r, 16) - 8);
}

static enum kind mutate(struct cv_buf *out, struct rng *r)
{
    const struct base *b = &bases[rng_below(r, BASES)];
    const struct base *other = &bases[rng_below(r, rng_below(r, 2) ? 4 : BASES)];
    enum kind kind = (enum kind)rng_below(r, KINDS);

    out->len = 0;
    if (kind == SPLICE) {
        add(out, &b->bytes, 0, (size_t)rng_below(r, b->bytes.len));
        size_t from =
            rng_below(r, 2) && out->len < other->bytes.len ? out->len : (size_t)rng_below(r, other->bytes.len);
        add(out, &other->bytes, from, other->bytes.len);
    } else if (kind == LENGTH) {
        mutate_length(out, b, r);
    } else if (kind <= INSERT) {
        mutate_bytes(out, kind, b, r);
    } else {
        mutate_records(out, kind, b, other, r);
    }
    return kind;
}

/* By chance a mutation can be none. */
static bool is_a_base(const struct cv_buf *s)
{
    for (unsigned i = 0; i < BASES; i++)
        if (s->len == bases[i].bytes.len && memcmp(s->data, bases[i].bytes.data, s->len) == 0)
            return true;
    return false;
}

static bool refused(const struct cv_buf *s)
{
    struct cv_error err = CV_ERROR_INIT;
    const struct cv_mem_options mem = { .codec = CV_CODEC_NONE };
    struct cv_reader *r = sample_reader(s, &err);

    int rc = r != NULL ? cv_memory_check(r, &mem, &err) : -1;
    cv_reader_free(r);
    return rc < 0 && (err.code == CV_E_STREAM || err.code == CV_E_STREAM_VERSION) &&
           strstr(err.text, " at offset ") != NULL;
}

static int run(unsigned long count, uint64_t seed)
{
    struct rng r = rng_seed(seed);
    CV_AUTO_BUF s = { 0 };
    unsigned long by_kind[KINDS] = { 0 }, none = 0, missed = 0;

    for (unsigned long i = 0; i < count; i++) {
        enum kind kind = mutate(&s, &r);
        by_kind[kind]++;
        if (is_a_base(&s)) {
            none++;
        } else if (!refused(&s)) {
            missed++;
            fprintf(stderr, "seed %llu, mutation %lu (%s) was accepted\n", (unsigned long long)seed, i,
                    kind_names[kind]);
        }
    }
    printf("seed %llu: %lu mutations, %lu of them changed nothing, %lu not found;", (unsigned long long)seed, count,
           none, missed);
    for (unsigned k = 0; k < KINDS; k++)
        printf(" %s %lu", kind_names[k], by_kind[k]);
    printf("\n");
    fflush(stdout);
    return missed != 0;
}

/* Makes checks, numbers and totals right again, if the lengths still make sense. */
static void reseal(struct cv_buf *s)
{
    struct raw_stream *raw = calloc(1, sizeof *raw);

    if (raw_parse(raw, s->data, s->len) == 0)
        raw_emit(raw, s);
    raw_dispose(raw);
    free(raw);
}

static int write_all(unsigned long count, uint64_t seed, const char *folder)
{
    struct rng r = rng_seed(seed);
    CV_AUTO_BUF s = { 0 };

    for (unsigned long i = 0; i < count; i++) {
        char path[4096];
        enum kind kind = mutate(&s, &r);
        if (i % 2)
            reseal(&s);
        snprintf(path, sizeof path, "%s/%06lu-%s.cvy", folder, i, kind_names[kind]);
        FILE *f = fopen(path, "wb");
        if (f == NULL || fwrite(s.data, 1, s.len, f) != s.len) {
            perror(path);
            return 1;
        }
        fclose(f);
    }
    return 0;
}

static int run_jobs(unsigned long count, uint64_t seed, unsigned jobs)
{
    int bad = 0, status;

    for (unsigned j = 0; j < jobs; j++)
        if (fork() == 0)
            _exit(run(count / jobs, seed + 1000003ull * j));
    while (wait(&status) > 0)
        bad |= status != 0;
    return bad;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "count", 1, NULL, 'c' }, { "seed", 1, NULL, 's' }, { "jobs", 1, NULL, 'j' }, { "write", 1, NULL, 'w' }, { 0 }
    };
    unsigned long count = 20000;
    uint64_t seed = 1;
    unsigned jobs = 1;
    const char *folder = NULL;
    int bad, c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 'c': count = strtoul(optarg, NULL, 10); break;
        case 's': seed = strtoull(optarg, NULL, 10); break;
        case 'j': jobs = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'w': folder = optarg; break;
        default: return 2;
        }
    make_bases();
    if (folder != NULL)
        bad = write_all(count, seed, folder);
    else
        bad = jobs > 1 ? run_jobs(count, seed, jobs) : run(count, seed);
    for (unsigned i = 0; i < BASES; i++)
        cv_buf_dispose(&bases[i].bytes);
    return bad;
}
