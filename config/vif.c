/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vif = [...]: xl-network-configuration(5), and pv=0|1 of ours: whether there is a PV half. */
#include <ctype.h>
#include <libxl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "config/reader.h"

#define IFNAME_MAX 15u /* Linux: IFNAMSIZ less the zero */

static const struct {
    const char *word, *driver;
} models[] = {
    { "rtl8139", "rtl8139" },
    { "e1000", "e1000" },
    { "e1000e", "e1000e" },
    { "virtio-net", "virtio-net-pci" },
    { "virtio-net-pci", "virtio-net-pci" },
    { "ne2k_pci", "ne2k_pci" },
    { "pcnet", "pcnet" },
    { "vmxnet3", "vmxnet3" },
};

static int vif_fail(struct cv_config_reader *r, unsigned n, enum cv_code code, struct cv_error *err, const char *word,
                    const char *why)
{
    return cv_reader_fail(r, "vif", code, err, "entry %u: '%.80s': %s", n + 1, word, why);
}

static bool is_none(const uint8_t mac[6])
{
    static const uint8_t none[6];
    return memcmp(mac, none, sizeof none) == 0;
}

static bool read_mac(const char *text, uint8_t mac[6])
{
    for (int i = 0; i < 6; i++) {
        size_t digits = strspn(text, "0123456789abcdefABCDEF");
        if (digits < 1 || digits > 2 || text[digits] != (i < 5 ? ':' : '\0'))
            return false;
        mac[i] = (uint8_t)strtoul(text, NULL, 16);
        text += digits + 1;
    }
    return (mac[0] & 1) == 0 && !is_none(mac);
}

/* Xen's own prefix and 23 random bits, as libxl does it. */
static int make_mac(uint8_t mac[6], struct cv_error *err)
{
    static const uint8_t prefix[3] = { 0x00, 0x16, 0x3e };

    memcpy(mac, prefix, 3);
    if (getrandom(mac + 3, 3, 0) != 3)
        return cv_fail(err, CV_E_IO, 0, "no random numbers for a MAC address");
    mac[3] &= 0x7f;
    return 0;
}

static bool good_ifname(const char *name, size_t max)
{
    size_t len = strlen(name);

    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && strchr("-_.", *p) == NULL)
            return false;
    return len > 0 && len <= max;
}

static int read_type(struct cv_config_reader *r, unsigned n, const char *word, const char *value, struct cv_error *err)
{
    if (strcmp(value, "vif") == 0)
        r->vif_is_pv_only |= 1u << n;
    else if (strcmp(value, "ioemu") == 0)
        r->vif_is_emulated |= 1u << n;
    else
        return vif_fail(r, n, CV_E_INVALID, err, word, "type is ioemu (emulated and PV) or vif (PV only)");
    return 0;
}

static int read_model(struct cv_config_reader *r, unsigned n, const char *word, const char *value, struct cv_error *err)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (strcmp(value, models[i].word) == 0) {
            r->c->vifs[n].model = models[i].driver;
            return 0;
        }
    return vif_fail(r, n, CV_E_INVALID, err, word,
                    "unknown model; known: rtl8139 e1000 e1000e virtio-net ne2k_pci pcnet vmxnet3");
}

static int read_rate(struct cv_config_reader *r, unsigned n, const char *word, const char *value, struct cv_error *err)
{
    struct cv_config_vif *v = &r->c->vifs[n];
    libxl_device_nic nic;

    libxl_device_nic_init(&nic);
    int rc = xlu_vif_parse_rate(r->cfg, value, &nic);
    const char *complaint = cv_reader_reported(r);
    if (rc != 0)
        vif_fail(r, n, CV_E_INVALID, err, word, *complaint ? complaint : "is no rate");
    v->rate_bytes_per_interval = nic.rate_bytes_per_interval;
    v->rate_interval_us = nic.rate_interval_usecs;
    libxl_device_nic_dispose(&nic);
    return rc != 0 ? -1 : 0;
}

