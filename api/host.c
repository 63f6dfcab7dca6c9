/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "guest/monitor.h"
#include "handover/journal.h"

/* The journals of this host, and the program that watches over what runs. */
static int take_options(convoy_host *h, const convoy_host_options *given, struct cv_error *e)
{
    convoy_host_options o;

    if (api_options(&o, sizeof o, given, "convoy_host_options", e) < 0)
        return -1;
    char *journals = strdup(o.journals != NULL ? o.journals : CV_JOURNAL_DIR);
    h->gate.store = journals;
    if (o.program == NULL || *o.program != '\0')
        h->program = strdup(o.program != NULL ? o.program : CONVOY_PROGRAM);
    if (journals == NULL || (h->program == NULL && (o.program == NULL || *o.program != '\0')))
        return cv_fail(e, CV_E_NOMEM, 0, "no memory for a host");
    return 0;
}

convoy_host *convoy_host_open(const convoy_sink *sink, const convoy_host_options *o, convoy_error *err)
{
    struct cv_error e = CV_ERROR_INIT;
    struct convoy_host *h = calloc(1, sizeof *h);

    if (h == NULL)
        cv_fail(&e, CV_E_NOMEM, 0, "no memory for a host");
    if (h != NULL && api_sink(&h->out, sink, &e) == 0 && take_options(h, o, &e) == 0 &&
        cv_host_open_xen(&h->host, &h->out.sink, &e) == 0) {
        h->host->gate = &h->gate;
        return h;
    }
    api_fail(&e, err);
    convoy_host_close(h);
    return NULL;
}

void convoy_host_close(convoy_host *h)
{
    if (h == NULL)
        return;
    if (h->host != NULL)
        h->host->ops->close(h->host);
    free((char *)h->gate.store);
    free(h->program);
    free(h);
}

bool api_watch_over(convoy_host *h, uint32_t domid, const char *name)
{
    struct cv_error e = CV_ERROR_INIT;
    char text[800];

    if (h->program == NULL)
        return false;
    if (cv_monitor_spawn(h->program, domid, name, &e) == 0)
        return true;
    cv_log(&h->out.sink, CV_LOG_ERROR,
           "'%s' runs as domain %u, but nobody watches over it: %s; 'convoy monitor %u' does", name, domid,
           cv_error_string(&e, text, sizeof text), domid);
    return false;
}
