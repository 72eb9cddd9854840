// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of alloc_pages_nolock() and free_pages_nolock().
 *
 * The CPU that calls the functions holds the locks for which they must not wait: a
 * bug hangs the test instead of failing it.
 *
 * Nothing can be reported while a lock is held, so results are collected in
 * variables and checked afterwards.
 */

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/initrd.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/vmstat.h>
#include <trace/events/kmem.h>
#include <trace/events/vmscan.h>

#define MAX_ORDER_NOLOCK	PAGE_ALLOC_COSTLY_ORDER
#define PARK_ROUNDS		512
#define DRAIN_ROUNDS		20
#define STRESS_ROUNDS		4000

/* Noise of the rest of the system, in pages; the tests move several times it. */
#define LEAK_TOLERANCE		(PARK_ROUNDS * 2)

/* On UP and PREEMPT_RT allocation fails while interrupts are disabled. */
static bool works_with_irqs_disabled(void)
{
	return IS_ENABLED(CONFIG_SMP) && !IS_ENABLED(CONFIG_PREEMPT_RT);
}

/*
 * Several locks of a class, which lockdep only permits with trylock. The annotations are
 * for sparse, which cannot count locks.
 */
static void lock_pcps(void)
{
	struct per_cpu_pages *pcp;
	struct zone *zone;

	for_each_populated_zone(zone) {
		pcp = this_cpu_ptr(zone->per_cpu_pageset);
		while (!spin_trylock(&pcp->lock))
			cpu_relax();
		__release(&pcp->lock);
	}
}

static void unlock_pcps(void)
{
	struct per_cpu_pages *pcp;
	struct zone *zone;

	for_each_populated_zone(zone) {
		pcp = this_cpu_ptr(zone->per_cpu_pageset);
		__acquire(&pcp->lock);
		spin_unlock(&pcp->lock);
	}
}

static void lock_zones(void)
{
	struct zone *zone;

	for_each_populated_zone(zone) {
		while (!spin_trylock(&zone->lock))
			cpu_relax();
		__release(&zone->lock);
	}
}

static void unlock_zones(void)
{
	struct zone *zone;

	for_each_populated_zone(zone) {
		__acquire(&zone->lock);
		spin_unlock(&zone->lock);
	}
}

static struct page *must_alloc(struct kunit *test, unsigned int order)
{
	struct page *page;
	int try;

	/* Other CPUs may hold the zone lock for a short time. */
	for (try = 0; try < 1000; try++) {
		page = alloc_pages_nolock(NUMA_NO_NODE, order);
		if (page)
			return page;
		fsleep(1000);
	}
	KUNIT_FAIL_AND_ABORT(test, "no page of order %u with no lock held",
			     order);
	return NULL;
}

static unsigned long nr_free_pages_drained(void)
{
	drain_all_pages(NULL);
	return global_zone_page_state(NR_FREE_PAGES);
}

static void expect_no_leak(struct kunit *test, unsigned long free_before)
{
	KUNIT_EXPECT_GE(test, nr_free_pages_drained() + LEAK_TOLERANCE,
			free_before);
}

static void nolock_round_trip(struct kunit *test)
{
	struct page *page;
	unsigned int order;
	void *zeroed;

	for (order = 0; order <= MAX_ORDER_NOLOCK; order++) {
		page = must_alloc(test, order);
		zeroed = memchr_inv(page_address(page), 0, PAGE_SIZE << order);
		KUNIT_EXPECT_NULL(test, zeroed);
		KUNIT_EXPECT_EQ(test, page_count(page), 1);
		KUNIT_EXPECT_EQ(test, compound_order(page), order);
		memset(page_address(page), 0xff, PAGE_SIZE << order);
		free_pages_nolock(page, order);
	}

	KUNIT_EXPECT_NULL(test, alloc_pages_nolock(NUMA_NO_NODE, order));
}

static void nolock_keeps_referenced_page(struct kunit *test)
{
	struct page *page = must_alloc(test, 1);

	get_page(page);
	free_pages_nolock(page, 1);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_EQ(test, compound_order(page), 1);
	put_page(page);
}

