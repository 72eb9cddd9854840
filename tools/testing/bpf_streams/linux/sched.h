/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads as tasks, simulated CPUs, and per-CPU data.
 *
 * Disabling preemption takes the lock of the CPU that the thread says it is on, so
 * that threads of one CPU do not overlap, while a signal handler that simulates an
 * NMI does overlap with what its thread does on the CPU.
 */
#ifndef _SHIM_LINUX_SCHED_H
#define _SHIM_LINUX_SCHED_H

#include <linux/atomic.h>
#include <linux/cleanup.h>

#define NR_CPUS 4

struct irq_work;

/**
 * struct task_struct - a thread
 * @cpu: the CPU it is on, to be changed only with preemption enabled
 * @preempt_count: how often preemption was disabled; 0: holds no CPU
 * @raised: irq_work that runs when the CPU is released
 * @signal: a signal is pending
 * @killed: that signal is fatal
 * @killed_in_copy: it becomes so while text is copied to the user's buffer
 * @faults: the user's buffer can only be written to before @user_room
 * @user_room: see @faults
 * @fault_in: called to make @size bytes from @buf writable, may do so; NULL: nothing does
 * @pagefault_disabled: how often page faults were disabled
 * @may_split: not all could be faulted in, so that what is copied in part is consumed
 * @user_end: where user space ends, NULL: beyond all buffers
 * @tape: called with all text that was copied, with the stream's lock held
 * @random: state of the thread's random numbers
 */
struct task_struct {
	int cpu;
	int preempt_count;
	struct irq_work *raised;
	bool signal;
	bool killed;
	bool killed_in_copy;
	bool faults;
	char *user_room;
	void (*fault_in)(char *buf, unsigned long size);
	int pagefault_disabled;
	bool may_split;
	char *user_end;
	void (*tape)(const void *text, unsigned int len);
	u64 random;
};

extern __thread struct task_struct shim_task;

#define current (&shim_task)

#define fatal_signal_pending(task) ((task)->killed)
#define cond_resched() ((void)0)

void preempt_disable(void);
void preempt_enable(void);

DEFINE_LOCK_GUARD_0(preempt, preempt_disable(), preempt_enable())

#define num_possible_cpus() NR_CPUS
#define nr_cpu_ids NR_CPUS
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < NR_CPUS; (cpu)++)

#define PERCPU_STRIDE 256
#define per_cpu_ptr(ptr, cpu)						\
	((typeof(ptr))((char *)(ptr) + ((cpu) + 1) * PERCPU_STRIDE))
#define this_cpu_ptr(ptr)						\
({									\
	shim_assert_on_cpu();						\
	per_cpu_ptr(ptr, current->cpu);					\
})

void *shim_percpu_alloc(size_t size, gfp_t gfp);
void free_percpu(void *ptr);

#define alloc_percpu_gfp(type, gfp) ((type *)shim_percpu_alloc(sizeof(type), gfp))

#endif /* _SHIM_LINUX_SCHED_H */
