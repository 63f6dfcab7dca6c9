/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A set of fake-qemu processes for tests, started the way real ones are. */
#ifndef CONVOY_TESTS_EMU_FIXTURE_H
#define CONVOY_TESTS_EMU_FIXTURE_H

#include "emulators/paths.h"
#include "emulators/set.h"
#include "emulators/spawn.h"

struct emu_fixture {
    char dir[64]; /* sockets, logs, states; removed at the end */
    struct cv_guest_config config;
    struct cv_layout layout;
    struct cv_emuset set;
    int states[CV_DM_MAX];
    unsigned fds_before;
};

/* Decides a layout for n emulators (0 is the default one); faults[i] are further arguments of emulator i, or NULL. */
void emu_fixture_begin(struct emu_fixture *f, unsigned n, const char *const faults[CV_DM_MAX]);
int emu_fixture_start(struct emu_fixture *f, enum cv_spawn_mode mode, int timeout_ms, struct cv_error *err);
/* The same, and it has started. */
void emu_fixture_must_start(struct emu_fixture *f, enum cv_spawn_mode mode);
/* Kills what is left, frees everything, checks that no descriptor, process or socket is left. */
void emu_fixture_end(struct emu_fixture *f);
/* Makes the state files, or goes to their beginning. */
void emu_fixture_states(struct emu_fixture *f, bool create);

struct cv_emu_wait emu_wait(int timeout_ms);
/* A host's rules in dir, which trust the model of QEMU and let it run as root; path gets the file's. */
void emu_write_rules(char *path, size_t len, const char *dir);
unsigned emu_open_fds(void);
unsigned emu_children(void);
/* Whole text of an error; static buffer. */
const char *emu_text(const struct cv_error *err);
/* A call that fills in err, and succeeds. */
#define EMU_OK(call)                                              \
    do {                                                          \
        int rc_ = (call);                                         \
        ck_assert_msg(rc_ == 0, "%s: %s", #call, emu_text(&err)); \
    } while (0)

#endif