/* Words that only a PV half can have. 0 unknown, 1 taken, -1. */
static int read_pv_word(struct cv_config_reader *r, unsigned n, const char *word, size_t key, const char *value,
                        struct cv_error *err)
{
    struct cv_config_vif *v = &r->c->vifs[n];
    const struct {
        const char *name;
        const char **text;
    } texts[] = { { "ip", &v->ip },
                  { "gatewaydev", &v->gatewaydev },
                  { "netdev", &v->gatewaydev },
                  { "backend", &v->backend_domain } };
    long long number;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strlen(texts[i].name) == key && strncmp(word, texts[i].name, key) == 0) {
            *texts[i].text = cv_pool_string(&r->c->pool, value);
            r->vif_pv_words |= 1u << n;
            return 1;
        }
    if (key == 4 && strncmp(word, "rate", 4) == 0) {
        r->vif_pv_words |= 1u << n;
        return read_rate(r, n, word, value, err) < 0 ? -1 : 1;
    }
    if (key == 3 && strncmp(word, "mtu", 3) == 0) {
        if (!cv_text_number(value, 68, 65535, &number))
            return vif_fail(r, n, CV_E_INVALID, err, word, "is no size of a packet (68 to 65535)");
        v->mtu = (unsigned)number;
        r->vif_pv_words |= 1u << n;
        return 1;
    }
    return 0;
}

/* The TAP is on the bridge by our own doing; any other script is the PV half's. */
static void take_script(struct cv_config_reader *r, unsigned n, const char *value)
{
    const char *base = strrchr(value, '/') ? strrchr(value, '/') + 1 : value;

    if (strcmp(base, "vif-bridge") != 0)
        r->vif_pv_words |= 1u << n;
    r->c->vifs[n].script = cv_pool_string(&r->c->pool, value);
}

static int read_word(struct cv_config_reader *r, unsigned n, char *word, struct cv_error *err)
{
    struct cv_config_vif *v = &r->c->vifs[n];
    char *value = strchr(word, '=');

    if (strcmp(word, "trusted") == 0 || strcmp(word, "untrusted") == 0) {
        v->untrusted = *word == 'u';
        r->vif_pv_words |= (uint32_t)v->untrusted << n;
        return 0;
    }
    if (value == NULL)
        return vif_fail(r, n, CV_E_INVALID, err, word, "must be key=value");
    size_t key = (size_t)(value++ - word);
#define IS(name) (key == strlen(name) && strncmp(word, name, key) == 0)
    if (IS("mac"))
        return read_mac(value, v->mac) ? 0 : vif_fail(r, n, CV_E_INVALID, err, word, "is no unicast MAC address");
    if (IS("model"))
        return read_model(r, n, word, value, err);
    if (IS("type"))
        return read_type(r, n, word, value, err);
    if (IS("bridge")) {
        if (!good_ifname(value, IFNAME_MAX))
            return vif_fail(r, n, CV_E_INVALID, err, word, "is no interface name (1 to 15 letters, digits, - _ .)");
        v->bridge = cv_pool_string(&r->c->pool, value);
        return 0;
    }
    if (IS("vifname")) {
        if (!good_ifname(value, IFNAME_MAX - strlen("-emu")))
            return vif_fail(r, n, CV_E_INVALID, err, word,
                            "must be 1 to 11 letters, digits, - _ . (\"-emu\" is added to an emulated card's)");
        v->ifname = cv_pool_string(&r->c->pool, value);
        return 0;
    }
    if (IS("script")) {
        take_script(r, n, value);
        return 0;
    }
    if (IS("pv")) {
        if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
            return vif_fail(r, n, CV_E_INVALID, err, word, "must be 0 or 1");
        r->vif_pv[n] = *value == '1';
        return 0;
    }
    int taken = read_pv_word(r, n, word, key, value, err);
    if (taken != 0)
        return taken < 0 ? -1 : 0;
    if (IS("backendtype") || IS("devid"))
        return vif_fail(r, n, CV_E_UNSUPPORTED, err, word, "is not supported");
#undef IS
    return vif_fail(r, n, CV_E_INVALID, err, word, "unknown key");
}

/* Does the key of word stand in the first bytes of spec, too? */
static bool given_before(const char *spec, const char *word, size_t bytes)
{
    size_t key = strcspn(word, "=");

    for (const char *p = spec; p < spec + bytes; p += strcspn(p, ",") + 1) {
        const char *other = p + strspn(p, " \t");
        if (other < spec + bytes && strcspn(other, "=") == key && strncmp(other, word, key) == 0)
            return true;
    }
    return false;
}

