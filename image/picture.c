/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest-physical address space as an SVG: rows of equal length, each a line of cells from left to right.  A cell's
 * hue says whose it is (the guest's RAM, or the emulator's whose window it lies in), its strength how well it
 * compresses; what is empty is left out, but named.
 *
 *      address   |cell cell cell ...                           |  labels of what begins in this row
 *      0x0       |......                                       |  RAM
 *                       (3.7 GiB without pages)
 *      0xfef...  |                                      ..     |  PCI hole, Xen's special pages
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/report.h"
#include "vm/physmap.h"

#define CELLS 128u /* a row */
#define CELL_PAGES_MIN 16u
#define ROWS_WANTED 56u
#define CELL_W 7
#define CELL_H 9
#define LEFT 110
#define MAP_W ((int)CELLS * CELL_W)
#define WIDTH (LEFT + MAP_W + 340)
#define TOP 64

struct rgb {
    double r, g, b;
};

/* The guest first, then dmid 0 to 7: hues that stay apart for most colour-blind eyes, dark enough for white tints. */
static const struct rgb owners[2 + CV_DM_MAX] = {
    { 44, 95, 158 }, { 214, 110, 0 }, { 0, 140, 105 }, { 178, 60, 140 }, { 150, 110, 20 },
    { 196, 44, 44 }, { 90, 70, 170 }, { 90, 130, 30 }, { 70, 110, 120 }, { 120, 120, 120 },
};

/* From here to 4 GiB hvmloader and Xen have their own pages (tools/firmware/hvmloader/config.h, RESERVED_MEMBASE). */
#define RESERVED_PFN UINT64_C(0xfc000)
#define NOBODY (1 + CV_DM_MAX) /* places that are nobody's */

struct picture {
    const struct cv_image *img;
    struct cv_image_bar bars[CV_IMAGE_BARS_MAX];
    unsigned bar_count;
    FILE *out;
    uint64_t cell_pages;
    int y;
    bool failed;
};

/* ---- owners ---- */

/* Video memory lies where its BAR is; nothing says how long a BAR is, but only the owner of the last one in front of a
 * page in the hole can have put it there. */
static unsigned owner_in_hole(const struct picture *p, uint64_t pfn)
{
    uint64_t best = 0;
    unsigned owner = 0;

    for (unsigned i = 0; i < p->bar_count; i++) {
        uint64_t at = p->bars[i].address >> 12;
        if (at <= pfn && at >= best) {
            best = at;
            owner = 1 + p->bars[i].dmid;
        }
    }
    return owner;
}

/* 0: the guest; 1 + dmid: that emulator. */
static unsigned owner_of(const struct picture *p, uint64_t pfn)
{
    const struct cv_image *img = p->img;

    for (unsigned i = 0; img->has_layout && i < img->layout.count; i++) {
        const struct cv_layout_dm *dm = &img->layout.dms[i];
        if (pfn >= dm->window_gfn && pfn - dm->window_gfn < dm->window_pages)
            return 1 + i;
    }
    if (img->has_layout && pfn >= img->layout.mmio_start >> 12 && pfn < RESERVED_PFN)
        return owner_in_hole(p, pfn);
    return 0;
}

static struct rgb tint(struct rgb c, double strength)
{
    return (struct rgb){ 255 + (c.r - 255) * strength, 255 + (c.g - 255) * strength, 255 + (c.b - 255) * strength };
}

/* ---- a cell ---- */

struct cell {
    unsigned owner;
    uint64_t counts[CV_RUN_KINDS];
    double density;
};

static struct cell look_at_cell(const struct picture *p, uint64_t pfn)
{
    struct cell c = { .owner = owner_of(p, pfn) };
    uint64_t raw = 0, stored = 0;

    cv_pagemap_count(&p->img->map, pfn, pfn + p->cell_pages, c.counts);
    for (uint64_t at = pfn; at < pfn + p->cell_pages; at += CV_PAGEMAP_CELL) {
        uint64_t r, s;
        cv_pagemap_density(&p->img->map, at, &r, &s);
        raw += r;
        stored += s;
    }
    c.density = raw ? (double)stored / (double)raw : 1;
    return c;
}

