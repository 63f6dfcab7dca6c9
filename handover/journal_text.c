/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A record as text, for programs and for an administrator at three in the morning.
 * One "key value" line for each field, always all of them in this order, the checksum of the lines above as the last.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "handover/journal.h"

#define FIRST_LINE "convoy-journal 1"

struct text {
    char *at;
    size_t left;
    bool full;
};

static void CV_PRINTF(2, 3) put_text(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->at, t->left, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= t->left) {
        t->full = true;
        return;
    }
    t->at += n;
    t->left -= (size_t)n;
}

/* Everything that could break a line is written as %XX. */
static void put_string(struct text *t, const char *key, const char *value)
{
    put_text(t, "%s ", key);
    for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
        if (*p < 0x20 || *p == 0x7f || *p == '%')
            put_text(t, "%%%02x", *p);
        else
            put_text(t, "%c", *p);
    }
    put_text(t, "\n");
}

static void put_id(struct text *t, const char *key, const uint8_t id[16])
{
    char hex[CV_ID_TEXT];
    cv_id_format(id, hex);
    put_text(t, "%s %s\n", key, hex);
}

int cv_journal_encode(const struct cv_journal_record *rec, char *text, size_t size, struct cv_error *err)
{
    struct text t = { text, size, false };

    put_text(&t, "%s\n", FIRST_LINE);
    put_text(&t, "role %s\n", rec->role == CV_ROLE_SOURCE ? "source" : "destination");
    put_text(&t, "state %s\n", cv_journal_state_name(rec->state));
    put_text(&t, "generation %" PRIu64 "\n", rec->generation);
    put_text(&t, "updated %" PRIu64 "\n", rec->updated);
    put_id(&t, "migration", rec->migration);
    put_id(&t, "guest", rec->guest);
    put_id(&t, "boot", rec->boot);
    put_id(&t, "peer-store", rec->peer_store);
    put_text(&t, "domid %" PRIu32 "\n", rec->domid);
    put_text(&t, "acknowledged %d\n", rec->acknowledged);
    put_string(&t, "name", rec->name);
    put_string(&t, "peer", rec->peer);
    put_string(&t, "command", rec->command);
    put_string(&t, "note", rec->note);
    put_text(&t, "checksum %016" PRIx64 "\n", (uint64_t)XXH3_64bits(text, (size_t)(t.at - text)));
    if (t.full || t.at - text > (ptrdiff_t)CV_JOURNAL_MAX)
        return cv_fail(err, CV_E_INVALID, 0, "journal record of more than %u bytes", CV_JOURNAL_MAX);
    return (int)(t.at - text);
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

struct lines {
    const char *at, *end;
    unsigned number;
    const char *key; /* for the message */
    bool bad;
};

/* The value of the next line, which must have this key; NULL once anything is wrong. */
static const char *take_value(struct lines *l, const char *key, size_t *len_out)
{
    if (l->bad)
        return NULL;
    l->number++;
    l->key = key;
    const char *eol = memchr(l->at, '\n', (size_t)(l->end - l->at));
    size_t key_len = strlen(key);
    if (eol == NULL || (size_t)(eol - l->at) < key_len + 1 || memcmp(l->at, key, key_len) != 0 ||
        l->at[key_len] != ' ') {
        l->bad = true;
        return NULL;
    }
    const char *value = l->at + key_len + 1;
    *len_out = (size_t)(eol - value);
    l->at = eol + 1;
    return value;
}

static uint64_t take_number(struct lines *l, const char *key, uint64_t max)
{
    size_t len;
    uint64_t v = 0;
    const char *p = take_value(l, key, &len);

    if (p == NULL)
        return 0;
    l->bad = len == 0 || len > 20 || (len > 1 && p[0] == '0');
    for (size_t i = 0; i < len && !l->bad; i++) {
        unsigned digit = (unsigned)(p[i] - '0');
        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            l->bad = true;
        else
            v = v * 10 + digit;
    }
    l->bad |= v > max;
    return l->bad ? 0 : v;
}

static void take_id(struct lines *l, const char *key, uint8_t id[16])
{
    size_t len;
    char hex[CV_ID_TEXT] = "";
    const char *p = take_value(l, key, &len);

    if (p == NULL)
        return;
    if (len == sizeof hex - 1)
        memcpy(hex, p, len);
    l->bad = cv_id_parse(hex, id) < 0;
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static void take_string(struct lines *l, const char *key, char *out, size_t size)
{
    size_t len, n = 0;
    const char *p = take_value(l, key, &len);

    if (p == NULL)
        return;
    for (size_t i = 0; i < len && !l->bad; i++) {
        int c = (unsigned char)p[i];
        if (c == '%') {
            bool whole = len - i > 2;
            int hi = whole ? hex_digit(p[i + 1]) : -1, lo = whole ? hex_digit(p[i + 2]) : -1;
            c = hi < 0 || lo < 0 ? 0 : hi * 16 + lo;
            i += 2;
        }
        l->bad = c == 0 || n + 1 >= size;
        if (!l->bad)
            out[n++] = (char)c;
    }
    out[n] = '\0';
}

static enum cv_journal_state take_state(struct lines *l)
{
    size_t len;
    const char *p = take_value(l, "state", &len);

    for (enum cv_journal_state s = CV_J_NONE + 1; p != NULL && s < CV_J_STATES; s++)
        if (strlen(cv_journal_state_name(s)) == len && memcmp(cv_journal_state_name(s), p, len) == 0)
            return s;
    l->bad = true;
    return CV_J_NONE;
}

static enum cv_journal_role take_role(struct lines *l)
{
    size_t len;
    const char *p = take_value(l, "role", &len);

    if (p != NULL && len == 6 && memcmp(p, "source", 6) == 0)
        return CV_ROLE_SOURCE;
    if (p == NULL || len != 11 || memcmp(p, "destination", 11) != 0)
        l->bad = true;
    return CV_ROLE_DESTINATION;
}

static int check_sum(const char *text, size_t len, struct cv_error *err)
{
    static const size_t tail = 9 + 16 + 1; /* "checksum " + digits + newline */
    char want[32];

    if (len > CV_JOURNAL_MAX)
        return cv_fail(err, CV_E_STREAM, 0, "journal of %zu bytes, at most %u are possible", len, CV_JOURNAL_MAX);
    if (len < tail)
        return cv_fail(err, CV_E_STREAM, 0, "journal of %zu bytes is cut short", len);
    snprintf(want, sizeof want, "checksum %016" PRIx64 "\n", (uint64_t)XXH3_64bits(text, len - tail));
    if (memcmp(want, text + len - tail, tail) != 0)
        return cv_fail(err, CV_E_STREAM, 0, "journal is damaged: its checksum does not match");
    return 0;
}

int cv_journal_decode(const char *text, size_t len, struct cv_journal_record *rec_out, struct cv_error *err)
{
    struct cv_journal_record r = { 0 };
    struct lines l = { .at = text, .end = text + len };
    size_t n;

    if (check_sum(text, len, err) < 0)
        return -1;
    const char *version = take_value(&l, "convoy-journal", &n);
    if (version == NULL || n != 1 || *version != '1')
        return cv_fail(err, CV_E_STREAM, 0, "journal is of a version unknown here");
    r.role = take_role(&l);
    r.state = take_state(&l);
    r.generation = take_number(&l, "generation", UINT64_MAX);
    r.updated = take_number(&l, "updated", UINT64_MAX);
    take_id(&l, "migration", r.migration);
    take_id(&l, "guest", r.guest);
    take_id(&l, "boot", r.boot);
    take_id(&l, "peer-store", r.peer_store);
    r.domid = (uint32_t)take_number(&l, "domid", UINT32_MAX);
    r.acknowledged = take_number(&l, "acknowledged", 1) != 0;
    take_string(&l, "name", r.name, sizeof r.name);
    take_string(&l, "peer", r.peer, sizeof r.peer);
    take_string(&l, "command", r.command, sizeof r.command);
    take_string(&l, "note", r.note, sizeof r.note);
    take_value(&l, "checksum", &n);
    if (l.bad || l.at != l.end)
        return cv_fail(err, CV_E_STREAM, 0, "journal line %u: no valid '%s'", l.number, l.key);
    *rec_out = r;
    return 0;
}

void cv_id_format(const uint8_t id[16], char text[CV_ID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        text[2 * i] = digits[id[i] >> 4];
        text[2 * i + 1] = digits[id[i] & 15];
    }
    text[32] = '\0';
}

int cv_id_parse(const char *text, uint8_t id_out[16])
{
    uint8_t id[16];

    for (int i = 0; i < 16; i++) {
        int hi = hex_digit(text[2 * i]), lo = hi < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (lo < 0)
            return -1;
        id[i] = (uint8_t)(hi << 4 | lo);
    }
    if (text[32] != '\0')
        return -1;
    memcpy(id_out, id, sizeof id);
    return 0;
}
