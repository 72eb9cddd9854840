// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of resilient queued spin locks.
 *
 * The actors of a scenario ("play") are threads on different CPUs. They wait for
 * actions of others and never for a time: to find out that an actor waits for a
 * lock they check its table of locks, or the tail in the lock's word. The only
 * clock is that of the lock. If the host stops a virtual CPU, a lock can time out
 * unexpectedly. Then the scenario is repeated.
 *
 * Nothing can be reported with preemption disabled, so results are collected and
 * checked at the end of the scenario.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/hw_breakpoint.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/perf_event.h>
#include <linux/prandom.h>
#include <linux/rqspinlock.h>
#ifdef CONFIG_X86_LOCAL_APIC
#include <asm/apic.h>
#include <asm/nmi.h>
#endif

#define MAX_ACTORS	4
#define MAX_TRIES	50
#define MANY_LOCKS	(RQSPINLOCK_NR_HELD + 9)
#define STRESS_LOCKS	4

enum rqs_context {
	RQS_TASK,
	RQS_TASK_IRQSAVE,
	RQS_SOFTIRQ,
	RQS_HARDIRQ,
	RQS_NMI,
};

static const struct rqs_context_param {
	enum rqs_context context;
	const char *name;
} contexts[] = {
	{ RQS_TASK, "task" },
	{ RQS_TASK_IRQSAVE, "interrupts disabled" },
	{ RQS_SOFTIRQ, "softirq" },
	{ RQS_HARDIRQ, "hard interrupt" },
	{ RQS_NMI, "NMI" },
}, interrupts[] = {
	{ RQS_SOFTIRQ, "softirq" },
	{ RQS_HARDIRQ, "hard interrupt" },
	{ RQS_NMI, "NMI" },
};

/* Deadlocks of more than two CPUs are possible with more than two locks. */
static const struct rqs_stress_param {
	unsigned int nr_locks;
	unsigned int rounds;
	bool zero;		/* words now and then */
	const char *name;
} stresses[] = {
	{ 2, 3000, false, "deadlocks found" },
	{ STRESS_LOCKS, 200, false, "deadlocks timed out" },
	{ 2, 1000, true, "words zeroed" },
};

KUNIT_ARRAY_PARAM_DESC(contexts, contexts, name);
KUNIT_ARRAY_PARAM_DESC(interrupts, interrupts, name);
KUNIT_ARRAY_PARAM_DESC(stresses, stresses, name);

/* A lock and the data that it protects */
struct rqs_guarded {
	struct rqspinlock lock;
	unsigned long count;
};

/**
 * struct rqs_attempt - an attempt to take a lock
 * @on: the lock
 * @irqsave: with interrupts disabled
 * @err: the result
 * @turn: number of actors that have held the lock so far, including this one
 * @unbalanced: the state of interrupts or preemption was not restored
 * @ended: all of the above is set
 */
struct rqs_attempt {
	struct rqs_guarded *on;
	bool irqsave;
	int err;
	unsigned long turn;
	bool unbalanced;
	bool ended;
};

/**
 * struct rqs_interrupt - a function that is called in an interrupt
 * @work: enters a hard interrupt
 * @tasklet: enters a softirq from there
 * @context: the requested context
 * @fn: the function
 * @data: its argument
 * @misplaced: it was called in another context
 * @ended: it was called
 */
struct rqs_interrupt {
	struct irq_work work;
	struct tasklet_struct tasklet;
	enum rqs_context context;
	void (*fn)(void *data);
	void *data;
	bool misplaced;
	bool ended;
};

struct rqs_play;

struct rqs_actor {
	struct rqs_play *play;
	struct task_struct *task;
	struct completion done;
	unsigned int nr;
	unsigned int cpu;
	bool unbalanced;		/* as in struct rqs_attempt */
	bool unclean;			/* its table was not empty at the end */
	struct rqs_guarded own;		/* a lock that the others fail to take */
	struct rqs_attempt attempt;		/* the lock under test */
	struct rqs_attempt also;		/* another lock */
	struct rqs_interrupt interrupt;
	struct rqspinlock many[MANY_LOCKS];
};

struct rqs_play {
	void (*act)(struct rqs_actor *a);
	enum rqs_context context;
	atomic_t step;
	void *data;
	unsigned int wrong;		/* errors that the scenario itself has found */
	unsigned int wrong_words;	/* the same for the lock, unless an actor was late */
	unsigned int reads;		/* of the watched location */
	unsigned int damage_at;		/* that many, or the number of queued waiters */
	unsigned int damage;		/* value that is stored in the lock's word then */
	struct rqs_guarded shared;
	unsigned int order[MAX_ACTORS];	/* order in which actors give up */
	unsigned int nr_orders;
	unsigned int nr_actors;
	struct rqs_actor actors[];
};

static void attempt(void *data)
{
	int preempt = preempt_count(), err;
	bool irqs = irqs_disabled();
	struct rqs_attempt *at = data;
	unsigned long flags;

	if (at->irqsave)
		err = raw_res_spin_lock_irqsave(&at->on->lock, flags);
	else
		err = raw_res_spin_lock(&at->on->lock);
	if (!err) {
		at->turn = ++at->on->count;
		at->unbalanced = at->irqsave && !irqs_disabled();
	}
	if (!err && at->irqsave)
		raw_res_spin_unlock_irqrestore(&at->on->lock, flags);
	else if (!err)
		raw_res_spin_unlock(&at->on->lock);

	if (preempt_count() != preempt || irqs_disabled() != irqs)
		at->unbalanced = true;
	at->err = err;
	smp_store_release(&at->ended, true); /* pairs with ended() */
}

static bool ended(const struct rqs_attempt *at)
{
	return smp_load_acquire(&at->ended); /* pairs with attempt() */
}

static bool misplaced(enum rqs_context context)
{
	switch (context) {
	case RQS_SOFTIRQ:
		return !in_serving_softirq() || in_hardirq() || in_nmi();
	case RQS_HARDIRQ:
		return !in_hardirq() || in_nmi();
	case RQS_NMI:
		return !in_nmi();
	default:
		return !in_task();
	}
}

static void interrupt_run(struct rqs_interrupt *intr)
{
	intr->misplaced |= misplaced(intr->context);
	intr->fn(intr->data);
	smp_store_release(&intr->ended, true); /* pairs with interrupt_wait() */
}

