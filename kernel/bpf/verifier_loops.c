// SPDX-License-Identifier: GPL-2.0
/*
 * Bounds of loops that the verifier does not follow to their end
 *
 * When the verifier reaches an instruction in a state that equals an ancestor of this
 * state, it has found a loop, and does not know the number of iterations. It may stop
 * there only if something bounds the loop at run time. There are three such resources,
 * and each iteration must consume some of one:
 *
 * - an iterator: each iteration calls its next(), which finally returns NULL;
 * - a function that calls a callback, a limited number of times;
 * - may_goto: it jumps when the program has looped for too long.
 *
 * The iterator must be the same at the beginning and at the end of the iteration, and
 * likewise the call of the function that calls a callback. A loop that creates an
 * iterator, takes an element and destroys the iterator has a new one in each iteration,
 * and never ends. The verifier identifies each iterator by a reference. Each call of a
 * function gets a number here.
 *
 * Two iterations do not end either if each consumes a resource that the other renews. So
 * consider all resources that exist when the iteration begins: the oldest of those that
 * the iteration changes must be one that it consumes. Younger ones may be renewed, as
 * those of an inner loop are. Then no sequence of iterations is endless: for each
 * iteration take the oldest resource that it changes. Of these, the oldest that occurs
 * infinitely often is consumed each time and not renewed.
 *
 * The time limit of may_goto is that of the whole run, which is older than any other
 * resource. If may_gotos are counted (see may_goto.c), each call of a function has a
 * countdown, so the call must be the same at both ends. An asynchronous callback is a run
 * of its own, also if the program calls it. In programs that do so, loops must not rely on
 * the may_gotos of functions that they call.
 *
 * If the other state is no ancestor but has been explored, nothing of this is needed,
 * unless its exploration ended in a loop that has not been explored to its end. That loop
 * must be bounded for the current state, too. It leads to a common ancestor of both
 * states. So all resources that existed in that ancestor must be the same in both states.
 * Iterators that were created since may have any reference. The functions must also have
 * passed the same number of may_gotos of their own.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/limits.h>
#include "verifier_loops.h"

#define verbose bpf_verifier_log_write

/**
 * struct loop_turn - effect of an iteration on the resources
 * @oldest: age of the oldest resource that changed; U64_MAX if none did
 * @is_used: it was consumed and not renewed
 */
struct loop_turn {
	u64 oldest;
	bool is_used;
};

/* Iterators are ordered by reference, with the numbers of calls in between. */
static u64 age_of_ref(u32 ref)
{
	return (u64)ref << 32;
}

static u64 newest_age(const struct bpf_verifier_env *env)
{
	return age_of_ref(env->id_gen) | env->loop_id_gen;
}

static u64 next_call(struct bpf_verifier_env *env)
{
	env->loop_id_gen++;
	return newest_age(env);
}

/**
 * bpf_loop_stamp - record when a state was saved for comparisons
 * @env: the verifier's environment
 * @state: the state
 */
void bpf_loop_stamp(const struct bpf_verifier_env *env, struct bpf_verifier_state *state)
{
	state->loop_stamp = newest_age(env);
}

/*
 * Return: the stamp of the last common ancestor. Paths are followed one after another, so
 * an ancestor of @cur that was saved before @old is also an ancestor of @old.
 */
static u64 parting(const struct bpf_verifier_state *old, const struct bpf_verifier_state *cur)
{
	const struct bpf_verifier_state *state;

	for (state = cur->parent; state; state = state->parent) {
		if (state->loop_stamp <= old->loop_stamp)
			return state->loop_stamp;
	}

	return U64_MAX - 1;
}

/**
 * bpf_loop_enter_func - number the call of a function
 * @env: the verifier's environment
 * @callee: the function's frame
 */
void bpf_loop_enter_func(struct bpf_verifier_env *env, struct bpf_func_state *callee)
{
	callee->call = next_call(env);
}

/**
 * bpf_loop_enter_call - number the call of a function that calls callbacks
 * @env: the verifier's environment
 * @caller: frame that calls it
 *
 * Does nothing if a callback returns to the call. Must be called before the state is
 * saved for comparisons.
 */
void bpf_loop_enter_call(struct bpf_verifier_env *env, struct bpf_func_state *caller)
{
	if (!caller->callback_depth)
		caller->callback_call = next_call(env);
}

static void turn_note(struct loop_turn *turn, u64 age, bool is_same, bool is_used)
{
	if (age >= turn->oldest || (is_same && !is_used))
		return;

	turn->oldest = age;
	turn->is_used = is_same;
}

static const struct bpf_reg_state *active_iter(const struct bpf_func_state *frame, int spi)
{
	const struct bpf_stack_state *slot = &frame->stack[spi];

	/* The reference is in the first slot of an iterator. */
	if (slot->slot_type[0] != STACK_ITER || !slot->spilled_ptr.ref_obj_id ||
	    slot->spilled_ptr.iter.state != BPF_ITER_STATE_ACTIVE)
		return NULL;

	return &slot->spilled_ptr;
}

static int nr_slots(const struct bpf_func_state *frame)
{
	return frame->allocated_stack / BPF_REG_SIZE;
}

