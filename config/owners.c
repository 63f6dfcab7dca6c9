/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who owns what: a capability or a device belongs to exactly one emulator, the default one takes what nobody claims.
 * With stock QEMU only PCI functions can leave the default machine; the chipset's own devices cannot. */
#include <errno.h>
#include <string.h>

#include "config/reader.h"

#define CAPS_MOVABLE ((unsigned)(CV_CAP_SERIAL | CV_CAP_AUDIO | CV_CAP_USB))

static int owners_fail(struct cv_config_reader *r, enum cv_code code, struct cv_error *err, const char *text)
{
    return cv_reader_fail(r, "device_models", code, err, "%s", text);
}

static bool claims_nothing(const struct cv_dm_entry *e)
{
    return !e->dm.attach && e->dm.caps == 0 && e->dm.device_count == 0 && *e->vifs == '\0' && *e->disks == '\0';
}

enum default_rule { NAMED_DEFAULT, IMMOVABLE_CAP, CLAIMS_NOTHING };

static int two_defaults(struct cv_config_reader *r, enum default_rule rule, const char *first, const char *second,
                        struct cv_error *err)
{
    const char *key = "device_models";

    if (rule == NAMED_DEFAULT)
        return cv_reader_fail(r, key, CV_E_INVALID, err, "emulators '%s' and '%s' are both default=1", first, second);
    if (rule == IMMOVABLE_CAP)
        return cv_reader_fail(
            r, key, CV_E_UNSUPPORTED, err,
            "'%s' is the default emulator, but '%s' claims a capability that stock QEMU cannot separate "
            "from it (ui, ide, parallel, acpi, platform)",
            first, second);
    return cv_reader_fail(r, key, CV_E_INVALID, err,
                          "'%s' is the default emulator, and '%s' claims nothing: it would serve nothing", first,
                          second);
}

/* Which entry is the default one: default=1, else the one with a capability that cannot move, else the one that claims
 * nothing.  -1: none, so one is added. */
static int find_default(struct cv_config_reader *r, const struct cv_dm_entry *entries, unsigned count, int *which,
                        struct cv_error *err)
{
    *which = -1;
    for (int rule = NAMED_DEFAULT; rule <= CLAIMS_NOTHING; rule++)
        for (unsigned i = 0; i < count; i++) {
            const struct cv_dm_entry *e = &entries[i];
            bool fits = rule == NAMED_DEFAULT   ? e->named_default
                        : rule == IMMOVABLE_CAP ? (e->dm.caps & ~CAPS_MOVABLE) != 0
                                                : claims_nothing(e);
            if (!fits || *which == (int)i)
                continue;
            if (*which >= 0)
                return two_defaults(r, (enum default_rule)rule, entries[*which].dm.name, e->dm.name, err);
            *which = (int)i;
        }
    return 0;
}

static int check_names(struct cv_config_reader *r, const struct cv_dm_entry *entries, unsigned count,
                       struct cv_error *err)
{
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < i; k++)
            if (strcmp(entries[i].dm.name, entries[k].dm.name) == 0)
                return cv_reader_fail(r, "device_models", CV_E_INVALID, err,
                                      "entries %u and %u have the same name '%s'", entries[k].number, entries[i].number,
                                      entries[i].dm.name);
    return 0;
}

/* Index of a "+"-joined word among n things; -1 if there is no such thing. */
typedef int (*find_thing)(const struct cv_guest_config *c, const char *word);

static int find_vif(const struct cv_guest_config *c, const char *word)
{
    long long v;

    if (cv_text_number(word, 0, (long long)c->vif_count - 1, &v))
        return (int)v;
    if (strncmp(word, "nic", 3) == 0 && cv_text_number(word + 3, 0, (long long)c->vif_count - 1, &v))
        return (int)v;
    for (unsigned i = 0; i < c->vif_count; i++)
        if (*c->vifs[i].ifname && strcmp(c->vifs[i].ifname, word) == 0)
            return (int)i;
    return -1;
}

static int find_disk(const struct cv_guest_config *c, const char *word)
{
    long long v;

    for (unsigned i = 0; i < c->disk_count; i++)
        if (strcmp(c->disks[i].vdev, word) == 0)
            return (int)i;
    return cv_text_number(word, 0, (long long)c->disk_count - 1, &v) ? (int)v : -1;
}

