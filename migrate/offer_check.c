/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The destination's judgement of an OFFER: everything that can be known without building anything. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulators/version.h"
#include "migrate/effects.h"
#include "migrate/offer.h"

/* Xen wants some memory of its own for a domain: page tables, vcpus, the domain itself. */
#define DOMAIN_OVERHEAD_PAGES 1024u
#define DOM0_NAME "Domain-0" /* is not listed */

static int refuse(uint32_t *refusal_out, uint32_t refusal)
{
    *refusal_out = refusal;
    return -1;
}

struct look {
    const struct cv_offer_check *c;
    const char *name;
    char incoming[CV_NAME_MAX];
    bool any_uuid, any_name;
    struct cv_domain_info same_uuid, same_name;
};

static int look_at(void *user, const struct cv_domain_info *d)
{
    struct look *l = user;

    if (d->domid == l->c->own_domid || d->dying)
        return 0;
    if (memcmp(d->uuid, l->c->guest, sizeof d->uuid) == 0) {
        l->same_uuid = *d;
        l->any_uuid = true;
    }
    if (strcmp(d->name, l->name) == 0 || strcmp(d->name, l->incoming) == 0) {
        l->same_name = *d;
        l->any_name = true;
    }
    return 0;
}

static int check_domains(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out,
                         struct cv_error *err)
{
    struct look l = { .c = c, .name = o->name };

    cv_incoming_name(o->name, l.incoming, sizeof l.incoming);
    if (c->host->ops->list(c->host, look_at, &l, err) < 0)
        return refuse(refusal_out, CV_REFUSE_INTERNAL);
    if (l.any_uuid) {
        cv_fail(err, CV_E_BUSY, 0, "this guest is there already, as domain %u '%s'", l.same_uuid.domid,
                l.same_uuid.name);
        return refuse(refusal_out, CV_REFUSE_GUEST_THERE);
    }
    if (l.any_name || strcmp(o->name, DOM0_NAME) == 0) {
        cv_fail(err, CV_E_BUSY, 0, "domain %u has the name '%s'", l.same_name.domid,
                l.any_name ? l.same_name.name : DOM0_NAME);
        return refuse(refusal_out, CV_REFUSE_NAME_TAKEN);
    }
    return 0;
}

static int check_host(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out,
                      struct cv_error *err)
{
    uint64_t need = o->memory_bytes / CV_PAGE_SIZE + DOMAIN_OVERHEAD_PAGES;
    struct cv_host_facts f;

    if (c->host->ops->facts(c->host, &f, err) < 0)
        return refuse(refusal_out, CV_REFUSE_INTERNAL);
    if (f.version_major < o->xen_major || (f.version_major == o->xen_major && f.version_minor < o->xen_minor)) {
        cv_fail(err, CV_E_UNSUPPORTED, 0, "%s there, and the guest comes from %u.%u", f.hypervisor, o->xen_major,
                o->xen_minor);
        return refuse(refusal_out, CV_REFUSE_XEN_VERSION);
    }
    if (f.free_pages < need) {
        cv_fail(err, CV_E_NOMEM, 0, "the guest needs %llu MiB, and %llu MiB are free", (unsigned long long)need / 256,
                (unsigned long long)f.free_pages / 256);
        return refuse(refusal_out, CV_REFUSE_MEMORY);
    }
    c->free_bytes = (f.free_pages - need) * CV_PAGE_SIZE;
    return 0;
}

static int check_policy(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out,
                        struct cv_error *err)
{
    size_t count = o->cpu_policy.len / 24;
    const uint8_t *at = o->cpu_policy.data;
    struct cv_cpu_policy p = { .leaf_count = count };

