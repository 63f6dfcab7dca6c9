/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device_models = [...]: one entry an emulator, a string "key=value,key=value" in which a value in [brackets] may have
 * commas, or a list of strings with one "key=value" each, commas and all. */
#include <ctype.h>
#include <string.h>

#include "config/reader.h"

#define ENTRY_BYTES_MAX 4096

static int entry_fail(struct cv_reader *r, const struct cv_dm_entry *e, enum cv_code code, struct cv_error *err,
                      const char *word, const char *why)
{
    return cv_reader_fail(r, "device_models", code, err, "entry %u%s%s%s: '%.120s': %s", e->number,
                          *e->dm.name ? " ('" : "", e->dm.name, *e->dm.name ? "')" : "", word, why);
}

static bool good_name(const char *name)
{
    size_t len = strlen(name);

    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
            return false;
    return len >= 1 && len <= CV_DM_NAME_MAX;
}

static int read_caps(struct cv_reader *r, struct cv_dm_entry *e, const char *word, const char *value,
                     struct cv_error *err)
{
    while (*value) {
        size_t len = strcspn(value, "+");
        unsigned found = 0;
        for (unsigned bit = 1; bit <= CV_CAP_ALL; bit <<= 1)
            if (strlen(cv_cap_name((enum cv_cap)bit)) == len && strncmp(cv_cap_name((enum cv_cap)bit), value, len) == 0)
                found = bit;
        if (found == 0)
            return entry_fail(r, e, CV_E_INVALID, err, word,
                              "capabilities are ui, ide, serial, parallel, audio, usb, acpi, platform, joined by +");
        e->dm.caps |= found;
        value += len + (value[len] == '+');
    }
    return 0;
}

/* driver[,prop=value...]: id is taken, what the layout decides is refused. */
static int read_device(struct cv_reader *r, struct cv_dm_entry *e, const char *word, const char *text, size_t len,
                       struct cv_error *err)
{
    struct cv_pool *pool = &r->c->pool;
    struct cv_config_device *d = &e->dm.devices[e->dm.device_count];
    size_t name = strcspn(text, ",") < len ? strcspn(text, ",") : len;

    if (e->dm.device_count == CV_CONFIG_DEVICES_MAX)
        return entry_fail(r, e, CV_E_UNSUPPORTED, err, word, "too many devices");
    *d = (struct cv_config_device){ .driver = cv_pool_stringn(pool, text, name), .properties = "", .id = "" };
    if (*d->driver == '\0')
        return entry_fail(r, e, CV_E_INVALID, err, word, "a device is driver[,property=value...]");
    for (const char *p = d->driver; *p; p++)
        if (!isalnum((unsigned char)*p) && strchr("-_.", *p) == NULL)
            return entry_fail(r, e, CV_E_INVALID, err, word, "a device is driver[,property=value...]");
    for (const char *p = text + name; p < text + len;) {
        p += *p == ',';
        size_t n = strcspn(p, ",") < (size_t)(text + len - p) ? strcspn(p, ",") : (size_t)(text + len - p);
        if (strncmp(p, "bus=", 4) == 0 || strncmp(p, "addr=", 5) == 0 || strncmp(p, "multifunction=", 14) == 0)
            return entry_fail(r, e, CV_E_INVALID, err, word, "the PCI address is decided by the layout");
        if (n > 3 && strncmp(p, "id=", 3) == 0) {
            d->id = cv_pool_stringn(pool, p + 3, n - 3);
            if (!good_name(d->id) || !isalpha((unsigned char)d->id[0]))
                return entry_fail(r, e, CV_E_INVALID, err, word, "id: a letter, then letters, digits, - and _");
        } else if (memchr(p, '=', n) == NULL) {
            return entry_fail(r, e, CV_E_INVALID, err, word, "a device is driver[,property=value...]");
        } else {
            d->properties = cv_pool_printf(pool, "%s%s%.*s", d->properties, *d->properties ? "," : "", (int)n, p);
        }
        p += n;
    }
    e->dm.device_count++;
    return 0;
}

/* devices=[edu,dma_mask=0xff][pvpanic-pci], or one device without brackets. */
static int read_devices(struct cv_reader *r, struct cv_dm_entry *e, const char *word, const char *value,
                        struct cv_error *err)
{
    if (*value != '[')
        return read_device(r, e, word, value, strlen(value), err);
    while (*value) {
        const char *end = strchr(value, ']');
        if (*value != '[' || end == NULL)
            return entry_fail(r, e, CV_E_INVALID, err, word, "must be [device][device]...");
        if (read_device(r, e, word, value + 1, (size_t)(end - value - 1), err) < 0)
            return -1;
        value = end + 1;
    }
    return 0;
}