static bool empty(const struct cell *c)
{
    return c->counts[CV_RUN_DATA] + c->counts[CV_RUN_ZERO] + c->counts[CV_RUN_ALLOC] + c->counts[CV_RUN_BROKEN] == 0;
}

/* Colours in 16 steps, so that neighbours join into one rectangle. */
static unsigned shade(const struct picture *p, const struct cell *c)
{
    uint64_t data = c->counts[CV_RUN_DATA];

    if (c->counts[CV_RUN_BROKEN] != 0)
        return UINT32_MAX;
    double share = (double)data / (double)p->cell_pages;
    double strength = 0.10 + share * (0.15 + 0.75 * (c->density > 1 ? 1 : c->density));
    return c->owner << 8 | (unsigned)(strength * 16);
}

static void fill_of(unsigned shade_, char *text, size_t len)
{
    if (shade_ == UINT32_MAX) {
        snprintf(text, len, "#000000");
        return;
    }
    double strength = (double)(shade_ & 255) / 16 + 0.03;
    struct rgb c = tint(owners[shade_ >> 8], strength > 1 ? 1 : strength);
    snprintf(text, len, "#%02x%02x%02x", (unsigned)c.r, (unsigned)c.g, (unsigned)c.b);
}

/* ---- writing ---- */

/* Into XML: names come from the image. */
static void put_xml(FILE *out, const char *text)
{
    for (const uint8_t *c = (const uint8_t *)text; *c != '\0'; c++) {
        switch (*c) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*c < 0x20 || *c == 0x7f ? '?' : *c, out);
        }
    }
}

static void text_at(struct picture *p, int x, int y, const char *style, const char *text)
{
    fprintf(p->out, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, style);
    put_xml(p->out, text);
    fputs("</text>\n", p->out);
}

