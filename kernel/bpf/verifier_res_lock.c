// SPDX-License-Identifier: GPL-2.0
/*
 * Resilient spin locks in the verifier
 *
 * Taking a bpf_res_spin_lock may fail, as deadlocks are detected at run time. The
 * verifier ensures that locks are released on every path, and that nothing in
 * between sleeps.
 *
 * State
 *
 * bpf_verifier_state lists the locks that a program holds, in the order in which
 * it took them. A lock is identified by its object, with the same pair of pointer
 * and ID as a bpf_spin_lock; an object has at most one lock. The call that takes a
 * lock forks the state: in one branch it returns 0, and the lock is added to the
 * list; in the other it returns an error, and nothing else has changed.
 *
 * bpf_res_spin_lock_irqsave() stores the state of interrupts, the irq flag, in a
 * slot of the program's stack, which becomes a STACK_IRQ_FLAG in the first branch.
 * The list refers to the slot, so a flag is live while its lock is held. Pruning
 * compares the lists; the slot does not have a state of its own.
 *
 * Rules
 *
 * - A held lock cannot be taken again. No lock can be taken while a bpf_spin_lock is
 *   held, and at most BPF_MAX_RES_LOCKS can be held.
 * - Locks are released in reverse order, with the counterpart of the function that
 *   took them, and with the flag that it has set.
 * - A live flag cannot be written or read, and its function cannot return.
 * - With a lock held, a program can execute instructions and call static functions.
 *   It must not exit, throw, return from a callback (callbacks are not called with a
 *   lock held), execute BPF_LD_ABS or BPF_LD_IND, or call a global function, a helper,
 *   or a kfunc, except for kfuncs for which bpf_res_lock_allows_kfunc() is true and
 *   those that are allowed with a bpf_spin_lock.
 *
 * A CPU may speculatively execute a branch that is never taken, for instance the one
 * for errors with the lock held. Speculation does not take or leave locks, so nothing
 * of this is checked for it.
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

/* These do not sleep. */
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
 * bpf_is_res_lock_kfunc - test for the kfuncs of resilient spin locks
 * @btf_id: of the kfunc
 *
 * Their arguments are the lock and, if there is a second one, the irq flag.
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
 * bpf_res_lock_takes - test if a kfunc takes a lock
 * @btf_id: of a kfunc for which bpf_is_res_lock_kfunc() is true
 */
bool bpf_res_lock_takes(u32 btf_id)
{
	return btf_id == res_lock_kfuncs[RES_SPIN_LOCK] ||
	       btf_id == res_lock_kfuncs[RES_SPIN_LOCK_IRQSAVE];
}

/**
 * bpf_res_lock_allows_kfunc - test if a kfunc may be called with a lock held
 * @btf_id: of the kfunc
 *
 * This includes a bpf_spin_lock. The kfuncs that take locks check for that
 * themselves.
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
 * bpf_res_locks_copy - copy the held locks of a state
 * @dst: state whose locks are replaced
 * @src: state to copy from
 *
 * Return: 0, or -ENOMEM, with @dst unchanged.
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
 * bpf_res_lock_take - add a lock to those that are held
 * @env: the verifier's environment, in the branch in which the call succeeds
 * @lock: the lock, as set by bpf_res_lock_check_arg(), with the slot of the flag
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
 * bpf_res_lock_release - remove the lock that was taken last
 * @env: the verifier's environment, after bpf_res_lock_check_arg() and
 *	 bpf_irq_flag_check_last() have succeeded
 */
void bpf_res_lock_release(struct bpf_verifier_env *env)
{
	const struct bpf_held_res_lock *last = last_held(env);

	if (last->irq)
		bpf_irq_flag_clear(env->cur_state->frame[last->frameno], last->spi);
	env->cur_state->nr_res_locks--;
}

/**
 * bpf_res_locks_print - log where the held locks were taken
 * @env: the verifier's environment
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
 * bpf_res_lock_check_arg - check the lock that is taken or released
 * @env: the verifier's environment
 * @func_id: kfunc for which bpf_is_res_lock_kfunc() is true
 * @regno: number of the register that points to the lock
 * @rec: fields of the object that contains it, or NULL
 * @lock: set to the lock, except for the slot of its flag
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
 * bpf_irq_flag_check_free - check that a flag can be stored in a slot
 * @env: the verifier's environment
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
 * bpf_irq_flag_check_last - check that a flag is that of the lock to be released
 * @env: the verifier's environment, after bpf_res_lock_check_arg() has succeeded
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
 * bpf_irq_flag_clear - invalidate the slot of a flag
 * @state: frame of the slot
 * @spi: number of the slot
 *
 * The slot can no longer be read. See invalidate_dynptr() for why it has to be
 * marked as written.
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

/* --- Not allowed with a lock held --- */

/**
 * bpf_res_lock_check_exit - check that a function may return
 * @env: the verifier's environment, at the exit of a function
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
 * bpf_res_lock_check_ld_abs - check that BPF_LD_ABS or BPF_LD_IND is allowed
 * @env: the verifier's environment
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