static void interrupt_tasklet(struct tasklet_struct *tasklet)
{
	interrupt_run(container_of(tasklet, struct rqs_interrupt, tasklet));
}

static void interrupt_work(struct irq_work *work)
{
	struct rqs_interrupt *intr = container_of(work, struct rqs_interrupt, work);

	if (intr->context == RQS_SOFTIRQ)
		tasklet_schedule(&intr->tasklet);
	else
		interrupt_run(intr);
}

static void interrupt_init(struct rqs_interrupt *intr, enum rqs_context context,
			   void (*fn)(void *data), void *data)
{
	intr->work = IRQ_WORK_INIT_HARD(interrupt_work);
	tasklet_setup(&intr->tasklet, interrupt_tasklet);
	intr->context = context;
	intr->fn = fn;
	intr->data = data;
	intr->misplaced = false;
	intr->ended = false;
}

#ifdef CONFIG_X86_LOCAL_APIC
static DEFINE_PER_CPU(struct rqs_interrupt *, next_nmi);

static int nmi_handler(unsigned int cmd, struct pt_regs *regs)
{
	struct rqs_interrupt *intr = xchg(this_cpu_ptr(&next_nmi), NULL);

	if (!intr)
		return NMI_DONE;

	interrupt_run(intr);

	return NMI_HANDLED;
}

static int nmi_setup(void)
{
	return register_nmi_handler(NMI_LOCAL, nmi_handler, 0, "rqspinlock_test");
}

static void nmi_cleanup(void)
{
	unregister_nmi_handler(NMI_LOCAL, "rqspinlock_test");
}

/* Does nothing while the previous one is pending. */
static void nmi_send(struct rqs_interrupt *intr, unsigned int cpu)
{
	if (!cmpxchg(per_cpu_ptr(&next_nmi, cpu), NULL, intr))
		__apic_send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
}

static bool nmi_pending(unsigned int cpu)
{
	return READ_ONCE(per_cpu(next_nmi, cpu));
}
#else
static int nmi_setup(void)
{
	return 0;
}

static void nmi_cleanup(void)
{
}

static void nmi_send(struct rqs_interrupt *intr, unsigned int cpu)
{
}

static bool nmi_pending(unsigned int cpu)
{
	return false;
}
#endif

static void interrupt_send(struct rqs_interrupt *intr, unsigned int cpu)
{
	if (intr->context == RQS_NMI)
		nmi_send(intr, cpu);
	else
		irq_work_queue_on(&intr->work, cpu);
}

static void interrupt_wait(struct rqs_interrupt *intr)
{
	while (!smp_load_acquire(&intr->ended)) /* pairs with interrupt_run() */
		cpu_relax();
}

/* Make the attempt in the scenario's context, on this CPU. */
static void attempt_in_context(struct rqs_actor *a, struct rqs_attempt *at, struct rqs_guarded *on)
{
	enum rqs_context context = a->play->context;

	at->on = on;
	at->irqsave = context == RQS_TASK_IRQSAVE;
	if (context == RQS_TASK || context == RQS_TASK_IRQSAVE) {
		attempt(at);
		return;
	}

	interrupt_init(&a->interrupt, context, attempt, at);
	interrupt_send(&a->interrupt, a->cpu);
	interrupt_wait(&a->interrupt);
}

/* Test if the last of the @nr entries of the CPU's table is @lock, marked as waiting. */
static bool waits_for(unsigned int cpu, const struct rqs_guarded *on, unsigned int nr)
{
	const struct rqspinlock_held *held = per_cpu_ptr(&rqspinlock_held, cpu);

	return READ_ONCE(held->nr) == nr &&
	       READ_ONCE(held->locks[nr - 1]) == ((unsigned long)&on->lock | RQSPINLOCK_WAITING);
}

static void await_wait(unsigned int cpu, const struct rqs_attempt *at,
		       const struct rqs_guarded *on, unsigned int nr)
{
	while (!waits_for(cpu, on, nr) && !ended(at))
		cpu_relax();
}

static unsigned int lock_word(const struct rqspinlock *lock)
{
	return atomic_read(&lock->val);
}

/* The lock's word when it is held, and the actor is the last in the queue. */
static unsigned int queued_word(const struct rqs_actor *last)
{
	return (last->cpu + 1) << 8 | RQSPINLOCK_LOCKED;
}

static void await_queued(const struct rqs_actor *a, const struct rqs_guarded *on)
{
	while (lock_word(&on->lock) != queued_word(a) && !ended(&a->attempt))
		cpu_relax();
}

static void next_step(struct rqs_play *p)
{
	atomic_inc(&p->step);
}

static void await_step(struct rqs_play *p, int step)
{
	while (atomic_read_acquire(&p->step) < step)
		cpu_relax();
}

/* Wait until all actors have reached this point. */
static void meet(struct rqs_play *p)
{
	next_step(p);
	await_step(p, p->nr_actors);
}

/* For locks that are expected to be free */
static void take(struct rqs_play *p, struct rqspinlock *lock)
{
	if (raw_res_spin_lock(lock)) {
		p->wrong++;
		preempt_disable();
		rqspinlock_push(lock);
	}
}

static int actor_main(void *data)
{
	struct rqspinlock_held *held;
	struct rqs_actor *a = data;

	a->play->act(a);
	a->unbalanced = preempt_count() || irqs_disabled();

	preempt_disable();
	held = this_cpu_ptr(&rqspinlock_held);
	a->unclean = held->nr || memchr_inv(held->locks, 0, sizeof(held->locks));
	preempt_enable();

	complete(&a->done);

	return 0;
}

static void create_actor(struct kunit *test, struct rqs_actor *a)
{
	a->task = kthread_create_on_cpu(actor_main, a, a->cpu, "rqspinlock_test/%u");
	KUNIT_ASSERT_FALSE(test, IS_ERR(a->task));
}

/*
 * Actors wait for others with preemption disabled, so the first one must not run on this
 * CPU before all of them are started.
 */
static void start_actors(struct rqs_play *p)
{
	unsigned int i;

	guard(preempt)();
	for (i = 0; i < p->nr_actors; i++)
		wake_up_process(p->actors[i].task);
}

