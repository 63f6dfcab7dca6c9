/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the character at p and its code point; 0: no UTF-8 (overlong, surrogate, beyond the last, cut). */
static size_t decode(const uint8_t *p, uint32_t *code)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;

    *code = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        *code = *code << 6 | (p[i] & 0x3f);
    }
    return *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) || *code < least[n] ? 0 : n;
}

static bool harmless(uint32_t code)
{
    bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    bool turns = code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
                 (code >= 0x2066 && code <= 0x2069) || code == 0x2028 || code == 0x2029;

    return !control && !turns;
}

void cv_text_clean(char *text)
{
    const uint8_t *from = (const uint8_t *)text;
    char *to = text;
    uint32_t code;

    while (*from != '\0') {
        size_t n = decode(from, &code);
        if (n > 0 && harmless(code)) {
            while (n-- > 0)
                *to++ = (char)*from++;
            continue;
        }
        *to++ = *from == '\t' ? ' ' : '?';
        from += n > 0 ? n : 1;
    }
    *to = '\0';
}

const char *cv_text_cleaned(const char *text, char *buf, size_t len)
{
    snprintf(buf, len, "%s", text);
    cv_text_clean(buf);
    return buf;
}

bool cv_text_is_host(const char *text)
{
    const char *at = strrchr(text, '@');

    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return false;
    if (at != NULL && (at == text || text[0] == '-'))
        return false;
    const char *name = at != NULL ? at + 1 : text;
    return name[0] != '\0' && name[0] != '-';
}

bool cv_text_number(const char *text, long long min, long long max, long long *out)
{
    char *end;

    errno = 0;
    long long v = strtoll(text, &end, 0);
    if (end == text || *end != '\0' || errno != 0 || v < min || v > max)
        return false;
    *out = v;
    return true;
}
