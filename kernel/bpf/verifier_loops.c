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
 * bpf_loop_enter_call() gives each call a number.
 *
 * The time that may_goto limits is that of the whole run. Where it counts (see
 * may_goto.c), it does so for each call of a function, so that the function that
 * loops must not have been called anew.
 *
 * A state that has been explored to its end needs none of that, unless its end
 * was to go round a loop that has not been: then what bounds that loop has to be
 * the same for both states.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include "verifier_loops.h"

/**
 * bpf_loop_enter_call - note that a function which calls callbacks is called
 * @env: the verifier's environment
 * @caller: frame that calls it
 *
 * Does nothing if it is the callback that returns to the call. Must come before the
 * state is kept for comparisons.
 */
void bpf_loop_enter_call(struct bpf_verifier_env *env, struct bpf_func_state *caller)
{
	if (!caller->callback_depth)
		caller->callback_call = ++env->loop_id_gen;
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

static bool frame_passes_next(const struct bpf_func_state *old, const struct bpf_func_state *cur)
{
	int i, nr = min(nr_slots(old), nr_slots(cur));
	const struct bpf_reg_state *a, *b;

	for (i = 0; i < nr; i++) {
		a = active_iter(old, i);
		b = active_iter(cur, i);
		if (a && b && a->ref_obj_id == b->ref_obj_id && a->iter.depth != b->iter.depth)
			return true;
	}

	return false;
}

static bool frame_passes_callback(const struct bpf_func_state *old,
				  const struct bpf_func_state *cur)
{
	return old->callback_call == cur->callback_call &&
	       old->callback_depth != cur->callback_depth;
}

static bool frame_passes_may_goto(const struct bpf_func_state *old,
				  const struct bpf_func_state *cur)
{
	return old->call == cur->call && old->may_goto_depth != cur->may_goto_depth;
}

/**
 * bpf_loop_passes_may_goto - tell if a turn uses up what may_goto allows
 * @env: the verifier's environment
 * @old: state at the turn's begin
 * @cur: state at its end, at the same instruction
 */
bool bpf_loop_passes_may_goto(const struct bpf_verifier_env *env,
			      const struct bpf_verifier_state *old,
			      const struct bpf_verifier_state *cur)
{
	int i;

	if (env->prog->aux->may_goto_clock)
		return old->may_goto_depth != cur->may_goto_depth;
	if (old->curframe != cur->curframe)
		return false;

	for (i = 0; i <= cur->curframe; i++) {
		if (frame_passes_may_goto(old->frame[i], cur->frame[i]))
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
	int i;

	if (old->curframe != cur->curframe)
		return false;

	for (i = 0; i <= cur->curframe; i++) {
		if (frame_passes_next(old->frame[i], cur->frame[i]) ||
		    frame_passes_callback(old->frame[i], cur->frame[i]))
			return true;
	}

	return bpf_loop_passes_may_goto(env, old, cur);
}

static bool frame_has_same_iters(const struct bpf_func_state *old,
				 const struct bpf_func_state *cur)
{
	const struct bpf_reg_state *a, *b;
	int i;

	for (i = 0; i < nr_slots(old); i++) {
		a = active_iter(old, i);
		if (!a)
			continue;

		b = active_iter(cur, i);
		if (!b || a->ref_obj_id != b->ref_obj_id || a->iter.depth != b->iter.depth)
			return false;
	}

	return true;
}

/**
 * bpf_loop_has_same_iters - tell if the same iterators bound two states alike
 * @old: a state that has been explored, as part of a loop
 * @cur: a state that equals @old
 */
bool bpf_loop_has_same_iters(const struct bpf_verifier_state *old,
			     const struct bpf_verifier_state *cur)
{
	int i;

	for (i = 0; i <= cur->curframe; i++) {
		if (!frame_has_same_iters(old->frame[i], cur->frame[i]))
			return false;
	}

	return true;
}
