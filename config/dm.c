/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device_models = [...]: one entry an emulator, a string "key=value,key=value" in which a value in [brackets] may have
 * commas, or a list of strings with one "key=value" each, commas and all. */
#include <ctype.h>
#include <string.h>

#include "config/reader.h"

#define ENTRY_BYTES_MAX 4096

static int entry_fail(struct cv_config_reader *r, const struct cv_dm_entry *e, enum cv_code code, struct cv_error *err,
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

static int read_caps(struct cv_config_reader *r, struct cv_dm_entry *e, const char *word, const char *value,
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
static int read_device(struct cv_config_reader *r, struct cv_dm_entry *e, const char *word, const char *text,
                       size_t len, struct cv_error *err)
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
static int read_devices(struct cv_config_reader *r, struct cv_dm_entry *e, const char *word, const char *value,
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
static int read_args(struct cv_config_reader *r, struct cv_dm_entry *e, const char *value)
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

/* ---- the keys: a function for each kind of value, and a row for each key ---- */

/* One key=value of an entry. */
struct pair {
    struct cv_config_reader *r;
    struct cv_dm_entry *e;
    const char *word, *value; /* word: as written, for messages */
};

static int pair_fail(const struct pair *p, struct cv_error *err, const char *why)
{
    return entry_fail(p->r, p->e, CV_E_INVALID, err, p->word, why);
}

static int number_in(const struct pair *p, long long min, long long max, long long *out, struct cv_error *err)
{
    return cv_text_number(p->value, min, max, out) ? 0 : pair_fail(p, err, "is no number in range");
}

static int take_name(const struct pair *p, struct cv_error *err)
{
    if (!good_name(p->value))
        return pair_fail(p, err, "a name has 1 to 32 letters, digits, - and _");
    p->e->dm.name = cv_pool_string(&p->r->c->pool, p->value);
    return 0;
}

static int take_path(const struct pair *p, const char **out, struct cv_error *err)
{
    if (p->value[0] != '/')
        return pair_fail(p, err, "must be an absolute path");
    *out = cv_pool_string(&p->r->c->pool, p->value);
    return 0;
}

static int take_model(const struct pair *p, struct cv_error *err) { return take_path(p, &p->e->dm.model, err); }

static int take_qmp(const struct pair *p, struct cv_error *err)
{
    p->e->dm.attach = true;
    return take_path(p, &p->e->dm.qmp, err);
}

static int take_pid(const struct pair *p, struct cv_error *err)
{
    long long v;

    p->e->dm.attach = true;
    if (number_in(p, 2, 0x7fffffff, &v, err) < 0)
        return -1;
    p->e->dm.pid = (int)v;
    return 0;
}

static int take_rank(const struct pair *p, struct cv_error *err)
{
    long long v;

    p->e->has_rank = true;
    if (number_in(p, 0, 1000, &v, err) < 0)
        return -1;
    p->e->dm.rank = (int)v;
    return 0;
}

static int take_reserve(const struct pair *p, struct cv_error *err)
{
    long long v;

    if (number_in(p, 1, 1024, &v, err) < 0)
        return -1;
    p->e->dm.reserve_mib = (unsigned)v;
    return 0;
}

static int take_msi(const struct pair *p, struct cv_error *err)
{
    long long v;

    if (number_in(p, 0, 1, &v, err) < 0)
        return -1;
    p->e->dm.msi = v != 0 ? CV_CHOICE_YES : CV_CHOICE_NO;
    return 0;
}

static int take_protocol(const struct pair *p, struct cv_error *err)
{
    long long v;

    if (number_in(p, 1, 1, &v, err) < 0)
        return -1;
    p->e->dm.protocol = true;
    return 0;
}

static int take_default(const struct pair *p, struct cv_error *err)
{
    long long v;

    if (number_in(p, 0, 1, &v, err) < 0)
        return -1;
    p->e->named_default = v != 0;
    return 0;
}

static void join(const struct pair *p, const char **list)
{
    *list = cv_pool_printf(&p->r->c->pool, "%s%s%s", *list, **list ? "+" : "", p->value);
}

static int take_vifs(const struct pair *p, struct cv_error *err)
{
    (void)err;
    join(p, &p->e->vifs);
    return 0;
}

static int take_disks(const struct pair *p, struct cv_error *err)
{
    (void)err;
    join(p, &p->e->disks);
    return 0;
}

static int take_version(const struct pair *p, struct cv_error *err)
{
    if (*p->value == '\0' || strspn(p->value, "0123456789.") != strlen(p->value))
        return pair_fail(p, err, "must be numbers and dots, such as 7.2");
    p->e->dm.version = cv_pool_string(&p->r->c->pool, p->value);
    return 0;
}

static int take_machine(const struct pair *p, struct cv_error *err)
{
    (void)err;
    p->e->dm.machine = cv_pool_string(&p->r->c->pool, p->value);
    return 0;
}

static int take_caps(const struct pair *p, struct cv_error *err)
{
    return read_caps(p->r, p->e, p->word, p->value, err);
}

static int take_devices(const struct pair *p, struct cv_error *err)
{
    return read_devices(p->r, p->e, p->word, p->value, err);
}

static int take_args(const struct pair *p, struct cv_error *err)
{
    (void)err;
    return read_args(p->r, p->e, p->value);
}

static int take_arg(const struct pair *p, struct cv_error *err)
{
    struct cv_pool *pool = &p->r->c->pool;

    (void)err;
    cv_strings_add(pool, &p->e->dm.args, cv_pool_string(pool, p->value));
    return 0;
}

/* once: a bit for what may be given one time, by whichever of its names; 0: as often as one likes. */
static const struct {
    const char *key;
    unsigned once;
    int (*take)(const struct pair *p, struct cv_error *err);
} keys[] = {
    { "name", 1u << 0, take_name },
    { "model", 1u << 1, take_model },
    { "path", 1u << 1, take_model },
    { "qmp", 1u << 2, take_qmp },
    { "pid", 1u << 3, take_pid },
    { "rank", 1u << 4, take_rank },
    { "reserve", 1u << 5, take_reserve },
    { "default", 1u << 6, take_default },
    { "version", 1u << 7, take_version },
    { "machine", 1u << 8, take_machine },
    { "msi", 1u << 9, take_msi },
    { "protocol", 1u << 10, take_protocol },
    { "vifs", 0, take_vifs },
    { "disks", 0, take_disks },
    { "caps", 0, take_caps },
    { "device", 0, take_devices },
    { "devices", 0, take_devices },
    { "args", 0, take_args },
    { "arg", 0, take_arg },
};

static int read_pair(struct cv_config_reader *r, struct cv_dm_entry *e, const char *word, struct cv_error *err)
{
    const char *sign = strchr(word, '=');
    struct pair p = { .r = r, .e = e, .word = word, .value = sign != NULL ? sign + 1 : "" };

    if (sign == NULL)
        return pair_fail(&p, err, "must be key=value");
    size_t len = (size_t)(sign - word);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strlen(keys[i].key) != len || strncmp(word, keys[i].key, len) != 0)
            continue;
        if (e->given & keys[i].once)
            return pair_fail(&p, err, "given twice");
        e->given |= keys[i].once;
        return keys[i].take(&p, err);
    }
    return pair_fail(&p, err, "unknown key");
}

/* Splits at commas outside of brackets. */
static int read_string_entry(struct cv_config_reader *r, struct cv_dm_entry *e, const char *text, struct cv_error *err)
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

static int read_list_entry(struct cv_config_reader *r, struct cv_dm_entry *e, XLU_ConfigList *list,
                           struct cv_error *err)
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

/* A program that is no QEMU has what its devices are, and nothing of QEMU's. */
static int check_protocol(struct cv_config_reader *r, const struct cv_dm_entry *e, struct cv_error *err)
{
    const struct cv_config_dm *dm = &e->dm;
    const char *why = NULL;

    if (!dm->protocol)
        return 0;
    if (*dm->model == '\0')
        why = "an emulator that is no QEMU needs its program (model=)";
    else if (e->named_default || dm->attach)
        why = "an emulator that is no QEMU is started by convoy, beside the default one, which is a QEMU";
    else if (dm->device_count == 0 || *e->vifs || *e->disks || dm->caps != 0)
        why = "an emulator that is no QEMU has devices of its own (device=), and no disks, cards or capabilities";
    else if (*dm->machine || dm->reserve_mib != 0 || dm->msi != CV_CHOICE_OPEN)
        why = "an emulator that is no QEMU has no machine, no memory in the guest (reserve) and no msi";
    return why == NULL ? 0 : entry_fail(r, e, CV_E_INVALID, err, "protocol=1", why);
}

static int check_entry(struct cv_config_reader *r, const struct cv_dm_entry *e, struct cv_error *err)
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
    return check_protocol(r, e, err);
}

int cv_config_read_entry(struct cv_config_reader *r, XLU_ConfigList *list, int i, struct cv_dm_entry *e,
                         struct cv_error *err)
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
