/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text of strangers: names, an emulator's last words, a peer's reasons, what stands in an image. */
#ifndef CONVOY_BASE_TEXT_H
#define CONVOY_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* One line that a terminal or a log can be given, in place: control characters (C0, DEL, C1), what turns the direction
 * of text around, and bytes that are no UTF-8 become '?', a tab a space.  Never longer than it was. */
void cv_text_clean(char *text);
/* The same of a copy in buf, cut to len - 1 bytes.  Returns buf. */
const char *cv_text_cleaned(const char *text, char *buf, size_t len);
/* [USER@]HOST: nothing that ssh could take for an option of its own, or a shell for more than a word. */
bool cv_text_is_host(const char *text);
/* A whole number within these bounds as C writes one (xl does, too: 12, 0x0c, 014).  False if text is anything else;
 * *out is untouched then. */
bool cv_text_number(const char *text, long long min, long long max, long long *out);

#endif