static void expect_clean(struct kunit *test, struct rqs_play *p)
{
	unsigned int i, k;

	KUNIT_EXPECT_EQ(test, p->wrong, 0);
	KUNIT_EXPECT_EQ(test, lock_word(&p->shared.lock), 0);
	for (i = 0; i < p->nr_actors; i++) {
		struct rqs_actor *a = &p->actors[i];

		KUNIT_EXPECT_FALSE(test, a->unbalanced);
		KUNIT_EXPECT_FALSE(test, a->unclean);
		KUNIT_EXPECT_FALSE(test, a->attempt.unbalanced);
		KUNIT_EXPECT_FALSE(test, a->also.unbalanced);
		KUNIT_EXPECT_FALSE(test, a->interrupt.misplaced);
		KUNIT_EXPECT_EQ(test, lock_word(&a->own.lock), 0);
		for (k = 0; k < MANY_LOCKS; k++)
			KUNIT_EXPECT_EQ(test, lock_word(&a->many[k]), 0);
	}
}

static void play(struct kunit *test, struct rqs_play *p, void (*act)(struct rqs_actor *a))
{
	unsigned int i, cpu = -1;

	p->act = act;
	p->wrong = 0;
	p->wrong_words = 0;
	p->reads = 0;
	atomic_set(&p->step, 0);
	memset(&p->shared, 0, sizeof(p->shared));
	for (i = 0; i < p->nr_actors; i++) {
		struct rqs_actor *a = &p->actors[i];

		cpu = cpumask_next(cpu, cpu_online_mask);
		memset(a, 0, sizeof(*a));
		a->play = p;
		a->nr = i;
		a->cpu = cpu;
		init_completion(&a->done);
	}
	for (i = 0; i < p->nr_actors; i++)
		create_actor(test, &p->actors[i]);
	start_actors(p);
	for (i = 0; i < p->nr_actors; i++)
		wait_for_completion(&p->actors[i].done);

	expect_clean(test, p);
}

static bool timed_out(const struct rqs_play *p)
{
	unsigned int i;

	for (i = 0; i < p->nr_actors; i++)
		if (p->actors[i].attempt.err == -ETIMEDOUT ||
		    p->actors[i].also.err == -ETIMEDOUT)
			return true;

	return false;
}

/* For scenarios in which no lock is expected to time out */
static void play_in_time(struct kunit *test, struct rqs_play *p, void (*act)(struct rqs_actor *a))
{
	int try;

	for (try = 0; try < MAX_TRIES; try++) {
		/* A node that was abandoned in the previous scenario can be reused. */
		synchronize_rcu();
		play(test, p, act);
		if (!timed_out(p))
			return;
	}
	KUNIT_FAIL(test, "locks timed out in each of %d tries", MAX_TRIES);
}

static struct rqs_play *new_play(struct kunit *test, unsigned int nr_actors)
{
	struct rqs_play *p;

	if (num_online_cpus() < nr_actors)
		kunit_skip(test, "needs %u CPUs", nr_actors);

	p = kunit_kzalloc(test, struct_size(p, actors, nr_actors), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	p->nr_actors = nr_actors;

	return p;
}

static struct rqs_play *new_play_in_context(struct kunit *test, unsigned int nr_actors)
{
	const struct rqs_context_param *param = test->param_value;
	struct rqs_play *p;

	if (param->context == RQS_SOFTIRQ && IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "softirqs are threads, and interrupt nobody");
	if (param->context == RQS_NMI && !IS_ENABLED(CONFIG_X86_LOCAL_APIC))
		kunit_skip(test, "no way to send an NMI");

	p = new_play(test, nr_actors);
	p->context = param->context;

