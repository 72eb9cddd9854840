// SPDX-License-Identifier: GPL-2.0
/*
 * Loops that the verifier does not follow to their end. Programs whose names begin with
 * ends_ have one and are accepted. Programs whose names begin with endless_ may not have
 * one, and those with unsafe_ write out of bounds; both are refused. Most are written in
 * assembly, as the compiler would change them.
 */
#include "res_lock_rules.bpf.h"

#define __naked __attribute__((naked))

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

/* The iterator at fp - @at: 8 bytes */
#define NEW(at)		"r1 = r10; r1 += -" #at "; w2 = 0; w3 = 10; call %[bpf_iter_num_new];"
#define NEXT(at)	"r1 = r10; r1 += -" #at "; call %[bpf_iter_num_next];"
#define DESTROY(at)	"r1 = r10; r1 += -" #at "; call %[bpf_iter_num_destroy];"
#define RANDOM		"call %[bpf_get_prandom_u32];"
#define LOOP		"r1 = 10; r2 = %[callback] ll; r3 = r10; r3 += -8; r4 = 0; call %[bpf_loop];"
#define EXIT		"r0 = 0; exit;"
#define MAY_GOTO(target)						\
	"9: .byte 0xe5, 0; .long ((" #target " - 9b - 8) / 8) & 0xffff; .short 0;"

#define FUNCTIONS							\
	[bpf_iter_num_new] "i"(bpf_iter_num_new),			\
	[bpf_iter_num_next] "i"(bpf_iter_num_next),			\
	[bpf_iter_num_destroy] "i"(bpf_iter_num_destroy),		\
	[bpf_get_prandom_u32] "i"(bpf_get_prandom_u32),			\
	[bpf_loop] "i"(bpf_loop), [callback] "i"(callback)

static long callback(__u32 i, __u64 *seen)
{
	*seen = 1;
	return 0;
}

__u64 n;

/* --- an iterator that is created in each iteration --- */

SEC("?syscall")
__naked int endless_new_iterator(void)
{
	asm volatile("1:" NEW(8) NEXT(8) "if r0 == 0 goto 2f;" DESTROY(8) "goto 1b;"
		     "2:" DESTROY(8) EXIT
		     :: FUNCTIONS);
}

/* Other instructions of the loop must not matter */
SEC("?syscall")
__naked int endless_new_iterator_that_counts(void)
{
	asm volatile("r6 = %[n] ll;"
		     "1:" NEW(8) NEXT(8) "if r0 == 0 goto 2f;" DESTROY(8)
		     "r1 = *(u64 *)(r6 + 0); r1 += 1; *(u64 *)(r6 + 0) = r1; goto 1b;"
		     "2:" DESTROY(8) EXIT
		     :: FUNCTIONS, [n] "i"(&n));
}

/* The first iteration takes one element less, so that the depths differ */
SEC("?syscall")
__naked int endless_new_iterator_that_gives_more(void)
{
	asm volatile("r6 = 0;"
		     "1:" NEW(8) NEXT(8) "if r0 == 0 goto 2f; if r6 == 0 goto 3f;"
		     NEXT(8) "if r0 == 0 goto 2f;"
		     "3: r6 = 1;" NEXT(8) "if r0 == 0 goto 2f;" DESTROY(8) "goto 1b;"
		     "2:" DESTROY(8) EXIT
		     :: FUNCTIONS);
}

/* Within the loop of another iterator, whose next() is not called */
SEC("?syscall")
__naked int endless_new_iterator_within_another(void)
{
	asm volatile(NEW(16) NEXT(16) "if r0 == 0 goto 3f;"
		     "1:" NEW(8) NEXT(8) "if r0 == 0 goto 2f;" DESTROY(8) "goto 1b;"
		     "2:" DESTROY(8)
		     "3:" DESTROY(16) EXIT
		     :: FUNCTIONS);
}

/* Only one path through the loop creates it again */
SEC("?syscall")
__naked int endless_iterator_that_is_exchanged(void)
{
	asm volatile(NEW(8)
		     "1:" NEXT(8) "if r0 == 0 goto 3f;" RANDOM "if r0 != 0 goto 2f; goto 1b;"
		     "2:" DESTROY(8) NEW(8) "goto 1b;"
		     "3:" DESTROY(8) EXIT
		     :: FUNCTIONS);
}

