// SPDX-License-Identifier: GPL-2.0
/*
 * BPF standard streams: pages, who pays for them, and how they come back
 *
 * Limits
 * ------
 *
 * A page is counted by its stream (stream_alloc.c), by the memory cgroup of who
 * loaded the program, with all cgroups above it, and by the machine. Each of them has
 * a limit. What exceeds one of these gets no page, and the message is lost and counted.
 * A quarter of the machine's is for streams that have only a few pages.
 *
 * Writers run in any context, so the cgroup is charged by the atomics of its page
 * counters alone. What else comes with a charge takes locks and is left out: nothing is
 * reclaimed first, there is no event at the limit, and memory.stat does not name the
 * pages. Like other kernel memory they move to the parent when the cgroup is removed.
 *
 * A cgroup is often near its limit for the page cache that it has. So after a refusal
 * a work item makes room for the messages to come: streams near a limit let go of idle
 * pages, and of a cgroup that refused some memory is reclaimed. An irq_work queues it,
 * as below, and it waits before it runs, longer after it was of no use: messages may
 * be refused without end. Of several cgroups each has its turn.
 *
 * Reserve
 * -------
 *
 * alloc_pages_nolock() can be unable to give a page for as long as a context lasts: with
 * interrupts disabled on UP and PREEMPT_RT, and where NMIs interrupt the page
 * allocator. A few pages are kept for that; whoever gets none otherwise takes one. They
 * are taken and replaced by xchg of a slot, which is all the synchronisation there is
 * (fully ordered, so that who takes a page sees it zeroed). A work item fills the empty
 * slots, and tries again until it can. Whoever took a page, or found none, has an
 * irq_work queue it unless it is queued: a program that traces interrupts and prints
 * would have each irq_work queue the next. Neither waits for the CPU of who printed,
 * which a real-time thread may have for itself. Where memory is short, the work item has
 * some reclaimed. The limits hold for these pages as well.
 *
 * Idle pages
 * ----------
 *
 * A stream that is drained keeps a page for each CPU that printed. A shrinker has such
 * streams let go of them when the machine or their memory cgroup is short of memory, and
 * the work item above when a limit is reached. That a cgroup may have some is noted when
 * one of its tasks loads a program, with it and with those above it, which may inherit
 * the stream. stream_list_lock guards the list of streams that can have pages; nothing is
 * allocated with it held.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/cgroup.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/page_counter.h>
#include <linux/rcupdate.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/sysctl.h>
#include <linux/workqueue.h>
#include "stream.h"

/* Of the machine's memory, what all streams together may take unless it is changed */
#define STREAM_SHARE_OF_RAM 8

/* A stream that has no more has a quarter of that left to it. */
#define SMALL_PAGES 16

#define NR_RESERVED 32
#define RESERVE_RETRY (HZ / 10)

/* How much room there is to be after a refusal, when, and when after that was in vain */
#define ROOM_PAGES 64
#define ROOM_DELAY (HZ / 10)
#define ROOM_RETRY HZ

static atomic_long_t stream_pages;
static unsigned long stream_max_bytes;

static void *reserve[NR_RESERVED];

static LIST_HEAD(stream_list);
static DEFINE_MUTEX(stream_list_lock);
static struct shrinker *stream_shrinker;

/* So that nobody's many streams keep others from having any */
static unsigned long left_for_small(unsigned long max)
{
	return max / 4;
}

static bool charge_machine(const struct bpf_stream *stream)
{
	unsigned long max = READ_ONCE(stream_max_bytes) >> PAGE_SHIFT;

	if (atomic_read(&stream->pages) > SMALL_PAGES)
		max -= left_for_small(max);
	if (atomic_long_inc_return(&stream_pages) <= max)
		return true;

	atomic_long_dec(&stream_pages);
	return false;
}

static void uncharge_machine(void)
{
	atomic_long_dec(&stream_pages);
}

static bool machine_is_short(void)
{
	unsigned long max = READ_ONCE(stream_max_bytes) >> PAGE_SHIFT;

	return atomic_long_read(&stream_pages) + ROOM_PAGES > max - left_for_small(max);
}

#ifdef CONFIG_MEMCG
/* Version 1 counts memory and swap together, too. */
static bool has_memsw(void)
{
	return !cgroup_subsys_on_dfl(memory_cgrp_subsys);
}