	return p;
}

static void act_uncontended(struct rqs_actor *a)
{
	struct rqspinlock_held *held;
	struct rqs_play *p = a->play;
	unsigned int i, k;

	for (i = 0; i < MANY_LOCKS; i++)
		take(p, &a->many[i]);

	held = this_cpu_ptr(&rqspinlock_held);
	for (i = MANY_LOCKS; i--; ) {
		p->wrong += held->nr != i + 1;
		for (k = 0; k < RQSPINLOCK_NR_HELD; k++)
			p->wrong += held->locks[k] != (k <= i ? (unsigned long)&a->many[k] : 0);
		p->wrong += lock_word(&a->many[i]) != RQSPINLOCK_LOCKED;
		raw_res_spin_unlock(&a->many[i]);
		p->wrong += lock_word(&a->many[i]) != 0;
	}
}

static void uncontended(struct kunit *test)
{
	play(test, new_play(test, 1), act_uncontended);
}

static void act_attempt(struct rqs_actor *a)
{
	attempt_in_context(a, &a->attempt, &a->own);
}

static void uncontended_in(struct kunit *test)
{
	struct rqs_play *p = new_play_in_context(test, 1);

	play(test, p, act_attempt);
	KUNIT_EXPECT_EQ(test, p->actors[0].attempt.err, 0);
}

static void act_aa(struct rqs_actor *a)
{
	take(a->play, &a->own.lock);
	attempt_in_context(a, &a->attempt, &a->own);
	attempt_in_context(a, &a->also, &a->play->shared);
	raw_res_spin_unlock(&a->own.lock);
}

/* The second attempt is on a lock that is free. */
static void aa(struct kunit *test)
{
	struct rqs_play *p = new_play_in_context(test, 1);

	play(test, p, act_aa);
	KUNIT_EXPECT_EQ(test, p->actors[0].attempt.err, -EDEADLK);
	KUNIT_EXPECT_EQ(test, p->actors[0].also.err, 0);
}

static void act_aa_in_table(struct rqs_actor *a)
{
	struct rqs_play *p = a->play;
	unsigned int i, k;

	for (i = 0; i < RQSPINLOCK_NR_HELD; i++) {
		take(p, &a->many[i]);
		for (k = 0; k <= i; k++)
			p->wrong += raw_res_spin_lock(&a->many[k]) != -EDEADLK;
	}
	while (i--)
		raw_res_spin_unlock(&a->many[i]);
}

static void aa_in_table(struct kunit *test)
{
	play(test, new_play(test, 1), act_aa_in_table);
}

static void take_many(struct rqs_actor *a)
{
	unsigned int i;

	for (i = 0; i < RQSPINLOCK_NR_HELD; i++)
		take(a->play, &a->many[i]);
}

static void release_many(struct rqs_actor *a)
{
	unsigned int i;

	for (i = RQSPINLOCK_NR_HELD; i--; )
		raw_res_spin_unlock(&a->many[i]);
}

static void act_aa_beyond_table(struct rqs_actor *a)
{
	take_many(a);
	act_aa(a);
	release_many(a);
}

static void aa_beyond_table(struct kunit *test)
{
	struct rqs_play *p = new_play_in_context(test, 1);

	play(test, p, act_aa_beyond_table);
	KUNIT_EXPECT_EQ(test, p->actors[0].attempt.err, -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, p->actors[0].also.err, 0);
}

static void act_abba(struct rqs_actor *a)
{
	struct rqs_play *p = a->play;

	take(p, &a->own.lock);
	meet(p);
	attempt_in_context(a, &a->attempt, &p->actors[!a->nr].own);
	raw_res_spin_unlock(&a->own.lock);
}

/* One of them gives up, or both at the same time. */
static void abba(struct kunit *test)
{
	struct rqs_play *p = new_play_in_context(test, 2);
	int err[2];

	play_in_time(test, p, act_abba);
	err[0] = p->actors[0].attempt.err;
	err[1] = p->actors[1].attempt.err;
	KUNIT_EXPECT_TRUE(test, err[0] == -EDEADLK || err[1] == -EDEADLK);
	KUNIT_EXPECT_TRUE(test, err[0] == -EDEADLK || !err[0]);
	KUNIT_EXPECT_TRUE(test, err[1] == -EDEADLK || !err[1]);
}

static void act_abba_beyond_table(struct rqs_actor *a)
{
	take_many(a);
	act_abba(a);
	release_many(a);
}

static void abba_beyond_table(struct kunit *test)
{
	struct rqs_play *p = new_play_in_context(test, 2);
	int err[2];

	play(test, p, act_abba_beyond_table);
	err[0] = p->actors[0].attempt.err;
	err[1] = p->actors[1].attempt.err;
	KUNIT_EXPECT_TRUE(test, err[0] == -ETIMEDOUT || err[1] == -ETIMEDOUT);
	KUNIT_EXPECT_TRUE(test, err[0] == -ETIMEDOUT || !err[0]);
	KUNIT_EXPECT_TRUE(test, err[1] == -ETIMEDOUT || !err[1]);
}

/* The second actor waits for the first, the first for the third. */
static void act_chain(struct rqs_actor *a)
{
	struct rqs_actor *actors = a->play->actors;

	take(a->play, &a->own.lock);
	meet(a->play);
	if (a->nr == 2) {
		await_wait(actors[0].cpu, &actors[0].attempt, &actors[2].own, 2);
		await_wait(actors[1].cpu, &actors[1].attempt, &actors[0].own, 2);
	} else {
		attempt_in_context(a, &a->attempt, &actors[a->nr ? 0 : 2].own);
	}
	raw_res_spin_unlock(&a->own.lock);
}

static void chain_is_no_deadlock(struct kunit *test)
{
	struct rqs_play *p = new_play_in_context(test, 3);

	play_in_time(test, p, act_chain);
	KUNIT_EXPECT_EQ(test, p->actors[0].attempt.err, 0);
	KUNIT_EXPECT_EQ(test, p->actors[1].attempt.err, 0);
}

static void act_handover(struct rqs_actor *a)
{
	struct rqs_actor *waiter = &a->play->actors[1];
	struct rqs_play *p = a->play;

	if (a == waiter) {
		await_step(p, 1);
		attempt_in_context(a, &a->attempt, &p->shared);
		return;
	}

	take(p, &p->shared.lock);
	next_step(p);
	await_wait(waiter->cpu, &waiter->attempt, &p->shared, 1);
	raw_res_spin_unlock(&p->shared.lock);
}

static void handover(struct kunit *test)
{
	struct rqs_play *p = new_play_in_context(test, 2);

	play_in_time(test, p, act_handover);
	KUNIT_EXPECT_EQ(test, p->actors[1].attempt.err, 0);
}

/* Like act_handover(), then try to take the lock again. */
static void act_aa_after_wait(struct rqs_actor *a)
{
	struct rqs_actor *waiter = &a->play->actors[1];
	struct rqs_play *p = a->play;

	if (a != waiter) {
		act_handover(a);
		return;
	}

	await_step(p, 1);
	a->attempt.err = raw_res_spin_lock(&p->shared.lock);
	if (a->attempt.err) {
		smp_store_release(&a->attempt.ended, true); /* pairs with ended() */
		return;
	}
	attempt_in_context(a, &a->attempt, &p->shared);
	raw_res_spin_unlock(&p->shared.lock);
}

static void aa_after_wait(struct kunit *test)
{
	struct rqs_play *p = new_play_in_context(test, 2);

	play_in_time(test, p, act_aa_after_wait);
	KUNIT_EXPECT_EQ(test, p->actors[1].attempt.err, -EDEADLK);
}

static void act_time_out(struct rqs_actor *a)
{
	struct rqs_play *p = a->play;
	unsigned int i;

	if (a->nr) {
		await_step(p, 1);
		attempt_in_context(a, &a->attempt, &p->shared);
		return;
	}

	take(p, &p->shared.lock);
	next_step(p);
	for (i = 1; i < p->nr_actors; i++)
		while (!ended(&p->actors[i].attempt))
			cpu_relax();
	p->wrong += lock_word(&p->shared.lock) != RQSPINLOCK_LOCKED;
	raw_res_spin_unlock(&p->shared.lock);
}

/* All waiters give up at about the same time. */
static void time_out(struct kunit *test)
{
	unsigned int nr = clamp(num_online_cpus(), 2, MAX_ACTORS);
	struct rqs_play *p = new_play_in_context(test, nr);
	unsigned int i;

	play(test, p, act_time_out);
	for (i = 1; i < nr; i++)
		KUNIT_EXPECT_EQ(test, p->actors[i].attempt.err, -ETIMEDOUT);
}

/* Pretend to wait for the lock of @a. Ended by rqspinlock_pop(). */
static void pretend_wait(struct rqs_actor *a)
{
	struct rqspinlock_held *held = this_cpu_ptr(&rqspinlock_held);

	rqspinlock_push(&a->own.lock);
	held->waits++;
	smp_wmb(); /* as in rqspinlock_begin_wait() */
	WRITE_ONCE(held->locks[held->nr - 1], (unsigned long)&a->own.lock | RQSPINLOCK_WAITING);
}

/*
 * An actor that waits for a lock of this one and holds that of @a detects a deadlock at
 * its next check, in the middle of its wait.
 */
static void make_give_up(struct rqs_actor *a)
{
	pretend_wait(a);
	while (!ended(&a->attempt))
		cpu_relax();
	rqspinlock_pop();
}

/* The tail in the lock's word is the last waiter that has not given up. */
static unsigned int expected_word(const struct rqs_play *p)
{
	unsigned int i = p->nr_actors;

	while (--i)
		if (!ended(&p->actors[i].attempt))
			return queued_word(&p->actors[i]);

	return RQSPINLOCK_LOCKED;
}

static void act_give_up(struct rqs_actor *a)
{
	struct rqs_play *p = a->play;
	unsigned int i;

	if (a->nr) {
		take(p, &a->own.lock);
		await_step(p, a->nr);
		a->attempt.on = &p->shared;
		attempt(&a->attempt);
		raw_res_spin_unlock(&a->own.lock);
		return;
	}

	take(p, &p->shared.lock);
	for (i = 1; i < p->nr_actors; i++) {
		next_step(p);
		await_queued(&p->actors[i], &p->shared);
	}
	for (i = 0; i < p->nr_orders; i++) {
		make_give_up(&p->actors[p->order[i]]);
		p->wrong_words += lock_word(&p->shared.lock) != expected_word(p);
	}
	raw_res_spin_unlock(&p->shared.lock);
}

static bool is_in_order(const struct rqs_play *p, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < p->nr_orders; i++)
		if (p->order[i] == nr)
			return true;

