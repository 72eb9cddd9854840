/* SPDX-License-Identifier: GPL-2.0 */
/* What bounds the loops that the verifier does not follow to their end */
#ifndef _KERNEL_BPF_VERIFIER_LOOPS_H
#define _KERNEL_BPF_VERIFIER_LOOPS_H

#include <linux/types.h>

struct bpf_func_state;
struct bpf_verifier_env;
struct bpf_verifier_state;

void bpf_loop_enter_func(struct bpf_verifier_env *env, struct bpf_func_state *callee);
void bpf_loop_enter_call(struct bpf_verifier_env *env, struct bpf_func_state *caller);
void bpf_loop_stamp(const struct bpf_verifier_env *env, struct bpf_verifier_state *state);
bool bpf_loop_is_bounded(const struct bpf_verifier_env *env,
			 const struct bpf_verifier_state *old,
			 const struct bpf_verifier_state *cur);
void bpf_loop_note_turn(struct bpf_verifier_env *env, const struct bpf_verifier_state *old,
			const struct bpf_verifier_state *cur);
bool bpf_loop_is_as_before(const struct bpf_verifier_env *env,
			   const struct bpf_verifier_state *old,
			   const struct bpf_verifier_state *cur);
int bpf_loop_check_clocks(struct bpf_verifier_env *env);

#endif /* _KERNEL_BPF_VERIFIER_LOOPS_H */
