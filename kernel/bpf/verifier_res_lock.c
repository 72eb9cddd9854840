// SPDX-License-Identifier: GPL-2.0
/*
 * Resilient spin locks in the verifier
 *
 * A bpf_res_spin_lock may fail, as deadlocks are found when the program runs.
 * The verifier sees to the rest: what was taken is released, on every path, and
 * nothing happens in between that may sleep or take long.
 *
 * State
 *
 * The locks that a program holds are listed in bpf_verifier_state, in the order
 * in which it took them. A lock is known by the object that has it, which is the
 * pair of pointer and ID that a bpf_spin_lock is known by as well; there is one
 * lock in an object at most. The call that takes a lock forks the state: in one
 * branch it returns 0 and the lock is added to the list, in the other it returns
 * an error and nothing else has changed.
 *
 * bpf_res_spin_lock_irqsave() puts the state of interrupts, the irq flag, into a
 * slot of the program's stack, which becomes a STACK_IRQ_FLAG in the first
 * branch. The list says which slot it is, so a flag is live as long as its lock
 * is held. Pruning compares the list; the slot itself has no state of its own.
 *
 * Rules
 *
 * - A lock that is held cannot be taken again, nor any while a bpf_spin_lock is
 *   held, nor more than BPF_MAX_RES_LOCKS.
 * - Locks are released in reverse order, each by its kind of unlock, an irq one
 *   with the flag that it has set.
 * - A live flag cannot be written, nor read, nor may its function return.
 * - With a lock held a program may run on, in static functions as well. It must
 *   not exit, throw, return from a callback (none is ever called with a lock
 *   held), execute BPF_LD_ABS or BPF_LD_IND, nor call a global function, a
 *   helper, or a kfunc but for those that bpf_res_lock_allows_kfunc() names and
 *   those that a bpf_spin_lock allows too.
 *
 * In speculation the CPU may run both sides of a branch of which the verifier
 * knows that just one is taken, the one for errors with the lock held, say. No
 * lock is really taken or left then, and none of this is looked at.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf_ids.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "verifier_res_lock.h"

#define verbose bpf_verifier_log_write

enum {
	RES_SPIN_LOCK,
	RES_SPIN_UNLOCK,
	RES_SPIN_LOCK_IRQSAVE,
	RES_SPIN_UNLOCK_IRQRESTORE,
	NR_RES_LOCK_KFUNCS
};

BTF_ID_LIST(res_lock_kfuncs)
BTF_ID(func, bpf_res_spin_lock)
BTF_ID(func, bpf_res_spin_unlock)
BTF_ID(func, bpf_res_spin_lock_irqsave)
BTF_ID(func, bpf_res_spin_unlock_irqrestore)

/* They neither sleep nor take long. */
BTF_SET_START(kfuncs_under_res_lock)
BTF_ID(func, bpf_res_spin_lock)
BTF_ID(func, bpf_res_spin_unlock)
BTF_ID(func, bpf_res_spin_lock_irqsave)
BTF_ID(func, bpf_res_spin_unlock_irqrestore)
BTF_ID(func, bpf_iter_num_new)
BTF_ID(func, bpf_iter_num_next)
BTF_ID(func, bpf_iter_num_destroy)
BTF_SET_END(kfuncs_under_res_lock)

/* --- Which kfunc --- */

/**
 * bpf_is_res_lock_kfunc - does it take or release a resilient spin lock?
 * @btf_id: of the kfunc
 *
 * Its arguments are the lock and, if it has another, the irq flag.
 */
bool bpf_is_res_lock_kfunc(u32 btf_id)
{
	int i;

	for (i = 0; i < NR_RES_LOCK_KFUNCS; i++)
		if (btf_id == res_lock_kfuncs[i])
			return true;

	return false;
}

/**
 * bpf_res_lock_takes - does it take a lock?
 * @btf_id: of a kfunc for which bpf_is_res_lock_kfunc() is true
 */
bool bpf_res_lock_takes(u32 btf_id)
{
	return btf_id == res_lock_kfuncs[RES_SPIN_LOCK] ||
	       btf_id == res_lock_kfuncs[RES_SPIN_LOCK_IRQSAVE];
}

/**
 * bpf_res_lock_allows_kfunc - may a lock be held when it is called?
 * @btf_id: of the kfunc
 *
 * That goes for a bpf_spin_lock as well. The kfuncs that take locks say
 * themselves that they cannot be called then.
 */
bool bpf_res_lock_allows_kfunc(u32 btf_id)
{
	return btf_id_set_contains(&kfuncs_under_res_lock, btf_id);
}

