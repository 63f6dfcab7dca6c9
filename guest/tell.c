/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/tell.h"

#include "base/auto.h"

void cv_tell(struct cv_sink *sink, json_t *event)
{
    if (sink != NULL && sink->event != NULL && event != NULL) {
        CV_AUTO_FREE char *text = json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(10));
        if (text != NULL)
            sink->event(sink, text);
    }
    json_decref(event);
}

json_t *cv_tell_ms(int64_t ns) { return json_real((double)(ns / 100000) / 10); }
