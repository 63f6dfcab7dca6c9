/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* emu-try CONFIG [ROUNDS]: the emulators of a configuration on an empty domain of a real Xen host, without a guest:
 * start, survey, check, log, save, quit; start again as incoming, load, compare.  Prints what it sees and how long it
 * took. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenctrl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "layout/layout.h"
#include "emulators/paths.h"
#include "emulators/set.h"
#include "emulators/spawn.h"
#include "emulators/state_memory.h"

static struct cv_error err;
static int64_t begun;

static void done(const char *what)
{
    int64_t now = cv_now_ns();

    printf("%-18s %8.1f ms\n", what, (double)(now - begun) / 1e6);
    fflush(stdout);
    begun = cv_now_ns();
}

static void must(int rc, const char *what)
{
    char text[800];

    if (rc < 0) {
        printf("FAILED %s: %s\n", what, cv_error_string(&err, text, sizeof text));
        exit(1);
    }
    done(what);
}

static uint32_t empty_domain(xc_interface *xch, const struct cv_layout *l)
{
    struct xen_domctl_createdomain c = { .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_oos_off,
                                         .max_vcpus = l->maxvcpus,
                                         .max_evtchn_port = -1,
                                         .max_grant_frames = 64,
                                         .max_maptrack_frames = 1024,
                                         .grant_opts = XEN_DOMCTL_GRANT_version(2),
                                         .arch.emulation_flags = XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI };
    uint32_t domid = 0;

    if (xc_domain_create(xch, &domid, &c) != 0 || xc_domain_max_vcpus(xch, domid, l->maxvcpus) != 0 ||
        xc_domain_setmaxmem(xch, domid, l->max_kib + l->extra_pages * 4 + 4096) != 0) {
        perror("domain");
        exit(1);
    }
    xc_set_paging_mempool_size(xch, domid, 8 << 20);
    return domid;
}

static void show_state(unsigned domid)
{
    char path[64], line[200];
    FILE *f;

    snprintf(path, sizeof path, "/local/domain/0/device-model/%u/state", domid);
    snprintf(line, sizeof line, "xenstore-read %s 2>&1", path);
    f = popen(line, "r");
    if (f != NULL && fgets(line, sizeof line, f) != NULL)
        printf("state: %s", line);
    if (f != NULL)
        pclose(f);
}

static void show(const struct cv_layout *l, const struct cv_emuset *set)
{
    char command[200];

    for (unsigned i = 0; i < l->count; i++) {
        const struct cv_layout_dm *dm = &l->dms[i];
        printf("%u %s pid %d version %s -m %" PRIu64 "M window %" PRIx64 "+%" PRIx64 "\n", i, dm->name,
               (int)set->emus[i].pid, dm->version, dm->m_kib / 1024, dm->window_gfn, dm->window_pages);
        for (unsigned k = 0; k < dm->region_count; k++)
            printf("    %s %" PRIx64 "+%" PRIx64 "\n", dm->regions[k].what, dm->regions[k].gfn, dm->regions[k].pages);
        snprintf(command, sizeof command, "grep -E '^(Uid|NoNewPrivs|Seccomp):' /proc/%d/status | tr '\\n' ' '; echo",
                 (int)set->emus[i].pid);
        fflush(stdout);
        (void)!system(command);
    }
}

int main(int argc, char **argv)
{
    struct cv_guest_config config;
    struct cv_layout layout;
    struct cv_layout_host host;
    struct cv_emuset set;
    struct cv_emu_results res;
    cv_emu_status status[CV_DM_MAX];
    cv_emu_tty tty[4];
    int fds[CV_DM_MAX];
    uint64_t sizes[CV_DM_MAX];
    size_t text_len;
    unsigned port;
    char *text;

    begun = cv_now_ns();
    must(argc > 1 ? cv_file_read(argv[1], 1 << 20, &text, &text_len, &err) : -1, "file");
    must(cv_guest_config_parse(text, text_len, argv[1], &config, &err), "config");
    free(text);
    cv_layout_host_probe(&host);
    must(cv_layout_decide(&config, &host, &layout, &err), "layout");
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    uint32_t domid = empty_domain(xch, &layout);
    done("domain");
    must(cv_emuset_init(&set, &layout, domid, NULL, &err), "init");
    struct cv_spawn_options opt = { .mode = CV_SPAWN_CREATE, .guest_name = config.name };
    struct cv_emu_wait w = { .deadline_ms = cv_after_ms(120000) };
    must(cv_emuset_start(&set, &layout, &opt, &w, &err), "start");
    must(cv_emuset_survey(&set, &layout, &w, &err), "survey");
    show(&layout, &set);
    fflush(stdout);
    (void)!system("xl debug-keys q; xl dmesg -c | grep -E 'ioreq_server . pci'");
    must(cv_emuset_serial_ttys(&set, &w, tty, &err), "ttys");
    must(cv_emuset_vnc_port(&set, &w, &port, &err), "vnc");
    printf("tty '%s' vnc %u\n", tty[0], port);
    must(cv_emuset_status(&set, &w, status, NULL, &err), "status");
    for (unsigned i = 0; i < layout.count; i++)
        printf("  %u %s\n", i, status[i]);
    show_state(domid);
    if (cv_emuset_check_migratable(&set, &w, &res, &err) < 0)
        for (unsigned i = 0; i < layout.count; i++)
            printf("  check %u: %d %s\n", i, res.emu[i].state, res.emu[i].err.text);
    done("check");
    if (argc > 2 && strcmp(argv[2], "check") == 0)
        goto end;
    must(cv_emuset_cont(&set, &w, NULL, &err), "cont");
    show_state(domid);
    must(cv_emuset_dirty_log(&set, true, &w, NULL, &err), "log on");
    must(cv_emuset_stop(&set, &w, NULL, &err), "stop");
    for (unsigned i = 0; i < layout.count; i++)
        fds[i] = cv_state_memory(i, &err);
    done("files");
    must(cv_emuset_save_state(&set, fds, true, sizes, &w, &res, &err), "save");
    for (unsigned i = 0; i < layout.count; i++)
        printf("  %u %" PRIu64 " bytes %.1f ms\n", i, sizes[i], (double)res.emu[i].ns / 1e6);
    must(cv_emuset_dirty_log(&set, false, &w, NULL, &err), "log off");
    must(cv_emuset_quit(&set, &w, &err), "quit");
    opt.mode = CV_SPAWN_INCOMING;
    must(cv_emuset_start(&set, &layout, &opt, &w, &err), "start incoming");
    must(cv_emuset_survey(&set, &layout, &w, &err), "survey again");
    must(cv_emuset_load_state(&set, fds, &w, &res, &err), "load");
    must(cv_emuset_status(&set, &w, status, NULL, &err), "status");
    for (unsigned i = 0; i < layout.count; i++)
        printf("  %u %s\n", i, status[i]);
    must(cv_emuset_cont(&set, &w, NULL, &err), "cont");
end:
    must(cv_emuset_quit(&set, &w, &err), "quit");
    xc_domain_destroy(xch, domid);
    printf("ALL DONE\n");
    return 0;
}
