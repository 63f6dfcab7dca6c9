/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real memory pipeline over a raw memory image: save to a file, restore from it, compare; one JSON line.
 * bench/stream builds and runs this.  docs/performance.md says what the figures mean. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "bench/bench_stream.h"
#include "memory/file_sink.h"
#include "tests/support/file_source.h"
#include "memory/fixed.h"
#include "memory/hashes.h"
#include "memory/pipeline.h"
#include "tests/support/ram.h"
#include "stream-format/bodies.h"

struct args {
    const char *image, *compress, *out, *restore_to;
    struct cv_mem_options opt;
    bool save, restore, compare, keep, fixed;
    const char *generate;
    uint64_t seed;
    bool all_random;
};

struct result {
    uint64_t image_bytes, bytes_out;
    struct cv_mem_stats stats;
    double save_s, save_cpu_s, restore_s, restore_cpu_s;
    long save_peak_kib, restore_peak_kib;
    const char *identical; /* JSON */
};

static double seconds_since(int64_t start_ns) { return (double)(cv_now_ns() - start_ns) / 1e9; }

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* VmHWM in KiB, and set back to the present size.  -1: unknown. */
static long take_peak(void)
{
    char *status = NULL;
    long kib = -1;

    if (cv_file_read("/proc/self/status", 1 << 16, &status, NULL, NULL) == 0) {
        const char *line = strstr(status, "VmHWM:");
        if (line != NULL)
            kib = strtol(line + 6, NULL, 10);
        free(status);
    }
    CV_AUTO_FD fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "5", 1) != 1)
        return kib;
    return kib;
}

/* ---- save ---- */

static int put_memory_record(struct cv_writer *w, uint64_t pfn_count, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };
    const struct cv_rec_memory m = { .pfn_count = pfn_count };

    if (cv_rec_memory_encode(&m, &body, err) < 0)
        return -1;
    struct iovec iov = { .iov_base = body.data, .iov_len = body.len };
    return cv_writer_put(w, CV_REC_MEMORY, &iov, 1, err);
}

/* The image's pages have a place each. */
static int put_places(struct cv_writer *w, uint64_t pfn_count, int fd, struct cv_fixed *fixed, struct cv_error *err)
{
    const struct cv_place all = { 0, pfn_count };
    struct cv_rec_places v;
    CV_AUTO_BUF body = { 0 };

    if (cv_rec_places_encode(&all, 1, &body, err) < 0 || cv_rec_places_decode(&v, body.data, body.len, err) < 0 ||
        cv_fixed_init(fixed, &v, err) < 0 || cv_fixed_open_write(fixed, fd, err) < 0)
        return -1;
    struct iovec iov = { .iov_base = body.data, .iov_len = body.len };
    return cv_writer_put(w, CV_REC_PLACES, &iov, 1, err);
}

static int save_fixed(struct cv_file_source *source, struct cv_writer *w, int fd, const struct args *a,
                      struct result *r, struct cv_error *err)
{
    uint64_t pfn_count = cv_file_source_pages(source);
    struct cv_hashes hashes = { 0 };
    struct cv_fixed fixed = { 0 };
    struct cv_mem_options opt = a->opt;
    struct cv_saver *s = NULL;
    int rc = put_memory_record(w, pfn_count, err);

    opt.fixed = &fixed;
    opt.hashes = &hashes;
    if (rc == 0)
        rc = put_places(w, pfn_count, fd, &fixed, err);
    if (rc == 0)
        rc = cv_hashes_init(&hashes, pfn_count, err);
    if (rc == 0)
        rc = cv_saver_new(&s, cv_file_source_port(source), w, &opt, err);
    if (rc == 0)
        rc = cv_saver_pass(s, 0, NULL, pfn_count, NULL, NULL, err);
    if (rc == 0)
        rc = cv_saver_pass_end(s, true, 0, 0, err);
    if (rc == 0)
        rc = cv_hashes_put(&hashes, false, w, err);
    if (rc == 0)
        rc = cv_writer_finish(w, err);
    if (rc == 0)
        r->stats = *cv_saver_stats(s);
    cv_saver_free(s);
    cv_hashes_dispose(&hashes);
    cv_fixed_dispose(&fixed);
    return rc;
}

static int save_with(struct cv_file_source *source, struct cv_writer *w, const struct args *a, struct result *r,
                     struct cv_error *err)
{
    uint64_t pfn_count = cv_file_source_pages(source);
    struct cv_saver *s = NULL;
    int rc = put_memory_record(w, pfn_count, err);