static bool charge_memcg(struct obj_cgroup *objcg)
{
	struct page_counter *fail;
	struct mem_cgroup *memcg;

	if (!objcg)
		return true;

	guard(rcu)();
	memcg = obj_cgroup_memcg(objcg);
	if (has_memsw() && !page_counter_try_charge(&memcg->memsw, 1, &fail))
		return false;
	if (page_counter_try_charge(&memcg->memory, 1, &fail))
		return true;

	if (has_memsw())
		page_counter_uncharge(&memcg->memsw, 1);
	return false;
}

static void uncharge_memcg(struct obj_cgroup *objcg)
{
	struct mem_cgroup *memcg;

	if (!objcg)
		return;

	guard(rcu)();
	memcg = obj_cgroup_memcg(objcg);
	page_counter_uncharge(&memcg->memory, 1);
	if (has_memsw())
		page_counter_uncharge(&memcg->memsw, 1);
}

static bool counter_is_short(struct page_counter *counter)
{
	return page_counter_read(counter) + ROOM_PAGES > READ_ONCE(counter->max);
}

static bool memsw_is_short(struct mem_cgroup *memcg)
{
	return has_memsw() && counter_is_short(&memcg->memsw);
}

/* The lowest of it and those above it that has little room, or NULL */
static struct mem_cgroup *find_short(struct mem_cgroup *memcg)
{
	while (memcg && !counter_is_short(&memcg->memory) && !memsw_is_short(memcg))
		memcg = parent_mem_cgroup(memcg);

	return memcg;
}

/* The one that pays, with a reference, if there is little room; or NULL */
static struct mem_cgroup *get_short_memcg(struct obj_cgroup *objcg)
{
	struct mem_cgroup *memcg;

	if (!objcg)
		return NULL;

	guard(rcu)();
	memcg = obj_cgroup_memcg(objcg);
	return find_short(memcg) && css_tryget(&memcg->css) ? memcg : NULL;
}

/* Return: whether there is room now. */
static bool reclaim(struct mem_cgroup *memcg)
{
	struct mem_cgroup *each = memcg;
	unsigned int options;

	while ((each = find_short(each))) {
		/* What is swapped out does not leave memsw. */
		options = memsw_is_short(each) ? 0 : MEMCG_RECLAIM_MAY_SWAP;
		try_to_free_mem_cgroup_pages(each, ROOM_PAGES, GFP_KERNEL,
					     options | MEMCG_RECLAIM_PROACTIVE, NULL);
		each = parent_mem_cgroup(each);
	}

	return !find_short(memcg);
}

static struct obj_cgroup *stream_get_objcg(void)
{
	return memcg_bpf_enabled() ? get_obj_cgroup_from_current() : NULL;
}

static void stream_put_objcg(struct obj_cgroup *objcg)
{
	if (objcg)
		obj_cgroup_put(objcg);
}

/* Has the shrinker called for the one that pays, and for those above it, from now on. */
static void note_idle_pages(struct obj_cgroup *objcg)
{
	struct mem_cgroup *memcg;
	int nid;

	if (!objcg || !stream_shrinker)
		return;

	guard(rcu)();
	for (memcg = obj_cgroup_memcg(objcg); memcg; memcg = parent_mem_cgroup(memcg))
		for_each_node(nid)
			set_shrinker_bit(memcg, nid, stream_shrinker->id);
}

/* The root is called for the whole machine. */
static bool is_paid_by(const struct bpf_stream *stream, struct mem_cgroup *memcg)
{
	if (!memcg || mem_cgroup_is_root(memcg))
		return true;

	guard(rcu)();
	return stream->objcg && obj_cgroup_memcg(stream->objcg) == memcg;
}
#else
static bool charge_memcg(struct obj_cgroup *objcg)
{
	return true;
}

static void uncharge_memcg(struct obj_cgroup *objcg)
{
}

static struct mem_cgroup *get_short_memcg(struct obj_cgroup *objcg)
{
	return NULL;
}

static bool reclaim(struct mem_cgroup *memcg)
{
	return true;
}

static struct obj_cgroup *stream_get_objcg(void)
{
	return NULL;
}

static void stream_put_objcg(struct obj_cgroup *objcg)
{
}

static void note_idle_pages(struct obj_cgroup *objcg)
{
}

static bool is_paid_by(const struct bpf_stream *stream, struct mem_cgroup *memcg)
{
	return true;
}
#endif

