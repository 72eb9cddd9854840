// SPDX-License-Identifier: GPL-2.0
/* Prints on a CPU that goes offline, when it no longer runs irq_work */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_streams.h>

char _license[] SEC("license") = "GPL";

SEC("fentry/sched_cpu_dying")
int BPF_PROG(dying, unsigned int cpu)
{
	bpf_stream_printk(BPF_STDOUT, "%u dies\n", cpu);
	return 0;
}