    if (count == 0 || o->cpu_policy.len % 24 != 0 || count > 4096)
        return 0; /* nothing that we understand: the domain's creation will tell */
    p.leaves = calloc(count, sizeof *p.leaves);
    if (p.leaves == NULL) {
        cv_fail(err, CV_E_NOMEM, 0, "no memory for a CPU policy");
        return refuse(refusal_out, CV_REFUSE_INTERNAL);
    }
    for (size_t i = 0; i < count; i++, at += 24)
        p.leaves[i] = (struct cv_policy_leaf){ cv_load32(at),      cv_load32(at + 4),  cv_load32(at + 8),
                                               cv_load32(at + 12), cv_load32(at + 16), cv_load32(at + 20) };
    int rc = c->host->ops->check_cpu_policy(c->host, &p, err);
    cv_cpu_policy_dispose(&p);
    return rc < 0 ? refuse(refusal_out, CV_REFUSE_CPU_POLICY) : 0;
}

/* ---- emulators ---- */

/* The layout, and which programs it names: before any of them is run, be it for its version only. */
static int check_programs(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out,
                          struct cv_error *err)
{
    struct cv_emu_rules rules;
    struct cv_layout l;

    if (cv_guest_rules(c->host, &rules, err) < 0)
        return refuse(refusal_out, CV_REFUSE_INTERNAL);
    if (cv_layout_decode(o->layout.data, o->layout.len, &l, err) < 0)
        return refuse(refusal_out, CV_REFUSE_CONFIG);
    int rc = cv_emu_rules_check(&rules, &l, true, err);
    cv_layout_dispose(&l);
    struct cv_strs list = o->emulators;
    const char *word = NULL;
    for (unsigned i = 0; rc == 0 && (word = cv_strs_next(&list)) != NULL; i++)
        if (i % 5 == 2 && *word != '\0')
            rc = cv_emu_rules_program(&rules, word, err);
    return rc < 0 ? refuse(refusal_out, CV_REFUSE_NO_EMULATOR) : 0;
}

static int check_emulator(const char *const s[5], char seen[2][256], uint32_t *refusal_out, struct cv_error *err)
{
    if (*s[2] == '\0')
        return 0;
    if (access(s[2], X_OK) < 0) {
        cv_fail(err, CV_E_NOT_FOUND, errno, "emulator %s '%s': %s", s[0], s[1], s[2]);
        return refuse(refusal_out, CV_REFUSE_NO_EMULATOR);
    }
    if (strcmp(seen[0], s[2]) != 0) { /* most guests have one program for all: asked once */
        snprintf(seen[0], sizeof seen[0], "%s", s[2]);
        cv_program_version(s[2], seen[1], sizeof seen[1]);
    }
    if (cv_version_takes_state(s[3], seen[1], s[4]))
        return 0;
    cv_fail(err, CV_E_UNSUPPORTED, 0, "emulator %s '%s': %s is version %s there, and %s here (machine %s)", s[0], s[1],
            s[2], seen[1], s[3], s[4]);
    return refuse(refusal_out, CV_REFUSE_EMULATOR_VERSION);
}

static int check_emulators(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out,
                           struct cv_error *err)
{
    struct cv_strs list = o->emulators;
    char seen[2][256] = { "", "" };

    (void)c;
    for (;;) {
        const char *s[5];
        for (unsigned i = 0; i < 5; i++)
            s[i] = cv_strs_next(&list);
        if (s[0] == NULL)
            return 0;
        if (s[4] == NULL) {
            cv_fail(err, CV_E_PEER, 0, "the list of emulators is cut short");
            return refuse(refusal_out, CV_REFUSE_CONFIG);
        }
        if (check_emulator(s, seen, refusal_out, err) < 0)
            return -1;
    }
}

/* ---- bridges and disks ---- */

static int check_bridges(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out,
                         struct cv_error *err)
{
    struct cv_strs list = o->bridges;
    struct cv_error why = CV_ERROR_INIT;
    const char *name;

    while ((name = cv_strs_next(&list)) != NULL) {
        if (c->host->ops->bridge(c->host, name, &why) < 0) {
            cv_fail(err, CV_E_NOT_FOUND, 0, "'%s' is not a bridge there: %s", name, why.text);
            return refuse(refusal_out, CV_REFUSE_NO_BRIDGE);
        }
    }
    return 0;
}

