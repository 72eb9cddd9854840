// SPDX-License-Identifier: GPL-2.0
/*
 * Loads a BPF program that prints into its streams, runs it once for each
 * argument, and keeps it loaded so that its text can be read.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "hello.skel.h"

static const char usage[] =
"usage: demo_hello NAME...\n"
"\n"
"Runs a BPF program for each NAME. It prints a greeting to its stdout, or to its\n"
"stderr that NAME is empty (''). Then read what it printed, with the id shown:\n"
"\n"
"  bpftool prog tracelog stdout id ID\n"
"  bpftool prog tracelog stderr id ID\n"
"\n"
"The program stays loaded until Ctrl-C. Needs root.\n";

static int greet(struct hello_bpf *skel, const char *name)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	/* Programs of type "syscall" are run on request */
	snprintf(skel->bss->name, sizeof(skel->bss->name), "%s", name);
	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.hello), &opts)) {
		fprintf(stderr, "demo_hello: can't run the program: %s\n",
			strerror(errno));
		return 1;
	}
	if (opts.retval) {
		fprintf(stderr, "demo_hello: the program can't print: %s\n",
			strerror(-opts.retval));
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	struct hello_bpf *skel;
	sigset_t signals;
	int i, sig, err = 1;

	if (argc < 2 || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
		fputs(usage, argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}

	/* Before anything is loaded, so that Ctrl-C always cleans up */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	skel = hello_bpf__open_and_load();
	if (!skel) {
		fprintf(stderr, "demo_hello: can't load the BPF program: %s%s\n",
			strerror(errno), geteuid() ? "; are you root?" : "");
		return 1;
	}
	if (bpf_prog_get_info_by_fd(bpf_program__fd(skel->progs.hello), &info, &len))
		goto out;
	for (i = 1; i < argc; i++)
		if (greet(skel, argv[i]))
			goto out;

	printf("program hello has id %u; Ctrl-C unloads it\n", info.id);
	fflush(stdout);
	sigwait(&signals, &sig);
	err = 0;
out:
	hello_bpf__destroy(skel);
	return err;
}