/* The two paths join before the next iteration */
SEC("?syscall")
__naked int endless_iterator_that_is_exchanged_before(void)
{
	asm volatile(NEW(8)
		     "1:" NEXT(8) "if r0 == 0 goto 3f;" RANDOM "if r0 == 0 goto 2f;"
		     DESTROY(8) NEW(8)
		     "2:" RANDOM "if r0 == 7 goto 4f; r6 = 0;"
		     "4: r6 = 0; goto 1b;"
		     "3:" DESTROY(8) EXIT
		     :: FUNCTIONS);
}

/* The same, if the path that keeps it is explored first */
SEC("?syscall")
__naked int endless_iterator_that_is_exchanged_after(void)
{
	asm volatile(NEW(8)
		     "1:" NEXT(8) "if r0 == 0 goto 3f;" RANDOM "if r0 != 0 goto 5f; goto 2f;"
		     "5:" DESTROY(8) NEW(8)
		     "2:" RANDOM "if r0 == 7 goto 4f; r6 = 0;"
		     "4: r6 = 0; goto 1b;"
		     "3:" DESTROY(8) EXIT
		     :: FUNCTIONS);
}

/* In a function that is called in each iteration */
static __naked __noinline int one_element(void)
{
	asm volatile(NEW(8) NEXT(8) "if r0 == 0 goto 1f;" DESTROY(8) "r0 = 1; exit;"
		     "1:" DESTROY(8) EXIT
		     :: FUNCTIONS);
}

SEC("?syscall")
__naked int endless_calls_of_a_function_with_an_iterator(void)
{
	asm volatile("1: call %[one_element]; if r0 != 0 goto 1b;" EXIT
		     :: [one_element] "i"(one_element));
}

SEC("?syscall")
__naked int endless_with_lock_held(void)
{
	asm volatile("r6 = %[lock_a] ll; r1 = r6; r2 = r10; r2 += -24;"
		     "call %[bpf_res_spin_lock_irqsave];"
		     "w0 = w0; if w0 != 0 goto 3f;"
		     "1:" NEW(8) NEXT(8) "if r0 == 0 goto 2f;" DESTROY(8) "goto 1b;"
		     "2:" DESTROY(8)
		     "r1 = r6; r2 = r10; r2 += -24; call %[bpf_res_spin_unlock_irqrestore];"
		     "3:" EXIT
		     :: FUNCTIONS, [lock_a] "i"(&lock_a),
		     [bpf_res_spin_lock_irqsave] "i"(bpf_res_spin_lock_irqsave),
		     [bpf_res_spin_unlock_irqrestore] "i"(bpf_res_spin_unlock_irqrestore));
}

/* --- around a function that calls callbacks --- */

SEC("?syscall")
__naked int endless_around_bpf_loop(void)
{
	asm volatile("r1 = 0; *(u64 *)(r10 - 8) = r1;"
		     "1:" LOOP "goto 1b;"
		     :: FUNCTIONS);
}

/* Ends unless the callback is called */
SEC("?syscall")
__naked int endless_unless_nothing_is_called(void)
{
	asm volatile("1: r1 = 0; *(u64 *)(r10 - 8) = r1;" LOOP
		     "r1 = *(u64 *)(r10 - 8); if r1 != 0 goto 1b;" EXIT
		     :: FUNCTIONS);
}

/* Continues with the state after the first callback */
SEC("?syscall")
__naked int endless_once_something_is_called(void)
{
	asm volatile("r1 = 0; *(u64 *)(r10 - 8) = r1;"
		     "1:" LOOP
		     "r1 = *(u64 *)(r10 - 8); if r1 != 0 goto 1b;" EXIT
		     :: FUNCTIONS);
}

/* In another call the callback restores a state from before a call */
SEC("?syscall")
__naked int endless_as_the_callback_undoes_the_turn(void)
{
	asm volatile(RANDOM "r1 = 1; *(u64 *)(r10 - 8) = r1;"
		     "1:" LOOP
		     "r1 = *(u64 *)(r10 - 8); r2 = 0; *(u64 *)(r10 - 8) = r2;"
		     "if r1 != 0 goto 1b;" EXIT
		     :: FUNCTIONS);
}

/* --- iterations that undo each other's progress --- */

/*
 * At 1 there are iterators at fp - 8, - 16 and - 24. One path takes an element of the first
 * and creates the second again, the other path does the reverse. The third one only keeps
 * the references in order.
 */