static void rect(struct picture *p, int x, int y, int w, int h, const char *fill)
{
    fprintf(p->out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", x, y, w, h, fill);
}

/* Devices' registers and video memory live there, between the pages that emulators and firmware have in it. */
static bool in_hole(const struct picture *p, uint64_t pfn)
{
    return p->img->has_layout && cv_physmap_in_hole(p->img->layout.mmio_start, pfn << CV_PFN_SHIFT, 1);
}

static void put_ground(struct picture *p, uint64_t first)
{
    unsigned from = 0, to = 0;

    rect(p, LEFT, p->y, MAP_W, CELL_H, "#f7f7f7");
    for (unsigned i = 0; i < CELLS; i++) {
        if (!in_hole(p, first + i * p->cell_pages))
            continue;
        from = to == 0 ? i : from;
        to = i + 1;
    }
    if (to != 0)
        rect(p, LEFT + (int)from * CELL_W, p->y, (int)(to - from) * CELL_W, CELL_H, "url(#hole)");
}

static void put_row(struct picture *p, uint64_t first)
{
    unsigned shades[CELLS];
    bool there[CELLS];
    char fill[16];

    put_ground(p, first);
    for (unsigned i = 0; i < CELLS; i++) {
        struct cell c = look_at_cell(p, first + i * p->cell_pages);
        there[i] = !empty(&c);
        shades[i] = shade(p, &c);
    }
    for (unsigned i = 0, n; i < CELLS; i += n) {
        n = 1;
        while (i + n < CELLS && there[i + n] == there[i] && shades[i + n] == shades[i])
            n++;
        if (!there[i])
            continue;
        fill_of(shades[i], fill, sizeof fill);
        rect(p, LEFT + (int)i * CELL_W, p->y, (int)n * CELL_W, CELL_H, fill);
    }
}

/* ---- what begins where ---- */

struct label {
    uint64_t gfn;
    unsigned owner;
    char text[120];
};
struct labels {
    struct label *at;
    unsigned count, cap;
};

static void add_label(struct labels *l, uint64_t gfn, unsigned owner, const char *fmt, ...) CV_PRINTF(4, 5);
static void add_label(struct labels *l, uint64_t gfn, unsigned owner, const char *fmt, ...)
{
    va_list ap;

    if (l->count == l->cap) {
        struct label *more = realloc(l->at, (l->cap * 2 + 16) * sizeof *more);
        if (more == NULL)
            return; /* a label less */
        l->at = more;
        l->cap = l->cap * 2 + 16;
    }
    struct label *n = &l->at[l->count++];
    n->gfn = gfn;
    n->owner = owner;
    va_start(ap, fmt);
    vsnprintf(n->text, sizeof n->text, fmt, ap);
    va_end(ap);
}

static int by_gfn(const void *a, const void *b)
{
    const struct label *x = a, *y = b;
    return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

static uint64_t param_of(const struct cv_image *img, uint64_t index)
{
    struct cv_rec_hvm_params v;

    if (img->hvm_params.len == 0 || cv_rec_hvm_params_decode(&v, img->hvm_params.data, img->hvm_params.len, NULL) < 0)
        return 0;
    for (uint32_t i = 0; i < v.count; i++)
        if (cv_hvm_params_at(&v, i).index == index)
            return cv_hvm_params_at(&v, i).value;
    return 0;
}

static const char *driver_at(const struct cv_image *img, const struct cv_image_bar *bar)
{
    for (unsigned i = 0;
         img->has_layout && bar->dmid < img->layout.count && i < img->layout.dms[bar->dmid].device_count; i++)
        if (img->layout.dms[bar->dmid].devices[i].bdf == bar->bdf)
            return img->layout.dms[bar->dmid].devices[i].driver;
    return "";
}

static void collect_bars(const struct picture *p, struct labels *l)
{
    char bdf[12], what[16];

    for (unsigned i = 0; i < p->bar_count; i++) {
        const struct cv_image_bar *b = &p->bars[i];
        if (b->address >> 12 >= CV_FOUR_GIB_PFN || b->address >> 12 >= p->img->memory.pfn_count)
            continue;
        snprintf(what, sizeof what, b->index == CV_IMAGE_BAR_ROM ? "ROM" : "BAR %u", b->index);
        add_label(l, b->address >> 12, 1 + b->dmid, "%s %.24s %s at %#" PRIx64, cv_bdf_string(b->bdf, bdf, sizeof bdf),
                  driver_at(p->img, b), what, b->address);
    }
}

static void collect(const struct picture *p, struct labels *l)
{
    const struct cv_image *img = p->img;
    static const uint64_t special[] = { 1, 17, 32 }; /* STORE_PFN, CONSOLE_PFN, IOREQ_SERVER_PFN */
    char size[32];

    add_label(l, 0, 0, "RAM");
    for (uint32_t i = 0; i < img->memory.e820_count; i++)
        if (img->memory.e820[i].start >= CV_FOUR_GIB)
            add_label(l, img->memory.e820[i].start >> 12, 0, "RAM above 4 GiB");
    for (unsigned i = 0; i < sizeof special / sizeof *special; i++)
        if (param_of(img, special[i]) != 0)
            add_label(l, param_of(img, special[i]), 0, "Xen: %s", cv_hvm_param_name(special[i]));
    for (unsigned i = 0; img->has_layout && i < img->layout.count; i++) {
        const struct cv_layout_dm *dm = &img->layout.dms[i];
        add_label(l, dm->window_gfn, 1 + i, "window of %u '%.30s', %s", i, dm->name,
                  cv_report_size(dm->window_pages << 12, size, sizeof size));
        for (unsigned k = 0; k < dm->region_count; k++)
            add_label(l, dm->regions[k].gfn, 1 + i, "%.50s, %s", dm->regions[k].what,
                      cv_report_size(dm->regions[k].pages << 12, size, sizeof size));
    }
    if (img->has_layout)
        add_label(l, img->layout.mmio_start >> 12, NOBODY, "PCI hole, to 4 GiB");
    if (img->memory.pfn_count > RESERVED_PFN)
        add_label(l, RESERVED_PFN, 0, "hvmloader's tables");
    collect_bars(p, l);
    qsort(l->at, l->count, sizeof *l->at, by_gfn);
}

static bool any_label(const struct labels *l, uint64_t first, uint64_t end)
{
    for (unsigned i = 0; i < l->count; i++)
        if (l->at[i].gfn >= first && l->at[i].gfn < end)
            return true;
    return false;
}

/* Returns how many lines they took. */
static unsigned put_labels(struct picture *p, const struct labels *l, uint64_t first)
{
    uint64_t end = first + CELLS * p->cell_pages;
    unsigned lines = 0;
    char fill[16];

    for (unsigned i = 0; i < l->count; i++) {
        if (l->at[i].gfn < first || l->at[i].gfn >= end)
            continue;
        int y = p->y + (int)lines * (CELL_H + 2), x = LEFT + (int)((l->at[i].gfn - first) / p->cell_pages) * CELL_W;
        fill_of(l->at[i].owner << 8 | 14, fill, sizeof fill);
        rect(p, x, p->y - 1, 2, CELL_H + 2, fill);
        rect(p, LEFT + MAP_W + 12, y, 8, CELL_H - 1, fill);
        text_at(p, LEFT + MAP_W + 25, y + CELL_H - 1, "s", l->at[i].text);
        lines++;
    }
    return lines ? lines : 1;
}

/* ---- the whole ---- */

static bool row_empty(const struct picture *p, uint64_t first)
{
    enum cv_run_kind kind;
    uint64_t end = first + CELLS * p->cell_pages, at = first;

    while (at < end) {
        uint64_t next = cv_pagemap_run(&p->img->map, at, end, &kind);
        if (kind != CV_PAGEMAP_NONE && kind != CV_RUN_ABSENT)
            return false;
        at = next;
    }
    return true;
}

static uint64_t count_rows(const struct picture *p)
{
    uint64_t row = CELLS * p->cell_pages, n = 0;

    for (uint64_t at = 0; at < p->img->memory.pfn_count; at += row)
        n += !row_empty(p, at);
    return n;
}

/* pages in front of `end` that are left out. */
static void put_gap(struct picture *p, uint64_t end, uint64_t pages)
{
    char size[32], text[80];
    bool hole = in_hole(p, end - pages) && in_hole(p, end - 1);

    snprintf(text, sizeof text, "%s %s", cv_report_size(pages << 12, size, sizeof size),
             hole ? "of the PCI hole (MMIO) without pages" : "without pages");
    p->y += 3;
    if (hole)
        rect(p, LEFT, p->y, MAP_W, CELL_H + 3, "url(#hole)");
    text_at(p, LEFT + MAP_W / 2, p->y + CELL_H, "g", text);
    p->y += CELL_H + 8;
}

static void put_map(struct picture *p, const struct labels *l)
{
    uint64_t row = CELLS * p->cell_pages, gap = 0, at = 0;
    char text[32];

    for (; at < p->img->memory.pfn_count; at += row) {
        if (row_empty(p, at) && !any_label(l, at, at + row)) {
            gap += row;
            continue;
        }
        if (gap != 0)
            put_gap(p, at, gap);
        gap = 0;
        snprintf(text, sizeof text, "%#" PRIx64, at << 12);
        text_at(p, LEFT - 8, p->y + CELL_H - 1, "a", text);
        put_row(p, at);
        p->y += (int)put_labels(p, l, at) * (CELL_H + 2);
    }
    if (gap != 0)
        put_gap(p, at, gap);
}

static void put_title(struct picture *p)
{
    const struct cv_image *img = p->img;
    char text[240], cell[32], size[32];

    snprintf(text, sizeof text, "%s: guest-physical address space", img->has_spec ? img->spec.name : "guest");
    text_at(p, 20, 26, "t", text);
    snprintf(text, sizeof text, "one cell is %s, one row %s; image of %s",
             cv_report_size(p->cell_pages << 12, cell, sizeof cell),
             cv_report_size(p->cell_pages * CELLS << 12, size, sizeof size), "");
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", cv_report_size(img->bytes, size, sizeof size),
             img->whole ? "" : " - NOT WHOLE: it could not be read any further");
    text_at(p, 20, 46, "s", text);
}

static void put_legend_row(struct picture *p, unsigned owner, const char *name)
{
    static const struct {
        double share, density;
        const char *text;
    } steps[] = { { 0, 0, "zero" },
                  { 0.5, 0.3, "half data" },
                  { 1, 0.1, "data, packs well" },
                  { 1, 0.5, "packs to a half" },
                  { 1, 1, "does not pack" } };
    int x = LEFT;
    char fill[16];

    text_at(p, LEFT - 8, p->y + 11, "a", owner == 0 ? "guest" : "emulator");
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        double strength = 0.10 + steps[i].share * (0.15 + 0.75 * steps[i].density);
        fill_of(owner << 8 | (unsigned)(strength * 16), fill, sizeof fill);
        rect(p, x, p->y, 18, 13, fill);
        text_at(p, x + 23, p->y + 11, "s", steps[i].text);
        x += 125;
    }
    text_at(p, x, p->y + 11, "s", name);
    p->y += 19;
}