static bool is_irq_kfunc(u32 btf_id)
{
	return btf_id == res_lock_kfuncs[RES_SPIN_LOCK_IRQSAVE] ||
	       btf_id == res_lock_kfuncs[RES_SPIN_UNLOCK_IRQRESTORE];
}

static const char *lock_name(bool irq)
{
	return irq ? "bpf_res_spin_lock_irqsave" : "bpf_res_spin_lock";
}

static const char *unlock_name(bool irq)
{
	return irq ? "bpf_res_spin_unlock_irqrestore" : "bpf_res_spin_unlock";
}

/* --- The list of held locks --- */

static const struct bpf_held_res_lock *last_held(const struct bpf_verifier_env *env)
{
	const struct bpf_verifier_state *state = env->cur_state;

	if (!bpf_res_lock_held(env))
		return NULL;

	return &state->res_locks[state->nr_res_locks - 1];
}

static bool same_lock(const struct bpf_held_res_lock *a, const struct bpf_held_res_lock *b)
{
	return a->ptr == b->ptr && a->id == b->id;
}

static const struct bpf_held_res_lock *
find_held(const struct bpf_verifier_env *env, const struct bpf_held_res_lock *lock)
{
	const struct bpf_verifier_state *state = env->cur_state;
	u32 i;

	for (i = 0; i < state->nr_res_locks; i++)
		if (same_lock(&state->res_locks[i], lock))
			return &state->res_locks[i];

	return NULL;
}

/**
 * bpf_res_locks_copy - a state has the locks of another
 * @dst: state that gets them, instead of its own
 * @src: state that has them
 *
 * Return: 0 or -ENOMEM, which leaves @dst as it is.
 */
int bpf_res_locks_copy(struct bpf_verifier_state *dst,
		       const struct bpf_verifier_state *src)
{
	struct bpf_held_res_lock *locks;

	if (src->nr_res_locks) {
		locks = krealloc_array(dst->res_locks, src->nr_res_locks,
				       sizeof(*locks), GFP_KERNEL);
		if (!locks)
			return -ENOMEM;
		memcpy(locks, src->res_locks, src->nr_res_locks * sizeof(*locks));
		dst->res_locks = locks;
	}
	dst->nr_res_locks = src->nr_res_locks;

	return 0;
}

/**
 * bpf_res_lock_take - the lock is taken
 * @env: verifier, in the branch of the state in which the call succeeds
 * @lock: what bpf_res_lock_check_arg() has found, with the slot of the flag
 *
 * Return: 0 or -ENOMEM.
 */
int bpf_res_lock_take(struct bpf_verifier_env *env,
		      const struct bpf_held_res_lock *lock)
{
	struct bpf_verifier_state *state = env->cur_state;
	u32 n = state->nr_res_locks;
	struct bpf_held_res_lock *locks;
	struct bpf_stack_state *slot;

	locks = krealloc_array(state->res_locks, n + 1, sizeof(*locks), GFP_KERNEL);
	if (!locks)
		return -ENOMEM;
	locks[n] = *lock;
	state->res_locks = locks;
	state->nr_res_locks = n + 1;

	if (lock->irq) {
		slot = &state->frame[lock->frameno]->stack[lock->spi];
		memset(slot->slot_type, STACK_IRQ_FLAG, sizeof(slot->slot_type));
	}

	return 0;
}

/**
 * bpf_res_lock_release - the lock that was taken last is released
 * @env: verifier, in a state in which bpf_res_lock_check_arg() and
 *	 bpf_irq_flag_check_last() agree
 */
void bpf_res_lock_release(struct bpf_verifier_env *env)
{
	const struct bpf_held_res_lock *last = last_held(env);

	if (last->irq)
		bpf_irq_flag_clear(env->cur_state->frame[last->frameno], last->spi);
	env->cur_state->nr_res_locks--;
}

/**
 * bpf_res_locks_print - add to the log where the held locks were taken
 * @env: verifier
 * @state: of the function that is being printed
 */
void bpf_res_locks_print(struct bpf_verifier_env *env,
			 const struct bpf_func_state *state)
{
	const struct bpf_verifier_state *cur = env->cur_state;
	u32 i;

	if (!cur || state != cur->frame[cur->curframe])
		return;

	for (i = 0; i < cur->nr_res_locks; i++)
		verbose(env, "%s%u", i ? "," : " res_locks=", cur->res_locks[i].insn_idx);
}

/* --- Arguments: the lock --- */

