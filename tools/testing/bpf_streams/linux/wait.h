/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Wait queues, irq_work and mutexes. A wait queue is a semaphore, as signal handlers may
 * post it. irq_work that is queued by a writer runs when the writer enables preemption,
 * like the interrupt that follows an NMI.
 */
#ifndef _SHIM_LINUX_WAIT_H
#define _SHIM_LINUX_WAIT_H

#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <linux/sched.h>

/**
 * struct wait_queue_head - where readers sleep
 * @sleepers: number of readers that sleep
 * @wakes: number of wake-ups
 * @sem: the semaphore on which they sleep
 */
struct wait_queue_head {
	int sleepers;
	int wakes;
	sem_t sem;
};

typedef struct wait_queue_head wait_queue_head_t;

static inline void init_waitqueue_head(wait_queue_head_t *wait)
{
	sem_init(&wait->sem, 0, 0);
}

/* As in the kernel, this is not a barrier. */
static inline bool waitqueue_active(wait_queue_head_t *wait)
{
	return READ_ONCE(wait->sleepers);
}

void wake_up_all(wait_queue_head_t *wait);

#define wake_up_poll(wait, mask) ((void)(mask), wake_up_all(wait))

/* Sleep until @cond is true; code that makes it true has to wake the queue. */
#define wait_event(wait, cond)						\
do {									\
	wait_queue_head_t *__wait = (wait);				\
									\
	__atomic_fetch_add(&__wait->sleepers, 1, __ATOMIC_SEQ_CST);	\
	while (!(cond))							\
		sem_wait(&__wait->sem);					\
	__atomic_fetch_sub(&__wait->sleepers, 1, __ATOMIC_SEQ_CST);	\
} while (0)

/**
 * struct irq_work - a function that an interrupt calls later
 * @func: the function
 * @next: link in the list of the task's raised irq_work
 * @pending: it is queued and was not called yet
 * @queued: number of times that it was queued
 */
struct irq_work {
	void (*func)(struct irq_work *work);
	struct irq_work *next;
	bool pending;
	int queued;
};

static inline void init_irq_work(struct irq_work *work,
				 void (*func)(struct irq_work *work))
{
	work->func = func;
}

bool irq_work_queue(struct irq_work *work);
void irq_work_sync(struct irq_work *work);

struct mutex {
	pthread_mutex_t mutex;
	struct task_struct *owner;
};

void mutex_init(struct mutex *lock);
void mutex_destroy(struct mutex *lock);
int mutex_lock_interruptible(struct mutex *lock);
void mutex_unlock(struct mutex *lock);

#define lockdep_assert_held(lock) die_if(READ_ONCE((lock)->owner) != current)

#endif /* _SHIM_LINUX_WAIT_H */
