/* SPDX-License-Identifier: GPL-2.0 */
/* The context of a program */
#ifndef CONTEXT_BPF_H
#define CONTEXT_BPF_H

#include "streams.bpf.h"
#include "anywhere.h"

/* The preemption count of x86, up to 6.14 and later */
struct pcpu_hot___local {
	int preempt_count;
} __attribute__((preserve_access_index));

extern const struct pcpu_hot___local pcpu_hot __ksym __weak;
extern const int __preempt_count __ksym __weak;

/* The preemption count of arm64 */
struct thread_info___local {
	struct {
		int count;
	} preempt;
} __attribute__((preserve_access_index));

struct task_struct___local {
	struct thread_info___local thread_info;
	int softirq_disable_cnt;	/* PREEMPT_RT counts these separately */
} __attribute__((preserve_access_index));

/* The need_resched bit, which is part of it */
#define NEED_RESCHED	0x80000000

#define SOFTIRQ_SERVED	0x00000100
#define HARDIRQ_BITS	0x000f0000
#define NMI_BITS	0x00f00000
/* From 7.3 on */
#define HARDIRQ_BITS_7	0x0f000000
#define NMI_BIT_7	0x10000000

extern int LINUX_KERNEL_VERSION __kconfig;

bool context_known;

static inline int preempt_count(void)
{
	const struct task_struct___local *task;
	const struct pcpu_hot___local *hot;
	const int *count;

	if (bpf_ksym_exists(&pcpu_hot)) {
		hot = bpf_this_cpu_ptr(&pcpu_hot);
		context_known = true;
		return hot->preempt_count & ~NEED_RESCHED;
	}
	if (bpf_ksym_exists(&__preempt_count)) {
		count = bpf_this_cpu_ptr(&__preempt_count);
		context_known = true;
		return *count & ~NEED_RESCHED;
	}
	task = (void *)bpf_get_current_task_btf();
	if (bpf_core_field_exists(task->thread_info.preempt.count)) {
		context_known = true;
		return BPF_CORE_READ(task, thread_info.preempt.count);
	}
	return 0;
}

static inline int softirq_count(void)
{
	const struct task_struct___local *task = (void *)bpf_get_current_task_btf();

	if (!bpf_core_field_exists(task->softirq_disable_cnt))
		return 0;
	return BPF_CORE_READ(task, softirq_disable_cnt);
}

static inline __u32 context(void)
{
	bool is_7_3 = LINUX_KERNEL_VERSION >= KERNEL_VERSION(7, 3, 0);
	int count = preempt_count();

	if (count & (is_7_3 ? NMI_BIT_7 : NMI_BITS))
		return IN_NMI;
	if (count & (is_7_3 ? HARDIRQ_BITS_7 : HARDIRQ_BITS))
		return IN_HARDIRQ;
	/* The lowest bit is set in softirq context; the others count disabling. */
	if ((count | softirq_count()) & SOFTIRQ_SERVED)
		return IN_SOFTIRQ;
	return IN_TASK;
}

#endif /* CONTEXT_BPF_H */
