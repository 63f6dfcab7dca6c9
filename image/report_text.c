/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <uuid/uuid.h>

#include "base/text.h"
#include "image/report.h"

const char *cv_report_size(uint64_t bytes, char *buf, size_t len)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
    double v = (double)bytes / 1024;
    unsigned u = 0;

    if (bytes == 0 || (bytes < 10240 && bytes % 1024 != 0)) {
        snprintf(buf, len, "%" PRIu64 " bytes", bytes);
        return buf;
    }
    while (v >= 1024 && u < 4)
        v /= 1024, u++;
    if (v == (double)(uint64_t)v)
        snprintf(buf, len, "%.0f %s", v, units[u]);
    else
        snprintf(buf, len, v < 10 ? "%.2f %s" : "%.1f %s", v, units[u]);
    return buf;
}

/* Names come from the image: nothing in them reaches the terminal as a control sequence. */
static const char *clean(const char *text, char *buf, size_t len) { return cv_text_cleaned(text, buf, len); }

static void heading(FILE *out, const char *title) { fprintf(out, "\n%s\n", title); }

static void row(FILE *out, const char *label, const char *fmt, ...) CV_PRINTF(3, 4);
static void row(FILE *out, const char *label, const char *fmt, ...)
{
    va_list ap;

    fprintf(out, "  %-12s ", label);
    va_start(ap, fmt);
    vfprintf(out, fmt, ap);
    va_end(ap);
    fputc('\n', out);
}