/* Hold all locks, for all pages at once, so that none is freed meanwhile. */
static void park_pages(struct kunit *test)
{
	struct page *page, *next, *got[2];
	unsigned long flags;
	LIST_HEAD(pages);
	int i;

	for (i = 0; i < PARK_ROUNDS; i++)
		list_add(&must_alloc(test, MAX_ORDER_NOLOCK)->lru, &pages);

	local_irq_save(flags);
	lock_pcps();
	lock_zones();
	for (i = 0; i < ARRAY_SIZE(got); i++)
		got[i] = alloc_pages_nolock(NUMA_NO_NODE, i);
	list_for_each_entry_safe(page, next, &pages, lru)
		free_pages_nolock(page, MAX_ORDER_NOLOCK);
	unlock_zones();
	unlock_pcps();
	local_irq_restore(flags);

	for (i = 0; i < ARRAY_SIZE(got); i++)
		KUNIT_EXPECT_NULL(test, got[i]);
}

static bool all_are_free(unsigned long free_before)
{
	return global_zone_page_state(NR_FREE_PAGES) + LEAK_TOLERANCE >= free_before;
}

static void nolock_parked_come_back(struct kunit *test)
{
	unsigned long free_before = nr_free_pages_drained();
	int try;

	park_pages(test);
	for (try = 0; try < 10000 && !all_are_free(free_before); try++)
		fsleep(1000);
	KUNIT_EXPECT_TRUE(test, all_are_free(free_before));
}

/* More than once, as the work item may free them first */
static void nolock_drain_frees_parked(struct kunit *test)
{
	unsigned long free_before = nr_free_pages_drained();
	struct zone *zone;
	int i;

	for (i = 0; i < DRAIN_ROUNDS; i++) {
		park_pages(test);
		for_each_populated_zone(zone)
			drain_all_pages(zone);
		KUNIT_ASSERT_TRUE(test, all_are_free(free_before));
	}
}

/* Keep other tasks from this CPU's pages, if the locks do not sleep. */
static void stay_here(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		migrate_disable();
	else
		preempt_disable();
}

static void leave(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		migrate_enable();
	else
		preempt_enable();
}

/* Leave a page on the pcp list of this CPU, if pages can be allocated here. */
static void prime_pcp(void)
{
	struct page *page;
	int try;

	for (try = 0; try < 1000; try++) {
		page = alloc_pages_nolock(NUMA_NO_NODE, 0);
		if (!page)
			continue;
		free_pages_nolock(page, 0);
		return;
	}
}

static void nolock_zone_lock_held(struct kunit *test)
{
	struct page *page, *next;
	unsigned long flags;
	LIST_HEAD(pages);
	int got = 0;

	/* Pages on this CPU's lists can be allocated, but no others. */
	drain_all_pages(NULL);
	preempt_disable();
	/* With debugobjects, freeing parks the page if interrupts are disabled. */
	prime_pcp();
	local_irq_save(flags);
	lock_zones();
	while ((page = alloc_pages_nolock(NUMA_NO_NODE, 0)) && ++got)
		list_add(&page->lru, &pages);
	list_for_each_entry_safe(page, next, &pages, lru)
		free_pages_nolock(page, 0);
	unlock_zones();
	local_irq_restore(flags);
	preempt_enable();

	KUNIT_EXPECT_EQ(test, got > 0, works_with_irqs_disabled());
}

static void nolock_pcp_lock_held(struct kunit *test)
{
	struct page *page = NULL;
	unsigned long flags;
	unsigned int order;

	for (order = 0; order <= MAX_ORDER_NOLOCK; order++) {
		int try;

		for (try = 0; !page && try < 1000; try++) {
			local_irq_save(flags);
			lock_pcps();
			page = alloc_pages_nolock(NUMA_NO_NODE, order);
			if (page)
				free_pages_nolock(page, order);
			unlock_pcps();
			local_irq_restore(flags);
		}
		KUNIT_EXPECT_EQ(test, !!page, works_with_irqs_disabled());
		page = NULL;
	}
}

struct hardirq_test {
	struct irq_work work;
	struct page *page;
	unsigned int order;
	bool in_hardirq;
};

