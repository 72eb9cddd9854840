// SPDX-License-Identifier: GPL-2.0
/*
 * Attaches a BPF program to the exec tracepoint, which prints each execution into its
 * streams, and keeps it attached.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "execwatch.skel.h"

static const char usage[] =
"usage: demo_execwatch\n"
"\n"
"Watches all exec(2) calls of the machine by a BPF program. It prints each to its\n"
"stdout, and to its stderr a warning if root runs a file in /tmp. Read it with the\n"
"id shown:\n"
"\n"
"  bpftool prog tracelog stdout id ID\n"
"  bpftool prog tracelog stderr id ID\n"
"\n"
"It watches until Ctrl-C. Needs root.\n";

int main(int argc, char **argv)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	struct execwatch_bpf *skel;
	sigset_t signals;
	int sig, err = 1;

	if (argc > 1) {
		bool help = !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help");

		fputs(usage, help ? stdout : stderr);
		return help ? 0 : 2;
	}

	/* Before anything is loaded, so that Ctrl-C always cleans up */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	skel = execwatch_bpf__open_and_load();
	if (!skel) {
		fprintf(stderr, "demo_execwatch: can't load the BPF program: %s%s\n",
			strerror(errno), geteuid() ? "; are you root?" : "");
		return 1;
	}
	if (execwatch_bpf__attach(skel)) {
		fprintf(stderr, "demo_execwatch: can't attach to sched_process_exec: %s\n",
			strerror(errno));
		goto out;
	}
	if (bpf_prog_get_info_by_fd(bpf_program__fd(skel->progs.execwatch), &info, &len))
		goto out;

	printf("program execwatch has id %u; Ctrl-C unloads it\n", info.id);
	fflush(stdout);
	sigwait(&signals, &sig);
	if (skel->bss->lost)
		fprintf(stderr, "demo_execwatch: %u messages could not be printed: %s\n",
			skel->bss->lost, strerror(-skel->bss->last_error));
	err = 0;
out:
	execwatch_bpf__destroy(skel);
	return err;
}
