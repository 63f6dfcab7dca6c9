/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/generator_fill.h"

#include <string.h>

#include "base/bytes.h"
#include "memory/pages.h"

#define WORDS (CV_PAGE_SIZE / 8u)

/* Small numbers are much more frequent than large ones: about Zipf's law. */
static uint64_t skewed(struct cv_rng *r, uint64_t limit)
{
    return cv_rng_below(r, cv_rng_below(r, cv_rng_below(r, limit) + 1) + 1);
}

/* The n-th word of a language of its own: always the same letters. */
static unsigned put_word(char *to, unsigned room, uint64_t n)
{
    static const char vowels[] = "eaiou", consonants[] = "tnsrhldcmfpgwybvk";
    struct cv_rng r = cv_rng(0x776f726473, n);
    unsigned len = 2 + (unsigned)cv_rng_below(&r, 8);

    if (len > room)
        len = room;
    for (unsigned i = 0; i < len; i++)
        to[i] = i % 2 ? vowels[skewed(&r, sizeof vowels - 1)] : consonants[skewed(&r, sizeof consonants - 1)];
    return len;
}

void cv_gen_fill_text(struct cv_rng *r, uint64_t pfn, uint64_t *page)
{
    char *text = (char *)page;
    uint64_t topic = pfn / 16 * 97 % 5000; /* neighbouring pages share some words */

    for (unsigned at = 0; at < CV_PAGE_SIZE;) {
        uint64_t word = cv_rng_below(r, 4) == 0 ? topic + skewed(r, 60) : skewed(r, 6000);
        at += put_word(text + at, CV_PAGE_SIZE - at, word);
        if (at < CV_PAGE_SIZE)
            text[at++] = cv_rng_below(r, 11) == 0 ? '\n' : ' ';
    }
}

/* Instruction shapes; f.. are filled: .1 one skewed byte, .4 four bytes of displacement. */
/* clang-format off */
static const struct { uint8_t len, operand, bytes[4]; } shapes[] = {
    { 4, 1, { 0x48, 0x8b, 0x45 } },  { 4, 1, { 0x48, 0x89, 0x44 } }, { 5, 4, { 0xe8 } },       { 2, 1, { 0x74 } },
    { 2, 1, { 0x75 } },              { 3, 0, { 0x48, 0x89, 0xe5 } }, { 1, 0, { 0x55 } },       { 1, 0, { 0xc3 } },
    { 7, 4, { 0x48, 0x8d, 0x3d } },  { 3, 0, { 0x48, 0x85, 0xc0 } }, { 2, 0, { 0x31, 0xc0 } }, { 6, 4, { 0x0f, 0x84 } },
    { 4, 1, { 0x48, 0x83, 0xec } },  { 4, 1, { 0x48, 0x83, 0xc4 } }, { 5, 4, { 0xb8 } },       { 2, 0, { 0x41, 0x5c } },
    { 4, 1, { 0x0f, 0xb6, 0x45 } },  { 7, 4, { 0x48, 0x8b, 0x05 } }, { 1, 0, { 0x5b } },       { 5, 4, { 0xe9 } },
};
/* clang-format on */

void cv_gen_fill_code(struct cv_rng *r, uint64_t pfn, uint64_t *page)
{
    uint8_t *code = (uint8_t *)page;
    uint8_t one[12];

    for (unsigned at = 0; at < CV_PAGE_SIZE;) {
        unsigned s = (unsigned)skewed(r, sizeof shapes / sizeof shapes[0]);
        unsigned len = shapes[s].len, fixed = len - shapes[s].operand;
        memcpy(one, shapes[s].bytes, 4);
        if (shapes[s].operand == 1)
            one[fixed] = (uint8_t)(skewed(r, 32) * 8);
        if (shapes[s].operand == 4) /* calls into a few hundred functions, data nearby */
            cv_store32(one + fixed, (uint32_t)(skewed(r, 400) * 272 - pfn * 64 - at));
        if (len > CV_PAGE_SIZE - at)
            len = CV_PAGE_SIZE - at;
        memcpy(code + at, one, len);
        at += len;
    }
}

void cv_gen_fill_heap(struct cv_rng *r, uint64_t pfn, uint64_t *page)
{
    uint64_t arena = UINT64_C(0x00007f3c80000000) + pfn / 512 * UINT64_C(0x200000);

    for (unsigned i = 0; i < WORDS;) {
        unsigned size = 2 + (unsigned)skewed(r, 24), end = i + size < WORDS ? i + size : WORDS;
        page[i++] = size * 8 + 1; /* malloc's size field */
        while (i < end) {
            switch (cv_rng_below(r, 8)) {
            case 0:
            case 1: page[i++] = arena + skewed(r, 4096) * 16; break;
            case 2: page[i++] = skewed(r, 256); break;
            case 3: page[i++] = cv_rng_below(r, 6) ? skewed(r, 1u << 20) : cv_rng_next(r); break;
            case 4: {
                char word[8] = { 0 };
                put_word(word, 8, skewed(r, 3000));
                memcpy(&page[i++], word, 8);
                break;
            }
            default: page[i++] = 0;
            }
        }
    }
}

void cv_gen_fill_slab(struct cv_rng *r, uint64_t pfn, uint64_t *page)
{
    uint64_t kernel = UINT64_C(0xffff888000000000) + (pfn << 12);
    unsigned words = 8u << cv_rng_below(r, 4); /* objects of 64 to 512 bytes */
    uint64_t ops = UINT64_C(0xffffffff81000000) + skewed(r, 4096) * 64, flags = skewed(r, 64);

    for (unsigned i = 0; i < WORDS; i++)
        switch (i % words) {
        case 0: page[i] = ops; break;
        case 1: page[i] = kernel + (i + words) % WORDS * 8; break;
        case 2: page[i] = flags | (uint64_t)skewed(r, 16) << 32; break;
        case 3: page[i] = cv_rng_below(r, 1u << 30); break;
        case 5: page[i] = kernel + i * 8 + 40; break;
        case 6: page[i] = kernel + i * 8 + 40; break;
        default: page[i] = cv_rng_below(r, 5) ? 0 : skewed(r, 1u << 16); break;
        }
}

void cv_gen_fill_tables(struct cv_rng *r, uint64_t pfn, uint64_t *page)
{
    uint64_t frame = cv_rng_below(r, 1u << 20);

    (void)pfn;
    for (unsigned i = 0; i < WORDS; i++) {
        if (cv_rng_below(r, 24) == 0)
            frame = cv_rng_below(r, 1u << 20);
        page[i] = cv_rng_below(r, 40) == 0 ? 0 : frame++ << 12 | 0x67 | (cv_rng_below(r, 9) ? 0 : UINT64_C(1) << 63);
    }
}

void cv_gen_fill_random(struct cv_rng *r, uint64_t pfn, uint64_t *page)
{
    (void)pfn;
    for (unsigned i = 0; i < WORDS; i++)
        page[i] = cv_rng_next(r);
}