/* The messages are those for a bpf_spin_lock, see process_spin_lock(). */
static int check_lock_offset(struct bpf_verifier_env *env, u32 regno,
			     const struct btf_record *rec)
{
	const struct bpf_reg_state *reg = &cur_regs(env)[regno];
	struct bpf_map *map = reg->type == PTR_TO_MAP_VALUE ? reg->map_ptr : NULL;
	s64 off = reg->off + reg->var_off.value;

	if (!tnum_is_const(reg->var_off)) {
		verbose(env,
			"R%d doesn't have constant offset. bpf_res_spin_lock has to be at the constant offset\n",
			regno);
		return -EINVAL;
	}
	if (map && !map->btf) {
		verbose(env, "map '%s' has to have BTF in order to use bpf_res_spin_lock\n",
			map->name);
		return -EINVAL;
	}
	if (!btf_record_has_field(rec, BPF_RES_SPIN_LOCK)) {
		verbose(env, "%s '%s' has no valid bpf_res_spin_lock\n",
			map ? "map" : "local", map ? map->name : "kptr");
		return -EINVAL;
	}
	if (off != rec->res_spin_lock_off) {
		verbose(env, "off %lld doesn't point to 'struct bpf_res_spin_lock' that is at %d\n",
			off, rec->res_spin_lock_off);
		return -EINVAL;
	}

	return 0;
}

static int check_take(struct bpf_verifier_env *env, const struct bpf_held_res_lock *lock)
{
	const struct bpf_held_res_lock *held = find_held(env, lock);
	const char *name = lock_name(lock->irq);

	if (env->cur_state->active_lock.ptr) {
		verbose(env, "%s is not allowed while holding a bpf_spin_lock\n", name);
		return -EINVAL;
	}
	if (held) {
		verbose(env,
			"%s of the same lock again, AA deadlock detected: it was taken at insn %u\n",
			name, held->insn_idx);
		return -EINVAL;
	}
	if (env->cur_state->nr_res_locks >= BPF_MAX_RES_LOCKS) {
		verbose(env, "%s is not allowed while holding %d of such locks\n",
			name, BPF_MAX_RES_LOCKS);
		return -E2BIG;
	}

	return 0;
}

static int check_release(struct bpf_verifier_env *env, const struct bpf_held_res_lock *lock)
{
	const struct bpf_held_res_lock *last = last_held(env);
	const char *name = unlock_name(lock->irq);

	if (!last && !env->cur_state->active_lock.ptr) {
		verbose(env, "%s without taking a lock\n", name);
		return -EINVAL;
	}
	if (!last || !find_held(env, lock)) {
		verbose(env, "%s: unlock of different lock, this one is not held\n", name);
		return -EINVAL;
	}
	if (!same_lock(last, lock)) {
		verbose(env, "%s cannot be out of order, the lock taken last is that of insn %u\n",
			name, last->insn_idx);
		return -EINVAL;
	}
	if (last->irq != lock->irq) {
		verbose(env, "%s: unlock of different lock, this one was taken by %s at insn %u\n",
			name, lock_name(last->irq), last->insn_idx);
		return -EINVAL;
	}

	return 0;
}

/**
 * bpf_res_lock_check_arg - may the program do that with the lock?
 * @env: verifier
 * @func_id: kfunc for which bpf_is_res_lock_kfunc() is true
 * @regno: number of the register that points to the lock
 * @rec: fields of what it points to, or NULL
 * @lock: is set to the lock, except for the slot of its flag
 *
 * Return: 0 or a negative error, with a message in the log.
 */
int bpf_res_lock_check_arg(struct bpf_verifier_env *env, u32 func_id, u32 regno,
			   const struct btf_record *rec,
			   struct bpf_held_res_lock *lock)
{
	const struct bpf_reg_state *reg = &cur_regs(env)[regno];
	int err;

	if (reg->type != PTR_TO_MAP_VALUE && reg->type != (PTR_TO_BTF_ID | MEM_ALLOC)) {
		verbose(env, "arg#%d is %s, it doesn't point to map value or allocated object\n",
			regno - 1, reg_type_str(env, reg->type));
		return -EINVAL;
	}
	err = check_lock_offset(env, regno, rec);
	if (err || env->cur_state->speculative)
		return err;

	lock->ptr = reg->type == PTR_TO_MAP_VALUE ? (void *)reg->map_ptr : (void *)reg->btf;
	lock->id = reg->id;
	lock->insn_idx = env->insn_idx;
	lock->irq = is_irq_kfunc(func_id);

