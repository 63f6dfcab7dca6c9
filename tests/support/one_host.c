/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "one_host.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define HEAD "type=\"hvm\"\nname=\"g\"\nmemory=64\nvnc=0\nserial=\"null\"\n"

void one_host_config(struct one_host *s, const char *const faults[EMULATORS])
{
    const char *program = getenv("FAKE_QEMU");
    FILE *f = fopen(s->config, "w");

    ck_assert_ptr_nonnull(program);
    fprintf(
        f,
        HEAD
        "uuid=\"11112222-3333-4444-5555-666677778888\"\ndisk=[\"%s,raw,xvde,w\",\"/dev/null,raw,xvdf,ro,script=x\"]\n"
        "device_models=[",
        s->pv_disk);
    for (unsigned i = 0; i < EMULATORS; i++)
        fprintf(f, "\"name=dm%u,model=%s,%s,args=[--tag t%u %s]\",\n", i, program, i ? "device=edu" : "default=1", i,
                faults != NULL && faults[i] != NULL ? faults[i] : "");
    fprintf(f, "]\n");
    fclose(f);
}

void one_host_lines(struct one_host *s, const char *lines)
{
    FILE *f = fopen(s->config, "w");

    fprintf(f, HEAD "%s\n", lines);
    if (strstr(lines, "device_model") == NULL)
        fprintf(f, "device_model_override=\"%s\"\n", getenv("FAKE_QEMU"));
    fclose(f);
}

void one_host_begin(struct one_host *s, const char *const faults[EMULATORS])
{
    memset(s, 0, sizeof *s);
    s->fds = emu_open_fds();
    strcpy(s->dir, "/tmp/convoy-host-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s->dir));
    snprintf(s->config, sizeof s->config, "%s/cfg", s->dir);
    snprintf(s->image, sizeof s->image, "%s/image", s->dir);
    snprintf(s->store, sizeof s->store, "%s/journals", s->dir);
    snprintf(s->pv_disk, sizeof s->pv_disk, "%s/pv-disk", s->dir);
    FILE *disk = fopen(s->pv_disk, "w");
    ck_assert_ptr_nonnull(disk);
    fclose(disk);
    emu_write_rules(s->rules, sizeof s->rules, s->dir);
    s->dirs = (struct cv_host_dirs){ s->dir, s->dir, s->dir, s->rules };
    s->host = fake_host_new();
    s->host->base.dirs = &s->dirs;
    one_host_config(s, faults);
}

void one_host_end(struct one_host *s)
{
    char cmd[128];

    ck_assert_uint_eq(fake_host_domains(s->host), s->others);
    fake_host_free(s->host);
    snprintf(cmd, sizeof cmd, "rm -rf %s", s->dir);
    ck_assert_int_eq(system(cmd), 0);
}

int one_host_create(struct one_host *s, struct cv_guest *g, struct cv_error *err)
{
    struct cv_create_options o = { 0 };

    return cv_guest_create(g, &s->host->base, s->config, &o, NULL, err);
}

struct fake_domain *one_host_guest(struct one_host *s)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    ck_assert_msg(one_host_create(s, &g, &err) == 0, "%s", emu_text(&err));
    struct fake_domain *d = s->host->dom[g.domid];
    /* Its processes are our children, not the guest's: the set forgets them, whoever ends the guest reaps them. */
    cv_guest_dispose(&g);
    for (unsigned i = 0; i < FAKE_PFNS; i++) {
        d->there[i] = i % 7 != 6;
        memset(d->ram[i], i % 3 ? (int)i : 0, CV_PAGE_SIZE);
    }
    return d;
}

void one_host_destroy(struct one_host *s)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_guest g;

    ck_assert_msg(cv_guest_open_to_check(&g, &s->host->base, "g", NULL, NULL, &err) == 0, "%s", emu_text(&err));
    ck_assert_msg(cv_guest_destroy(&g, &err) == 0, "%s", emu_text(&err));
    cv_guest_dispose(&g);
    reap();
}

static unsigned count(const struct one_host *s, const char *names)
{
    char cmd[256];
    unsigned n = 0;

    snprintf(cmd, sizeof cmd, "ls -A %s | grep -cE '%s'", s->dir, names);
    FILE *f = popen(cmd, "r");
    ck_assert_int_eq(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

unsigned one_host_leftovers(const struct one_host *s)
{
    return count(s, "^(qemu-save\\.[0-9]+\\.|qemu-resume|convoy-|\\..*part)");
}

void one_host_is_bare(const struct one_host *s)
{
    ck_assert_uint_eq(fake_host_domains(s->host), 0);
    ck_assert_uint_eq(fake_host_nodes(s->host), 0);
    ck_assert_uint_eq(one_host_leftovers(s), 0);
    ck_assert_uint_eq(count(s, "^(qmp-|qemu-save)"), 0); /* the guard against xl among them */
    ck_assert_uint_eq(fake_host_devices(s->host), 0);
    ck_assert_uint_eq(emu_children(), 0);
    ck_assert_uint_eq(emu_open_fds(), s->fds);
}

void one_host_faults(struct one_host *s, unsigned n, unsigned more)
{
    s->host->calls = 0;
    s->host->fail_at = n;
    s->host->fail_next_too = more;
    s->host->failed_in = "(none)";
}

void reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

void one_host_emulators_run(struct one_host *w)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_wait wait = emu_wait(5000);
    cv_emu_status status[CV_DM_MAX];
    struct cv_guest g;

    ck_assert_msg(cv_guest_open(&g, &w->host->base, "g", NULL, &err) == 0, "%s", emu_text(&err));
    ck_assert_msg(cv_emuset_connect(&g.set, &wait, NULL, &err) == 0, "%s", emu_text(&err));
    ck_assert_msg(cv_emuset_status(&g.set, &wait, status, NULL, &err) == 0, "%s", emu_text(&err));
    for (unsigned i = 0; i < g.layout.count; i++)
        ck_assert_str_eq(status[i], "running");
    cv_guest_dispose(&g);
}

void one_host_check(struct one_host *w, const char *who, struct cv_findings *found)
{
    struct cv_emu_wait wait = emu_wait(5000);
    struct cv_guest g;

    *found = (struct cv_findings){ 0 };
    cv_guest_check(&w->host->base, who, &wait, NULL, &g, found);
    cv_guest_dispose(&g);
}

void one_host_found(const struct cv_findings *f, size_t i, const char *check, const char *words)
{
    ck_assert_uint_lt(i, f->count);
    ck_assert_str_eq(f->items[i].check, check);
    ck_assert_msg(strstr(f->items[i].text, words) != NULL, "'%s' is not '%s'", f->items[i].text, words);
}