static bool charge(struct bpf_stream *stream)
{
	if (!charge_machine(stream))
		return false;
	if (charge_memcg(stream->objcg))
		return true;

	uncharge_machine();
	if (!READ_ONCE(stream->refused))
		WRITE_ONCE(stream->refused, true);
	return false;
}

static void uncharge(struct bpf_stream *stream)
{
	uncharge_memcg(stream->objcg);
	uncharge_machine();
}

/* How many pages hold nothing but room? */
static unsigned int stream_idle_pages(const struct bpf_stream *stream)
{
	return bpf_stream_has_text(stream) ? 0 : atomic_read(&stream->pages);
}

/*
 * Has idle streams near a limit let go of their pages. Return: the memory cgroup of a
 * stream that was refused a page, with a reference; or NULL. Sets @others if another
 * was refused some, too.
 */
static struct mem_cgroup *drop_idle(bool *others)
{
	struct bpf_stream *stream, *next_turn = NULL;
	struct mem_cgroup *memcg, *refusing = NULL;

	guard(mutex)(&stream_list_lock);
	list_for_each_entry(stream, &stream_list, writable) {
		memcg = get_short_memcg(stream->objcg);
		if ((memcg || machine_is_short()) && stream_idle_pages(stream))
			bpf_stream_cursors_drop(stream);
		if (READ_ONCE(stream->refused)) {
			if (!refusing && mem_cgroup_tryget(memcg))
				refusing = memcg;
			if (memcg == refusing)
				WRITE_ONCE(stream->refused, false);
			else
				next_turn = next_turn ?: stream;
		}
		mem_cgroup_put(memcg);
		cond_resched();
	}
	*others = next_turn;
	if (next_turn)
		list_rotate_to_front(&next_turn->writable, &stream_list);
	return refusing;
}

/* Queued again, it looks for others that were refused, and some may be meanwhile. */
static void make_room(struct work_struct *work)
{
	struct mem_cgroup *refusing;
	bool others, has_room;

	refusing = drop_idle(&others);
	if (!refusing)
		return;

	has_room = reclaim(refusing);
	mem_cgroup_put(refusing);
	mod_delayed_work(system_unbound_wq, to_delayed_work(work),
			 has_room || others ? ROOM_DELAY : ROOM_RETRY);
}

static DECLARE_DELAYED_WORK(room_work, make_room);

static void room_wake(struct irq_work *work)
{
	queue_delayed_work(system_unbound_wq, &room_work, ROOM_DELAY);
}

static struct irq_work room_irq_work = IRQ_WORK_INIT_HARD(room_wake);

static noinline void ask_for_room(void)
{
	/* The work that clears PENDING (a full barrier) finds the stream refused. */
	smp_mb();
	if (!delayed_work_pending(&room_work))
		irq_work_queue(&room_irq_work);
}

static void *page_new(void)
{
	struct page *page = alloc_pages_nolock(NUMA_NO_NODE, 0);

	return page ? page_address(page) : NULL;
}

/* alloc_pages_nolock() fails where memory is short, and has nobody do anything about it. */
static void have_reclaimed(void)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

	if (page)
		__free_page(page);
}

static void reserve_fill(struct work_struct *work)
{
	void *page;
	int i;

	for (i = 0; i < NR_RESERVED; i++) {
		if (READ_ONCE(reserve[i]))
			continue;
		page = page_new();
		if (!page) {
			have_reclaimed();
			/* Later, even if somebody has queued it meanwhile */
			mod_delayed_work(system_unbound_wq, to_delayed_work(work),
					 RESERVE_RETRY);
			return;
		}
		xchg(&reserve[i], page);
	}
}

static DECLARE_DELAYED_WORK(reserve_work, reserve_fill);

static void reserve_wake(struct irq_work *work)
{
	queue_delayed_work(system_unbound_wq, &reserve_work, 0);
}

static struct irq_work reserve_irq_work = IRQ_WORK_INIT_HARD(reserve_wake);

static noinline void *reserve_take(void)
{
	void *page = NULL;
	int i;

	for (i = 0; i < NR_RESERVED && !page; i++)
		if (READ_ONCE(reserve[i]))
			page = xchg(&reserve[i], NULL);

	if (!delayed_work_pending(&reserve_work))
		irq_work_queue(&reserve_irq_work);
	return page;
}

/**
 * bpf_stream_page_get - allocate a page for a stream
 * @stream: the stream that is to hold it
 *
 * Context: Any, NMI included.
 * Return: the page, zeroed, or NULL if memory or a limit does not allow it.
 */