#define BOTH_WAYS							\
	NEW(8) NEW(16) NEW(24)						\
	"1:" NEXT(8) "if r0 == 0 goto 3f;" RANDOM "if r0 == 0 goto 2f;"	\
	DESTROY(16) DESTROY(24) NEW(16) NEW(24)				\
	"r0 = 0; r1 = 0; r2 = 0; r3 = 0; r4 = 0; r5 = 0; goto 1b;"	\
	"2:" NEXT(16) "if r0 == 0 goto 3f;"				\
	DESTROY(8) NEW(8) DESTROY(24) NEW(24)				\
	"r0 = 0; r1 = 0; r2 = 0; r3 = 0; r4 = 0; r5 = 0; goto 1b;"	\
	"3:" DESTROY(8) DESTROY(16) DESTROY(24) EXIT

SEC("?syscall")
__naked int endless_ways_that_renew_each_others_iterator(void)
{
	asm volatile(BOTH_WAYS :: FUNCTIONS);
}

/* Counts once more in each call; the verifier explores the backward jump first. */
static __naked __noinline int around_may_goto(void)
{
	asm volatile("if r1 == 0 goto 1f; goto 2f;"
		     "1:" MAY_GOTO(3f) RANDOM "r1 = 0; if r0 == 7 goto 4f;"
		     "2: r1 = 0; r0 = 0; r2 = 0; r3 = 0; r4 = 0; r5 = 0; goto 1b;"
		     "4: r0 = 1; exit;"
		     "3: r0 = 0; exit;"
		     :: FUNCTIONS);
}

SEC("?syscall")
__naked int ends_by_time_around_a_loop_that_is_entered_twice(void)
{
	asm volatile("r6 = 0;"
		     "1: r1 = r6; r6 = 1; call %[around_may_goto]; if r0 != 0 goto 1b;"
		     EXIT
		     :: [around_may_goto] "i"(around_may_goto));
}

/* --- the time limit of may_goto is renewed in each iteration --- */

struct timed {
	__u64 value;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct timed);
} timers SEC(".maps");

static __noinline int timed(void *map, int *key, __u64 *value)
{
	if (can_loop)
		*value = 1;
	return 0;
}