	return false;
}

/* All queued actors except those in p->order get the lock, then others try. */
static void give_up_orders(struct kunit *test, struct rqs_play *p)
{
	unsigned int i;

	play_in_time(test, p, act_give_up);
	KUNIT_EXPECT_EQ(test, p->wrong_words, 0);
	for (i = 1; i < p->nr_actors; i++)
		KUNIT_EXPECT_EQ(test, p->actors[i].attempt.err,
				is_in_order(p, i) ? -EDEADLK : 0);

	for (i = 1; i < p->nr_actors; i++) {
		if (is_in_order(p, i))
			continue;
		p->order[p->nr_orders++] = i;
		give_up_orders(test, p);
		p->nr_orders--;
	}
}

/* Any number of waiters give up, in any order. */
static void give_up(struct kunit *test)
{
	unsigned int nr = clamp(num_online_cpus(), 2, MAX_ACTORS);
	struct rqs_play *p = new_play(test, nr);

	if (!IS_ENABLED(CONFIG_QUEUED_SPINLOCKS))
		kunit_skip(test, "no queue");

	give_up_orders(test, p);
}

/*
 * The first actor holds the lock. While some of the others wait, its storage is reused,
 * and the new lock is taken immediately. More actors wait for it, with the same tail.
 */
static void act_reused(struct rqs_actor *a)
{
	struct rqs_play *p = a->play;
	unsigned int i;

	if (a->nr) {
		await_step(p, a->nr);
		a->attempt.on = &p->shared;
		attempt(&a->attempt);
		return;
	}

	take(p, &p->shared.lock);
	for (i = 1; i < p->nr_actors; i++) {
		next_step(p);
		await_queued(&p->actors[i], &p->shared);
		if (i == p->damage_at)
			atomic_set(&p->shared.lock.val, RQSPINLOCK_LOCKED);
	}
	raw_res_spin_unlock(&p->shared.lock);
}

/*
 * All actors get the lock nevertheless. A CPU that does not know that it is the last in its
 * queue does not queue again before a grace period has passed. The next scenario checks
 * that it does then.
 */
static void reused(struct kunit *test)
{
	unsigned int nr = clamp(num_online_cpus(), 2, MAX_ACTORS);
	struct rqs_play *p = new_play(test, nr);
	unsigned int again, i;

	if (!IS_ENABLED(CONFIG_QUEUED_SPINLOCKS))
		kunit_skip(test, "no queue");

	for (again = 0; again < 2; again++) {
		for (p->damage_at = 0; p->damage_at < nr; p->damage_at++) {
			play_in_time(test, p, act_reused);
			KUNIT_EXPECT_EQ(test, p->shared.count, nr - 1);
			for (i = 1; i < nr; i++)
				KUNIT_EXPECT_EQ(test, p->actors[i].attempt.err, 0);
		}
	}
}

/* The second actor waits, and so does an interrupt on its CPU. */
static void act_interrupted(struct rqs_actor *a)
{
	struct rqs_actor *waiter = &a->play->actors[1];
	struct rqs_play *p = a->play;

	if (a == waiter) {
		await_step(p, 1);
		a->attempt.on = &p->shared;
		attempt(&a->attempt);
		interrupt_wait(&a->interrupt);
		return;
	}

	interrupt_init(&waiter->interrupt, p->context, attempt, &waiter->also);
	waiter->also.on = &p->shared;
	take(p, &p->shared.lock);
	next_step(p);
	await_wait(waiter->cpu, &waiter->attempt, &p->shared, 1);
	interrupt_send(&waiter->interrupt, waiter->cpu);
	await_wait(waiter->cpu, &waiter->also, &p->shared, 2);
	raw_res_spin_unlock(&p->shared.lock);
}

static void interrupted(struct kunit *test)
{
	struct rqs_play *p = new_play_in_context(test, 2);
	struct rqs_actor *waiter = &p->actors[1];

	play_in_time(test, p, act_interrupted);
	KUNIT_EXPECT_EQ(test, waiter->attempt.err, 0);
	KUNIT_EXPECT_EQ(test, waiter->also.err, 0);
	KUNIT_EXPECT_EQ(test, waiter->also.turn, 1);
}

/*
 * The second actor is head of the queue, but is interrupted. The interrupt waits for a
 * lock of the third one, which is next in the queue.
 */