void *bpf_stream_page_get(struct bpf_stream *stream)
{
	void *page;

	if (!charge(stream)) {
		ask_for_room();
		return NULL;
	}

	page = page_new() ?: reserve_take();
	if (!page)
		uncharge(stream);
	return page;
}

/**
 * bpf_stream_page_free - free a page of a stream
 * @stream: the stream
 * @page: from bpf_stream_page_get()
 *
 * Context: Any, NMI included.
 */
void bpf_stream_page_free(struct bpf_stream *stream, void *page)
{
	free_pages_nolock(virt_to_page(page), 0);
	uncharge(stream);
}

/**
 * bpf_stream_memory_init - let a stream have pages
 * @stream: the stream, which the caller's memory cgroup is to pay for
 *
 * Context: Process context, may sleep.
 */
void bpf_stream_memory_init(struct bpf_stream *stream)
{
	stream->objcg = stream_get_objcg();
	note_idle_pages(stream->objcg);
	guard(mutex)(&stream_list_lock);
	list_add_tail(&stream->writable, &stream_list);
}

/**
 * bpf_stream_memory_exit - undo bpf_stream_memory_init()
 * @stream: the stream, which has no pages any more but for its cursors'
 *
 * Context: Process context, may sleep.
 */
void bpf_stream_memory_exit(struct bpf_stream *stream)
{
	scoped_guard(mutex, &stream_list_lock)
		list_del(&stream->writable);
	bpf_stream_cursors_drop(stream);
	stream_put_objcg(stream->objcg);
}

static unsigned long count_idle(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long sum = 0, idle;
	struct bpf_stream *stream;

	if (!mutex_trylock(&stream_list_lock))
		return 0;

	list_for_each_entry(stream, &stream_list, writable) {
		idle = stream_idle_pages(stream);
		if (idle && is_paid_by(stream, sc->memcg))
			sum += idle;
		cond_resched();
	}
	mutex_unlock(&stream_list_lock);
	/* Not SHRINK_EMPTY: whoever prints later does not note it again. */
	return sum;
}

static unsigned long free_idle(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct bpf_stream *stream;
	unsigned long freed = 0;

	if (!mutex_trylock(&stream_list_lock))
		return SHRINK_STOP;

	list_for_each_entry(stream, &stream_list, writable) {
		if (freed >= sc->nr_to_scan)
			break;
		if (stream_idle_pages(stream) && is_paid_by(stream, sc->memcg))
			freed += bpf_stream_cursors_drop(stream);
		cond_resched();
	}
	mutex_unlock(&stream_list_lock);
	return freed ?: SHRINK_STOP;
}

#ifdef CONFIG_SYSCTL
static int show_bytes(const struct ctl_table *table, int write, void *buffer,
		      size_t *len, loff_t *pos)
{
	unsigned long bytes = atomic_long_read(&stream_pages) << PAGE_SHIFT;
	struct ctl_table shown = {
		.data	= &bytes,
		.maxlen	= sizeof(bytes),
	};

	return proc_doulongvec_minmax(&shown, write, buffer, len, pos);
}

static struct ctl_table stream_sysctls[] = {
	{
		.procname	= "bpf_streams_bytes",
		.mode		= 0444,
		.proc_handler	= show_bytes,
	},
	{
		.procname	= "bpf_streams_max_bytes",
		.data		= &stream_max_bytes,
		.maxlen		= sizeof(stream_max_bytes),
		.mode		= 0644,
		.proc_handler	= proc_doulongvec_minmax,
	},
};

static void __init add_sysctls(void)
{
	register_sysctl_init("kernel", stream_sysctls);
}
#else
static void __init add_sysctls(void)
{
}
#endif

static int __init stream_memory_start(void)
{
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE, "bpf-streams");

	stream_max_bytes = (totalram_pages() - totalhigh_pages()) / STREAM_SHARE_OF_RAM
			   << PAGE_SHIFT;
	add_sysctls();
	queue_delayed_work(system_unbound_wq, &reserve_work, 0);
	if (!shrinker)
		return -ENOMEM;

	shrinker->count_objects = count_idle;
	shrinker->scan_objects = free_idle;
	shrinker_register(shrinker);
	stream_shrinker = shrinker;
	return 0;
}
subsys_initcall(stream_memory_start);
