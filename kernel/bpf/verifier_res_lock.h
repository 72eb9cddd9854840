/* SPDX-License-Identifier: GPL-2.0 */
/* Resilient spin locks in the verifier: interface of verifier_res_lock.c */
#ifndef _BPF_VERIFIER_RES_LOCK_H
#define _BPF_VERIFIER_RES_LOCK_H

#include <linux/bpf_verifier.h>

/**
 * struct bpf_held_res_lock - a lock that the program holds
 * @ptr: map or BTF of the object that contains it, as of &struct bpf_active_lock
 * @id: of the register that pointed to the object
 * @insn_idx: where it was taken
 * @irq: it was taken by bpf_res_spin_lock_irqsave()
 * @frameno: frame that has the irq flag, 0 if there is none
 * @spi: stack slot of the irq flag, 0 if there is none
 */
struct bpf_held_res_lock {
	const void *ptr;
	u32 id;
	u32 insn_idx;
	bool irq;
	u8 frameno;
	u8 spi;
};

bool bpf_is_res_lock_kfunc(u32 btf_id);
bool bpf_res_lock_allows_kfunc(u32 btf_id);
bool bpf_res_lock_takes(u32 btf_id);

int bpf_res_lock_check_arg(struct bpf_verifier_env *env, u32 func_id, u32 regno,
			   const struct btf_record *rec,
			   struct bpf_held_res_lock *lock);
int bpf_irq_flag_check_free(struct bpf_verifier_env *env,
			    const struct bpf_func_state *state, int spi);
int bpf_irq_flag_check_last(struct bpf_verifier_env *env,
			    const struct bpf_func_state *state, int spi);
int bpf_irq_flag_refuse_write(struct bpf_verifier_env *env, int spi);
void bpf_irq_flag_clear(struct bpf_func_state *state, int spi);

int bpf_res_lock_take(struct bpf_verifier_env *env,
		      const struct bpf_held_res_lock *lock);
void bpf_res_lock_release(struct bpf_verifier_env *env);
int bpf_res_lock_check_exit(struct bpf_verifier_env *env);
int bpf_res_lock_check_ld_abs(struct bpf_verifier_env *env);

int bpf_res_locks_copy(struct bpf_verifier_state *dst,
		       const struct bpf_verifier_state *src);
void bpf_res_locks_print(struct bpf_verifier_env *env,
			 const struct bpf_func_state *state);

/* Instructions that are only executed speculatively do not take locks. */
static inline bool bpf_res_lock_held(const struct bpf_verifier_env *env)
{
	return env->cur_state->nr_res_locks && !env->cur_state->speculative;
}

/* Refuse writing to a flag's stack slot while its lock is held. */
static inline int bpf_irq_flag_check_write(struct bpf_verifier_env *env,
					   const struct bpf_func_state *state, int spi)
{
	if (state->stack[spi].slot_type[0] != STACK_IRQ_FLAG || !bpf_res_lock_held(env))
		return 0;

	return bpf_irq_flag_refuse_write(env, spi);
}

#endif /* _BPF_VERIFIER_RES_LOCK_H */