static int read_vif(struct cv_config_reader *r, unsigned n, const char *spec, struct cv_error *err)
{
    struct cv_config_vif *v = &r->c->vifs[n];
    char text[512];
    char *rest = text, *word;

    *v = (struct cv_config_vif){ .bridge = "xenbr0",
                                 .model = "rtl8139",
                                 .ifname = "",
                                 .owner = -1,
                                 .script = "",
                                 .ip = "",
                                 .gatewaydev = "",
                                 .backend_domain = "" };
    r->vif_pv[n] = -1;
    if (strlen(spec) >= sizeof text)
        return vif_fail(r, n, CV_E_INVALID, err, spec, "is too long");
    strcpy(text, spec);
    while ((word = strsep(&rest, ",")) != NULL) {
        word += strspn(word, " \t");
        for (size_t len = strlen(word); len > 0 && strchr(" \t", word[len - 1]) != NULL; len--)
            word[len - 1] = '\0';
        if (*word == '\0')
            continue;
        if (given_before(spec, word, (size_t)(word - text)))
            return vif_fail(r, n, CV_E_INVALID, err, word, "given twice");
        if (read_word(r, n, word, err) < 0)
            return -1;
    }
    return is_none(v->mac) ? make_mac(v->mac, err) : 0;
}

/* The same rule as for disks (disk.c). */
int cv_config_settle_vif(struct cv_config_reader *r, unsigned n, struct cv_error *err)
{
    struct cv_config_vif *v = &r->c->vifs[n];
    bool only = r->vif_is_pv_only >> n & 1;
    bool asked = only || r->vif_pv[n] == 1 || (r->vif_pv[n] < 0 && (r->vif_pv_words >> n & 1));
    const char *why = "";
    char word[16];

    snprintf(word, sizeof word, "vif %u", n);
    if (r->c->pvh && (r->vif_is_emulated >> n & 1))
        return vif_fail(r, n, CV_E_UNSUPPORTED, err, word, "a PVH guest has no emulated card (type=ioemu)");
    only = only || r->c->pvh || (v->owner == 0 && *v->backend_domain); /* no TAP of ours would reach it */
    v->emulated = !only;
    v->pv = r->vif_pv[n] >= 0 ? r->vif_pv[n] == 1 : v->owner == 0;
    if (v->owner > 0 && only)
        why = "type=vif is PV only, and an emulator claims it";
    else if (v->owner > 0 && asked)
        why = "a secondary emulator's card has no PV half: nothing could unplug the emulated one, and the guest would "
              "see the card twice";
    else if (!v->emulated && !v->pv)
        why = "type=vif is PV only, and pv=0 leaves nothing of it";
    else if (v->pv && !r->c->xen_platform_pci && !only)
        v->pv = r->vif_pv[n] == 1;
    return *why ? vif_fail(r, n, CV_E_UNSUPPORTED, err, word, why) : 0;
}

int cv_config_read_vifs(struct cv_config_reader *r, struct cv_error *err)
{
    struct cv_strings specs = { 0 };

    if (cv_reader_strings(r, "vif", &specs, err) < 0)
        return -1;
    if (specs.count > CV_CONFIG_VIFS_MAX)
        return cv_reader_fail(r, "vif", CV_E_UNSUPPORTED, err, "more than %d network cards", CV_CONFIG_VIFS_MAX);
    for (unsigned n = 0; n < specs.count; n++) {
        if (cv_reader_keep(r, read_vif(r, n, specs.items[n], err), err) < 0) {
            r->c->vifs[n] = (struct cv_config_vif){ .ifname = "" };
            continue;
        }
        for (unsigned i = 0; i < n; i++) {
            if (memcmp(r->c->vifs[i].mac, r->c->vifs[n].mac, 6) == 0)
                return vif_fail(r, n, CV_E_INVALID, err, specs.items[n], "another card has the same MAC address");
            if (*r->c->vifs[n].ifname && strcmp(r->c->vifs[i].ifname, r->c->vifs[n].ifname) == 0)
                return vif_fail(r, n, CV_E_INVALID, err, specs.items[n], "another card has the same vifname");
        }
        r->c->vif_count = n + 1;
    }
    return 0;
}
