/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts the bytes of small samples spread over the data.  Of n random bytes each value shows up n/256 times on
 * average, and the sum of the squared counts is about n*n/256 + n; everything that level 1 can shorten by Huffman
 * coding is well above.  What repeats itself although its bytes are evenly spread (a compressed file that is in
 * memory twice) is lost: it would have to lie within one batch. */
#include "memory/incompressible.h"

#include <string.h>

#include "memory/pages.h"

#define SAMPLE 64u   /* bytes, one cache line */
#define SAMPLES 128u /* 8 KiB in all: the sum's standard deviation is then below 1 % */
#define LIMIT_PERCENT 106u

static bool evenly_spread(const uint16_t count[256])
{
    const uint64_t n = SAMPLES * SAMPLE;
    uint64_t sum = 0;

    for (unsigned i = 0; i < 256; i++)
        sum += (uint64_t)count[i] * count[i];
    return sum * 100 < (n * n / 256 + n) * LIMIT_PERCENT;
}

bool cv_incompressible(const uint8_t *data, size_t length)
{
    uint16_t count[256] = { 0 };
    size_t step = length / SAMPLES / SAMPLE * SAMPLE;

    if (step < SAMPLE)
        step = SAMPLE;
    if (length < (size_t)SAMPLES * SAMPLE)
        return false;
    /* An odd number of lines between samples, so that they do not all lie at the same place of their pages. */
    if (step > SAMPLE && step / SAMPLE % 2 == 0)
        step -= SAMPLE;
    for (unsigned s = 0; s < SAMPLES; s++)
        for (unsigned i = 0; i < SAMPLE; i++)
            count[data[s * step + i]]++;
    return evenly_spread(count);
}
