/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Data whose every word says where it belongs and how often that place has been written: a page that is lost, old,
 * moved or torn is seen at the first word that is wrong.
 */
#ifndef LAB_GUEST_PATTERN_H
#define LAB_GUEST_PATTERN_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t pattern_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* entropy: per cent of the words that differ from all others; the rest repeats one word of the place, so that the data
 * compresses about as memory of real machines does. */
static inline uint64_t pattern_word(uint64_t tag, size_t i, unsigned entropy)
{
    return i * 37 % 100 < entropy ? pattern_mix(tag + i) : tag;
}

static inline uint64_t pattern_tag(uint64_t place, uint32_t round)
{
    return pattern_mix(place ^ ((uint64_t)round << 40));
}

static inline void pattern_fill(uint64_t *words, size_t n, uint64_t place, uint32_t round, unsigned entropy)
{
    uint64_t tag = pattern_tag(place, round);

    for (size_t i = 0; i < n; i++)
        words[i] = pattern_word(tag, i, entropy);
}

/* The index of the first wrong word, or -1. */
static inline ptrdiff_t pattern_check(const uint64_t *words, size_t n, uint64_t place, uint32_t round, unsigned entropy)
{
    uint64_t tag = pattern_tag(place, round);

    for (size_t i = 0; i < n; i++)
        if (words[i] != pattern_word(tag, i, entropy))
            return (ptrdiff_t)i;
    return -1;
}

#endif
