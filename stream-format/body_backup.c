/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What backups need beside the guest itself: FREEZE. */
#include "stream-format/bodies.h"
#include "stream-format/body_util.h"

int cv_rec_freeze_encode(const struct cv_rec_freeze *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_freeze again;

    cv_put_u64(&p, v->time);
    cv_put_u32(&p, v->duration_ms);
    cv_put_u32(&p, v->flags);
    cv_put_u32(&p, v->command_len);
    cv_put_u32(&p, v->output_len);
    if (p.rc < 0 || cv_body_put_text(v->command, v->command_len, out, err) < 0 ||
        cv_body_put_text(v->output, v->output_len, out, err) < 0)
        return -1;
    return cv_encoded(cv_rec_freeze_decode(&again, out->data + start, out->len - start, err), err);
}

int cv_rec_freeze_decode(struct cv_rec_freeze *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->time = cv_cur_u64(&c);
    v->duration_ms = cv_cur_u32(&c);
    v->flags = cv_cur_u32(&c);
    v->command_len = cv_cur_u32(&c);
    v->output_len = cv_cur_u32(&c);
    v->command = (const char *)cv_cur_bytes(&c, v->command_len);
    v->output = (const char *)cv_cur_bytes(&c, v->output_len);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    if (v->flags & ~CV_FREEZE_CUT)
        return cv_body_fail(err, "flags 0x%x", v->flags);
    if (v->command_len == 0 || v->command_len > CV_FREEZE_COMMAND_MAX || v->output_len > CV_FREEZE_OUTPUT_MAX)
        return cv_body_fail(err, "command of %u bytes, output of %u", v->command_len, v->output_len);
    if (cv_body_text("command", v->command, v->command_len, err) < 0)
        return -1;
    return cv_body_text("output", v->output, v->output_len, err);
}
