/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "save/save.h"

#define SECONDS(n) ((int64_t)(n)*1000)

/* Options of the coordinator, and what they point to. */
struct save_call {
    struct cv_save_options opt;
    struct cv_chain_places places;
    enum cv_save_after after;
};

static int check_layout(struct save_call *c, const convoy_save_options *o, const char *path, struct cv_error *e)
{
    if (!o->fixed_layout)
        return 0;
    if (o->compress != NULL && c->opt.mem.codec != CV_CODEC_NONE)
        return cv_fail(e, CV_E_INVALID, 0, "fixed_layout goes with no compression but \"none\"");
    if (o->parent != NULL || path == NULL || strcmp(path, "-") == 0)
        return cv_fail(e, CV_E_INVALID, 0, "fixed_layout is for a file by its name, and for one without a parent");
    c->opt.mem.codec = CV_CODEC_NONE;
    c->opt.layout = CV_SAVE_FIXED;
    return 0;
}

/* path NULL: nothing is written. */
static int take_options(struct save_call *c, const convoy_save_options *given, const char *path, struct cv_error *e)
{
    static const enum cv_save_after after[] = { CV_SAVE_DESTROY, CV_SAVE_CONTINUE, CV_SAVE_LEAVE_PAUSED };
    convoy_save_options o;

    if (api_options(&o, sizeof o, given, "convoy_save_options", e) < 0)
        return -1;
    if ((unsigned)o.after > CONVOY_AFTER_PAUSE)
        return cv_fail(e, CV_E_INVALID, 0, "after: %d is not one of enum convoy_after", (int)o.after);
    *c = (struct save_call){ .opt = { .live = o.live != 0,
                                      .force = o.force != 0,
                                      .suspend_timeout_ms = SECONDS(o.suspend_timeout_s),
                                      .emulator_timeout_ms = SECONDS(o.emulator_timeout_s),
                                      .stall_ms = SECONDS(o.stall_timeout_s),
                                      .cancel = api_cancel(o.cancel),
                                      .parent = o.parent,
                                      .page_hashes = o.page_hashes != 0,
                                      .at_freeze = o.at_freeze,
                                      .freeze_timeout_ms = SECONDS(o.freeze_timeout_s) },
                             .after = after[o.after] };
    if (api_mem(&c->opt.mem, o.threads, o.compress, o.cancel, e) < 0 || api_places(&c->places, o.parents, e) < 0)
        return -1;
    c->opt.parents = &c->places;
    if (o.at_freeze != NULL && (*o.at_freeze == '\0' || strlen(o.at_freeze) > CV_FREEZE_COMMAND_MAX))
        return cv_fail(e, CV_E_INVALID, 0, "at_freeze: a command has 1 to %u bytes", (unsigned)CV_FREEZE_COMMAND_MAX);
    return check_layout(c, &o, path, e);
}

static void give_report(convoy_save_report *report, const struct cv_save_report *r)
{
    convoy_save_report full = { .size = sizeof full,
                                .bytes = r->bytes,
                                .guest_pages = r->guest_pages,
                                .passes = r->passes,
                                .total_ns = r->total_ns,
                                .down_ns = r->down_ns,
                                .suspend_ns = r->suspend_ns,
                                .stop_ns = r->stop_ns,
                                .freeze_ns = r->freeze_ns,
                                .last_pages_ns = r->last_pages_ns,
                                .states_ns = r->states_ns,
                                .tail_ns = r->tail_ns };

    api_give(report, &full, sizeof full);
}

static int save(convoy_host *h, const char *who, const char *path, int fd, const convoy_save_options *o,
                convoy_save_report *report, convoy_error *err)
{
    struct cv_save_report r = { 0 };
    struct cv_error e = CV_ERROR_INIT;
    struct save_call c;

    if (take_options(&c, o, path, &e) < 0 || api_room(report, "convoy_save_report", &e) < 0) {
        cv_context(&e, "save '%s'", who);
        return api_fail(&e, err);
    }
    if (cv_save_to(h->host, who, path, fd, c.after, &c.opt, &h->out.sink, &r, &e) < 0)
        return api_fail(&e, err);
    give_report(report, &r);
    return 0;
}

int convoy_save(convoy_host *h, const char *who, const char *path, const convoy_save_options *o,
                convoy_save_report *report, convoy_error *err)
{
    return save(h, who, path, -1, o, report, err);
}

int convoy_save_fd(convoy_host *h, const char *who, int fd, const convoy_save_options *o, convoy_save_report *report,
                   convoy_error *err)
{
    return save(h, who, "-", fd, o, report, err);
}

static int check_quiesce(const struct save_call *c, struct cv_error *e)
{
    if (c->opt.at_freeze == NULL)
        return cv_fail(e, CV_E_INVALID, 0, "at_freeze: a command is wanted: nothing else happens meanwhile");
    if (c->after != CV_SAVE_DESTROY || c->opt.live || c->opt.parent != NULL || c->opt.page_hashes)
        return cv_fail(e, CV_E_INVALID, 0,
                       "no memory is saved: none of after, live, parent and page_hashes may be set");
    return 0;
}

int convoy_quiesce(convoy_host *h, const char *who, const convoy_save_options *o, convoy_save_report *report,
                   char **output_out, size_t *length_out, convoy_error *err)
{
    struct cv_save_report r = { 0 };
    struct cv_error e = CV_ERROR_INIT;
    CV_AUTO_BUF output = { 0 };
    struct save_call c;
    int rc = -1;

    if (take_options(&c, o, NULL, &e) < 0 || check_quiesce(&c, &e) < 0 ||
        api_room(report, "convoy_save_report", &e) < 0)
        cv_context(&e, "quiesce '%s'", who);
    else
        rc = cv_save_quiesce(h->host, who, &c.opt, &h->out.sink, &r, &output, &e);
    if (output_out != NULL) {
        static const uint8_t end;
        /* The text is terminated for whoever wants a string. */
        if (length_out != NULL)
            *length_out = output.len;
        *output_out = output.len > 0 && cv_buf_append(&output, &end, 1, NULL) == 0 ? (char *)output.data : NULL;
        if (*output_out != NULL)
            output = (struct cv_buf){ 0 };
    }
    if (rc == 0)
        give_report(report, &r);
    return api_result(rc, &e, err);
}
