/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is a page full of zeros?  Most pages of most guests are, so this runs at the speed of memory. */
#ifndef CONVOY_MEMORY_ZERO_H
#define CONVOY_MEMORY_ZERO_H

#include <stdbool.h>

/* page: CV_PAGE_SIZE bytes, aligned to 8.  May change while it is read: the answer is then that of some mixture. */
bool cv_page_is_zero(const void *page);

#endif