/* args=[-trace foo -D log]: split at blanks. */
static int read_args(struct cv_reader *r, struct cv_dm_entry *e, const char *value)
{
    size_t len = strlen(value), bracket = *value == '[' && len > 1 && value[len - 1] == ']';
    const char *p = value + bracket, *end = value + len - bracket;

    while (p < end) {
        size_t n = strcspn(p, " \t");
        if (n > (size_t)(end - p))
            n = (size_t)(end - p);
        if (n > 0)
            cv_strings_add(&r->c->pool, &e->dm.args, cv_pool_stringn(&r->c->pool, p, n));
        p += n + 1;
    }
    return 0;
}

static int read_number(struct cv_reader *r, struct cv_dm_entry *e, const char *word, const char *value, long long min,
                       long long max, long long *out, struct cv_error *err)
{
    if (cv_text_number(value, min, max, out))
        return 0;
    return entry_fail(r, e, CV_E_INVALID, err, word, "is no number in range");
}

static int read_name(struct cv_reader *r, struct cv_dm_entry *e, const char *word, const char *value,
                     struct cv_error *err)
{
    if (!good_name(value))
        return entry_fail(r, e, CV_E_INVALID, err, word, "a name has 1 to 32 letters, digits, - and _");
    e->dm.name = cv_pool_string(&r->c->pool, value);
    return 0;
}

static int read_path(struct cv_reader *r, struct cv_dm_entry *e, const char *word, const char *value, const char **out,
                     struct cv_error *err)
{
    if (value[0] != '/')
        return entry_fail(r, e, CV_E_INVALID, err, word, "must be an absolute path");
    *out = cv_pool_string(&r->c->pool, value);
    return 0;
}

static int read_pair(struct cv_reader *r, struct cv_dm_entry *e, const char *word, struct cv_error *err)
{
    struct cv_pool *pool = &r->c->pool;
    const char *value = strchr(word, '=');
    long long v = 0;

    if (value == NULL)
        return entry_fail(r, e, CV_E_INVALID, err, word, "must be key=value");
    size_t key = (size_t)(value++ - word);
#define IS(name) (key == strlen(name) && strncmp(word, name, key) == 0)
#define ONCE(field)                                                          \
    do {                                                                     \
        if (*(field))                                                        \
            return entry_fail(r, e, CV_E_INVALID, err, word, "given twice"); \
    } while (0)
#define ONCE_NUMBER(bit)                                                     \
    do {                                                                     \
        if (e->numbers & (bit))                                              \
            return entry_fail(r, e, CV_E_INVALID, err, word, "given twice"); \
        e->numbers |= (bit);                                                 \
    } while (0)
    if (IS("name")) {
        ONCE(e->dm.name);
        return read_name(r, e, word, value, err);
    }
    if (IS("model") || IS("path")) {
        ONCE(e->dm.model);
        return read_path(r, e, word, value, &e->dm.model, err);
    }
    if (IS("qmp")) {
        ONCE(e->dm.qmp);
        e->dm.attach = true;
        return read_path(r, e, word, value, &e->dm.qmp, err);
    }
    if (IS("pid")) {
        ONCE_NUMBER(1u);
        e->dm.attach = true;
        if (read_number(r, e, word, value, 2, 0x7fffffff, &v, err) < 0)
            return -1;
        e->dm.pid = (int)v;
        return 0;
    }
    if (IS("rank")) {
        ONCE_NUMBER(2u);
        e->has_rank = true;
        if (read_number(r, e, word, value, 0, 1000, &v, err) < 0)
            return -1;
        e->dm.rank = (int)v;
        return 0;
    }
    if (IS("reserve")) {
        ONCE_NUMBER(4u);
        if (read_number(r, e, word, value, 1, 1024, &v, err) < 0)
            return -1;
        e->dm.reserve_mib = (unsigned)v;
        return 0;
    }
    if (IS("msi")) {
        ONCE_NUMBER(16u);
        if (read_number(r, e, word, value, 0, 1, &v, err) < 0)
            return -1;
        e->dm.msi = v != 0 ? CV_CHOICE_YES : CV_CHOICE_NO;
        return 0;
    }
    if (IS("default")) {
        ONCE_NUMBER(8u);
        if (read_number(r, e, word, value, 0, 1, &v, err) < 0)
            return -1;
        e->named_default = v != 0;
        return 0;
    }
    if (IS("vifs") || IS("disks")) {
        const char **list = IS("vifs") ? &e->vifs : &e->disks;
        *list = cv_pool_printf(pool, "%s%s%s", *list, **list ? "+" : "", value);
        return 0;
    }
    if (IS("version") && (*value == '\0' || strspn(value, "0123456789.") != strlen(value)))
        return entry_fail(r, e, CV_E_INVALID, err, word, "must be numbers and dots, such as 7.2");
    if (IS("version") || IS("machine")) {
        const char **field = IS("version") ? &e->dm.version : &e->dm.machine;
        ONCE(*field);
        *field = cv_pool_string(pool, value);
        return 0;
    }
    if (IS("caps"))
        return read_caps(r, e, word, value, err);
    if (IS("device") || IS("devices"))
        return read_devices(r, e, word, value, err);
    if (IS("args"))
        return read_args(r, e, value);
    if (IS("arg")) {
        cv_strings_add(pool, &e->dm.args, cv_pool_string(pool, value));
        return 0;
    }
#undef ONCE_NUMBER
#undef ONCE
#undef IS
    return entry_fail(r, e, CV_E_INVALID, err, word, "unknown key");
}

