/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a save tells programs at its end. */
#ifndef CONVOY_SAVE_REPORT_H
#define CONVOY_SAVE_REPORT_H

#include "save/save.h"

/* The event "report" (convoy-save(1)) to the operation's sink: sizes, and where the time went, each emulator's too. */
void cv_save_tell_report(const struct cv_save *s);

#endif
