// SPDX-License-Identifier: GPL-2.0
/*
 * What bounds the loops that the verifier does not follow to their end
 *
 * When the verifier comes to an instruction in a state that equals one that it
 * came from, the program has gone round a loop, and nothing tells how often it
 * will. The verifier may stop there only if something ends the loop at run time.
 * There are three such things, and each turn must use up some of it:
 *
 * - an iterator: each turn calls its next(), which returns NULL in the end;
 * - a function that calls a callback: it does so a limited number of times;
 * - may_goto: it jumps when the program has looped for too long.
 *
 * The iterator must be the same at both ends of the turn, as must the call of
 * the function that calls back. A loop that makes an iterator, takes an element
 * and destroys the iterator has a new one each turn, and never comes to its end.
 * The verifier gives each iterator a reference, by which it is recognised, and
 * each call of a function has a number here.
 *
 * Nor do two turns come to an end if each uses up something that the other makes
 * anew. So of all that the program has at the turn's begin, the oldest thing that the
 * turn does not leave as it is must be one that it uses up. What is younger may be new
 * at the turn's end, as the inner loop of two is. Then no order of turns goes on for
 * ever: of those things that are oldest in turns without end, the oldest of all is never
 * made anew, and used up.
 *
 * The time that may_goto limits is that of the whole run, and nothing is older. Where
 * it counts (see may_goto.c), it does so for each call of a function, so that the
 * function that loops must not have been called anew. An asynchronous callback is a run
 * of its own, whoever calls it: in a program that calls one, no loop may rely on the
 * may_gotos of functions that it calls.
 *
 * A state that has been explored to its end needs none of that, unless its end
 * was to go round a loop that has not been: then all that may bound that loop has to be
 * as it is in the other state. The loop goes round to a state from which both come, so
 * that is what was there by then: an iterator that each of them has made by itself since
 * may have any reference. Functions must have passed as many may_gotos of their own, too.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/limits.h>
#include "verifier_loops.h"

#define verbose bpf_verifier_log_write

/**
 * struct loop_turn - what a turn of a loop does to what may bound it
 * @oldest: age of the oldest thing that is not as before; U64_MAX if all are
 * @is_used: the turn has used some of it up, and not made it anew
 */
struct loop_turn {
	u64 oldest;
	bool is_used;
};

/* Of iterators: the reference. Calls have one that the next iterator exceeds. */
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
 * bpf_loop_stamp - note when a state was kept
 * @env: the verifier's environment
 * @state: the state, for comparisons from now on
 */
void bpf_loop_stamp(const struct bpf_verifier_env *env, struct bpf_verifier_state *state)
{
	state->loop_stamp = newest_age(env);
}

/*
 * When was the last state kept from which both come? Paths are followed one after another,
 * so where the way to @cur began before @old was kept, it leads to both.
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
 * Does nothing if it is the callback that returns to the call. Must come before the
 * state is kept for comparisons.
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

	/* An iterator's first slot has its reference. */
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

/* Once no callback is called any more the call is over. */
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

/* Does a function that is running at both ends of the turn pass a may_goto of its own? */
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
 * bpf_loop_is_bounded - tell if a turn uses up something that ends the loop
 * @env: the verifier's environment
 * @old: state at the turn's begin
 * @cur: state at its end, at the same instruction
 */
bool bpf_loop_is_bounded(const struct bpf_verifier_env *env,
			 const struct bpf_verifier_state *old,
			 const struct bpf_verifier_state *cur)
{
	return uses_up(env, old, cur) || !has_as_much_time(env, old, cur);
}

/**
 * bpf_loop_note_turn - note what a loop relies on that is not followed any further
 * @env: the verifier's environment
 * @old: state at the turn's begin
 * @cur: state at its end, that equals @old
 */
void bpf_loop_note_turn(struct bpf_verifier_env *env, const struct bpf_verifier_state *old,
			const struct bpf_verifier_state *cur)
{
	if (!uses_up(env, old, cur) && !passes_own_may_goto(old, cur))
		env->relies_on_callees = true;
}

/**
 * bpf_loop_is_as_before - tell if all that may bound a loop is as in another state
 * @env: the verifier's environment
 * @old: a state that has been explored, as part of a loop
 * @cur: a state that equals @old
 */
bool bpf_loop_is_as_before(const struct bpf_verifier_env *env,
			   const struct bpf_verifier_state *old,
			   const struct bpf_verifier_state *cur)
{
	return has_as_much_time(env, old, cur) && !passes_own_may_goto(old, cur) &&
	       compare(env, old, cur).oldest > parting(old, cur);
}

/**
 * bpf_loop_check_clocks - refuse loops whose time begins anew in each turn
 * @env: the verifier's environment, at the end of verification
 *
 * Return: 0 or -EINVAL, which is explained.
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