static __always_inline void set_timer(void)
{
	struct timed *t = bpf_map_lookup_elem(&timers, &(int){ 0 });

	if (!t)
		return;
	bpf_timer_init(&t->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	bpf_timer_set_callback(&t->timer, timed);
}

SEC("?tc")
int endless_calls_of_a_timer_callback(struct __sk_buff *skb)
{
	__u64 value;
	int key = 0;

	set_timer();
	do {
		value = 0;
		timed(&timers, &key, &value);
	} while (value);
	return 0;
}

/* The same for a loop that has a may_goto of its own */
SEC("?tc")
int ends_calls_of_a_timer_callback(struct __sk_buff *skb)
{
	__u64 value = 0;
	int key = 0;

	set_timer();
	while (can_loop)
		timed(&timers, &key, &value);
	return value;
}

/* The same without a loop, or without the call */
SEC("?tc")
int ends_one_call_of_a_timer_callback(struct __sk_buff *skb)
{
	__u64 value = 0;
	int key = 0;

	set_timer();
	timed(&timers, &key, &value);
	return value;
}

SEC("?tc")
int ends_loop_beside_a_timer_callback(struct __sk_buff *skb)
{
	set_timer();
	while (can_loop)
		n++;
	return 0;
}

/* The callee has may_gotos, but the calls are not in a loop. */
static __noinline void count_to(__u64 max)
{
	__u64 i;

	for (i = 0; i < max && can_loop; i++)
		n++;
}

SEC("?tc")
int ends_two_calls_beside_a_called_timer_callback(struct __sk_buff *skb)
{
	__u64 value = 0;
	int key = 0;

	set_timer();
	timed(&timers, &key, &value);
	count_to(skb->len);
	count_to(skb->len);
	return 0;
}

/* --- callbacks that are verified anew when they set themselves --- */

static __noinline void use_iterator(void)
{
	int i;

	bpf_for(i, 0, 10)
		n += i;
}

static __noinline void use_callback(void)
{
	__u64 seen;

	bpf_loop(10, callback, &seen, 0);
	n += 1;
}

#define SETS_CALLBACK(name, callback)					\
SEC("?tc")								\
int name(struct __sk_buff *skb)						\
{									\
	struct timed *t = bpf_map_lookup_elem(&timers, &(int){ 0 });	\
									\
	if (!t)								\
		return 1;						\
	bpf_timer_init(&t->timer, &timers, 1 /* CLOCK_MONOTONIC */);	\
	bpf_timer_set_callback(&t->timer, callback);			\
	return 0;							\
}

#define SETS_ITSELF(name, work)						\
static int name(void *map, int *key, struct timed *t)			\
{									\
	work();								\
	bpf_timer_set_callback(&t->timer, name);			\
	return 0;							\
}									\
									\
SETS_CALLBACK(ends_timer_callback_that_##name, name)

SETS_ITSELF(uses_an_iterator, use_iterator)
SETS_ITSELF(uses_a_callback, use_callback)

static int sets_itself_elsewhere(void *map, int *key, struct timed *t);

static __noinline int set_elsewhere(struct timed *t)
{
	return bpf_timer_set_callback(&t->timer, sets_itself_elsewhere);
}

static int sets_itself_elsewhere(void *map, int *key, struct timed *t)
{
	use_iterator();
	set_elsewhere(t);
	return 0;
}

SETS_CALLBACK(ends_timer_callback_that_is_set_elsewhere, sets_itself_elsewhere)

/* The second verification must not be mistaken for part of the first. */
#define SET_ITSELF(name) "r1 = r6; r1 += 8; r2 = %[" #name "] ll; call %[bpf_timer_set_callback];"

static __naked __noinline int renews_iterator(void)
{
	asm volatile("r6 = r3; .rept 120; r0 = 0; .endr;"
		     "1:" NEW(8) "r0 = 0;" NEXT(8) "if r0 == 0 goto 2f;" DESTROY(8) "goto 1b;"
		     "2:" DESTROY(8) SET_ITSELF(renews_iterator) EXIT
		     :: FUNCTIONS, [renews_iterator] "i"(renews_iterator),
			[bpf_timer_set_callback] "i"(bpf_timer_set_callback));
}

SETS_CALLBACK(endless_timer_callback_that_renews_its_iterator, renews_iterator)

#define FAR	"0x100000"

static __naked __noinline int moves_far(void)
{
	asm volatile("r6 = r3; r7 = 0; .rept 120; r0 = 0; .endr;" NEW(8)
		     "1: r0 = 0;" NEXT(8) "if r0 == 0 goto 2f;"
		     "r2 = %[n] ll; r2 += r7; r0 = 0; *(u8 *)(r2 + 0) = r0; r7 = " FAR "; goto 1b;"
		     "2:" DESTROY(8) SET_ITSELF(moves_far) EXIT
		     :: FUNCTIONS, [moves_far] "i"(moves_far), [n] "i"(&n),
			[bpf_timer_set_callback] "i"(bpf_timer_set_callback));
}

SETS_CALLBACK(unsafe_timer_callback_that_sets_itself, moves_far)

/* --- one path with a may_goto of its own, and one with that of a callback --- */

static __naked __noinline int timed_too(void)
{
	asm volatile(MAY_GOTO(1f) "r1 = 1; *(u64 *)(r3 + 0) = r1; 1:" EXIT ::);
}

static __naked __noinline int two_ways(void)
{
	asm volatile("r1 = 1; *(u64 *)(r10 - 16) = r1;" NEW(8)
		     "1: r0 = 0;" NEXT(8) "if r0 == 0 goto 3f;" DESTROY(8)
		     RANDOM "if r0 != 0 goto 2f;"
		     MAY_GOTO(4f) ".rept 12; r0 = 0; .endr; r1 = 0; goto 5f;"
		     "2: r1 = 0; *(u64 *)(r10 - 16) = r1; r2 = 0; r3 = r10; r3 += -16;"
		     "call %[timed_too]; r1 = *(u64 *)(r10 - 16); if r1 == 0 goto 4f;"
		     "r0 = 0; r1 = 0;"
		     "5:" NEW(8) "goto 1b;"
		     "3:" DESTROY(8)
		     "4:" EXIT
		     :: FUNCTIONS, [timed_too] "i"(timed_too));
}

SEC("?tc")
int endless_calls_of_a_timer_callback_on_one_way(struct __sk_buff *skb)
{
	struct timed *t = bpf_map_lookup_elem(&timers, &(int){ 0 });

	if (!t)
		return 1;
	bpf_timer_init(&t->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	bpf_timer_set_callback(&t->timer, timed_too);
	return two_ways();
}

/* --- a loop with many paths --- */

#define INNER	NEW(16) NEXT(16) DESTROY(16)
#define INNER_5	INNER INNER INNER INNER INNER

/* The states only differ in references of short-lived iterators. */
SEC("?syscall")
__naked int ends_after_many_ways(void)
{
	asm volatile(NEW(8)
		     "1:" NEXT(8) "if r0 == 0 goto 2f;"
		     INNER_5 INNER_5 INNER_5 INNER_5 "goto 1b;"
		     "2:" DESTROY(8) EXIT
		     :: FUNCTIONS);
}

/* --- values that an iteration leaves for a later one --- */

/*
 * The paths through the callback are explored in the order of their numbers. When the
 * second reaches 4, no difference from the first is known to matter yet.
 */
static __noinline long moves_index(__u32 i, __u64 *index)
{
	asm volatile(RANDOM "if r0 == 7 goto 3f;" RANDOM "if r0 == 7 goto 2f; goto 4f;"
		     "2: r1 = " FAR "; *(u64 *)(%[index] + 0) = r1; goto 4f;"
		     "3: r1 = *(u64 *)(%[index] + 0); r2 = %[n] ll; r2 += r1;"
		     "r1 = 0; *(u8 *)(r2 + 0) = r1;"
		     "4:"
		     :: FUNCTIONS, [n] "i"(&n), [index] "r"(index)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "memory");
	return 0;
}

SEC("?syscall")
int unsafe_index_from_another_callback(void *ctx)
{
	__u64 index = bpf_get_prandom_u32() & 1;

	bpf_loop(10, moves_index, &index, 0);
	return 0;
}

/* --- loops that end --- */

SEC("?syscall")
int ends_iterators_within_iterators(void *ctx)
{
	int i, j, k;

	bpf_for(i, 0, 10) {
		n++;
		bpf_for(j, 0, i) {
			bpf_for(k, 0, 10)
				n += k;
			if (n & 1)
				continue;
			bpf_for(k, 0, 10)
				n -= k;
		}
	}
	return 0;
}

SEC("?syscall")
int ends_iterator_within_bounded_loop(void *ctx)
{
	int i, j;

	for (i = 0; i < 10; i++) {
		bpf_for(j, 0, 1000)
			n += i;
	}
	return 0;
}

SEC("?syscall")
int ends_iterator_within_may_goto(void *ctx)
{
	int j;

	while (can_loop) {
		bpf_for(j, 0, 10)
			n++;
	}
	return 0;
}

/* Passes one may_goto in each call, too few for the limit if they are counted */
static __noinline int once(void)
{
	int passed = 0;

	if (can_loop)
		passed = 1;
	return passed;
}

/* The same, with one more may_goto unless r1 is 0 */
static __naked __noinline int once_or_twice(void)
{
	asm volatile("r0 = 0; if r1 == 0 goto 1f;" MAY_GOTO(2f)
		     "1: r1 = 0;" MAY_GOTO(2f) "r0 = 1;"
		     "2: exit;" ::: "r0");
}

SEC("?syscall")
__naked int ends_by_time_around_more_may_gotos_than_at_first(void)
{
	asm volatile("r6 = 0;"
		     "1: r1 = r6; r6 = 1; call %[once_or_twice]; if r0 != 0 goto 1b;"
		     "exit;"
		     :: [once_or_twice] "i"(once_or_twice));
}

SEC("?syscall")
int ends_by_time_around_a_function_with_may_goto(void *ctx)
{
	while (once())
		n++;
	return 0;
}

static long iterating(__u32 i, void *ctx)
{
	int j;

	bpf_for(j, 0, 10)
		n++;
	return 0;
}

SEC("?syscall")
int ends_iterator_within_callback(void *ctx)
{
	bpf_loop(100, iterating, NULL, 0);
	return 0;
}

static long looping(__u32 i, void *ctx)
{
	__u64 seen = 0;

	bpf_loop(10, callback, &seen, 0);
	n += seen;
	return 0;
}

SEC("?syscall")
int ends_callback_within_callback(void *ctx)
{
	bpf_loop(100, looping, NULL, 0);
	return 0;
}

SEC("?syscall")
int ends_callbacks_within_iterator(void *ctx)
{
	__u64 seen = 0;
	int i;

	bpf_for(i, 0, 10) {
		bpf_loop(10, callback, &seen, 0);
		bpf_loop(n, callback, &seen, 0);
	}
	return seen;
}

/* Each iteration calls next() of the outer iterator */
SEC("?syscall")
__naked int ends_new_iterator_in_each_turn_of_another(void)
{
	asm volatile(NEW(16)
		     "1:" NEXT(16) "if r0 == 0 goto 3f;"
		     NEW(8) NEXT(8) "if r0 == 0 goto 2f; r7 = 1;"
		     "2:" DESTROY(8) "goto 1b;"
		     "3:" DESTROY(16) EXIT
		     :: FUNCTIONS);
}

SEC("?syscall")
int ends_iterator_with_lock_held(void *ctx)
{
	unsigned long flags;
	int i;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	bpf_for(i, 0, 10)
		n += i;
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}
