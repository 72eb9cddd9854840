// SPDX-License-Identifier: GPL-2.0
/*
 * Loads BPF programs that take locks: one prints groups of lines on two CPUs at
 * once, one takes two locks, or the same twice. Keeps them loaded so that their
 * streams can be read.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "groups.skel.h"

static const char usage[] =
"usage: demo_groups COUNT FROM TO\n"
"\n"
"Runs the BPF program print_groups on two CPUs at once: each prints COUNT groups of\n"
"five lines and holds a lock meanwhile. Then runs the program transfer, which moves\n"
"something from one account to another (0 to 9) and holds the locks of both. It has\n"
"not been thought of that they may be the same: then the second lock is refused,\n"
"and the kernel tells of it. Read the streams, with the ids shown:\n"
"\n"
"  bpftool prog tracelog stdout id ID\n"
"  bpftool prog tracelog stderr id ID\n"
"\n"
"The programs stay loaded until Ctrl-C. Needs root.\n";

struct printer {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int prog_fd;
	int cpu;
	int err;
};

static void *print_groups(void *arg)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct printer *p = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(p->cpu, &set);
	/* With a single CPU both run there */
	sched_setaffinity(0, sizeof(set), &set);
	pthread_barrier_wait(p->barrier);
	p->err = bpf_prog_test_run_opts(p->prog_fd, &opts);
	return NULL;
}

static int run_both(int prog_fd)
{
	struct printer printers[2];
	pthread_barrier_t barrier;
	int i, err = 0;

	pthread_barrier_init(&barrier, NULL, 2);
	for (i = 0; i < 2; i++) {
		printers[i].barrier = &barrier;
		printers[i].prog_fd = prog_fd;
		printers[i].cpu = i;
		if (pthread_create(&printers[i].thread, NULL, print_groups, &printers[i])) {
			perror("demo_groups: can't create a thread");
			exit(1);
		}
	}
	for (i = 0; i < 2; i++) {
		pthread_join(printers[i].thread, NULL);
		err = err ?: printers[i].err;
	}
	pthread_barrier_destroy(&barrier);
	return err;
}

static __u32 prog_id(struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len);
	return info.id;
}

static int run_all(struct groups_bpf *skel, char **argv)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err;

	skel->bss->groups = atoi(argv[0]);
	skel->bss->from = atoi(argv[1]);
	skel->bss->to = atoi(argv[2]);
	err = run_both(bpf_program__fd(skel->progs.print_groups));
	if (!err)
		err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.transfer), &opts);
	if (err)
		fprintf(stderr, "demo_groups: can't run a program: %s\n", strerror(-err));
	else if (opts.retval)
		fprintf(stderr, "demo_groups: transfer fails: %s\n",
			strerror(-(int)opts.retval));
	return err;
}

int main(int argc, char **argv)
{
	struct groups_bpf *skel;
	sigset_t signals;
	int sig, err;

	if (argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}

	/* Before anything is loaded, so that Ctrl-C always cleans up */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	skel = groups_bpf__open_and_load();
	if (!skel) {
		fprintf(stderr, "demo_groups: can't load the BPF programs: %s%s\n",
			strerror(errno), geteuid() ? "; are you root?" : "");
		return 1;
	}
	err = run_all(skel, argv + 1);
	if (!err) {
		printf("program print_groups has id %u; transfer has id %u; Ctrl-C unloads them\n",
		       prog_id(skel->progs.print_groups), prog_id(skel->progs.transfer));
		fflush(stdout);
		sigwait(&signals, &sig);
	}
	groups_bpf__destroy(skel);
	return !!err;
}