static void hardirq_alloc_free(struct irq_work *work)
{
	struct hardirq_test *ht = container_of(work, struct hardirq_test, work);

	ht->in_hardirq = in_hardirq();
	ht->page = alloc_pages_nolock(NUMA_NO_NODE, ht->order);
	if (ht->page)
		free_pages_nolock(ht->page, ht->order);
}

static void nolock_hardirq(struct kunit *test)
{
	struct hardirq_test ht = {
		.work = IRQ_WORK_INIT_HARD(hardirq_alloc_free),
	};
	int try;

	for (; ht.order <= MAX_ORDER_NOLOCK; ht.order++) {
		ht.page = NULL;
		for (try = 0; !ht.page && try < 1000; try++) {
			irq_work_queue(&ht.work);
			irq_work_sync(&ht.work);
		}
		KUNIT_EXPECT_TRUE(test, ht.in_hardirq);
		KUNIT_EXPECT_EQ(test, !!ht.page, works_with_irqs_disabled());
	}
}

struct probe_test {
	struct task_struct *task;
	int calls;
	int allocated;
};

static void zone_locked_probe(void *data, struct page *page, unsigned int order,
			      int migratetype, int percpu_refill)
{
	struct probe_test *pt = data;
	struct page *got;
	int i;

	/* Recursion, from __rmqueue() of another zone below */
	if (current != pt->task || pt->calls++)
		return;

	for (i = 0; i <= MAX_ORDER_NOLOCK; i++) {
		got = alloc_pages_nolock(NUMA_NO_NODE, i);
		if (!got)
			continue;
		pt->allocated++;
		free_pages_nolock(got, i);
	}
}

static void nolock_zone_locked_tracepoint(struct kunit *test)
{
	const unsigned int order = MAX_ORDER_NOLOCK + 1;
	struct probe_test pt = { .task = current };
	struct page *page;
	int ret;

	ret = register_trace_mm_page_alloc_zone_locked(zone_locked_probe, &pt);
	if (ret)
		kunit_skip(test, "no tracepoints");

	/*
	 * This order is too large for the pcp lists, so zone->lock is taken. On PREEMPT_RT
	 * that leaves interrupts enabled.
	 */
	drain_all_pages(NULL);
	stay_here();
	prime_pcp();
	pt.calls = 0;
	page = alloc_pages(GFP_NOWAIT, order);
	leave();
	unregister_trace_mm_page_alloc_zone_locked(zone_locked_probe, &pt);
	tracepoint_synchronize_unregister();
	KUNIT_ASSERT_NOT_NULL(test, page);
	__free_pages(page, order);

	KUNIT_EXPECT_GT(test, pt.calls, 0);
	KUNIT_EXPECT_EQ(test, pt.allocated > 0, IS_ENABLED(CONFIG_SMP));
}

static void wakeup_probe(void *data, int nid, int zid, int order,
			 gfp_t gfp_flags)
{
	struct probe_test *pt = data;

	if (current == pt->task && in_task())
		pt->calls++;
}

/* No zone is above the watermarks, as if memory were exhausted. */
static void swap_watermarks(unsigned long (*saved)[NR_WMARK])
{
	struct zone *zone;

	for_each_populated_zone(zone) {
		swap(zone->_watermark[WMARK_LOW], (*saved)[WMARK_LOW]);
		swap(zone->_watermark[WMARK_HIGH], (*saved)[WMARK_HIGH]);
		saved++;
	}
}

static void nolock_respects_low_watermark(struct kunit *test)
{
	wait_queue_head_t *kswapd = &NODE_DATA(numa_mem_id())->kswapd_wait;
	struct probe_test pt = { .task = current };
	unsigned long (*saved)[NR_WMARK];
	int calls, i, nr_zones = 0;
	struct page *page, *plain;
	struct zone *zone;

	for_each_populated_zone(zone)
		nr_zones++;
	saved = kunit_kcalloc(test, nr_zones, sizeof(*saved), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, saved);
	for (i = 0; i < nr_zones; i++) {
		saved[i][WMARK_LOW] = LONG_MAX / 2;
		saved[i][WMARK_HIGH] = LONG_MAX / 2;
	}

	if (register_trace_mm_vmscan_wakeup_kswapd(wakeup_probe, &pt))
		kunit_skip(test, "no tracepoints");

	/* Only a kswapd that sleeps is woken. */
	while (!waitqueue_active(kswapd))
		fsleep(1000);

	stay_here();
	swap_watermarks(saved);
	page = alloc_pages_nolock(NUMA_NO_NODE, 0);
	calls = pt.calls;
	/* Check that a wake-up would have been noticed. */
	plain = alloc_page(GFP_NOWAIT | __GFP_NOWARN);
	swap_watermarks(saved);
	leave();

	unregister_trace_mm_vmscan_wakeup_kswapd(wakeup_probe, &pt);
	tracepoint_synchronize_unregister();
	if (plain)
		__free_page(plain);
	if (page)
		free_pages_nolock(page, 0);

	KUNIT_EXPECT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, calls, 0);
	KUNIT_EXPECT_GT(test, pt.calls, 0);

	free_pages_nolock(must_alloc(test, 0), 0);
}

