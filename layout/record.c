/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layout/record.h"

#include <string.h>

#include "base/auto.h"
#include "stream-format/bodies.h"

int cv_layout_to_record(const struct cv_layout *l, struct cv_buf *out, struct cv_error *err)
{
    CV_AUTO_FREE char *json = NULL;
    unsigned order[CV_DM_MAX];

    if (cv_layout_encode(l, &json, err) < 0)
        return -1;
    struct cv_rec_layout rec = {
        .schema = CV_REC_SCHEMA, .count = l->count, .json = json, .json_len = (uint32_t)strlen(json)
    };
    cv_layout_rank_order(l, order);
    for (unsigned i = 0; i < l->count; i++) {
        rec.emulator[i].dmid = order[i];
        rec.emulator[i].flags = l->dms[order[i]].role == CV_DM_DEFAULT ? CV_LAYOUT_DEFAULT : 0;
    }
    return cv_rec_layout_encode(&rec, out, err);
}

static bool same_emulators(const struct cv_rec_layout *rec, const struct cv_layout *l)
{
    unsigned order[CV_DM_MAX];
    bool same = rec->count == l->count;

    cv_layout_rank_order(l, order);
    for (unsigned i = 0; same && i < rec->count; i++)
        same = rec->emulator[i].dmid == order[i];
    return same;
}

int cv_layout_of_record(const void *body, size_t len, struct cv_layout *out, struct cv_error *err)
{
    struct cv_rec_layout rec;

    if (cv_rec_layout_decode(&rec, body, len, err) < 0 || cv_layout_decode(rec.json, rec.json_len, out, err) < 0)
        return -1;
    if (same_emulators(&rec, out))
        return 0;
    cv_layout_dispose(out);
    return cv_fail(err, CV_E_STREAM, 0, "the record's head and its JSON list different emulators");
}
