// SPDX-License-Identifier: GPL-2.0
/* The simulated kernel: CPUs, interrupts, locks and memory. */
#include <stdio.h>
#include <sched.h>
#include "stream.h"

#ifdef __SANITIZE_ADDRESS__
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

/* Memory must not be accessed unless it is allocated. */
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>

static void forbid(const void *mem, size_t size)
{
	__asan_poison_memory_region(mem, size);
}

static void allow(const void *mem, size_t size)
{
	__asan_unpoison_memory_region(mem, size);
}
#else
static void forbid(const void *mem, size_t size)
{
}

static void allow(const void *mem, size_t size)
{
}
#endif

struct shim shim;
__thread struct task_struct shim_task;

/* Each in a separate cache line, like per-CPU data */
struct cpu {
	pthread_mutex_t lock __aligned(64);
};

static struct cpu cpus[NR_CPUS] = {
	[0 ... NR_CPUS - 1] = { PTHREAD_MUTEX_INITIALIZER },
};

void shim_bug(const char *what, const char *file, int line)
{
	fprintf(stderr, "Bail out! %s:%d: %s\n", file, line, what);
	abort();
}

u32 shim_random(u32 limit)
{
	u64 x = current->random + 0x9e3779b97f4a7c15;

	current->random = x;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return (u32)(x >> 32) % limit;
}

/* CPUs and interrupts */

/*
 * Signal handlers use the count to test if the thread holds its CPU, so it is non-zero
 * only while the CPU's lock is held.
 */
void preempt_disable(void)
{
	if (!current->preempt_count)
		pthread_mutex_lock(&cpus[current->cpu].lock);
	current->preempt_count++;
}

static void run_raised(void)
{
	struct irq_work *work, *next;

	for (work = xchg(&current->raised, NULL); work; work = next) {
		next = work->next;
		/* Paired with irq_work_sync() */
		smp_store_release(&work->pending, false);
		work->func(work);
	}
}

void preempt_enable(void)
{
	if (--current->preempt_count)
		return;

	pthread_mutex_unlock(&cpus[current->cpu].lock);
	run_raised();
}

void shim_assert_on_cpu(void)
{
	die_if(!current->preempt_count);
}

bool irq_work_queue(struct irq_work *work)
{
	if (xchg(&work->pending, true))
		return false;

	__atomic_fetch_add(&work->queued, 1, __ATOMIC_RELAXED);
	work->next = current->raised;
	while (!try_cmpxchg(&current->raised, &work->next, work))
		;
	if (!current->preempt_count)
		run_raised();

	return true;
}

void irq_work_sync(struct irq_work *work)
{
	/* Paired with run_raised() */
	while (smp_load_acquire(&work->pending))
		sched_yield();
}

void wake_up_all(wait_queue_head_t *wait)
{
	int i, n = __atomic_load_n(&wait->sleepers, __ATOMIC_SEQ_CST);

	__atomic_fetch_add(&wait->wakes, 1, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++)
		sem_post(&wait->sem);
}

/* Locks */

void mutex_init(struct mutex *lock)
{
	pthread_mutex_init(&lock->mutex, NULL);
	lock->owner = NULL;
}

void mutex_destroy(struct mutex *lock)
{
	pthread_mutex_destroy(&lock->mutex);
}

int mutex_lock_interruptible(struct mutex *lock)
{
	if (pthread_mutex_trylock(&lock->mutex)) {
		if (current->signal || current->killed)
			return -EINTR;
		pthread_mutex_lock(&lock->mutex);
	}

	__atomic_store_n(&lock->owner, current, __ATOMIC_RELAXED);
	return 0;
}

void mutex_unlock(struct mutex *lock)
{
	die_if(READ_ONCE(lock->owner) != current);
	__atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&lock->mutex);
}

/* Small allocations */

static void *object_alloc(size_t size, gfp_t gfp)
{
	void *ptr;

	if (shim.fail_object && !--shim.fail_object)
		return NULL;

	ptr = aligned_alloc(64, (size + 63) & ~63UL);
	die_if(!ptr);
	memset(ptr, gfp & __GFP_ZERO ? 0 : 0xa5, size);
	__atomic_fetch_add(&shim.objects, 1, __ATOMIC_RELAXED);
	return ptr;
}

void *kmalloc(size_t size, gfp_t gfp)
{
	return object_alloc(size, gfp);
}

void kfree(void *ptr)
{
	if (!ptr)
		return;

	__atomic_fetch_sub(&shim.objects, 1, __ATOMIC_RELAXED);
	free(ptr);
}