static int check_disks(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out,
                       struct cv_error *err)
{
    struct cv_strs list = o->disks;
    const char *text;

    (void)c;
    while ((text = cv_strs_next(&list)) != NULL) {
        bool ro = strncmp(text, "ro ", 3) == 0;
        if (!ro && strncmp(text, "rw ", 3) != 0) {
            cv_fail(err, CV_E_PEER, 0, "the list of disks is not understood");
            return refuse(refusal_out, CV_REFUSE_CONFIG);
        }
        struct stat st;
        if (access(text + 3, ro ? R_OK : R_OK | W_OK) < 0 || stat(text + 3, &st) < 0) {
            cv_fail(err, CV_E_NOT_FOUND, errno, "disk %s", text + 3);
            return refuse(refusal_out, CV_REFUSE_NO_DISK);
        }
        if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
            cv_fail(err, CV_E_NOT_FOUND, 0, "disk %s is neither a file nor a block device there", text + 3);
            return refuse(refusal_out, CV_REFUSE_NO_DISK);
        }
    }
    return 0;
}

/* The guest has seen the disk's size: another one is another disk, or half a copy. */
static int check_disk_sizes(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out,
                            struct cv_error *err)
{
    struct cv_strs list = o->facts;
    const char *text;

    (void)c;
    while ((text = cv_strs_next(&list)) != NULL) {
        if (strncmp(text, CV_FACT_DISK_BYTES, strlen(CV_FACT_DISK_BYTES)) != 0)
            continue;
        const char *number = text + strlen(CV_FACT_DISK_BYTES);
        size_t digits = strspn(number, "0123456789");
        if (digits == 0 || digits > 18 || number[digits] != ' ') {
            cv_fail(err, CV_E_PEER, 0, "'%.100s' is not understood", text);
            return refuse(refusal_out, CV_REFUSE_CONFIG);
        }
        const char *path = number + digits + 1;
        uint64_t here = 0, there = strtoull(number, NULL, 10);
        if (cv_disk_bytes(path, &here) == 0 && here == there)
            continue;
        cv_fail(err, CV_E_NOT_FOUND, 0, "disk %s has %llu bytes there, and %llu here", path, (unsigned long long)here,
                (unsigned long long)there);
        return refuse(refusal_out, CV_REFUSE_NO_DISK);
    }
    return 0;
}

static int check_facts(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out,
                       struct cv_error *err)
{
    struct cv_strs list = o->facts;
    const char *text;

    (void)c;
    while ((text = cv_strs_next(&list)) != NULL)
        if (text[0] == '!') {
            cv_fail(err, CV_E_UNSUPPORTED, 0, "'%.100s' is not known there", text + 1);
            return refuse(refusal_out, CV_REFUSE_FEATURE);
        }
    return 0;
}

/* In order.  gate: what comes behind makes no sense, or is not safe to look at, without it. */
static const struct {
    const char *name;
    int (*run)(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out, struct cv_error *err);
    bool gate;
} checks[] = {
    { "facts", check_facts, true },     { "domains", check_domains, false },  { "host", check_host, false },
    { "layout", check_programs, true }, { "cpu", check_policy, false },       { "emulators", check_emulators, false },
    { "disks", check_disks, false },    { "disks", check_disk_sizes, false }, { "bridges", check_bridges, false },
};

int cv_offer_check(struct cv_offer_check *c, const struct cv_msg_offer *o, uint32_t *refusal_out, struct cv_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        if (checks[i].run(c, o, refusal_out, err) == 0)
            continue;
        rc = -1;
        if (c->found != NULL)
            cv_findings_add(c->found, checks[i].name, err, NULL);
        if (c->found == NULL || checks[i].gate)
            break;
    }
    return rc;
}

void cv_offer_check_dispose(struct cv_offer_check *c) { cv_buf_dispose(&c->notes_data); }
