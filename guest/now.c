/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest is now, in place of what it was made from: its layout (emulators/now.h), and what toolstacks change of
 * it in xenstore while it runs: the balloon's target and the vCPUs that it may use. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "guest/adopt.h"

#define KIB_MAX (UINT64_C(1) << 34)

static int read_node(struct cv_guest *g, const char *name, char **value_out, struct cv_error *err)
{
    char path[96];

    snprintf(path, sizeof path, "/local/domain/%u/%s", g->domid, name);
    return g->host->ops->xs_read(g->host, path, value_out, err);
}

/* A node that is not there, or says nothing that could be, leaves *kib as it is. */
static int read_kib(struct cv_guest *g, const char *name, uint64_t *kib, struct cv_error *err)
{
    CV_AUTO_FREE char *text = NULL;
    char *end;

    if (read_node(g, name, &text, err) < 0)
        return -1;
    if (text == NULL)
        return 0;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || n == 0 || n > KIB_MAX)
        cv_log(g->sink, CV_LOG_WARN, "xenstore: %s of domain %u is '%.40s': left as it was", name, g->domid, text);
    else
        *kib = n;
    return 0;
}

static int read_memory(struct cv_guest *g, struct cv_error *err)
{
    uint64_t target = g->spec.target_kib - g->spec.video_kib; /* the node counts without video memory */

    if (read_kib(g, "memory/target", &target, err) < 0 || read_kib(g, "memory/static-max", &g->spec.max_kib, err) < 0)
        return -1;
    g->spec.target_kib = target + g->spec.video_kib;
    return 0;
}

static int read_vcpus(struct cv_guest *g, struct cv_error *err)
{
    uint64_t map[CV_VCPU_WORDS] = { 0 };
    uint32_t count = 0;

    for (uint32_t i = 0; i < g->spec.vcpus && i < CV_VCPU_WORDS * 64; i++) {
        CV_AUTO_FREE char *text = NULL;
        char name[40];
        snprintf(name, sizeof name, "cpu/%u/availability", i);
        if (read_node(g, name, &text, err) < 0)
            return -1;
        if (text != NULL ? strcmp(text, "online") != 0 : !cv_spec_vcpu_online(&g->spec, i))
            continue;
        map[i / 64] |= UINT64_C(1) << (i % 64);
        count++;
    }
    if (count == 0)
        return 0; /* nobody's guest runs on none */
    memcpy(g->spec.online_map, map, sizeof map);
    g->spec.vcpus_online = count;
    return 0;
}

/* How far its clock (RTC) is from ours, where a toolstack has noted it.  Xen's context of the guest says it, too, but
 * not to a guest that restarts. */
static int read_clock(struct cv_guest *g, struct cv_error *err)
{
    CV_AUTO_FREE char *vm = NULL, *text = NULL;
    char path[128], *end;

    if (read_node(g, "vm", &vm, err) < 0)
        return -1;
    snprintf(path, sizeof path, "%.80s/rtc/timeoffset", vm != NULL ? vm : "");
    if (vm != NULL && g->host->ops->xs_read(g->host, path, &text, err) < 0)
        return -1;
    long long n = text != NULL && *text != '\0' ? strtoll(text, &end, 10) : 0;
    if (n != 0 && *end == '\0' && n >= INT32_MIN && n <= INT32_MAX)
        g->spec.rtc_offset_s = n;
    return 0;
}

/* Of a guest of xl's: its configuration says only that it has one. */
static int read_genid(struct cv_guest *g, struct cv_error *err)
{
    CV_AUTO_FREE char *text = NULL;
    uint8_t bytes[CV_GENID_BYTES];

    if (read_node(g, "platform/generation-id", &text, err) < 0)
        return -1;
    if (text != NULL && cv_genid_parse(text, bytes, NULL) == 0)
        cv_genid_text(bytes, g->spec.genid);
    return 0;
}

int cv_guest_look_store(struct cv_guest *g, struct cv_error *err)
{
    if (read_memory(g, err) < 0 || read_clock(g, err) < 0 || read_genid(g, err) < 0)
        return -1;
    return read_vcpus(g, err);
}

int cv_guest_look(struct cv_guest *g, const struct cv_emu_wait *w, struct cv_error *err)
{
    cv_now_dispose(&g->now);
    if (g->adopted)
        return cv_guest_look_adopted(g, w, err) < 0 ? -1 : cv_guest_look_store(g, err);
    if (cv_emuset_now(&g->set, &g->layout, CV_NOW_ALL, w, &g->now, err) < 0)
        return -1;
    if (cv_now_take(&g->now, &g->layout, err) < 0)
        return -1;
    return cv_guest_look_store(g, err);
}

int cv_guest_look_again(struct cv_guest *g, const struct cv_emu_wait *w, struct cv_error *err)
{
    struct cv_now later = { 0 };

    int rc = cv_emuset_now(&g->set, &g->layout, CV_NOW_MEDIA, w, &later, err);
    if (rc == 0)
        rc = cv_now_compare(&g->now, &later, &g->layout, err);
    cv_now_dispose(&later);
    return rc;
}