/* Splits at commas outside of brackets. */
static int read_string_entry(struct cv_reader *r, struct cv_dm_entry *e, const char *text, struct cv_error *err)
{
    char word[ENTRY_BYTES_MAX];
    size_t at = 0, depth = 0;

    if (strlen(text) >= sizeof word)
        return entry_fail(r, e, CV_E_INVALID, err, text, "is too long");
    for (const char *p = text;; p++) {
        if (*p != '\0' && !(*p == ',' && depth == 0)) {
            depth += *p == '[';
            depth -= *p == ']' && depth > 0;
            if (at > 0 || !isspace((unsigned char)*p))
                word[at++] = *p;
            continue;
        }
        while (at > 0 && isspace((unsigned char)word[at - 1]))
            at--;
        word[at] = '\0';
        if (at > 0 && read_pair(r, e, word, err) < 0)
            return -1;
        at = 0;
        if (*p == '\0')
            break;
    }
    return depth == 0 ? 0 : entry_fail(r, e, CV_E_INVALID, err, text, "a bracket is not closed");
}

static int read_list_entry(struct cv_reader *r, struct cv_dm_entry *e, XLU_ConfigList *list, struct cv_error *err)
{
    for (int i = 0; xlu_cfg_get_listitem2(list, i) != NULL; i++) {
        const char *word = xlu_cfg_get_listitem(list, i);
        if (word == NULL)
            return entry_fail(r, e, CV_E_INVALID, err, "...", "lists are not nested deeper");
        if (strlen(word) >= ENTRY_BYTES_MAX)
            return entry_fail(r, e, CV_E_INVALID, err, word, "is too long");
        if (read_pair(r, e, word, err) < 0)
            return -1;
    }
    return 0;
}

static int check_entry(struct cv_reader *r, const struct cv_dm_entry *e, struct cv_error *err)
{
    const struct cv_config_dm *dm = &e->dm;

    if (*dm->name == '\0')
        return entry_fail(r, e, CV_E_INVALID, err, "name=", "an emulator needs a name");
    if (dm->attach && *dm->qmp == '\0')
        return entry_fail(r, e, CV_E_INVALID, err, "pid=", "an emulator to attach needs its QMP socket (qmp=)");
    if (dm->attach && (*dm->model || *dm->machine || dm->args.count > 0))
        return entry_fail(r, e, CV_E_INVALID, err, "qmp=", "an emulator to attach has no model, machine or arguments");
    if (dm->attach && (*e->vifs || *e->disks || dm->device_count > 0 || dm->caps != 0))
        return entry_fail(r, e, CV_E_INVALID, err,
                          "qmp=", "an emulator to attach brings its own devices and can claim none");
    if (dm->attach && dm->msi != CV_CHOICE_OPEN)
        return entry_fail(r, e, CV_E_INVALID, err, "msi=", "how an emulator to attach was started is not ours to say");
    return 0;
}

int cv_config_read_entry(struct cv_reader *r, XLU_ConfigList *list, int i, struct cv_dm_entry *e, struct cv_error *err)
{
    XLU_ConfigValue *value = xlu_cfg_get_listitem2(list, i);
    XLU_ConfigList *sub;
    char *text;

    memset(e, 0, sizeof *e);
    e->number = (unsigned)i + 1;
    e->vifs = e->disks = "";
    e->dm.name = e->dm.model = e->dm.version = e->dm.machine = e->dm.qmp = "";
    if (xlu_cfg_value_type(value) == XLU_LIST) {
        if (xlu_cfg_value_get_list(r->cfg, value, &sub, 1) != 0)
            return entry_fail(r, e, CV_E_INVALID, err, "...", "must be a string or a list");
        if (read_list_entry(r, e, sub, err) < 0)
            return -1;
    } else {
        if (xlu_cfg_value_get_string(r->cfg, value, &text, 1) != 0)
            return entry_fail(r, e, CV_E_INVALID, err, "...", "must be a string or a list");
        if (read_string_entry(r, e, text, err) < 0)
            return -1;
    }
    return check_entry(r, e, err);
}