static int *owner_of(struct cv_guest_config *c, bool disk, int i)
{
    return disk ? &c->disks[i].owner : &c->vifs[i].owner;
}

static int claim_list(struct cv_config_reader *r, int dm, const char *list, bool disk, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    const char *what = disk ? "disk" : "vif";
    char word[64];

    while (*list) {
        size_t len = strcspn(list, "+");
        snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), list);
        int i = disk ? find_disk(c, word) : find_vif(c, word);
        if (i < 0)
            return cv_reader_fail(r, "device_models", CV_E_INVALID, err,
                                  "emulator '%s' claims %s '%s', and there is no such %s", c->dms[dm].name, what, word,
                                  what);
        int *owner = owner_of(c, disk, i);
        if (*owner >= 0)
            return cv_reader_fail(r, "device_models", CV_E_INVALID, err, "emulators '%s' and '%s' both claim %s '%s'",
                                  c->dms[*owner].name, c->dms[dm].name, what, word);
        *owner = dm;
        list += len + (list[len] == '+');
    }
    return 0;
}

static int check_caps(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    unsigned claimed = 0;

    for (unsigned i = 0; i < c->dm_count; i++) {
        unsigned twice = claimed & c->dms[i].caps;
        for (unsigned k = 0; k < i && twice; k++)
            if (c->dms[k].caps & twice) {
                unsigned one = c->dms[k].caps & twice;
                return cv_reader_fail(r, "device_models", CV_E_INVALID, err,
                                      "emulators '%s' and '%s' both claim the capability %s", c->dms[k].name,
                                      c->dms[i].name, cv_cap_name((enum cv_cap)(one & -one)));
            }
        claimed |= c->dms[i].caps;
    }
    c->dms[0].caps |= CV_CAP_ALL & ~claimed;
    return 0;
}

/* The default emulator's ioreq server must have the highest id, so it is created last. */
static int check_ranks(struct cv_config_reader *r, const struct cv_dm_entry *const *order, struct cv_error *err)
{
    struct cv_guest_config *c = r->c;
    int highest = -1;

    for (unsigned i = 1; i < c->dm_count; i++) {
        if (!order[i]->has_rank)
            c->dms[i].rank = highest + 1;
        for (unsigned k = 1; k < i; k++)
            if (c->dms[k].rank == c->dms[i].rank)
                return cv_reader_fail(r, "device_models", CV_E_INVALID, err,
                                      "emulators '%s' and '%s' have the same rank %d", c->dms[k].name, c->dms[i].name,
                                      c->dms[i].rank);
        highest = c->dms[i].rank > highest ? c->dms[i].rank : highest;
    }
    if (order[0] == NULL || !order[0]->has_rank)
        c->dms[0].rank = highest + 1;
    else if (c->dms[0].rank <= highest)
        return cv_reader_fail(
            r, "device_models", CV_E_INVALID, err,
            "the default emulator '%s' must have the highest rank (Xen asks the server created last first)",
            c->dms[0].name);
    return 0;
}

static int place(struct cv_config_reader *r, const struct cv_dm_entry *entries, unsigned count, int which,
                 const struct cv_dm_entry *order[CV_DM_MAX], struct cv_error *err)
{
    struct cv_guest_config *c = r->c;

    if (count + (which < 0) > CV_DM_MAX)
        return cv_reader_fail(
            r, "device_models", CV_E_UNSUPPORTED, err,
            "%u emulators%s: Xen has %d ioreq servers for a domain (MAX_NR_IOREQ_SERVERS), one for each",
            count + (which < 0), which < 0 ? " with the default one" : "", CV_DM_MAX);
    c->dm_count = 1;
    order[0] = which < 0 ? NULL : &entries[which];
    if (which >= 0)
        c->dms[0] = entries[which].dm;
    else
        c->dms[0] = (struct cv_config_dm){ .name = "default", .model = "", .version = "", .machine = "", .qmp = "" };
    c->dms[0].is_default = true;
    for (unsigned i = 0; i < count; i++) {
        if ((int)i == which)
            continue;
        order[c->dm_count] = &entries[i];
        c->dms[c->dm_count++] = entries[i].dm;
        if (which < 0 && strcmp(entries[i].dm.name, "default") == 0)
            return owners_fail(
                r, CV_E_INVALID, err,
                "'default' is the name of the emulator that is added; give this one another, or default=1");
    }
    if (c->dms[0].attach)
        return owners_fail(r, CV_E_UNSUPPORTED, err,
                           "the default emulator cannot be attached: it must be created after all others");
    return 0;
}

