/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrate/timeline.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *cv_tl_part_name(enum cv_tl_part part)
{
    static const char *const names[CV_TL_PARTS] = {
        "suspend", "stop emulators", "last pages", "device states", "transfer", "load", "commit", "resume",
    };
    return part < CV_TL_PARTS ? names[part] : "?";
}

void cv_tl_add_pass(struct cv_timeline *t, const struct cv_pass *pass, int64_t start_ns, unsigned cap_percent)
{
    t->pages += pass->pages;
    t->bytes_wire += pass->bytes;
    if (t->pass_count < CV_TL_PASSES)
        t->passes[t->pass_count++] = (struct cv_tl_pass){ *pass, start_ns, cap_percent };
}

static double ms(const struct cv_span *s)
{
    return s->end_ns > s->start_ns ? (double)(s->end_ns - s->start_ns) / 1e6 : 0;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static void passes_text(const struct cv_timeline *t, FILE *f)
{
    fprintf(f, "\n  pass      pages    MiB sent    seconds    pages dirty after\n");
    for (unsigned i = 0; i < t->pass_count; i++) {
        const struct cv_tl_pass *p = &t->passes[i];
        fprintf(f, "  %4u %10" PRIu64 " %11.1f %10.3f %10" PRIu64, i + 1, p->pass.pages,
                (double)p->pass.bytes / 1048576, (double)p->pass.ns / 1e9, p->pass.dirty);
        if (p->cap_percent < 100)
            fprintf(f, "   vCPUs held to %u %%", p->cap_percent);
        fputc('\n', f);
    }
}

static void emulators_text(const struct cv_timeline *t, FILE *f)
{
    fprintf(f, "\n  emulator            stop ms    save ms    load ms   state bytes\n");
    for (unsigned i = 0; i < t->emulator_count; i++) {
        const struct cv_tl_emulator *e = &t->emulators[i];
        fprintf(f, "  %-16s %10.1f %10.1f %10.1f %13" PRIu64 "\n", e->name, ms(&e->stop), ms(&e->save), ms(&e->load),
                e->state_bytes);
    }
}

static void write_text(const struct cv_timeline *t, FILE *f)
{
    fprintf(f, "%s: %s to %s: %s\n", t->guest, t->source, t->destination, t->outcome);
    fprintf(f, "  total time %9.3f s\n", (double)t->total_ns / 1e9);
    fprintf(f, "  down time  %9.1f ms", ms(&t->down));
    fprintf(f, "%s%s%s\n", t->why_stopped[0] ? "   (" : "", t->why_stopped, t->why_stopped[0] ? ")" : "");
    for (enum cv_tl_part p = 0; p < CV_TL_PARTS; p++)
        fprintf(f, "    %-15s %7.1f ms   from %7.1f\n", cv_tl_part_name(p), ms(&t->part[p]),
                ms(&t->part[p]) > 0 ? (double)(t->part[p].start_ns - t->down.start_ns) / 1e6 : 0);
    fprintf(f, "  %" PRIu64 " pages, %.1f MiB of contents, %.1f MiB on the wire\n", t->pages,
            (double)t->bytes_raw / 1048576, (double)t->bytes_wire / 1048576);
    if (t->pass_count > 0)
        passes_text(t, f);
    if (t->emulator_count > 0)
        emulators_text(t, f);
}

int cv_tl_text(const struct cv_timeline *t, struct cv_buf *out, struct cv_error *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (f == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "report");
    write_text(t, f);
    int rc = fclose(f) != 0 ? cv_fail(err, CV_E_NOMEM, 0, "report") : cv_buf_append(out, text, len, err);
    free(text);
    return rc;
}

/* ---- JSON ---- */

static void span(json_t *o, const char *key, const struct cv_span *s)
{
    json_object_set_new(o, key, json_pack("{s:f,s:f}", "start_ms", (double)s->start_ns / 1e6, "ms", ms(s)));
}

static json_t *parts_json(const struct cv_timeline *t)
{
    json_t *o = json_object();

    for (enum cv_tl_part p = 0; p < CV_TL_PARTS; p++) {
        char key[32];
        snprintf(key, sizeof key, "%s", cv_tl_part_name(p));
        for (char *c = key; *c; c++)
            *c = *c == ' ' ? '_' : *c;
        span(o, key, &t->part[p]);
    }
    return o;
}

static json_t *passes_json(const struct cv_timeline *t)
{
    json_t *a = json_array();

    for (unsigned i = 0; i < t->pass_count; i++) {
        const struct cv_tl_pass *p = &t->passes[i];
        json_array_append_new(a, json_pack("{s:I,s:I,s:f,s:f,s:I,s:i}", "pages", (json_int_t)p->pass.pages, "bytes",
                                           (json_int_t)p->pass.bytes, "start_ms", (double)p->start_ns / 1e6, "ms",
                                           (double)p->pass.ns / 1e6, "dirty_after", (json_int_t)p->pass.dirty,
                                           "vcpu_cap_percent", (int)p->cap_percent));
    }
    return a;
}

static json_t *emulators_json(const struct cv_timeline *t)
{
    json_t *a = json_array();

    for (unsigned i = 0; i < t->emulator_count; i++) {
        const struct cv_tl_emulator *e = &t->emulators[i];
        json_t *o = json_pack("{s:s,s:I}", "name", e->name, "state_bytes", (json_int_t)e->state_bytes);
        span(o, "stop", &e->stop);
        span(o, "save", &e->save);
        span(o, "load", &e->load);
        json_array_append_new(a, o);
    }
    return a;
}

int cv_tl_json(const struct cv_timeline *t, struct cv_buf *out, struct cv_error *err)
{
    json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:f,s:I,s:I,s:I}", "guest", t->guest, "source", t->source,
                          "destination", t->destination, "outcome", t->outcome, "why_stopped", t->why_stopped,
                          "total_ms", (double)t->total_ns / 1e6, "pages", (json_int_t)t->pages, "bytes_raw",
                          (json_int_t)t->bytes_raw, "bytes_wire", (json_int_t)t->bytes_wire);
    if (o == NULL)
        return cv_fail(err, CV_E_INVALID, 0, "report: a name is not UTF-8, or memory is short");
    span(o, "down", &t->down);
    json_object_set_new(o, "down_parts", parts_json(t));
    json_object_set_new(o, "passes", passes_json(t));
    json_object_set_new(o, "emulators", emulators_json(t));
    char *text = json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(o);
    if (text == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "report");
    int rc = cv_buf_append(out, text, strlen(text), err) < 0 ? -1 : cv_buf_append(out, "\n", 1, err);
    free(text);
    return rc;
}