/* The memory that the pointer itself refers to belongs to no CPU, see per_cpu_ptr(). */
void *shim_percpu_alloc(size_t size, gfp_t gfp)
{
	char *ptr;

	die_if(size > PERCPU_STRIDE);
	ptr = object_alloc((num_possible_cpus() + 1) * PERCPU_STRIDE, gfp);
	if (ptr)
		forbid(ptr, PERCPU_STRIDE);

	return ptr;
}

void free_percpu(void *ptr)
{
	if (ptr)
		allow(ptr, PERCPU_STRIDE);
	kfree(ptr);
}

/*
 * Pages
 *
 * A search for a free page starts where the last one ended, so that pages are not reused
 * soon. A page is overwritten when it is freed: ThreadSanitizer reports accesses that are
 * not ordered before this, and later writes are detected when the page is allocated again.
 */
#define POOL_PAGES 512
#define POISON 0x6b

static struct {
	char mem[POOL_PAGES][PAGE_SIZE] __aligned(PAGE_SIZE);
	bool used[POOL_PAGES];
	bool poisoned[POOL_PAGES];
	unsigned int next;
} pool;

static bool page_refused(void)
{
	unsigned int n = __atomic_add_fetch(&shim.page_calls, 1, __ATOMIC_RELAXED);

	if (shim.fail_pages && n % shim.fail_pages == 0)
		return true;

	return shim.fail_pages_odds && !shim_random(shim.fail_pages_odds);
}

static unsigned int pool_take(void)
{
	unsigned int i, tries;

	for (tries = 0; tries < POOL_PAGES; tries++) {
		i = __atomic_fetch_add(&pool.next, 1, __ATOMIC_RELAXED) % POOL_PAGES;
		if (!__atomic_exchange_n(&pool.used[i], true, __ATOMIC_ACQUIRE))
			return i;
	}

	shim_bug("the pool is empty", __FILE__, __LINE__);
	return 0;
}

static void check_poison(unsigned int i)
{
	const char *mem = pool.mem[i];

	if (shim.no_poison || !pool.poisoned[i])
		return;

	die_if(mem[0] != POISON || memcmp(mem, mem + 1, PAGE_SIZE - 1));
}

void *bpf_stream_page_get(struct bpf_stream *stream)
{
	unsigned int i;

	shim_assert_on_cpu();
	if (shim.page_hook)
		shim.page_hook();
	if (page_refused())
		return NULL;

	i = pool_take();
	allow(pool.mem[i], PAGE_SIZE);
	check_poison(i);
	memset(pool.mem[i], 0, PAGE_SIZE);
	__atomic_fetch_add(&shim.pages, 1, __ATOMIC_RELAXED);
	return pool.mem[i];
}

void bpf_stream_page_free(struct bpf_stream *stream, void *page)
{
	unsigned long i = ((char *)page - pool.mem[0]) / PAGE_SIZE;

	die_if(i >= POOL_PAGES || page != pool.mem[i]);
	die_if(!READ_ONCE(pool.used[i]));
	if (!shim.no_poison)
		memset(pool.mem[i], POISON, PAGE_SIZE);
	pool.poisoned[i] = !shim.no_poison;
	forbid(pool.mem[i], PAGE_SIZE);
	__atomic_fetch_sub(&shim.pages, 1, __ATOMIC_RELAXED);
	/* Paired with pool_take() */
	smp_store_release(&pool.used[i], false);
}

void bpf_stream_memory_init(struct bpf_stream *stream)
{
}

void bpf_stream_memory_exit(struct bpf_stream *stream)
{
	bpf_stream_cursors_drop(stream);
}

/* The user's buffer */

bool access_ok(const void __user *buf, unsigned long len)
{
	unsigned long end = (unsigned long)current->user_end;

	return !end || ((unsigned long)buf <= end && len <= end - (unsigned long)buf);
}

/* Return: number of bytes that can be written, up to @len. */
static unsigned long writable(const char *buf, unsigned long len)
{
	if (!current->faults)
		return len;
	if (buf >= current->user_room)
		return 0;

	return min_t(unsigned long, len, current->user_room - buf);
}

unsigned long __copy_to_user_inatomic(void __user *to, const void *from, unsigned long len)
{
	unsigned long n = writable(to, len);

	die_if(!access_ok(to, len));
	die_if(!current->pagefault_disabled);

	memcpy(to, from, n);
	if (current->tape && (n == len || current->may_split))
		current->tape(from, n);
	if (current->killed_in_copy)
		current->killed = true;

	return len - n;
}

unsigned long fault_in_subpage_writeable(char __user *buf, unsigned long size)
{
	die_if(current->pagefault_disabled || current->preempt_count);
	if (current->fault_in)
		current->fault_in(buf, size);

	current->may_split = writable(buf, size) < size;
	return size - writable(buf, size);
}