static void put_legend(struct picture *p)
{
    const struct cv_image *img = p->img;
    char text[700], bdf[12];

    p->y += 18;
    text_at(p, 20, p->y, "h", "Legend");
    p->y += 10;
    put_legend_row(p, 0, "RAM and special pages");
    for (unsigned i = 0; img->has_layout && i < img->layout.count; i++) {
        const struct cv_layout_dm *dm = &img->layout.dms[i];
        size_t n = (size_t)snprintf(text, sizeof text, "%u '%.30s':", i, dm->name);
        for (unsigned k = 0; k < dm->device_count && n < sizeof text - 64; k++)
            if (dm->devices[k].bdf != CV_BDF_NONE)
                n += (size_t)snprintf(text + n, sizeof text - n, " %s %.24s",
                                      cv_bdf_string(dm->devices[k].bdf, bdf, sizeof bdf), dm->devices[k].driver);
        put_legend_row(p, 1 + i, text);
    }
    rect(p, LEFT, p->y, 18, 13, "#000000");
    text_at(p, LEFT + 23, p->y + 11, "s", "broken pages");
    rect(p, LEFT + 125, p->y, 18, 13, "#f7f7f7");
    text_at(p, LEFT + 148, p->y + 11, "s", "no pages");
    rect(p, LEFT + 250, p->y, 18, 13, "url(#hole)");
    text_at(p, LEFT + 273, p->y + 11, "s", "PCI hole (MMIO)");
    p->y += 30;
}

