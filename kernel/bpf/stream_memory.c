// SPDX-License-Identifier: GPL-2.0
/*
 * BPF standard streams: pages, their accounting and reclaim
 *
 * Limits
 * ------
 *
 * A page is charged to its stream (stream_alloc.c), to the memory cgroup of the task
 * that loaded the program and its ancestors, and to a counter for the whole machine.
 * Each of these has a limit. If one is exceeded, the page is refused, and the message is
 * lost and counted. The last quarter of the machine's limit is reserved for streams that
 * have few pages.
 *
 * Writers run in any context, so only the atomic page counters of the cgroup are
 * charged. The rest of a charge takes locks and is omitted: there is no reclaim first, no
 * event at the limit, and no entry in memory.stat. Like other kernel memory, the pages
 * are reparented when the cgroup is removed.
 *
 * A cgroup is often near its limit because of page cache. So a refusal schedules a work
 * item that makes room for later messages: it drops the idle pages of streams near a
 * limit and reclaims memory of one cgroup that refused a page. An irq_work queues it, as
 * below. It is delayed, and more so after reclaim has failed, as messages may be refused
 * continuously. Several such cgroups take turns.
 *
 * Reserve
 * -------
 *
 * alloc_pages_nolock() can fail for as long as a context lasts: with interrupts disabled
 * on UP and PREEMPT_RT, and in an NMI that interrupts the page allocator. Whenever it
 * fails, a page is taken from a small reserve. Pages are taken and added by xchg of a slot,
 * without further synchronization (xchg is fully ordered, so the page is observed
 * zeroed). A work item fills empty slots, and retries until all are full. A writer that
 * has tried to take a page schedules it by an irq_work, unless it is pending; otherwise
 * each irq_work could queue the next if a program traces interrupts and prints. Neither
 * depends on the CPU of the writer, which a real-time thread may occupy. If memory is
 * short, the work item triggers reclaim. The limits apply to these pages, too.
 *
 * Idle pages
 * ----------
 *
 * A drained stream keeps a page for each CPU that printed. A shrinker drops these pages
 * when the machine or the memory cgroup is short of memory, the work item above when a
 * limit is reached. Loading a program sets the shrinker's bit in the loader's cgroup, and
 * in all its ancestors, to which the stream may be reparented. stream_list_lock protects
 * the list of streams that can have pages; memory is not allocated while it is held.
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

/* Default limit of all streams together: the machine's memory divided by this */
#define STREAM_SHARE_OF_RAM 8

/* Streams of at most this size may use the last quarter of the limit. */
#define SMALL_PAGES 16

#define NR_RESERVED 32
#define RESERVE_RETRY (HZ / 10)

/* Room to make after a refusal, the delay until then, and the delay if reclaim failed */
#define ROOM_PAGES 64
#define ROOM_DELAY (HZ / 10)
#define ROOM_RETRY HZ

static atomic_long_t stream_pages;
static unsigned long stream_max_bytes;

static void *reserve[NR_RESERVED];

static LIST_HEAD(stream_list);
static DEFINE_MUTEX(stream_list_lock);
static struct shrinker *stream_shrinker;

/* Programs that print a lot must not keep others from printing. */
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
/* Version 1 has a counter for memory and swap together, too. */
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

/* Return: the lowest cgroup, from @memcg upwards, that is near its limit; or NULL. */
static struct mem_cgroup *find_short(struct mem_cgroup *memcg)
{
	while (memcg && !counter_is_short(&memcg->memory) && !memsw_is_short(memcg))
		memcg = parent_mem_cgroup(memcg);

	return memcg;
}

/* Return: the charged cgroup, with a reference, if it or an ancestor is near its limit. */
static struct mem_cgroup *get_short_memcg(struct obj_cgroup *objcg)
{
	struct mem_cgroup *memcg;

	if (!objcg)
		return NULL;

	guard(rcu)();
	memcg = obj_cgroup_memcg(objcg);
	return find_short(memcg) && css_tryget(&memcg->css) ? memcg : NULL;
}

/* Return: true if there is room now. */
static bool reclaim(struct mem_cgroup *memcg)
{
	struct mem_cgroup *each = memcg;
	unsigned int options;

	while ((each = find_short(each))) {
		/* Swapping out does not reduce memsw. */
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

/* Have the shrinker called for the charged cgroup and its ancestors. */
static void set_shrinker_bits(struct obj_cgroup *objcg)
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

/* The shrinker is called with the root for the whole machine. */
static bool is_charged_to(const struct bpf_stream *stream, struct mem_cgroup *memcg)
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

static void set_shrinker_bits(struct obj_cgroup *objcg)
{
}

static bool is_charged_to(const struct bpf_stream *stream, struct mem_cgroup *memcg)
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

/* Return: number of pages without records. */
static unsigned int stream_idle_pages(const struct bpf_stream *stream)
{
	return bpf_stream_has_text(stream) ? 0 : atomic_read(&stream->pages);
}

/*
 * Drop the idle pages of streams near a limit. Return: the memory cgroup of a stream that
 * was refused a page, with a reference; or NULL. @others is set if more cgroups refused
 * pages.
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

/* It is queued again for other cgroups, and for pages that are refused meanwhile. */
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
	/* The work clears PENDING (a full barrier) and then observes stream->refused. */
	smp_mb();
	if (!delayed_work_pending(&room_work))
		irq_work_queue(&room_irq_work);
}

static void *page_new(void)
{
	struct page *page = alloc_pages_nolock(NUMA_NO_NODE, 0);

	return page ? page_address(page) : NULL;
}

/* alloc_pages_nolock() fails if memory is short and does not trigger reclaim. */
static void trigger_reclaim(void)
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
			trigger_reclaim();
			/* Later, even if it was queued meanwhile */
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
 * @stream: the stream
 *
 * Context: Any, NMI included.
 * Return: the zeroed page, or NULL if none is available or a limit is reached.
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
 * bpf_stream_memory_init - enable a stream to have pages
 * @stream: the stream; its pages are charged to the caller's memory cgroup
 *
 * Context: Process context, may sleep.
 */
void bpf_stream_memory_init(struct bpf_stream *stream)
{
	stream->objcg = stream_get_objcg();
	set_shrinker_bits(stream->objcg);
	guard(mutex)(&stream_list_lock);
	list_add_tail(&stream->writable, &stream_list);
}

/**
 * bpf_stream_memory_exit - undo bpf_stream_memory_init()
 * @stream: the stream, which has no pages except the current ones of its cursors
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
		if (idle && is_charged_to(stream, sc->memcg))
			sum += idle;
		cond_resched();
	}
	mutex_unlock(&stream_list_lock);
	/* Not SHRINK_EMPTY, which clears the bit: printing does not set it again. */
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
		if (stream_idle_pages(stream) && is_charged_to(stream, sc->memcg))
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
