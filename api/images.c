/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images, without a host. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/internal.h"
#include "convert/convert.h"
#include "convert/merge.h"
#include "image/image.h"
#include "image/report.h"
#include "layout/layout.h"

/* Options, and what they point to. */
struct image_call {
    struct cv_image_options opt;
    struct cv_chain_places places;
    struct cv_reader_options reader;
};

static int take_options(struct image_call *c, const convoy_image_options *given, struct cv_error *e)
{
    convoy_image_options o;

    memset(c, 0, sizeof *c);
    if (api_options(&o, sizeof o, given, "convoy_image_options", e) < 0 ||
        api_mem(&c->opt.mem, o.threads, NULL, o.cancel, e) < 0 || api_places(&c->places, o.parents, e) < 0)
        return -1;
    c->opt.parents = &c->places;
    c->reader = (struct cv_reader_options){ .cancel = api_cancel(o.cancel),
                                            .accept_features = CV_FEATURE_MEMORY_ONLY | CV_FEATURE_INCREMENTAL |
                                                               CV_FEATURE_FIXED_OFFSETS };
    return 0;
}

/* img: filled as far as it came; NULL without memory.  cv_image_dispose and free. */
static int read_image(struct image_call *c, int fd, struct cv_image **img_out, struct cv_error *e)
{
    struct cv_reader *r;

    *img_out = calloc(1, sizeof **img_out);
    if (*img_out == NULL)
        return cv_fail(e, CV_E_NOMEM, 0, "no memory for an image");
    if (cv_reader_new(&r, fd, &c->reader, e) < 0)
        return -1;
    int rc = cv_image_read(*img_out, r, &c->opt, e);
    cv_reader_free(r);
    return rc;
}

static void free_image(struct cv_image *img)
{
    if (img != NULL)
        cv_image_dispose(img);
    free(img);
}

int convoy_verify_fd(int fd, const convoy_image_options *o, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_image *img = NULL;
    struct image_call c;

    int rc = take_options(&c, o, &e);
    if (rc == 0) {
        c.opt.check_pages = c.opt.want_parents = c.reader.defer_hash_of_pages = true;
        rc = read_image(&c, fd, &img, &e);
    }
    if (rc == 0)
        rc = cv_image_check(img, &e);
    free_image(img);
    return api_result(rc, &e, err);
}

int convoy_inspect_fd(int fd, const convoy_image_options *o, char **json_out, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_image *img = NULL;
    struct image_call c;

    *json_out = NULL;
    int rc = take_options(&c, o, &e);
    if (rc == 0) {
        c.opt.keep_states = true;
        rc = read_image(&c, fd, &img, &e);
    }
    /* What could be read of a damaged image is shown. */
    if (img != NULL && img->header.version != 0) {
        json_t *report = cv_report_json(img, cv_if_first(&e, rc));
        if (report != NULL)
            *json_out = api_json_dump(report);
        if (rc == 0 && *json_out == NULL)
            rc = cv_fail(&e, CV_E_NOMEM, 0, "no memory for a report");
    }
    free_image(img);
    return api_result(rc, &e, err);
}

static int convert(int in_fd, int out_fd, const convoy_convert_options *o, const struct cv_convert_options *opt,
                   struct cv_error *e)
{
    if (o->from != CONVOY_IMAGE && (o->to != CONVOY_IMAGE || o->from > CONVOY_XENOPSD_IMAGE))
        return cv_fail(e, CV_E_INVALID, 0, "from: %d does not go to %d of enum convoy_kind", (int)o->from, (int)o->to);
    switch (o->to) {
    case CONVOY_IMAGE:
        return o->from == CONVOY_XENOPSD_IMAGE ? cv_convert_from_xenopsd(in_fd, out_fd, opt, e)
                                               : cv_convert_from_xl(in_fd, out_fd, opt, e);
    case CONVOY_XL_SAVE: return cv_convert_to_xl(in_fd, out_fd, opt, e);
    case CONVOY_XENOPSD_IMAGE: return cv_convert_to_xenopsd(in_fd, out_fd, opt, e);
    default: return cv_fail(e, CV_E_INVALID, 0, "to: %d is not one of enum convoy_kind", (int)o->to);
    }
}

int convoy_convert_fd(int in_fd, int out_fd, const convoy_convert_options *given, convoy_error *err)
{
    struct cv_convert_options opt = { .version = CONVOY_VERSION, .time = (uint64_t)time(NULL) };
    struct cv_error e = CV_ERROR_INIT;
    struct cv_layout_host host;
    convoy_convert_options o;
    int rc = -1;

    cv_layout_host_probe(&host);
    if (api_options(&o, sizeof o, given, "convoy_convert_options", &e) == 0 &&
        api_mem(&opt.mem, o.threads, o.compress, o.cancel, &e) == 0) {
        opt.default_model = o.model != NULL ? o.model : host.default_model;
        rc = convert(in_fd, out_fd, &o, &opt, &e);
    }
    return api_result(rc, &e, err);
}

int convoy_merge_fd(int in_fd, int out_fd, int scratch_fd, const convoy_image_options *given, const char *compress,
                    convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct cv_chain_places places;
    convoy_image_options o;
    struct cv_merge_options opt = { .parents = &places };

    if (api_options(&o, sizeof o, given, "convoy_image_options", &e) < 0 ||
        api_mem(&opt.mem, o.threads, compress, o.cancel, &e) < 0 || api_places(&places, o.parents, &e) < 0)
        return api_fail(&e, err);
    return api_result(cv_merge(in_fd, out_fd, scratch_fd, &opt, &e), &e, err);
}
