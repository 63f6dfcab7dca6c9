/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target without a fuzz engine: over every seed file, and over seeded mutations of each.
 * A target with a mutator of its own (LLVMFuzzerCustomMutator) is given its mutations.
 * Arguments: files and folders (not recursive).  Environment: CONVOY_FUZZ_RUNS mutations for each seed (default 200);
 * CONVOY_FUZZ_SEED another series of them. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

#define SEED_MAX (4u << 20)
#define GROWTH (1u << 16) /* of what a target's own mutator may make of an input */

static unsigned long runs = 200, files;
static uint64_t series;

/* xorshift64*: the same mutations on every machine. */
static uint64_t next_random(uint64_t *s)
{
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return *s * 0x2545f4914f6cdd1dull;
}

/* A private copy of exactly the input's length, so that a sanitizer sees every read behind it. */
static void run_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (copy == NULL)
        exit(2);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static size_t mutate(uint8_t *data, size_t size, uint64_t *s)
{
    size_t len = size;

    for (unsigned n = 1 + (unsigned)(next_random(s) % 4); n > 0 && len > 0; n--) {
        size_t at = (size_t)(next_random(s) % len);
        switch (next_random(s) % 4) {
        case 0: data[at] ^= (uint8_t)(1u << next_random(s) % 8); break;
        case 1: data[at] = (uint8_t)next_random(s); break;
        case 2: len = at; break;
        default: data[at] = (uint8_t[]){ 0, 0xff, 0x7f, 0x80 }[next_random(s) % 4]; break;
        }
    }
    return len;
}

/* For a target's own mutator, as libFuzzer offers it; it never grows anything here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
    static uint64_t s = 0x2545f4914f6cdd1dull;

    return mutate(data, size < max ? size : max, &s);
}

static void run_mutated(const uint8_t *data, size_t size, uint64_t *s)
{
    size_t cap = size + GROWTH, len;
    uint8_t *copy = malloc(cap);

    if (copy == NULL)
        exit(2);
    memcpy(copy, data, size);
    if (LLVMFuzzerCustomMutator != NULL)
        len = LLVMFuzzerCustomMutator(copy, size, cap, (unsigned)next_random(s));
    else
        len = mutate(copy, size, s);
    run_copy(copy, len);
    free(copy);
}

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(SEED_MAX);

    if (f == NULL || data == NULL) {
        perror(path);
        exit(2);
    }
    size_t size = fread(data, 1, SEED_MAX, f);
    fclose(f);
    uint64_t s = 0x9e3779b97f4a7c15ull ^ size ^ series << 32;
    run_copy(data, size);
    for (unsigned long i = 0; i < runs; i++)
        run_mutated(data, size, &s);
    free(data);
    files++;
}

static void run_folder(const char *path)
{
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        char name[4096];
        struct stat st;
        snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
        if (stat(name, &st) == 0 && S_ISREG(st.st_mode))
            run_file(name);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

int main(int argc, char **argv)
{
    if (getenv("CONVOY_FUZZ_RUNS") != NULL)
        runs = strtoul(getenv("CONVOY_FUZZ_RUNS"), NULL, 10);
    if (getenv("CONVOY_FUZZ_SEED") != NULL)
        series = strtoull(getenv("CONVOY_FUZZ_SEED"), NULL, 10);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) < 0) {
            perror(argv[i]);
            return 2;
        }
        if (S_ISDIR(st.st_mode))
            run_folder(argv[i]);
        else
            run_file(argv[i]);
    }
    printf("%lu seeds, %lu mutations of each\n", files, runs);
    return 0;
}
