/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tasks, which are threads, simulated CPUs, and per-CPU data
 *
 * Disabling preemption takes the lock of the thread's CPU, so that only one thread at a
 * time holds the CPU. A signal handler, which simulates an NMI, can interrupt it.
 */
#ifndef _SHIM_LINUX_SCHED_H
#define _SHIM_LINUX_SCHED_H

#include <linux/atomic.h>
#include <linux/cleanup.h>

#define NR_CPUS 4

struct irq_work;

/**
 * struct task_struct - a thread
 * @cpu: its CPU, changed only with preemption enabled
 * @preempt_count: nesting depth of preempt_disable(); the thread holds its CPU unless 0
 * @raised: irq_work that runs when preemption is enabled
 * @signal: a signal is pending
 * @killed: a fatal signal is pending
 * @killed_in_copy: set @killed when text is copied to the user's buffer
 * @faults: only the part of the user's buffer before @user_room is writable
 * @user_room: see @faults
 * @fault_in: called to make @size bytes at @buf writable, which it may do; or NULL
 * @pagefault_disabled: nesting depth of pagefault_disable()
 * @may_split: not all bytes could be faulted in, so a part of a message is consumed
 * @user_end: end of user space; NULL: behind all buffers
 * @tape: called with the text that was copied, with the stream's lock held
 * @random: state of the thread's random number generator
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
