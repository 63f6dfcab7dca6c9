/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The drawing: above, the whole migration with its passes; below, the down time under a magnifying glass. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "migrate/timeline.h"

#define WIDTH 960
#define LEFT 150
#define RIGHT 20
#define ROW 20
#define BAR 14

struct drawing {
    FILE *f;
    int y;
    int64_t zero_ns, length_ns; /* what the width of this band stands for */
};

static double x_of(const struct drawing *d, int64_t ns)
{
    double part = d->length_ns > 0 ? (double)(ns - d->zero_ns) / (double)d->length_ns : 0;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return LEFT + part * (WIDTH - LEFT - RIGHT);
}

static void escaped(FILE *f, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '<' || *p == '>' || *p == '&' || *p == '"' || *p == '\'' || *p < 0x20)
            fprintf(f, "&#%u;", *p < 0x20 ? 32u : *p);
        else
            fputc(*p, f);
    }
}

static void label(struct drawing *d, const char *text)
{
    fprintf(d->f, "<text x=\"%d\" y=\"%d\" class=\"l\">", LEFT - 8, d->y + BAR - 2);
    escaped(d->f, text);
    fputs("</text>\n", d->f);
}

static void bar(struct drawing *d, const struct cv_span *s, const char *class, const char *note)
{
    if (s->end_ns <= s->start_ns)
        return;
    double x = x_of(d, s->start_ns), w = x_of(d, s->end_ns) - x;
    fprintf(d->f, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"%s\"><title>", x, d->y,
            w < 0.5 ? 0.5 : w, BAR, class);
    escaped(d->f, note);
    fputs("</title></rect>\n", d->f);
    /* Beside the bar, or before it where there is no room behind. */
    bool behind = x + w < WIDTH - 90;
    fprintf(d->f, "<text x=\"%.1f\" y=\"%d\" class=\"%s\">%.1f ms</text>\n", behind ? x + w + 4 : x - 4, d->y + BAR - 3,
            behind ? "n" : "n e", (double)(s->end_ns - s->start_ns) / 1e6);
}

static void row(struct drawing *d, const char *name, const struct cv_span *s, const char *class, const char *note)
{
    label(d, name);
    bar(d, s, class, note);
    d->y += ROW;
}

static void head(struct drawing *d, const char *text)
{
    d->y += 12;
    fprintf(d->f, "<text x=\"8\" y=\"%d\" class=\"h\">", d->y + BAR);
    escaped(d->f, text);
    fputs("</text>\n", d->f);
    d->y += ROW + 4;
}

static void passes(struct drawing *d, const struct cv_timeline *t)
{
    /* More than a page of passes says no more than the first and the last. */
    for (unsigned i = 0; i < t->pass_count; i++) {
        const struct cv_tl_pass *p = &t->passes[i];
        struct cv_span s = { p->start_ns, p->start_ns + p->pass.ns };
        char name[32], note[160];
        if (t->pass_count > 24 && i >= 12 && i < t->pass_count - 12)
            continue;
        snprintf(name, sizeof name, "pass %u", i + 1);
        snprintf(note, sizeof note, "%" PRIu64 " pages, %.1f MiB, %" PRIu64 " dirty after, vCPU cap %u %%",
                 p->pass.pages, (double)p->pass.bytes / 1048576, p->pass.dirty, p->cap_percent);
        row(d, name, &s, p->cap_percent < 100 ? "slow" : "pass", note);
    }
}

static void down(struct drawing *d, const struct cv_timeline *t)
{
    for (enum cv_tl_part p = 0; p < CV_TL_PARTS; p++)
        row(d, cv_tl_part_name(p), &t->part[p],
            p < CV_TL_TRANSFER ? "src"
            : p < CV_TL_LOAD   ? "pass"
                               : "dst",
            cv_tl_part_name(p));
    for (unsigned i = 0; i < t->emulator_count; i++) {
        const struct cv_tl_emulator *e = &t->emulators[i];
        char note[80];
        snprintf(note, sizeof note, "%s: %" PRIu64 " bytes", e->name, e->state_bytes);
        label(d, e->name);
        bar(d, &e->stop, "stop", "stop");
        bar(d, &e->save, "src", note);
        bar(d, &e->load, "dst", "load");
        d->y += ROW;
    }
}

static void draw(const struct cv_timeline *t, FILE *f)
{
    struct drawing d = { .f = f, .y = 0, .zero_ns = 0, .length_ns = t->total_ns };
    unsigned shown = t->pass_count > 24 ? 24 : t->pass_count;
    int height = 3 * (ROW + 16) + (int)(shown + 1 + CV_TL_PARTS + t->emulator_count) * ROW + 16;
    char text[512];

    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n", WIDTH,
            height, WIDTH, height);
    fputs(
        "<style>text{font:12px sans-serif;fill:#222}.h{font-weight:bold}.l{text-anchor:end}.n{font-size:10px;fill:#555}"
        ".e{text-anchor:end}.pass{fill:#7aa6d8}.slow{fill:#c9a227}.src{fill:#d98f5b}.dst{fill:#6fae75}"
        ".stop{fill:#b0b0b0}.down{fill:#c0504d}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        f);
    snprintf(text, sizeof text, "%s: %s to %s: %s, %.3f s", t->guest, t->source, t->destination, t->outcome,
             (double)t->total_ns / 1e9);
    head(&d, text);
    passes(&d, t);
    row(&d, "down time", &t->down, "down", t->why_stopped);
    d.zero_ns = t->down.start_ns;
    d.length_ns = t->down.end_ns - t->down.start_ns;
    snprintf(text, sizeof text, "The down time of %.1f ms (orange: source, green: destination)",
             (double)(d.length_ns > 0 ? d.length_ns : 0) / 1e6);
    head(&d, text);
    down(&d, t);
    fputs("</svg>\n", f);
}

int cv_tl_svg(const struct cv_timeline *t, struct cv_buf *out, struct cv_error *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (f == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "drawing");
    draw(t, f);
    int rc = fclose(f) != 0 ? cv_fail(err, CV_E_NOMEM, 0, "drawing") : cv_buf_append(out, text, len, err);
    free(text);
    return rc;
}
