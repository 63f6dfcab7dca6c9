/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "cli/cli.h"

static const struct cli_command commands[] = {
#ifdef CONVOY_WITH_XEN
    { "create", cmd_create, "[-p|-n [--json]] FILE", "make a guest from an xl.cfg file and start it" },
    { "list", cmd_list, "[--json] [DOMAIN]", "guests and their emulators" },
    { "destroy", cmd_destroy, "DOMAIN", "end a guest at once" },
    { "pause", cmd_pause, "DOMAIN", "stop a guest's vcpus" },
    { "unpause", cmd_unpause, "DOMAIN", "let them run again" },
    { "check", cmd_check, "[--json] [--command CMD] DOMAIN [[USER@]HOST]",
      "what stands in the way of a save or a migration" },
    { "save", cmd_save,
      "[-c|-p] [--live] [--force] [--layout stream|fixed] [--parent OLD [--parents DIR]|--page-hashes] [--at-freeze "
      "CMD "
      "[--freeze-timeout S]] "
      "[--compress X] [--threads "
      "N]\n"
      "      [--emulator-timeout S] [--suspend-timeout S] [--stall-timeout S] [--json] DOMAIN FILE|-\n"
      "       convoy save --quiesce --at-freeze CMD [--freeze-timeout S] [--json] DOMAIN",
      "save a guest to a file or a pipe" },
    { "restore", cmd_restore,
      "[-p] [--name NAME] [--disk VDEV=PATH]... [--parents DIR] [--trust PROGRAM]... [--threads N]\n"
      "      [--emulator-timeout S] [--json] FILE|-",
      "bring a saved guest back" },
    { "migrate", cmd_migrate,
      "[--live|--no-live] [--force] [--downtime-limit MS] [--max-time S] [--bandwidth B] [--compress X] [--threads N]\n"
      "      [--on-timeout stop|throttle|give-up] [--command CMD] [--report FILE.svg] [--json] DOMAIN [USER@]HOST",
      "move a running guest to another host" },
    { "migrate-receive", cmd_migrate_receive, "[--threads N]", "the other end of migrate (started by it)" },
    { "recover", cmd_recover, "[--assume running|aborted] [--json] DOMAIN|--all",
      "settle a migration that was cut off" },
    { "monitor", cmd_monitor, "DOMID", "watch over a guest (started by create and restore)" },
#endif
    { "inspect", cmd_inspect, "[--json|--raw] [--picture FILE.svg] FILE|-", "show what is in an image" },
    { "verify", cmd_verify, "[--parents DIR] [--threads N] FILE|-", "check the whole of an image" },
    { "extract", cmd_extract,
      "--device-state DMID|--memory [--range FIRST-LAST]|--config|--layout [--parents DIR] -o OUT|- FILE|-",
      "write one part of an image to a file" },
#ifdef CONVOY_WITH_CONVERT
    { "convert", cmd_convert, "[--from KIND] [--to KIND] [--model PATH] [--compress X] [--threads N] FILE|- [OUT|-]",
      "a save file of xl or a suspend image of xenopsd to an image, and back" },
    { "merge", cmd_merge, "[--parents DIR] [--compress X] [--threads N] -o OUT [PARENT...] FILE",
      "make a full image of an incremental one" },
#endif
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static struct cli *the_cli; /* for the signal handler alone */

static void on_signal(int sig)
{
    (void)sig;
    cv_cancel_request(&the_cli->cancel);
    if (the_cli->request_stop != NULL)
        the_cli->request_stop(the_cli->stop);
}

static void print_message(struct cv_sink *s, enum cv_level level, const char *text)
{
    static const char *const names[] = { "error", "warning", "info", "debug" };
    (void)s;
    fprintf(stderr, "convoy: %s: %s\n", names[level], text);
}

static void print_event(struct cv_sink *s, const char *json)
{
    struct cli *c = (struct cli *)((char *)s - offsetof(struct cli, sink));
    if (c->json_events)
        fprintf(stderr, "%s\n", json);
}

static int usage(FILE *f)
{
    fprintf(f, "usage: convoy [-v|-q] COMMAND [ARGUMENT...]\n       convoy help [COMMAND]\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        if (*commands[i].summary && strcmp(commands[i].name, "monitor") != 0)
            fprintf(f, "  convoy %s %s\n      %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
    return f == stdout ? 0 : CLI_USAGE;
}

/* argv[0] of a command, with its name behind it: what getopt's messages begin with. */
#define PROGRAM "convoy "

int cli_usage(char **argv, const char *why)
{
    if (why != NULL)
        fprintf(stderr, "%s: %s\n", argv[0], why);
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, argv[0] + strlen(PROGRAM)) == 0)
            fprintf(stderr, "usage: %s %s\n", argv[0], commands[i].arguments);
    return CLI_USAGE;
}

static void catch_signals(struct cli *c)
{
    struct sigaction sa = { .sa_handler = on_signal };
    static const int stop[] = { SIGINT, SIGTERM, SIGHUP };

    the_cli = c;
    for (size_t i = 0; i < sizeof stop / sizeof stop[0]; i++)
        sigaction(stop[i], &sa, NULL);
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    fprintf(stderr, "convoy: unknown command '%s' (convoy --help lists them)\n", name);
    return NULL;
}

static int help(const struct cli_command *cmd)
{
    if (cmd == NULL)
        return CLI_USAGE;
    printf("usage: convoy %s %s\n", cmd->name, cmd->arguments);
    if (*cmd->summary)
        printf("\n%s\n", cmd->summary);
    return 0;
}

static int dispatch(struct cli *c, int argc, char **argv)
{
    if (strcmp(argv[0], "help") == 0)
        return argc == 1 ? usage(stdout) : help(find_command(argv[1]));
    const struct cli_command *cmd = find_command(argv[0]);
    if (cmd == NULL)
        return CLI_USAGE;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return help(cmd);
    static char shown[64];
    snprintf(shown, sizeof shown, PROGRAM "%s", cmd->name);
    argv[0] = shown;
    optind = 0; /* glibc: start anew with this argv */
    return cmd->run(c, argc, argv);
}

/* What was printed may not have arrived: a full disk must not look like a short list. */
static int finish_output(int status)
{
    struct cv_error err = CV_ERROR_INIT;

    if ((fflush(stdout) == 0 && !ferror(stdout)) || status != 0)
        return status;
    int sys = errno;
    struct pollfd p = { .fd = STDOUT_FILENO };
    if (poll(&p, 1, 0) > 0 && (p.revents & POLLERR)) {
        /* Nobody reads any more (convoy inspect ... | head): ended as other tools are. */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    cv_fail(&err, CV_E_IO, sys, "standard output");
    return cli_error(&err);
}

/* A closed one would be the next descriptor that we open, and text would go where it does not belong.  Not writable:
 * what is printed fails, as it should. */
static void keep_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
            _exit(1);
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "help", no_argument, NULL, 'h' },
                                             { "version", no_argument, NULL, 'V' },
                                             { NULL, 0, NULL, 0 } };
    struct cli c = { .sink = { print_message, print_event, CV_LOG_WARN }, .program = "/proc/self/exe" };
    struct cv_error err = CV_ERROR_INIT;
    int opt;

    cv_process_own();
    keep_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    while ((opt = getopt_long(argc, argv, "+vqhV", options, NULL)) != -1) {
        switch (opt) {
        case 'v': c.sink.level = c.sink.level < CV_LOG_DEBUG ? c.sink.level + 1 : CV_LOG_DEBUG; break;
        case 'q': c.sink.level = CV_LOG_ERROR; break;
        case 'h': return finish_output(usage(stdout));
        case 'V': printf("convoy %s\n", CONVOY_VERSION); return finish_output(0);
        default: return usage(stderr);
        }
    }
    if (optind >= argc)
        return usage(stderr);
    if (cv_cancel_init(&c.cancel, &err) < 0)
        return cli_error(&err);
    catch_signals(&c);
    int status = finish_output(dispatch(&c, argc - optind, argv + optind));
    cv_cancel_dispose(&c.cancel);
    return status;
}