int cv_config_settle_owners(struct cv_config_reader *r, struct cv_dm_entry *entries, unsigned count,
                            struct cv_error *err)
{
    const struct cv_dm_entry *order[CV_DM_MAX];
    struct cv_guest_config *c = r->c;
    int which;

    if (check_names(r, entries, count, err) < 0 || find_default(r, entries, count, &which, err) < 0 ||
        place(r, entries, count, which, order, err) < 0)
        return -1;
    for (unsigned i = 0; i < c->dm_count; i++)
        if (order[i] != NULL && (claim_list(r, (int)i, order[i]->vifs, false, err) < 0 ||
                                 claim_list(r, (int)i, order[i]->disks, true, err) < 0))
            return -1;
    for (unsigned i = 0; i < c->vif_count; i++) {
        if (c->vifs[i].owner < 0)
            c->vifs[i].owner = 0;
        if (cv_config_settle_vif(r, i, err) < 0)
            return -1;
    }
    for (unsigned i = 0; i < c->disk_count; i++) {
        if (c->disks[i].owner < 0)
            c->disks[i].owner = 0;
        if (cv_config_settle_disk(r, i, err) < 0)
            return -1;
    }
    if (cv_config_check_disks(r, err) < 0)
        return -1;
    return check_caps(r, err) < 0 ? -1 : check_ranks(r, order, err);
}

/* device_model_override and device_model_args of xl.cfg(5) belong to the default emulator. */
static int read_old_keys(struct cv_config_reader *r, struct cv_error *err)
{
    static const char *const keys[] = { "device_model_args", "device_model_args_hvm" };
    struct cv_config_dm *dm = &r->c->dms[0];
    const char *model = "";

    if (cv_reader_string(r, "device_model_override", &model, err) < 0)
        return -1;
    if (*model && *dm->model)
        return cv_reader_fail(r, "device_model_override", CV_E_INVALID, err,
                              "the default emulator '%s' has a model already", dm->name);
    if (*model && *model != '/')
        return cv_reader_fail(r, "device_model_override", CV_E_INVALID, err, "must be an absolute path");
    if (*model)
        dm->model = model;
    for (size_t k = 0; k < 2; k++) {
        struct cv_strings args = { 0 };
        XLU_ConfigList *list;
        int count;
        if (cv_reader_has(r, keys[k]) && xlu_cfg_get_list(r->cfg, keys[k], &list, &count, 1) != 0)
            return cv_reader_fail(r, keys[k], CV_E_INVALID, err, "must be a list, one entry for each argument");
        if (cv_reader_strings(r, keys[k], &args, err) < 0)
            return -1;
        for (size_t i = 0; i < args.count; i++)
            cv_strings_add(&r->c->pool, &dm->args, args.items[i]);
    }
    return cv_pool_check(&r->c->pool, err);
}

int cv_config_read_dms(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_dm_entry *entries = cv_pool_zalloc(&r->c->pool, CV_DM_MAX + 1, sizeof *entries);
    XLU_ConfigList *list = NULL;
    int count = 0;

    if (entries == NULL)
        return cv_pool_check(&r->c->pool, err);
    int rc = xlu_cfg_get_list(r->cfg, "device_models", &list, &count, 1);
    if (rc != 0 && rc != ESRCH)
        return owners_fail(r, CV_E_INVALID, err, "must be a list");
    for (int i = 0; i < count && i <= CV_DM_MAX; i++)
        if (cv_config_read_entry(r, list, i, &entries[i], err) < 0)
            return -1;
    if (count > CV_DM_MAX)
        return cv_reader_fail(
            r, "device_models", CV_E_UNSUPPORTED, err,
            "%d emulators: Xen has %d ioreq servers for a domain (MAX_NR_IOREQ_SERVERS), one for each", count,
            CV_DM_MAX);
    if (cv_config_settle_owners(r, entries, (unsigned)count, err) < 0)
        return -1;
    return read_old_keys(r, err);
}