static void put_all(struct picture *p)
{
    struct labels l = { 0 };

    collect(p, &l);
    put_title(p);
    p->y = TOP;
    put_map(p, &l);
    put_legend(p);
    free(l.at);
}

int cv_report_picture(const struct cv_image *img, FILE *out, struct cv_error *err)
{
    struct picture p = { .img = img, .cell_pages = CELL_PAGES_MIN };
    char *body = NULL;
    size_t len = 0;

    if (!img->has_memory || img->map.left_out)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "no picture of an address space of %" PRIu64 " pages",
                       img->memory.pfn_count);
    p.bar_count = cv_image_bars(img, p.bars, CV_IMAGE_BARS_MAX);
    while (count_rows(&p) > ROWS_WANTED)
        p.cell_pages *= 2;
    /* The height is known at the end only. */
    p.out = open_memstream(&body, &len);
    if (p.out == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a picture");
    put_all(&p);
    if (fclose(p.out) != 0) {
        free(body);
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for a picture");
    }
    fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
        "font-family=\"DejaVu Sans, Verdana, sans-serif\">\n"
        "<style>.t{font-size:18px;font-weight:bold}.h{font-size:13px;font-weight:bold}.s{font-size:11px}"
        ".a{font-size:11px;text-anchor:end;font-family:DejaVu Sans Mono,monospace}"
        ".g{font-size:11px;text-anchor:middle;fill:#777;font-style:italic}</style>\n"
        "<defs><pattern id=\"hole\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
        "<rect width=\"6\" height=\"6\" fill=\"#f7f7f7\"/><path d=\"M0 6 L6 0\" stroke=\"#c9c9c9\"/></pattern></defs>\n"
        "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
        WIDTH, p.y, WIDTH, p.y, WIDTH, p.y);
    fwrite(body, 1, len, out);
    fputs("</svg>\n", out);
    free(body);
    return 0;
}
