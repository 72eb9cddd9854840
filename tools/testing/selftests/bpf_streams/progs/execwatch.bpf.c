// SPDX-License-Identifier: GPL-2.0
/*
 * Prints a line to stdout for each exec(2), and a warning to stderr if root executes a file
 * in a world-writable place.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

/* Number of messages that could not be printed, which the loader reports */
unsigned int lost;
int last_error;

static void check(int err)
{
	if (!err)
		return;
	__sync_fetch_and_add(&lost, 1);
	last_error = err;
}

static bool in_tmp(const char *file)
{
	char start[5];

	if (bpf_probe_read_kernel(start, sizeof(start), file))
		return false;
	return start[0] == '/' && start[1] == 't' && start[2] == 'm' &&
	       start[3] == 'p' && start[4] == '/';
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(execwatch, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u32 uid = bpf_get_current_uid_gid();
	struct task_struct *parent = task->real_parent;

	/* %s takes kernel addresses, so no copy to the stack is needed */
	check(bpf_stream_printk(BPF_STDOUT, "%s[%d] ran %s as process %d, user %u\n",
				parent->comm, parent->tgid, bprm->filename,
				task->tgid, uid));

	if (!uid && in_tmp(bprm->filename))
		check(bpf_stream_printk(BPF_STDERR, "warning: root ran %s, process %d\n",
					bprm->filename, task->tgid));
	return 0;
}

char _license[] SEC("license") = "GPL";