static void act_interrupted_head(struct rqs_actor *a)
{
	struct rqs_actor *head = &a->play->actors[1];
	struct rqs_actor *next = &a->play->actors[2];
	struct rqs_play *p = a->play;

	if (a->nr) {
		if (a == next)
			take(p, &next->own.lock);
		await_step(p, a->nr);
		a->attempt.on = &p->shared;
		attempt(&a->attempt);
		if (a == next)
			raw_res_spin_unlock(&next->own.lock);
		else
			interrupt_wait(&head->interrupt);
		return;
	}

	interrupt_init(&head->interrupt, p->context, attempt, &head->also);
	head->also.on = &next->own;
	take(p, &p->shared.lock);
	next_step(p);
	await_queued(head, &p->shared);
	next_step(p);
	await_queued(next, &p->shared);
	interrupt_send(&head->interrupt, head->cpu);
	await_wait(head->cpu, &head->also, &next->own, 2);
	raw_res_spin_unlock(&p->shared.lock);
}

static void interrupted_head(struct kunit *test)
{
	struct rqs_play *p = new_play_in_context(test, 3);

	if (!IS_ENABLED(CONFIG_QUEUED_SPINLOCKS))
		kunit_skip(test, "no queue");

	play_in_time(test, p, act_interrupted_head);
	KUNIT_EXPECT_EQ(test, p->actors[1].attempt.err, 0);
	KUNIT_EXPECT_EQ(test, p->actors[1].attempt.turn, 2);
	KUNIT_EXPECT_EQ(test, p->actors[1].also.err, 0);
	KUNIT_EXPECT_EQ(test, p->actors[2].attempt.err, 0);
	KUNIT_EXPECT_EQ(test, p->actors[2].attempt.turn, 1);
}

#ifdef CONFIG_X86
/* Above the only entry of the actor's table, as if an interrupt took and released it */
static void list_own_lock(struct rqs_actor *a, bool held)
{
	struct rqspinlock_held *table = per_cpu_ptr(&rqspinlock_held, a->cpu);

	WRITE_ONCE(table->nr, held ? 2 : 1);
	WRITE_ONCE(table->locks[1], held ? (unsigned long)&a->own.lock : 0);
}

/* The lock is listed after the number of entries was loaded, until it is observed. */
static void table_was_read(struct perf_event *event, struct perf_sample_data *data,
			   struct pt_regs *regs)
{
	struct rqs_actor *a = event->overflow_handler_context;
	struct rqspinlock_held *table = per_cpu_ptr(&rqspinlock_held, a->cpu);

	list_own_lock(a, event->attr.bp_addr == (unsigned long)&table->nr);
	a->play->reads++;
}

/* x86 traps after this CPU has accessed the address. */
static struct perf_event *watch(struct rqs_actor *a, void *address, size_t size,
				perf_overflow_handler_t was_accessed)
{
	struct perf_event_attr attr;
	struct perf_event *event;

	hw_breakpoint_init(&attr);
	attr.bp_addr = (unsigned long)address;
	attr.bp_len = size;
	attr.bp_type = HW_BREAKPOINT_RW;
	event = perf_event_create_kernel_counter(&attr, raw_smp_processor_id(), NULL,
						 was_accessed, a);
	if (!IS_ERR(event))
		return event;

	a->play->wrong++;

	return NULL;
}

static void unwatch(struct perf_event *event)
{
	if (event)
		perf_event_release_kernel(event);
}

/* RCU needs the other CPUs until the watchpoints are set, in step 1. */
static void await_watch(struct rqs_play *p)
{
	while (atomic_read_acquire(&p->step) < 1)
		cond_resched();
}

static void search_above_wait(struct rqs_actor *a, struct rqs_actor *waiter)
{
	struct rqspinlock_held *table = per_cpu_ptr(&rqspinlock_held, waiter->cpu);
	struct perf_event *nr, *lock;

	nr = watch(waiter, &table->nr, sizeof(table->nr), table_was_read);
	lock = watch(waiter, &table->locks[1], sizeof(table->locks[1]), table_was_read);
	next_step(a->play);
	await_step(a->play, 2);
	take(a->play, &a->own.lock);
	a->attempt.on = &waiter->own;
	attempt(&a->attempt);
	raw_res_spin_unlock(&a->own.lock);
	unwatch(lock);
	unwatch(nr);
}

/*
 * The first actor waits for a lock, and finds it in the table of the second, which waits
 * for the first. It is added and removed above that wait, by a context that has interrupted
 * the second actor and can make progress, so this is not a deadlock.
 */
static void act_above_wait(struct rqs_actor *a)
{
	struct rqs_actor *searcher = &a->play->actors[0];

	if (a == searcher) {
		search_above_wait(a, &a->play->actors[1]);
		return;
	}

	await_watch(a->play);
	take(a->play, &a->own.lock);
	rqspinlock_pop();
	pretend_wait(searcher);
	next_step(a->play);
	while (!ended(&searcher->attempt))
		cpu_relax();
	list_own_lock(a, false);
	rqspinlock_pop();
	rqspinlock_push(&a->own.lock);
	raw_res_spin_unlock(&a->own.lock);
}

static void above_wait(struct kunit *test)
{
	struct rqs_play *p = new_play(test, 2);

	play(test, p, act_above_wait);
	KUNIT_EXPECT_GT(test, p->reads, 0);
	KUNIT_EXPECT_EQ(test, p->actors[0].attempt.err, -ETIMEDOUT);
}

#define FIRST_ACCESSES 6

/* One of the first accesses is in the steps of entering the queue. */
static void word_was_first_accessed(struct perf_event *event, struct perf_sample_data *data,
				    struct pt_regs *regs)
{
	struct rqs_actor *a = event->overflow_handler_context;
	struct rqs_play *p = a->play;

	if (a->also.err == -EDEADLK || p->reads == FIRST_ACCESSES)
		return;

	p->reads++;
	a->also.on = &p->shared;
	attempt(&a->also);
}

/* The second actor is interrupted in the middle of the queue's steps. */
static void act_interrupted_steps(struct rqs_actor *a)
{
	struct rqs_actor *waiter = &a->play->actors[1];
	struct rqs_play *p = a->play;
	struct perf_event *word;

	if (a == waiter) {
		word = watch(a, &p->shared.lock, sizeof(p->shared.lock),
			     word_was_first_accessed);
		next_step(p);
		await_step(p, 2);
		a->attempt.on = &p->shared;
		attempt(&a->attempt);
		unwatch(word);
		return;
	}

	await_watch(p);
	take(p, &p->shared.lock);
	next_step(p);
	while (!ended(&waiter->attempt))
		cpu_relax();
	raw_res_spin_unlock(&p->shared.lock);
}

