/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <stdio.h>

#include "base/text.h"

void cv_log(struct cv_sink *s, enum cv_level level, const char *fmt, ...)
{
    if (s == NULL || s->message == NULL || level > s->level)
        return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cv_text_clean(text);
    s->message(s, level, text);
}

void cv_event(struct cv_sink *s, const char *fmt, ...)
{
    if (s == NULL || s->event == NULL)
        return;
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    s->event(s, text);
}