/* "2026-11-28 01:02:03 UTC"; buf of 40 bytes.  Returns buf. */
static const char *date(uint64_t seconds, char *buf)
{
    time_t t = (time_t)seconds;
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || strftime(buf, 40, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        strcpy(buf, "?");
    return buf;
}

static void put_stream(const struct cv_image *img, FILE *out)
{
    char size[32], text[200];

    fprintf(out, "Image\n");
    row(out, "stream", "version %u, %" PRIu64 " records, %s%s%s%s", img->header.version, img->records,
        cv_report_size(img->bytes, size, sizeof size), cv_image_memory_only(img) ? ", memory only" : "",
        img->header.optional_features & CV_OPTIONAL_LIVE ? ", saved live" : "", img->has_index ? ", with index" : "");
    if (img->header.required_features & CV_FEATURE_FIXED_OFFSETS)
        row(out, "layout", "fixed: places for %" PRIu64 " pages, what is not in use is holes", img->header.area_pages);
    if (img->header.optional_features & CV_OPTIONAL_PAGE_HASHES)
        row(out, "hashes", "of %" PRIu64 " pages: it can be the parent of others", img->hashes_listed);
    if (img->has_parent) {
        char id[33];
        row(out, "based on", "%s (stream %s)", clean(img->parent_name, text, sizeof text),
            cv_chain_id(img->parent.stream_id, id));
        if (img->parents_read == 0)
            row(out, "", "the pages below are those that differ from it");
    }
    if (!img->whole)
        row(out, "", "NOT WHOLE: the report ends where the image could not be read any further");
    if (img->has_host) {
        json_t *facts = json_loads(img->host_json, 0, NULL);
        const char *convoy = json_string_value(json_object_get(facts, "convoy"));
        const char *name = json_string_value(json_object_get(facts, "hostname"));
        const char *source = json_string_value(json_object_get(facts, "source"));
        char when[40], b[80], c[40], hypervisor[80];
        snprintf(hypervisor, sizeof hypervisor, "Xen %u.%u", img->host.xen_major, img->host.xen_minor);
        date(img->host.time, when);
        if (json_is_string(json_object_get(facts, "hypervisor")))
            clean(json_string_value(json_object_get(facts, "hypervisor")), hypervisor, sizeof hypervisor);
        row(out, "written", "%s by convoy %s%s%s%s%s", when, clean(convoy ? convoy : "?", text, sizeof text),
            name ? " on " : "", clean(name ? name : "", b, sizeof b), source ? ", from " : "",
            clean(source ? source : "", c, sizeof c));
        row(out, "hypervisor", "%s", hypervisor);
        json_decref(facts);
    }
    for (unsigned i = 0; i < img->note_count; i++)
        row(out, "note", "%s", clean(img->notes[i], text, sizeof text));
}

/* What the command at the freeze printed, a row a line: names of snapshots, in the case of a backup. */
static void put_freeze(const struct cv_image *img, FILE *out)
{
    char when[40], text[200];

    if (!img->has_freeze)
        return;
    heading(out, "At the freeze");
    row(out, "command", "%s", clean(img->freeze_command, text, sizeof text));
    row(out, "ran", "%s, for %.3f s", date(img->freeze.time, when), img->freeze.duration_ms / 1e3);
    for (const char *line = img->freeze_output; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        char one[sizeof text];
        snprintf(one, sizeof one, "%.*s", (int)(len < sizeof one ? len : sizeof one - 1), line);
        row(out, line == img->freeze_output ? "printed" : "", "%s", clean(one, text, sizeof text));
        line += len + (line[len] == '\n');
    }
    if (img->freeze.flags & CV_FREEZE_CUT)
        row(out, "", "(it printed more)");
}

static void put_guest(const struct cv_image *img, FILE *out)
{
    char uuid[37], name[160], a[32], b[32];

    heading(out, "Guest");
    uuid_unparse_lower(img->uuid, uuid);
    if (img->has_spec) {
        const struct cv_domain_spec *s = &img->spec;
        row(out, "name", "%s", clean(s->name, name, sizeof name));
        row(out, "uuid", "%s", uuid);
        row(out, "type", "%s", img->guest_type == CV_GUEST_HVM ? "HVM" : "PVH");
        row(out, "vCPUs", "%u of %u", s->vcpus_online, s->vcpus);
        row(out, "memory", "%s of at most %s, video %" PRIu64 " MiB", cv_report_size(s->target_kib << 10, a, sizeof a),
            cv_report_size(s->max_kib << 10, b, sizeof b), s->video_kib / 1024);
        row(out, "platform", "%s%s%s%s%s%s", s->hap ? "HAP" : "shadow", s->acpi ? ", ACPI" : "",
            s->apic ? ", APIC" : "", s->hpet ? ", HPET" : "", s->nested_hvm ? ", nested HVM" : "",
            s->viridian ? ", viridian" : "");
    } else {
        row(out, "uuid", "%s", uuid);
        row(out, "type", "%s", img->guest_type == CV_GUEST_HVM ? "HVM" : "PVH");
        row(out, "facts", "not readable: %s", clean(img->spec_error.text, name, sizeof name));
        if (img->has_vcpus)
            row(out, "vCPUs", "at most %u", img->vcpus.max);
    }
    row(out, "config", "%zu bytes", strlen(img->config));
}

static void put_emulators(const struct cv_layout *l, FILE *out)
{
    unsigned order[CV_DM_MAX];
    char a[160], b[80], c[60], caps[80];

    heading(out, "Emulators, in the order of their creation");
    fprintf(out, "  %-4s %-14s %-10s %-9s %-28s %s\n", "dmid", "name", "role", "version", "machine", "program");
    cv_layout_rank_order(l, order);
    for (unsigned i = 0; i < l->count; i++) {
        static const char *const roles[] = { "default", "secondary", "attached" };
        const struct cv_layout_dm *dm = &l->dms[order[i]];
        clean(*dm->machine ? dm->machine : "-", b, sizeof b);
        b[strcspn(b, ",")] = '\0';
        fprintf(out, "  %-4u %-14s %-10s %-9s %-28s %s\n", dm->dmid, clean(dm->name, c, sizeof c), roles[dm->role],
                *dm->version ? dm->version : "-", b, clean(*dm->model ? dm->model : "-", a, sizeof a));
        if (dm->caps)
            fprintf(out, "  %-4s %s\n", "", cv_caps_string(dm->caps, caps, sizeof caps));
    }
}

static void put_command(const struct cv_layout_dm *dm, FILE *out)
{
    char text[400];

    fprintf(out, "  %-4u", dm->dmid);
    for (size_t i = 0; i < dm->argv.count; i++)
        fprintf(out, " %s", clean(dm->argv.items[i], text, sizeof text));
    if (dm->role == CV_DM_ATTACHED)
        fprintf(out, " nothing: %s", clean(dm->qmp, text, sizeof text));
    fputc('\n', out);
}

/* To be read before an image that came from elsewhere is restored: its programs begin as root. */
static void put_commands(const struct cv_layout *l, FILE *out)
{
    heading(out, "What a restore executes");
    for (unsigned i = 0; i < l->count; i++)
        put_command(&l->dms[i], out);
}

struct listed {
    const struct cv_layout_device *dev;
    const struct cv_layout_dm *dm;
};

static int by_bdf(const void *x, const void *y)
{
    const struct listed *a = x, *b = y;
    if (a->dev->bdf != b->dev->bdf)
        return a->dev->bdf < b->dev->bdf ? -1 : 1;
    return a->dev < b->dev ? -1 : a->dev > b->dev;
}

static const char *device_detail(const struct cv_layout_device *d, char *buf, size_t len)
{
    char path[200];

    buf[0] = '\0';
    if (d->kind == CV_DEV_DISK)
        snprintf(buf, len, "%s %s%s%s%s", d->vdev, *d->path ? d->format : "empty", d->readonly ? " ro" : "",
                 *d->path ? " " : "", clean(d->path, path, sizeof path));
    else if (d->kind == CV_DEV_VIF)
        snprintf(buf, len, "%02x:%02x:%02x:%02x:%02x:%02x on %s", d->mac[0], d->mac[1], d->mac[2], d->mac[3], d->mac[4],
                 d->mac[5], clean(d->bridge, path, sizeof path));
    return buf;
}

static void put_devices(const struct cv_layout *l, FILE *out)
{
    struct listed all[CV_DM_MAX * CV_LAYOUT_DEVICES_MAX];
    unsigned n = 0;
    char bdf[12], name[60], driver[40], detail[300];

    for (unsigned i = 0; i < l->count; i++)
        for (unsigned k = 0; k < l->dms[i].device_count; k++)
            all[n++] = (struct listed){ &l->dms[i].devices[k], &l->dms[i] };
    qsort(all, n, sizeof *all, by_bdf);
    heading(out, "Devices");
    fprintf(out, "  %-8s %-4s %-14s %-16s %s\n", "BDF", "dmid", "emulator", "device", "id");
    for (unsigned i = 0; i < n; i++) {
        char id[40];
        device_detail(all[i].dev, detail, sizeof detail);
        fprintf(out, "  %-8s %-4u %-14s %-16s %-*s%s%s\n", cv_bdf_string(all[i].dev->bdf, bdf, sizeof bdf),
                all[i].dm->dmid, clean(all[i].dm->name, name, sizeof name),
                clean(all[i].dev->driver, driver, sizeof driver), *detail ? 12 : 0,
                clean(*all[i].dev->id ? all[i].dev->id : "-", id, sizeof id), *detail ? " " : "", detail);
    }
}

/* Cleaned; "" if it is not there. */
static const char *word(json_t *o, const char *key, char *buf, size_t len)
{
    const char *text = json_string_value(json_object_get(o, key));
    return clean(text != NULL ? text : "", buf, len);
}

static bool flag(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    return json_is_true(v) || json_integer_value(v) != 0;
}

static void put_pv_where(json_t *o, FILE *out)
{
    char script[200], domain[80];

    word(o, "script", script, sizeof script);
    word(o, "backend_domname", domain, sizeof domain);
    fprintf(out, "%s%s%s%s\n", *script ? ", script " : "", script, *domain ? ", back end in domain " : "", domain);
}

static void put_pv_disk(json_t *o, FILE *out)
{
    char vdev[40], path[200], format[40], kind[40];

    fprintf(out, "  disk %-8s %s %s%s by %s", word(o, "vdev", vdev, sizeof vdev),
            *word(o, "format", format, sizeof format) ? format : "-",
            *word(o, "pdev_path", path, sizeof path) ? path : "empty", flag(o, "readwrite") ? "" : " ro",
            *word(o, "backend", kind, sizeof kind) ? kind : "libxl's choice");
    put_pv_where(o, out);
}

static void put_pv_nic(json_t *o, FILE *out)
{
    char mac[40], bridge[80], type[40];

    fprintf(out, "  vif %-9lld %s on %s%s%s", (long long)json_integer_value(json_object_get(o, "devid")),
            *word(o, "mac", mac, sizeof mac) ? mac : "-", *word(o, "bridge", bridge, sizeof bridge) ? bridge : "-",
            *word(o, "nictype", type, sizeof type) ? ", " : "", type);
    put_pv_where(o, out);
}

/* What a restore has libxl add: its scripts run as root. */
static void put_pv_devices(const char *text, FILE *out)
{
    json_t *all = json_loads(text, 0, NULL), *o;
    size_t i;

    heading(out, "PV devices");
    if (all == NULL)
        row(out, "list", "not readable");
    json_array_foreach(json_object_get(all, "disks"), i, o) put_pv_disk(o, out);
    json_array_foreach(json_object_get(all, "nics"), i, o) put_pv_nic(o, out);
    json_array_foreach(json_object_get(all, "vkbs"), i, o) fprintf(out, "  keyboard and pointer\n");
    json_decref(all);
}

static void put_space(const struct cv_layout *l, FILE *out)
{
    char size[32], what[80];

    heading(out, "Guest-physical space of the emulators (ROM, VRAM)");
    fprintf(out, "  %-14s %-4s %s\n", "address", "dmid", "size");
    for (unsigned i = 0; i < l->count; i++) {
        const struct cv_layout_dm *dm = &l->dms[i];
        fprintf(out, "  %#-14" PRIx64 " %-4u %-10s window, -m %" PRIu64 "\n", dm->window_gfn << 12, i,
                cv_report_size(dm->window_pages << 12, size, sizeof size), dm->m_kib / 1024);
        for (unsigned k = 0; k < dm->region_count; k++)
            fprintf(out, "  %#-14" PRIx64 " %-4u %-10s   %s%s%s\n", dm->regions[k].gfn << 12, i,
                    cv_report_size(dm->regions[k].pages << 12, size, sizeof size),
                    clean(dm->regions[k].what, what, sizeof what), *dm->regions[k].digest ? "  " : "",
                    dm->regions[k].digest);
    }
}

static void put_layout(const struct cv_image *img, FILE *out)
{
    char text[200];

    if (img->has_layout) {
        put_emulators(&img->layout, out);
        put_commands(&img->layout, out);
        put_devices(&img->layout, out);
        put_space(&img->layout, out);
        return;
    }
    heading(out, "Emulators, in the order of their creation");
    for (uint32_t i = 0; i < img->layout_record.count; i++)
        fprintf(out, "  dmid %u%s\n", img->layout_record.emulator[i].dmid,
                img->layout_record.emulator[i].flags & CV_LAYOUT_DEFAULT ? " (default)" : "");
    row(out, "layout", "not readable: %s", clean(img->layout_error.text, text, sizeof text));
}

static void put_kinds(const struct cv_image *img, FILE *out)
{
    uint64_t counts[CV_RUN_KINDS];
    char size[32];

    if (img->map.left_out) {
        row(out, "pages", "address space too large to count by page");
        return;
    }
    cv_pagemap_count(&img->map, 0, img->memory.pfn_count, counts);
    for (unsigned k = 0; k < CV_RUN_SKIP; k++)
        if (counts[k] != 0)
            row(out, cv_report_kinds[k], "%" PRIu64 " page%s, %s", counts[k], counts[k] == 1 ? "" : "s",
                cv_report_size(counts[k] << 12, size, sizeof size));
}

static void put_memory(const struct cv_image *img, FILE *out)
{
    char a[32], b[32];

    heading(out, "Memory");
    row(out, "space", "pfns below %#" PRIx64 " (%s)", img->memory.pfn_count,
        cv_report_size(img->memory.pfn_count << 12, a, sizeof a));
    put_kinds(img, out);
    if (img->pass_count == 0)
        return;
    fprintf(out, "  %-6s %10s %10s %10s %10s %12s %12s %6s %10s\n", "pass", "pages", "data", "zero", "absent", "raw",
            "stored", "ratio", "dirty left");
    for (unsigned i = 0; i < img->pass_count; i++) {
        const struct cv_image_pass *p = &img->passes[i];
        char ratio[16] = "-";
        if (p->raw != 0)
            snprintf(ratio, sizeof ratio, "%.3f", (double)p->stored / (double)p->raw);
        fprintf(out, "  %-6u %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %12s %12s %6s %10" PRIu64 "%s\n",
                p->pass, p->pages, p->counts[CV_RUN_DATA], p->counts[CV_RUN_ZERO], p->counts[CV_RUN_ABSENT],
                cv_report_size(p->raw, a, sizeof a), cv_report_size(p->stored, b, sizeof b), ratio, p->dirty_left,
                p->last ? "  last" : "");
    }
    if (img->passes_seen > CV_IMAGE_PASSES_MAX)
        row(out, "", "%" PRIu64 " passes in all, the last of them together", img->passes_seen);
}

static void put_context(const struct cv_image *img, FILE *out)
{
    unsigned counts[65] = { 0 };
    uint64_t bytes[65] = { 0 };
    struct cv_hvm_entry e;
    size_t at = 0;
    bool bad;

    row(out, "HVM context", "%zu bytes", img->hvm_context.len);
    while (cv_hvm_context_next(&img->hvm_context, &at, &e, &bad)) {
        unsigned slot = e.type < 64 ? e.type : 64;
        counts[slot]++;
        bytes[slot] += e.length;
    }
    for (unsigned i = 1; i <= 64 && !bad; i++)
        if (counts[i] != 0)
            fprintf(out, "  %-12s   %-16s %4u x, %" PRIu64 " bytes\n", "", cv_hvm_entry_name((uint16_t)i), counts[i],
                    bytes[i]);
    if (bad)
        row(out, "", "not to be taken apart");
}

static void put_xen(const struct cv_image *img, FILE *out)
{
    struct cv_rec_cpu_policy policy;
    struct cv_rec_hvm_params params;

    heading(out, "Xen's state");
    if (img->cpu_policy.len != 0 &&
        cv_rec_cpu_policy_decode(&policy, img->cpu_policy.data, img->cpu_policy.len, NULL) == 0)
        row(out, "CPU policy", "%u CPUID leaves, %u MSRs", policy.leaf_count, policy.msr_count);
    if (img->has_tsc)
        row(out, "TSC", "mode %u, %u kHz, %" PRIu64 " ns, incarnation %u", img->tsc.mode, img->tsc.khz, img->tsc.nsec,
            img->tsc.incarnation);
    if (img->hvm_context.len != 0)
        put_context(img, out);
    if (img->hvm_params.len == 0 ||
        cv_rec_hvm_params_decode(&params, img->hvm_params.data, img->hvm_params.len, NULL) < 0)
        return;
    for (uint32_t i = 0; i < params.count; i++) {
        struct cv_hvm_param v = cv_hvm_params_at(&params, i);
        fprintf(out, "  %-12s %3" PRIu64 " %-22s %#" PRIx64 "\n", i == 0 ? "parameters" : "", v.index,
                cv_hvm_param_name(v.index), v.value);
    }
}

static void put_states(const struct cv_image *img, FILE *out)
{
    for (unsigned i = 0; i < CV_EMULATORS_MAX; i++) {
        const struct cv_image_state *s = &img->states[i];
        char text[200], size[32];

        if (!s->there)
            continue;
        clean(img->has_layout && i < img->layout.count ? img->layout.dms[i].name : "", text, sizeof text);
        fprintf(out, "\nDevice state of dmid %u%s%s%s: %s\n", i, *text ? " '" : "", text, *text ? "'" : "",
                cv_report_size(s->bytes, size, sizeof size));
        if (!s->taken_apart) {
            row(out, "sections", "not taken apart: %s", clean(s->why.text, text, sizeof text));
            continue;
        }
        if (*s->qemu.machine)
            row(out, "machine", "%s", clean(s->qemu.machine, text, sizeof text));
        fprintf(out, "  %-40s %8s %8s %10s%s\n", "section", "instance", "version", "bytes",
                s->qemu.exact ? "" : "  (found by their headers' pattern)");
        for (size_t k = 0; k < s->qemu.count; k++)
            fprintf(out, "  %-40s %8u %8u %10zu\n", s->qemu.sections[k].name, s->qemu.sections[k].instance,
                    s->qemu.sections[k].version, s->qemu.sections[k].data_len);
    }
}

void cv_report_text(const struct cv_image *img, FILE *out)
{
    struct cv_rec_xenstore x;

    put_stream(img, out);
    put_freeze(img, out);
    if (img->has_guest)
        put_guest(img, out);
    if (img->has_layout_record)
        put_layout(img, out);
    if (img->devices_json != NULL)
        put_pv_devices(img->devices_json, out);
    if (img->has_memory)
        put_memory(img, out);
    if (img->cpu_policy.len != 0 || img->has_tsc)
        put_xen(img, out);
    if (img->xenstore.len != 0 && cv_rec_xenstore_decode(&x, img->xenstore.data, img->xenstore.len, NULL) == 0)
        row(out, "xenstore", "%u nodes", x.count);
    put_states(img, out);
}