    if (rc == 0)
        rc = cv_saver_new(&s, cv_file_source_port(source), w, &a->opt, err);
    if (rc == 0)
        rc = cv_saver_pass(s, 0, NULL, pfn_count, NULL, NULL, err);
    if (rc == 0)
        rc = cv_saver_pass_end(s, true, 0, 0, err);
    if (rc == 0)
        rc = cv_writer_finish(w, err);
    if (rc == 0)
        r->stats = *cv_saver_stats(s);
    cv_saver_free(s);
    return rc;
}

static int save(const struct args *a, struct result *r, struct cv_error *err)
{
    struct cv_writer_options wopt = { .required_features = CV_FEATURE_MEMORY_ONLY, .index = true };
    struct stat st;
    struct cv_file_source *source = NULL;
    struct cv_writer *w = NULL;

    unlink(a->out);
    take_peak();
    int64_t start = cv_now_ns();
    double cpu = cpu_seconds();
    CV_AUTO_FD fd = open(a->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return cv_fail(err, CV_E_IO, errno, "open %s", a->out);
    int rc = cv_file_source_open(&source, a->image, err);
    if (rc == 0 && a->fixed) {
        wopt.required_features |= CV_FEATURE_FIXED_OFFSETS;
        wopt.optional_features = CV_OPTIONAL_PAGE_HASHES;
        wopt.area_pages = cv_file_source_pages(source);
    }
    if (rc == 0)
        rc = cv_writer_new(&w, fd, &wopt, err);
    if (rc == 0)
        rc = a->fixed ? save_fixed(source, w, fd, a, r, err) : save_with(source, w, a, r, err);
    if (rc == 0)
        r->bytes_out = a->fixed && fstat(fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : cv_writer_bytes(w);
    cv_writer_free(w);
    cv_file_source_close(source);
    cv_fd_dispose(&fd);
    r->save_s = seconds_since(start);
    r->save_cpu_s = cpu_seconds() - cpu;
    r->save_peak_kib = take_peak();
    return rc;
}

/* ---- restore ---- */

struct target {
    int fd;
    struct cv_file_sink *file;
    struct cv_ram ram;
    uint64_t bytes;
    struct cv_page_sink *sink; /* of file or ram; NULL: verify only */
};

static int target_open(struct target *t, const struct args *a, uint64_t pfn_count, struct cv_error *err)
{
    t->bytes = pfn_count * CV_PAGE_SIZE;
    if (strcmp(a->restore_to, "none") == 0)
        return 0;
    if (strcmp(a->restore_to, "memory") == 0) {
        void *p = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            return cv_fail(err, CV_E_NOMEM, errno, "memory for the guest");
        (void)madvise(p, t->bytes, MADV_HUGEPAGE);
        cv_ram_init(&t->ram, p, pfn_count);
        t->sink = &t->ram.sink;
        return 0;
    }
    t->fd = open(a->restore_to, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (t->fd < 0)
        return cv_fail(err, CV_E_IO, errno, "open %s", a->restore_to);
    if (cv_file_sink_new(&t->file, t->fd, pfn_count, err) < 0)
        return -1;
    t->sink = cv_file_sink_port(t->file);
    return 0;
}

static void target_close(struct target *t)
{
    cv_file_sink_free(t->file);
    t->file = NULL;
    cv_fd_dispose(&t->fd);
    if (t->ram.pages != NULL)
        munmap(t->ram.pages, t->bytes);
    t->ram.pages = NULL;
}

static int begin_memory(struct cv_loader **l_out, struct target *t, const struct cv_record *rec, const struct args *a,
                        struct cv_fixed *fixed, struct cv_error *err)
{
    struct cv_mem_options opt = a->opt;
    struct cv_rec_memory m;

    opt.fixed = fixed;
    if (cv_rec_memory_decode(&m, rec->body.data, rec->body.len, err) < 0 || target_open(t, a, m.pfn_count, err) < 0)
        return -1;
    return cv_loader_new(l_out, t->sink, m.pfn_count, &opt, err);
}

static int restore_records(struct cv_reader *reader, struct cv_loader **l, struct target *t, const struct args *a,
                           struct cv_fixed *fixed, struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    int rc;

    while ((rc = cv_reader_next(reader, &rec, err)) > 0) {
        if (rec.type == CV_REC_MEMORY)
            rc = begin_memory(l, t, &rec, a, fixed, err);
        else if (rec.type == CV_REC_PLACES)
            rc = cv_fixed_take(fixed, reader, &rec, err);
        else if (rec.type == CV_REC_PAGES || rec.raw_type == CV_REC_PAGE_HASHES)
            rc = cv_loader_record(*l, &rec, err);
        else if (rec.type == CV_REC_PASS_END)
            rc = cv_loader_pass_end(*l, &rec, err);
        if (rc < 0)
            return -1;
    }
    return rc;
}

static int restore(const struct args *a, struct target *t, struct result *r, struct cv_error *err)
{
    const struct cv_reader_options ropt = { .defer_hash_of_pages = true,
                                            .accept_features = CV_FEATURE_MEMORY_ONLY | CV_FEATURE_FIXED_OFFSETS };
    struct cv_fixed fixed = { 0 };
    struct cv_reader *reader = NULL;
    struct cv_loader *l = NULL;

    unlink(a->restore_to);
    take_peak();
    int64_t start = cv_now_ns();
    double cpu = cpu_seconds();
    CV_AUTO_FD fd = open(a->out, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cv_fail(err, CV_E_IO, errno, "open %s", a->out);
    int rc = cv_reader_new(&reader, fd, &ropt, err);
    if (rc == 0)
        rc = restore_records(reader, &l, t, a, &fixed, err);
    if (rc == 0)
        rc = cv_loader_end(l, err);
    if (rc == 0)
        r->stats = *cv_loader_stats(l);
    cv_loader_free(l);
    cv_fixed_dispose(&fixed);
    cv_reader_free(reader);
    r->restore_s = seconds_since(start);
    r->restore_cpu_s = cpu_seconds() - cpu;
    r->restore_peak_kib = take_peak();
    return rc;
}

/* ---- compare ---- */

static int compare_with(const struct args *a, struct target *t, struct result *r, struct cv_error *err)
{
    struct stat st;
    CV_AUTO_FD fd = open(a->image, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0)
        return cv_fail(err, CV_E_IO, errno, "%s", a->image);
    size_t len = (size_t)st.st_size;
    const uint8_t *want = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    const uint8_t *got = t->ram.pages;
    if (got == NULL)
        got = mmap(NULL, t->bytes, PROT_READ, MAP_SHARED, t->fd, 0);
    if (want == MAP_FAILED || got == MAP_FAILED)
        return cv_fail(err, CV_E_IO, errno, "map the images");
    bool same = t->bytes >= len && t->bytes - len < CV_PAGE_SIZE && memcmp(want, got, len) == 0;
    for (size_t i = len; same && i < t->bytes; i++)
        same = got[i] == 0;
    r->identical = same ? "true" : "false";
    munmap((void *)want, len);
    if (got != t->ram.pages)
        munmap((void *)got, t->bytes);
    return same ? 0 : cv_fail(err, CV_E_INTERNAL, 0, "what was restored differs from %s", a->image);
}

/* ---- the tool ---- */

static void print_direction(const char *name, bool done, double s, double cpu, long peak, uint64_t bytes)
{
    if (!done)
        return;
    printf(",\"%s_gb_per_s\":%.3f,\"%s_s\":%.4f,\"%s_cpu_s\":%.3f", name, (double)bytes / s / 1e9, name, s, name, cpu);
    if (peak >= 0)
        printf(",\"%s_peak_mib\":%.1f", name, (double)peak / 1024);
    else
        printf(",\"%s_peak_mib\":null", name);
}

static void print_result(const struct args *a, const struct result *r)
{
    printf("{\"image_bytes\":%" PRIu64 ",\"pages\":%" PRIu64 ",\"zero_pages\":%" PRIu64 ",\"bytes_raw\":%" PRIu64
           ",\"bytes_out\":%" PRIu64 ",\"records\":%" PRIu64 ",\"threads\":%u,\"codec\":\"%s\"",
           r->image_bytes, r->stats.pages, r->stats.zero_pages, r->stats.bytes_raw, r->bytes_out, r->stats.records,
           a->opt.threads, a->compress);
    print_direction("save", a->save, r->save_s, r->save_cpu_s, r->save_peak_kib, r->image_bytes);
    /* The restored guest's own memory is no overhead and cannot be told apart. */
    print_direction("restore", a->restore, r->restore_s, r->restore_cpu_s,
                    strcmp(a->restore_to, "memory") == 0 ? -1 : r->restore_peak_kib, r->image_bytes);
    printf(",\"identical\":%s}\n", r->identical);
}

static int run(const struct args *a, struct cv_error *err)
{
    struct result r = { .identical = "null" };
    struct target t = { .fd = -1 };
    struct stat st;

    if (stat(a->image, &st) < 0)
        return cv_fail(err, CV_E_NOT_FOUND, errno, "%s", a->image);
    r.image_bytes = (uint64_t)st.st_size;
    int rc = a->save ? save(a, &r, err) : 0;
    if (rc == 0 && a->restore)
        rc = restore(a, &t, &r, err);
    if (rc == 0 && a->restore && a->compare && t.sink != NULL)
        rc = compare_with(a, &t, &r, err);
    target_close(&t);
    if (!a->keep) {
        unlink(a->out);
        if (a->restore)
            unlink(a->restore_to);
    }
    if (rc == 0)
        print_result(a, &r);
    return rc;
}

static int parse_size(const char *text, uint64_t *out, struct cv_error *err)
{
    char *end;
    uint64_t v = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;

    if (end == text || end[shift != 0] != '\0' || v == 0 || v > UINT64_MAX >> 34)
        return cv_fail(err, CV_E_INVALID, 0, "'%s' is no size", text);
    *out = (v << shift) / CV_PAGE_SIZE * CV_PAGE_SIZE;
    return *out > 0 ? 0 : cv_fail(err, CV_E_INVALID, 0, "'%s' is less than a page", text);
}

static const char usage[] = "usage: stream IMAGE [--threads N] [--compress none|zstd[:LEVEL]|auto] [--out FILE] "
                            "[--restore-to FILE|memory|none]\n"
                            "                    [--no-save] [--no-restore] [--no-compare] [--keep] [--fixed]\n"
                            "       stream --generate SIZE[K|M|G] OUT [--seed N] [--all-random]\n";

enum {
    O_THREADS = 1,
    O_COMPRESS,
    O_OUT,
    O_RESTORE_TO,
    O_NO_SAVE,
    O_NO_RESTORE,
    O_NO_COMPARE,
    O_KEEP,
    O_FIXED,
    O_GENERATE,
    O_SEED,
    O_ALL_RANDOM,
    O_HELP
};
static const struct option options[] = {
    { "threads", 1, NULL, O_THREADS },
    { "compress", 1, NULL, O_COMPRESS },
    { "out", 1, NULL, O_OUT },
    { "restore-to", 1, NULL, O_RESTORE_TO },
    { "no-save", 0, NULL, O_NO_SAVE },
    { "no-restore", 0, NULL, O_NO_RESTORE },
    { "no-compare", 0, NULL, O_NO_COMPARE },
    { "keep", 0, NULL, O_KEEP },
    { "fixed", 0, NULL, O_FIXED },
    { "generate", 1, NULL, O_GENERATE },
    { "seed", 1, NULL, O_SEED },
    { "all-random", 0, NULL, O_ALL_RANDOM },
    { "help", 0, NULL, O_HELP },
    { 0 },
};

static int parse(int argc, char **argv, struct args *a, struct cv_error *err)
{
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        switch (c) {
        case O_THREADS: a->opt.threads = (unsigned)strtoul(optarg, NULL, 10); break;
        case O_COMPRESS: a->compress = optarg; break;
        case O_OUT: a->out = optarg; break;
        case O_RESTORE_TO: a->restore_to = optarg; break;
        case O_NO_SAVE: a->save = false; break;
        case O_NO_RESTORE: a->restore = false; break;
        case O_NO_COMPARE: a->compare = false; break;
        case O_KEEP: a->keep = true; break;
        case O_FIXED:
            a->fixed = true;
            a->compress = "none";
            break;
        case O_GENERATE: a->generate = optarg; break;
        case O_SEED: a->seed = strtoull(optarg, NULL, 0); break;
        case O_ALL_RANDOM: a->all_random = true; break;
        case 'h':
        case O_HELP: fputs(usage, stdout); exit(0);
        default: return cv_fail(err, CV_E_INVALID, 0, "see --help");
        }
    if (argc - optind != 1)
        return cv_fail(err, CV_E_INVALID, 0, "one file wanted; see --help");
    a->image = argv[optind];
    return cv_mem_parse_compress(a->compress, &a->opt, err);
}

int main(int argc, char **argv)
{
    struct cv_error err = CV_ERROR_INIT;
    struct args a = { .compress = "zstd", .save = true, .restore = true, .compare = true, .seed = 1 };
    const char *tmp = getenv("TMPDIR");
    char out[4096], restored[4096], text[800];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    a.opt.threads = cpus > 0 ? (unsigned)cpus : 1;
    snprintf(out, sizeof out, "%s/convoy-bench-%d.stream", tmp ? tmp : "/tmp", (int)getpid());
    snprintf(restored, sizeof restored, "%s/convoy-bench-%d.img", tmp ? tmp : "/tmp", (int)getpid());
    a.out = out;
    a.restore_to = restored;
    int rc = parse(argc, argv, &a, &err);
    uint64_t bytes = 0;
    if (rc == 0 && a.generate != NULL) {
        rc = parse_size(a.generate, &bytes, &err);
        if (rc == 0)
            rc = bench_generate(a.image, bytes, a.seed, a.all_random, &err);
    } else if (rc == 0) {
        rc = run(&a, &err);
    }
    if (rc < 0)
        fprintf(stderr, "stream: %s\n", cv_error_string(&err, text, sizeof text));
    return rc < 0 ? 1 : 0;
}
