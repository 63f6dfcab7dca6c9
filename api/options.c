/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/internal.h"

/* Of a size that a caller has set; what is beyond was never initialised. */
#define SIZE_MAX_SANE 4096u
#define WORKERS_MAX 16

_Static_assert((int)CONVOY_NOT_FOUND == (int)CV_E_NOT_FOUND && (int)CONVOY_STREAM == (int)CV_E_STREAM &&
                   (int)CONVOY_BUSY == (int)CV_E_BUSY,
               "public codes are the inner ones");

const char *convoy_version(void) { return CONVOY_VERSION; }
const char *convoy_code_name(convoy_code code) { return cv_code_name((enum cv_code)code); }
void convoy_free(void *text) { free(text); }

int api_fail(const struct cv_error *e, convoy_error *err)
{
    if (err != NULL) {
        err->code = (convoy_code)e->code;
        err->sys = e->sys;
        cv_error_string(e, err->text, sizeof err->text);
    }
    return -1;
}

static int check_size(size_t size, const char *type, struct cv_error *e)
{
    if (size > sizeof size && size <= SIZE_MAX_SANE)
        return 0;
    return cv_fail(e, CV_E_INVALID, 0, "%s: size is %zu: set it to sizeof (%s)", type, size, type);
}

int api_options(void *out, size_t known, const void *given, const char *type, struct cv_error *e)
{
    size_t size = 0;

    memset(out, 0, known);
    if (given == NULL)
        return 0;
    memcpy(&size, given, sizeof size);
    if (check_size(size, type, e) < 0)
        return -1;
    for (size_t i = known; i < size; i++)
        if (((const char *)given)[i] != 0)
            return cv_fail(e, CV_E_UNSUPPORTED, 0, "%s: has a member at byte %zu that this libconvoy %s does not know",
                           type, i, CONVOY_VERSION);
    memcpy(out, given, size < known ? size : known);
    return 0;
}

int api_room(const void *given, const char *type, struct cv_error *e)
{
    size_t size = 0;

    if (given == NULL)
        return 0;
    memcpy(&size, given, sizeof size);
    return check_size(size, type, e);
}

void api_give(void *given, const void *full, size_t known)
{
    size_t size = 0;

    if (given == NULL)
        return;
    memcpy(&size, given, sizeof size);
    memset((char *)given + sizeof size, 0, size - sizeof size);
    memcpy((char *)given + sizeof size, (const char *)full + sizeof size, (size < known ? size : known) - sizeof size);
}

static void on_message(struct cv_sink *s, enum cv_level level, const char *text)
{
    struct api_sink *out = (struct api_sink *)s;
    if (out->user.message != NULL)
        out->user.message(out->user.user, (int)level, text);
}

static void on_event(struct cv_sink *s, const char *json)
{
    struct api_sink *out = (struct api_sink *)s;
    if (out->user.event != NULL)
        out->user.event(out->user.user, json);
}

int api_sink(struct api_sink *out, const convoy_sink *sink, struct cv_error *e)
{
    if (api_options(&out->user, sizeof out->user, sink, "convoy_sink", e) < 0)
        return -1;
    out->sink = (struct cv_sink){ on_message, on_event, CV_LOG_DEBUG };
    if (out->user.levels > 0 && out->user.levels <= CV_LOG_DEBUG)
        out->sink.level = (enum cv_level)(out->user.levels - 1);
    return 0;
}

static unsigned workers(unsigned threads)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (threads == CONVOY_NO_THREADS)
        return 0;
    return threads != 0 ? threads : cpus > WORKERS_MAX ? WORKERS_MAX : cpus > 0 ? (unsigned)cpus : 1;
}

int api_mem(struct cv_mem_options *m, unsigned threads, const char *compress, convoy_cancel *cancel, struct cv_error *e)
{
    *m = (struct cv_mem_options){
        .threads = workers(threads), .codec = CV_CODEC_ZSTD, .level = 1, .cancel = api_cancel(cancel)
    };
    if (m->threads > CV_MEM_THREADS_MAX)
        return cv_fail(e, CV_E_INVALID, 0, "threads: %u, %u is the most", threads, CV_MEM_THREADS_MAX);
    return compress != NULL ? cv_mem_parse_compress(compress, m, e) : 0;
}

int api_places(struct cv_chain_places *places, const char *const *dirs, struct cv_error *e)
{
    *places = (struct cv_chain_places){ 0 };
    for (; dirs != NULL && *dirs != NULL; dirs++) {
        if (places->dir_count == CV_CHAIN_PLACES_MAX)
            return cv_fail(e, CV_E_INVALID, 0, "parents: more than %u folders", CV_CHAIN_PLACES_MAX);
        places->dirs[places->dir_count++] = *dirs;
    }
    return 0;
}

convoy_cancel *convoy_cancel_new(convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct convoy_cancel *c = calloc(1, sizeof *c);

    if (c != NULL && cv_cancel_init(&c->c, &e) == 0)
        return c;
    if (c == NULL)
        cv_fail(&e, CV_E_NOMEM, 0, "no memory for a cancel token");
    api_fail(&e, err);
    free(c);
    return NULL;
}

void convoy_cancel_request(convoy_cancel *c) { cv_cancel_request(&c->c); }

void convoy_cancel_free(convoy_cancel *c)
{
    if (c == NULL)
        return;
    cv_cancel_dispose(&c->c);
    free(c);
}

json_t *api_json_text(const char *text)
{
    json_t *v = json_string(text);
    char plain[600];
    size_t i = 0;

    if (v != NULL)
        return v;
    for (; text[i] && i < sizeof plain - 1; i++)
        plain[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
    plain[i] = '\0';
    return json_string(plain);
}

json_t *api_json_findings(const struct cv_findings *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->count; i++) {
        const struct cv_finding *one = &f->items[i];
        json_t *o = json_object();
        json_object_set_new(o, "check", api_json_text(one->check));
        json_object_set_new(o, "blocks", json_boolean(one->code != CV_OK));
        if (one->code != CV_OK)
            json_object_set_new(o, "code", json_string(cv_code_name(one->code)));
        json_object_set_new(o, "text", api_json_text(one->text));
        if (one->advice[0] != '\0')
            json_object_set_new(o, "advice", api_json_text(one->advice));
        json_array_append_new(list, o);
    }
    return list;
}

char *api_json_dump(json_t *o)
{
    char *text = json_dumps(o, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    size_t n = text != NULL ? strlen(text) : 0;
    char *with_end = text != NULL ? realloc(text, n + 2) : NULL;

    json_decref(o);
    if (with_end == NULL) {
        free(text);
        return NULL;
    }
    strcpy(with_end + n, "\n");
    return with_end;
}
