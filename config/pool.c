/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cv_pool_block {
    struct cv_pool_block *next;
    max_align_t data[];
};

void cv_pool_dispose(struct cv_pool *p)
{
    while (p->blocks != NULL) {
        struct cv_pool_block *next = p->blocks->next;
        free(p->blocks);
        p->blocks = next;
    }
    p->failed = false;
}

void *cv_pool_zalloc(struct cv_pool *p, size_t count, size_t size)
{
    size_t bytes;
    struct cv_pool_block *b = NULL;

    if (!__builtin_mul_overflow(count, size, &bytes) && bytes < (size_t)1 << 30)
        b = calloc(1, sizeof *b + (bytes ? bytes : 1));
    if (b == NULL) {
        p->failed = true;
        return NULL;
    }
    b->next = p->blocks;
    p->blocks = b;
    return b->data;
}

const char *cv_pool_stringn(struct cv_pool *p, const char *text, size_t len)
{
    char *copy = cv_pool_zalloc(p, len + 1, 1);

    if (copy == NULL)
        return "";
    memcpy(copy, text, len);
    return copy;
}

const char *cv_pool_string(struct cv_pool *p, const char *text)
{
    return text == NULL ? "" : cv_pool_stringn(p, text, strlen(text));
}

static const char *pool_vprintf(struct cv_pool *p, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    char *text = len < 0 ? NULL : cv_pool_zalloc(p, (size_t)len + 1, 1);
    if (text != NULL)
        vsnprintf(text, (size_t)len + 1, fmt, again);
    else
        p->failed = true;
    va_end(again);
    return text == NULL ? "" : text;
}

const char *cv_pool_printf(struct cv_pool *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = pool_vprintf(p, fmt, ap);
    va_end(ap);
    return text;
}

int cv_pool_check(const struct cv_pool *p, struct cv_error *err)
{
    return p->failed ? cv_fail(err, CV_E_NOMEM, 0, "out of memory") : 0;
}

void cv_strings_add(struct cv_pool *p, struct cv_strings *list, const char *text)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        const char **items = cv_pool_zalloc(p, cap, sizeof *items);
        if (items == NULL)
            return;
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = text;
}

void cv_strings_addf(struct cv_pool *p, struct cv_strings *list, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = pool_vprintf(p, fmt, ap);
    va_end(ap);
    cv_strings_add(p, list, text);
}