	return bpf_res_lock_takes(func_id) ? check_take(env, lock) : check_release(env, lock);
}

/* --- Arguments: the irq flag --- */

/**
 * bpf_irq_flag_check_free - may a flag be put into the slot?
 * @env: verifier
 * @state: frame of the slot
 * @spi: number of the slot, or negative if the stack does not yet reach it
 *
 * Return: 0 or a negative error, with a message in the log.
 */
int bpf_irq_flag_check_free(struct bpf_verifier_env *env,
			    const struct bpf_func_state *state, int spi)
{
	const char *what;

	if (spi < 0 || env->cur_state->speculative)
		return 0;

	switch (state->stack[spi].slot_type[0]) {
	case STACK_IRQ_FLAG:
		what = "the irq flag of another lock";
		break;
	case STACK_DYNPTR:
		what = "a dynptr";
		break;
	case STACK_ITER:
		what = "an iterator";
		break;
	default:
		return 0;
	}

	verbose(env, "expected uninitialized irq flag as arg#1, there is %s\n", what);

	return -EINVAL;
}

/**
 * bpf_irq_flag_check_last - is it the flag of the lock that is to be released?
 * @env: verifier, in a state in which bpf_res_lock_check_arg() has agreed
 * @state: frame of the slot
 * @spi: number of the slot, or negative if there is none
 *
 * Return: 0 or a negative error, with a message in the log.
 */
int bpf_irq_flag_check_last(struct bpf_verifier_env *env,
			    const struct bpf_func_state *state, int spi)
{
	const struct bpf_held_res_lock *last = last_held(env);

	if (env->cur_state->speculative)
		return 0;

	if (spi < 0 || state->stack[spi].slot_type[0] != STACK_IRQ_FLAG) {
		verbose(env, "expected an initialized irq flag as arg#1\n");
		return -EINVAL;
	}
	if (last->frameno != state->frameno || last->spi != spi) {
		verbose(env, "arg#1 is not the irq flag of the lock taken at insn %u\n",
			last->insn_idx);
		return -EINVAL;
	}

	return 0;
}

/**
 * bpf_irq_flag_clear - the slot has no flag, nor anything else
 * @state: frame of the slot
 * @spi: number of the slot
 *
 * What was there cannot be read any more. See invalidate_dynptr() for why it has
 * to be marked as written.
 */
void bpf_irq_flag_clear(struct bpf_func_state *state, int spi)
{
	struct bpf_stack_state *slot = &state->stack[spi];

	memset(slot->slot_type, STACK_INVALID, sizeof(slot->slot_type));
	slot->spilled_ptr.live |= REG_LIVE_WRITTEN;
}

/* For bpf_irq_flag_check_write(). */
int bpf_irq_flag_refuse_write(struct bpf_verifier_env *env, int spi)
{
	verbose(env, "cannot overwrite the irq flag at fp%d while its lock is held\n",
		(-spi - 1) * BPF_REG_SIZE);
	return -EINVAL;
}

/* --- What must not be done with a lock held --- */

/**
 * bpf_res_lock_check_exit - may the function be left?
 * @env: verifier, at the exit of a function
 *
 * Return: 0 or a negative error, with a message in the log.
 */
int bpf_res_lock_check_exit(struct bpf_verifier_env *env)
{
	const struct bpf_held_res_lock *held = last_held(env);
	const struct bpf_verifier_state *state = env->cur_state;
	const struct bpf_func_state *frame = state->frame[state->curframe];
	u32 i;

	if (!held)
		return 0;

	if (!state->curframe || frame->in_callback_fn) {
		verbose(env, "%s is missing for the lock that was taken at insn %u\n",
			unlock_name(held->irq), held->insn_idx);
		return -EINVAL;
	}
	for (i = 0; i < state->nr_res_locks; i++) {
		held = &state->res_locks[i];
		if (!held->irq || held->frameno != state->curframe)
			continue;
		verbose(env, "return loses the irq flag of the lock taken at insn %u\n",
			held->insn_idx);
		return -EINVAL;
	}

	return 0;
}

/**
 * bpf_res_lock_check_ld_abs - may BPF_LD_ABS or BPF_LD_IND be executed?
 * @env: verifier
 *
 * They may end the program.
 *
 * Return: 0 or a negative error, with a message in the log.
 */
int bpf_res_lock_check_ld_abs(struct bpf_verifier_env *env)
{
	if (!bpf_res_lock_held(env))
		return 0;

	verbose(env, "BPF_LD_[ABS|IND] is not allowed while holding a lock\n");

	return -EINVAL;
}