struct stress {
	struct completion done;
	struct irq_work work;
	unsigned long freed;
	unsigned int order;
};

static void stress_once(struct stress *st, unsigned int order)
{
	struct page *page = alloc_pages_nolock(NUMA_NO_NODE, order);

	if (!page)
		return;
	memset(page_address(page), order, PAGE_SIZE << order);
	free_pages_nolock(page, order);
	st->freed += 1 << order;
}

static void stress_hardirq(struct irq_work *work)
{
	struct stress *st = container_of(work, struct stress, work);

	stress_once(st, st->order++ % (MAX_ORDER_NOLOCK + 1));
}

static int stress_thread(void *data)
{
	struct stress *st = data;
	struct page *page;
	int i;

	for (i = 0; i < STRESS_ROUNDS; i++) {
		unsigned int order = i % (MAX_ORDER_NOLOCK + 2);

		irq_work_queue(&st->work);
		/* Keep zone->lock and the pcp lists busy. */
		page = alloc_pages(GFP_KERNEL, order);
		if (page)
			__free_pages(page, order);
		if (order <= MAX_ORDER_NOLOCK)
			stress_once(st, order);
		cond_resched();
	}
	irq_work_sync(&st->work);
	complete(&st->done);

	return 0;
}

static void nolock_stress(struct kunit *test)
{
	unsigned long free_before = nr_free_pages_drained();
	struct task_struct *task;
	unsigned long freed = 0;
	struct stress *st;
	int cpu, i = 0;

	st = kunit_kcalloc(test, nr_cpu_ids, sizeof(*st), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, st);

	for_each_online_cpu(cpu) {
		st[i].work = IRQ_WORK_INIT_HARD(stress_hardirq);
		init_completion(&st[i].done);
		task = kthread_create_on_cpu(stress_thread, &st[i], cpu,
					     "nolock_test/%u");
		if (IS_ERR(task))
			break;
		wake_up_process(task);
		i++;
	}
	while (i--) {
		wait_for_completion(&st[i].done);
		freed += st[i].freed;
	}

	KUNIT_EXPECT_GT(test, freed, 4UL * LEAK_TOLERANCE);
	expect_no_leak(test, free_before);
}

/* At boot, unpacking the initramfs takes more memory than a leak would. */
static int page_alloc_nolock_init(struct kunit_suite *suite)
{
	wait_for_initramfs();
	return 0;
}

static struct kunit_case page_alloc_nolock_cases[] = {
	KUNIT_CASE(nolock_round_trip),
	KUNIT_CASE(nolock_keeps_referenced_page),
	KUNIT_CASE(nolock_parked_come_back),
	KUNIT_CASE(nolock_drain_frees_parked),
	KUNIT_CASE(nolock_zone_lock_held),
	KUNIT_CASE(nolock_pcp_lock_held),
	KUNIT_CASE(nolock_hardirq),
	KUNIT_CASE(nolock_zone_locked_tracepoint),
	KUNIT_CASE(nolock_respects_low_watermark),
	KUNIT_CASE_SLOW(nolock_stress),
	{}
};

static struct kunit_suite page_alloc_nolock_suite = {
	.name = "page_alloc_nolock",
	.suite_init = page_alloc_nolock_init,
	.test_cases = page_alloc_nolock_cases,
};

kunit_test_suite(page_alloc_nolock_suite);
