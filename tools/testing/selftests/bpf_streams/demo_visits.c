// SPDX-License-Identifier: GPL-2.0
/*
 * Loads a BPF program that counts visitors in an arena, runs it once for each
 * argument, and keeps it loaded so that its streams can be read: an example of
 * the kernel's reports of runtime errors.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "visits.skel.h"

#define VISITORS	512

static const char usage[] =
"usage: demo_visits NUMBER...\n"
"\n"
"Runs a BPF program for each NUMBER. It counts that visitor in a table which has\n"
"memory for the visitors 0 to 511 and a mistake: it takes any number. What comes\n"
"of that the program can't tell, but the kernel does. Then read both streams, with\n"
"the id shown:\n"
"\n"
"  bpftool prog tracelog stdout id ID\n"
"  bpftool prog tracelog stderr id ID\n"
"\n"
"The program stays loaded until Ctrl-C. Needs root.\n";

static int visit(struct visits_bpf *skel, const char *number)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	char *end;

	skel->bss->visitor = strtoul(number, &end, 10);
	if (!*number || *end) {
		fprintf(stderr, "demo_visits: '%s' is not a number\n", number);
		return 1;
	}
	/* Programs of type "syscall" are run on request */
	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.visit), &opts)) {
		fprintf(stderr, "demo_visits: can't run the program: %s\n",
			strerror(errno));
		return 1;
	}
	if (opts.retval) {
		fprintf(stderr, "demo_visits: the program can't print: %s\n",
			strerror(-opts.retval));
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	struct visits_bpf *skel;
	sigset_t signals;
	int i, sig, err = 1;
	size_t size;
	__u64 *table;

	if (argc < 2 || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
		fputs(usage, argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}

	/* Before anything is loaded, so that Ctrl-C always cleans up */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	skel = visits_bpf__open_and_load();
	if (!skel) {
		fprintf(stderr, "demo_visits: can't load the BPF program: %s%s\n",
			strerror(errno), geteuid() ? "; are you root?" : "");
		return 1;
	}
	if (bpf_prog_get_info_by_fd(bpf_program__fd(skel->progs.visit), &info, &len))
		goto out;

	/* Touching the first page populates it */
	table = bpf_map__initial_value(skel->maps.table, &size);
	memset(table, 0, VISITORS * sizeof(*table));
	skel->bss->visits = (uintptr_t)table;
	for (i = 1; i < argc; i++)
		if (visit(skel, argv[i]))
			goto out;

	printf("program visit has id %u; Ctrl-C unloads it\n", info.id);
	fflush(stdout);
	sigwait(&signals, &sig);
	err = 0;
out:
	visits_bpf__destroy(skel);
	return err;
}
