/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"
#include "work.h"

struct work {
    const char *name;
    long verify_mb_s, dirty_mb_s, disk_ops_s; /* 0: as fast as it goes */
};

static const struct work work_levels[] = {
    { "light", 16, 2, 5 },
    { "medium", 64, 16, 20 },
    { "heavy", 0, 64, 0 },
};

/* clang-format off */
struct parameters par = {
    .ram_mb = 32, .entropy = 25, .disk_mb = 16, .net_pps = 100, .net_size = 128, .nics = -1,
    .report_hz = 5, .stall_s = 20, .disks = "auto",
};
/* clang-format on */

static const struct {
    const char *name;
    long *value;
} par_numbers[] = {
    { "ram", &par.ram_mb },
    { "verify", &par.verify_mb_s },
    { "dirty", &par.dirty_mb_s },
    { "entropy", &par.entropy },
    { "diskops", &par.disk_ops_s },
    { "diskmb", &par.disk_mb },
    { "net", &par.net_pps },
    { "netsize", &par.net_size },
    { "nics", &par.nics },
    { "report", &par.report_hz },
    { "stall", &par.stall_s },
    { "pv", &par.pv },
    { "time", &par.time },
    { "dmesg", &par.dmesg },
    { "pm", &par.pm },
    { "irqs", &par.irqs },
    { "rtc", &par.rtc },
};

static void set_parameter(char *word)
{
    char *value = strchr(word, '=');

    if (value == NULL)
        return;
    *value++ = '\0';
    if (strcmp(word, "disks") == 0)
        snprintf(par.disks, sizeof par.disks, "%.127s", value);
    if (strcmp(word, "extra") == 0)
        snprintf(par.extra, sizeof par.extra, "%.31s", value);
    for (size_t i = 0; i < sizeof work_levels / sizeof work_levels[0]; i++)
        if (strcmp(word, "work") == 0 && strcmp(value, work_levels[i].name) == 0) {
            par.verify_mb_s = work_levels[i].verify_mb_s;
            par.dirty_mb_s = work_levels[i].dirty_mb_s;
            par.disk_ops_s = work_levels[i].disk_ops_s;
        }
    for (size_t i = 0; i < sizeof par_numbers / sizeof par_numbers[0]; i++)
        if (strcmp(word, par_numbers[i].name) == 0)
            *par_numbers[i].value = strtol(value, NULL, 10);
}

/* g.work first, wherever it stands, because the others refine it. */
void read_parameters(void)
{
    char line[2048] = "", copy[2048], light[] = "work=light", *save;
    FILE *f = fopen("/proc/cmdline", "re");

    set_parameter(light);
    if (f == NULL || fgets(line, sizeof line, f) == NULL)
        return;
    fclose(f);
    for (int pass = 0; pass < 2; pass++) {
        memcpy(copy, line, sizeof copy);
        save = NULL;
        for (char *w = strtok_r(copy, " \n", &save); w != NULL; w = strtok_r(NULL, " \n", &save))
            if (strncmp(w, "g.", 2) == 0 && (strncmp(w, "g.work=", 7) == 0) == (pass == 0))
                set_parameter(w + 2);
    }
    if (par.net_size < (long)sizeof(struct packet))
        par.net_size = sizeof(struct packet);
    if (par.net_size > 1400)
        par.net_size = 1400;
    if (par.report_hz < 1)
        par.report_hz = 1;
}
