/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/xen/cpuid.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/auto.h"
#include "host/xen/session.h"

#define POLICY_BYTES 33 /* a character for each bit */

static const char *const registers[4] = { "eax", "ebx", "ecx", "edx" };

static int parse_words(libxl_cpuid_policy_list *list, const char *words, struct cv_error *err)
{
    CV_AUTO_FREE char *copy = strdup(words);
    char *save = NULL;

    if (copy == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for cpuid");
    for (char *word = strtok_r(copy, ";", &save); word != NULL; word = strtok_r(NULL, ";", &save)) {
        int rc = strchr(word, ':') != NULL ? libxl_cpuid_parse_config_xend(list, word)
                                           : libxl_cpuid_parse_config(list, word);
        if (rc != 0)
            return cv_fail(err, CV_E_INVALID, 0, "cpuid: '%s' means nothing to this host's libxl", word);
    }
    return 0;
}

/* libxl keeps what it has read to itself, and shows it in its JSON only.  *list_out: the caller's. */
static int ask_libxl(struct xen_host *x, const char *words, json_t **list_out, struct cv_error *err)
{
    libxl_domain_build_info info;
    struct xen_session s;
    char *text = NULL;

    if (xen_session_begin(&s, x, 0, NULL, err) < 0)
        return -1;
    libxl_domain_build_info_init(&info);
    int rc = parse_words(&info.cpuid, words, err);
    if (rc == 0 && (text = libxl_domain_build_info_to_json(s.ctx, &info)) == NULL)
        rc = xen_session_fail(&s, err, "cpuid");
    libxl_domain_build_info_dispose(&info);
    xen_session_end(&s);
    if (rc < 0)
        return -1;
    json_t *o = json_loads(text, 0, NULL);
    *list_out = json_incref(json_object_get(o, "cpuid"));
    json_decref(o);
    free(text);
    return 0;
}

static void take_leaf(json_t *from, struct xc_xend_cpuid *leaf, char *texts)
{
    json_t *subleaf = json_object_get(from, "subleaf");

    leaf->leaf = (uint32_t)json_integer_value(json_object_get(from, "leaf"));
    leaf->subleaf = subleaf != NULL ? (uint32_t)json_integer_value(subleaf) : XEN_CPUID_INPUT_UNUSED;
    for (unsigned r = 0; r < 4; r++) {
        const char *policy = json_string_value(json_object_get(from, registers[r]));
        if (policy == NULL || strlen(policy) != POLICY_BYTES - 1)
            continue;
        leaf->policy[r] = memcpy(texts + (size_t)r * POLICY_BYTES, policy, POLICY_BYTES);
    }
}

/* A list of leaves; of a libxl that knows MSRs too, where one is meant: an object of both. */
static int take_leaves(json_t *o, struct xen_cpuid *out, struct cv_error *err)
{
    json_t *list = json_is_object(o) ? json_object_get(o, "cpuid") : o;
    size_t n = json_array_size(list);

    if (json_is_object(o) && json_array_size(json_object_get(o, "msr")) > 0)
        return cv_fail(err, CV_E_UNSUPPORTED, 0, "cpuid: one of its words means an MSR, which cannot be chosen");
    if (n == 0)
        return cv_fail(err, CV_E_HYPERVISOR, 0, "cpuid: this host's libxl does not show what it has read");
    out->leaves = calloc(n + 1, sizeof *out->leaves);
    out->texts = calloc(n + 1, 4 * POLICY_BYTES);
    if (out->leaves == NULL || out->texts == NULL) {
        xen_cpuid_dispose(out);
        return cv_fail(err, CV_E_NOMEM, 0, "no memory for cpuid");
    }
    for (size_t i = 0; i < n; i++)
        take_leaf(json_array_get(list, i), &out->leaves[i], out->texts + i * 4 * POLICY_BYTES);
    out->leaves[n].leaf = XEN_CPUID_INPUT_UNUSED;
    return 0;
}

int xen_cpuid_read(struct xen_host *x, const char *words, struct xen_cpuid *out, struct cv_error *err)
{
    json_t *list = NULL;

    *out = (struct xen_cpuid){ 0 };
    if (*words == '\0')
        return 0;
    if (ask_libxl(x, words, &list, err) < 0)
        return -1;
    int rc = take_leaves(list, out, err);
    json_decref(list);
    return rc;
}

void xen_cpuid_dispose(struct xen_cpuid *c)
{
    free(c->leaves);
    free(c->texts);
    *c = (struct xen_cpuid){ 0 };
}