/* The interrupt does not wait, as the lock is released only after all have failed. */
static void interrupted_steps(struct kunit *test)
{
	struct rqs_play *p = new_play(test, 2);

	if (!IS_ENABLED(CONFIG_QUEUED_SPINLOCKS))
		kunit_skip(test, "no queue");

	play(test, p, act_interrupted_steps);
	KUNIT_EXPECT_GT(test, p->reads, 0);
	KUNIT_EXPECT_EQ(test, p->actors[1].also.err, -EDEADLK);
	KUNIT_EXPECT_EQ(test, p->actors[1].attempt.err, -ETIMEDOUT);
}

#define RELEASE_AT 8

/* The holder releases the lock when the waiter has tested it a few times. */
static void word_was_accessed(struct perf_event *event, struct perf_sample_data *data,
			      struct pt_regs *regs)
{
	struct rqs_actor *a = event->overflow_handler_context;
	struct rqs_play *p = a->play;

	p->reads++;
	if (p->reads == RELEASE_AT)
		atomic_andnot(RQSPINLOCK_LOCKED, &p->shared.lock.val);
	if (p->reads == p->damage_at)
		atomic_set(&p->shared.lock.val, p->damage);
}

/* The word is overwritten while the second actor waits, holds or releases the lock. */
static void act_damaged(struct rqs_actor *a)
{
	struct rqs_actor *waiter = &a->play->actors[1];
	struct rqs_play *p = a->play;
	struct perf_event *word;

	if (a == waiter) {
		word = watch(a, &p->shared.lock, sizeof(p->shared.lock), word_was_accessed);
		next_step(p);
		await_step(p, 2);
		a->attempt.on = &p->shared;
		attempt(&a->attempt);
		unwatch(word);
		return;
	}

	await_watch(p);
	take(p, &p->shared.lock);
	next_step(p);
	while (!ended(&waiter->attempt))
		cpu_relax();
	rqspinlock_pop();
	preempt_enable();

	/* With any word the lock can be taken, and is entirely free afterwards. */
	a->attempt.on = &p->shared;
	attempt(&a->attempt);
}

/* For each access to the word, until the waiter has no more of them. */
static void damage_with(struct kunit *test, struct rqs_play *p, unsigned int word)
{
	p->damage = word;
	p->damage_at = 0;
	do {
		p->damage_at++;
		play_in_time(test, p, act_damaged);
		KUNIT_EXPECT_EQ(test, p->actors[0].attempt.err, 0);
		KUNIT_EXPECT_EQ(test, p->actors[1].attempt.err, 0);
	} while (p->reads >= p->damage_at);
	KUNIT_EXPECT_GT(test, p->reads, RELEASE_AT);
	kunit_info(test, "0x%08x at each of %u accesses\n", word, p->reads);
}

static void damaged(struct kunit *test)
{
	struct rqs_play *p = new_play(test, 2);

	/* Zero, and tails that refer to CPUs outside the queue or to invalid ones */
	damage_with(test, p, 0);
	damage_with(test, p, (cpumask_first(cpu_online_mask) + 1) << 8);
	damage_with(test, p, (cpumask_next(0, cpu_online_mask) + 1) << 8);
	damage_with(test, p, ~0xffu);
}
#else
static void above_wait(struct kunit *test)
{
	kunit_skip(test, "no way to stop a CPU when it has read a table");
}

static void interrupted_steps(struct kunit *test)
{
	kunit_skip(test, "no way to interrupt a CPU in the midst of a step");
}

static void damaged(struct kunit *test)
{
	kunit_skip(test, "no way to stop a CPU when it has accessed the word");
}
#endif

struct rqs_stress;

/**
 * struct rqs_stress_context - one context of one CPU
 * @stress: the CPU
 * @random: state of its random numbers
 * @got: number of times that it has taken each lock
 * @deadlocks: number of -EDEADLK
 * @timeouts: number of -ETIMEDOUT
 * @others: number of other errors
 */
struct rqs_stress_context {
	struct rqs_stress *stress;
	struct rnd_state random;
	unsigned long got[STRESS_LOCKS];
	unsigned long deadlocks;
	unsigned long timeouts;
	unsigned long others;
};

enum { RQS_STRESS_TASK, RQS_STRESS_WORK, RQS_STRESS_TIMER, RQS_STRESS_NMI, RQS_STRESS_CONTEXTS };

struct rqs_stress {
	const struct rqs_stress_param *param;
	struct rqs_guarded *locks;
	struct rqs_interrupt work;
	struct rqs_interrupt nmi;
	struct hrtimer timer;
	struct rqs_stress_context contexts[RQS_STRESS_CONTEXTS];
};

static unsigned int stress_random(struct rqs_stress_context *c, unsigned int below)
{
	return prandom_u32_state(&c->random) % below;
}

static void stress_lock(struct rqs_stress_context *c, unsigned int depth)
{
	unsigned int i = stress_random(c, c->stress->param->nr_locks);
	struct rqs_guarded *on = &c->stress->locks[i];
	bool irqsave = stress_random(c, 2);
	unsigned long flags, count;
	int err, k;

	if (irqsave)
		err = raw_res_spin_lock_irqsave(&on->lock, flags);
	else
		err = raw_res_spin_lock(&on->lock);
	if (err) {
		c->deadlocks += err == -EDEADLK;
		c->timeouts += err == -ETIMEDOUT;
		c->others += err != -EDEADLK && err != -ETIMEDOUT;
		return;
	}

	count = READ_ONCE(on->count);
	for (k = stress_random(c, 64); k--; )
		cpu_relax();
	WRITE_ONCE(on->count, count + 1);
	c->got[i]++;
	if (depth)
		stress_lock(c, depth - 1);

	if (irqsave)
		raw_res_spin_unlock_irqrestore(&on->lock, flags);
	else
		raw_res_spin_unlock(&on->lock);
}

static void stress_once(void *data)
{
	struct rqs_stress_context *c = data;

	stress_lock(c, stress_random(c, 4));
}