static void turn_note_iters(struct loop_turn *turn, const struct bpf_func_state *old,
			    const struct bpf_func_state *cur)
{
	const struct bpf_reg_state *a, *b;
	int i;

	for (i = 0; i < nr_slots(old); i++) {
		a = active_iter(old, i);
		if (!a)
			continue;

		b = i < nr_slots(cur) ? active_iter(cur, i) : NULL;
		turn_note(turn, age_of_ref(a->ref_obj_id),
			  b && a->ref_obj_id == b->ref_obj_id,
			  b && a->iter.depth != b->iter.depth);
	}
}

/* The call has ended if its callback is not called again. */
static void turn_note_callbacks(struct loop_turn *turn, const struct bpf_func_state *old,
				const struct bpf_func_state *cur)
{
	if (old->callback_depth || cur->callback_depth)
		turn_note(turn, old->callback_call, old->callback_call == cur->callback_call,
			  old->callback_depth != cur->callback_depth);
}

static void turn_note_may_gotos(struct loop_turn *turn, const struct bpf_func_state *old,
				const struct bpf_func_state *cur)
{
	turn_note(turn, old->call, old->call == cur->call,
		  old->may_goto_depth != cur->may_goto_depth);
}

static bool counts_may_gotos(const struct bpf_verifier_env *env)
{
	return env->has_may_goto && !env->prog->aux->may_goto_clock;
}

static bool has_as_much_time(const struct bpf_verifier_env *env,
			     const struct bpf_verifier_state *old,
			     const struct bpf_verifier_state *cur)
{
	return !env->prog->aux->may_goto_clock || old->may_goto_depth == cur->may_goto_depth;
}

static struct loop_turn compare(const struct bpf_verifier_env *env,
				const struct bpf_verifier_state *old,
				const struct bpf_verifier_state *cur)
{
	struct loop_turn turn = { .oldest = U64_MAX };
	int i;

	for (i = 0; i <= cur->curframe; i++) {
		turn_note_iters(&turn, old->frame[i], cur->frame[i]);
		turn_note_callbacks(&turn, old->frame[i], cur->frame[i]);
		if (counts_may_gotos(env))
			turn_note_may_gotos(&turn, old->frame[i], cur->frame[i]);
	}

	return turn;
}

static bool uses_up(const struct bpf_verifier_env *env, const struct bpf_verifier_state *old,
		    const struct bpf_verifier_state *cur)
{
	return old->curframe == cur->curframe && compare(env, old, cur).is_used;
}

/* Test if a function that was entered before the iteration passes a may_goto in it. */
static bool passes_own_may_goto(const struct bpf_verifier_state *old,
				const struct bpf_verifier_state *cur)
{
	int i;

	for (i = 0; i <= min(old->curframe, cur->curframe); i++) {
		if (old->frame[i]->call == cur->frame[i]->call &&
		    old->frame[i]->may_goto_depth != cur->frame[i]->may_goto_depth)
			return true;
	}

	return false;
}

/**
 * bpf_loop_is_bounded - test if an iteration consumes a resource that bounds the loop
 * @env: the verifier's environment
 * @old: state at the beginning of the iteration
 * @cur: state at its end, at the same instruction
 */
bool bpf_loop_is_bounded(const struct bpf_verifier_env *env,
			 const struct bpf_verifier_state *old,
			 const struct bpf_verifier_state *cur)
{
	return uses_up(env, old, cur) || !has_as_much_time(env, old, cur);
}

/**
 * bpf_loop_note_turn - record if a loop is only bounded by may_gotos of its callees
 * @env: the verifier's environment
 * @old: state at the beginning of the iteration
 * @cur: state at its end, which equals @old
 */
void bpf_loop_note_turn(struct bpf_verifier_env *env, const struct bpf_verifier_state *old,
			const struct bpf_verifier_state *cur)
{
	if (!uses_up(env, old, cur) && !passes_own_may_goto(old, cur))
		env->relies_on_callees = true;
}

/**
 * bpf_loop_is_as_before - test if the resources are those of an explored state
 * @env: the verifier's environment
 * @old: state that has been explored, as part of a loop
 * @cur: state that equals @old
 */
bool bpf_loop_is_as_before(const struct bpf_verifier_env *env,
			   const struct bpf_verifier_state *old,
			   const struct bpf_verifier_state *cur)
{
	return has_as_much_time(env, old, cur) && !passes_own_may_goto(old, cur) &&
	       compare(env, old, cur).oldest > parting(old, cur);
}

/**
 * bpf_loop_check_clocks - refuse loops whose time limit is renewed in each iteration
 * @env: the verifier's environment, at the end of verification
 *
 * Return: 0 or -EINVAL, with a message in the log.
 */
int bpf_loop_check_clocks(struct bpf_verifier_env *env)
{
	int i;

	if (!env->relies_on_callees)
		return 0;

	for (i = 0; i < env->subprog_cnt; i++) {
		if (!env->subprog_info[i].is_async_cb || !env->subprog_info[i].is_called)
			continue;

		verbose(env, "infinite loop possible: asynchronous callback func#%d is called\n",
			i);
		return -EINVAL;
	}

	return 0;
}