/* The holder loses the lock, and waiters may lose their queue. */
static void stress_zero(struct rqs_stress *s)
{
	struct rqs_stress_context *c = &s->contexts[RQS_STRESS_TASK];

	if (s->param->zero && !stress_random(c, 4))
		res_spin_lock_init(&s->locks[stress_random(c, s->param->nr_locks)].lock);
}

static enum hrtimer_restart stress_timer(struct hrtimer *timer)
{
	struct rqs_stress *s = container_of(timer, struct rqs_stress, timer);

	stress_once(&s->contexts[RQS_STRESS_TIMER]);
	hrtimer_forward_now(timer, ns_to_ktime(NSEC_PER_MSEC));

	return HRTIMER_RESTART;
}

static void act_stress(struct rqs_actor *a)
{
	struct rqs_stress *all = a->play->data, *s = &all[a->nr];
	struct rqs_play *p = a->play;
	unsigned int i, other;

	interrupt_init(&s->work, RQS_HARDIRQ, stress_once, &s->contexts[RQS_STRESS_WORK]);
	interrupt_init(&s->nmi, RQS_NMI, stress_once, &s->contexts[RQS_STRESS_NMI]);
	hrtimer_init(&s->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	s->timer.function = stress_timer;
	meet(p);

	hrtimer_start(&s->timer, ns_to_ktime(NSEC_PER_MSEC), HRTIMER_MODE_REL_PINNED_HARD);
	for (i = 0; i < s->param->rounds; i++) {
		interrupt_send(&s->work, a->cpu);
		other = stress_random(&s->contexts[RQS_STRESS_TASK], p->nr_actors);
		interrupt_send(&all[other].nmi, p->actors[other].cpu);
		stress_once(&s->contexts[RQS_STRESS_TASK]);
		stress_zero(s);
		cond_resched();
	}

	next_step(p);
	while (atomic_read(&p->step) < 2 * p->nr_actors || nmi_pending(a->cpu))
		cond_resched();
	hrtimer_cancel(&s->timer);
	irq_work_sync(&s->work.work);
}

static void expect_exact(struct kunit *test, const struct rqs_play *p)
{
	unsigned long got[STRESS_LOCKS] = {}, deadlocks = 0, timeouts = 0, others = 0;
	const struct rqs_stress *all = p->data;
	unsigned int i, k, l;

	for (i = 0; i < p->nr_actors; i++) {
		for (k = 0; k < RQS_STRESS_CONTEXTS; k++) {
			const struct rqs_stress_context *c = &all[i].contexts[k];

			for (l = 0; l < STRESS_LOCKS; l++)
				got[l] += c->got[l];
			deadlocks += c->deadlocks;
			timeouts += c->timeouts;
			others += c->others;
		}
		KUNIT_EXPECT_FALSE(test, all[i].work.misplaced);
		KUNIT_EXPECT_FALSE(test, all[i].nmi.misplaced);
	}
	for (l = 0; l < STRESS_LOCKS; l++) {
		struct rqs_attempt last = { .on = &all->locks[l] };

		if (!all->param->zero) {
			KUNIT_EXPECT_EQ(test, all->locks[l].count, got[l]);
			KUNIT_EXPECT_EQ(test, lock_word(&all->locks[l].lock), 0);
		}
		attempt(&last);
		KUNIT_EXPECT_EQ(test, last.err, 0);
		KUNIT_EXPECT_EQ(test, lock_word(&all->locks[l].lock), 0);
	}
	KUNIT_EXPECT_GT(test, deadlocks, 0);
	KUNIT_EXPECT_EQ(test, others, 0);
	kunit_info(test, "%lu deadlocks, %lu timeouts\n", deadlocks, timeouts);
}

static void stress(struct kunit *test)
{
	struct rqs_play *p = new_play(test, num_online_cpus());
	struct rqs_guarded *locks;
	struct rqs_stress *all;
	unsigned int i, k;

	all = kunit_kcalloc(test, p->nr_actors, sizeof(*all), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, all);
	locks = kunit_kcalloc(test, STRESS_LOCKS, sizeof(*locks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, locks);
	for (i = 0; i < p->nr_actors; i++) {
		all[i].param = test->param_value;
		all[i].locks = locks;
		for (k = 0; k < RQS_STRESS_CONTEXTS; k++) {
			all[i].contexts[k].stress = &all[i];
			prandom_seed_state(&all[i].contexts[k].random, i * RQS_STRESS_CONTEXTS + k);
		}
	}

	p->data = all;
	play(test, p, act_stress);
	expect_exact(test, p);
}

static int rqspinlock_test_init(struct kunit_suite *suite)
{
	return nmi_setup();
}

static void rqspinlock_test_exit(struct kunit_suite *suite)
{
	nmi_cleanup();
}

static struct kunit_case rqspinlock_test_cases[] = {
	KUNIT_CASE(uncontended),
	KUNIT_CASE_PARAM(uncontended_in, contexts_gen_params),
	KUNIT_CASE_PARAM(aa, contexts_gen_params),
	KUNIT_CASE(aa_in_table),
	KUNIT_CASE_PARAM(aa_beyond_table, contexts_gen_params),
	KUNIT_CASE_PARAM(abba, contexts_gen_params),
	KUNIT_CASE_PARAM(abba_beyond_table, contexts_gen_params),
	KUNIT_CASE_PARAM(chain_is_no_deadlock, contexts_gen_params),
	KUNIT_CASE_PARAM(handover, contexts_gen_params),
	KUNIT_CASE_PARAM(aa_after_wait, contexts_gen_params),
	KUNIT_CASE_PARAM(time_out, contexts_gen_params),
	KUNIT_CASE(give_up),
	KUNIT_CASE(reused),
	KUNIT_CASE_PARAM(interrupted, interrupts_gen_params),
	KUNIT_CASE_PARAM(interrupted_head, interrupts_gen_params),
	KUNIT_CASE(above_wait),
	KUNIT_CASE(interrupted_steps),
	KUNIT_CASE_SLOW(damaged),
	KUNIT_CASE_PARAM_ATTR(stress, stresses_gen_params, { .speed = KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite rqspinlock_test_suite = {
	.name = "rqspinlock",
	.suite_init = rqspinlock_test_init,
	.suite_exit = rqspinlock_test_exit,
	.test_cases = rqspinlock_test_cases,
};

kunit_test_suite(rqspinlock_test_suite);
