// SPDX-License-Identifier: GPL-2.0
/*
 * Check that the verifier's rewriting preserves the targets of calls
 *
 * After a program has been verified, instructions are inserted and removed, and the
 * offsets in calls of functions and references to functions are adjusted. If one of
 * them were missed, it would refer to a function that was not verified with these
 * arguments, or to no function at all. So record the targets before the first change,
 * and compare them after the last.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/bug.h>
#include <linux/filter.h>
#include "verifier_calls.h"

static bool refers_to_subprog(const struct bpf_insn *insn)
{
	return bpf_pseudo_func(insn) ||
	       (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL);
}

/* Return: number of the function that the instruction refers to, or -ENOENT. */
static int target_subprog(const struct bpf_verifier_env *env, int insn_idx)
{
	int i, start = insn_idx + env->prog->insnsi[insn_idx].imm + 1;

	for (i = 0; i < env->subprog_cnt; i++) {
		if (env->subprog_info[i].start == start)
			return i;
	}

	return -ENOENT;
}

/**
 * bpf_calls_note - record the targets of all calls and references
 * @env: the verifier's environment, before the program is rewritten
 *
 * Dead subprograms will be removed, which changes the numbers of others.
 * bpf_subprog_info.orig_no keeps the original number, counted from 1, as 0 means that
 * nothing was recorded for an instruction.
 */
void bpf_calls_note(struct bpf_verifier_env *env)
{
	const struct bpf_insn *insn = env->prog->insnsi;
	int i;

	for (i = 0; i < env->subprog_cnt; i++)
		env->subprog_info[i].orig_no = i + 1;

	for (i = 0; i < env->prog->len; i++, insn++) {
		if (refers_to_subprog(insn))
			env->insn_aux_data[i].callee = target_subprog(env, i) + 1;
	}
}

static bool target_is_unchanged(const struct bpf_verifier_env *env, int insn_idx)
{
	int subprog = target_subprog(env, insn_idx);

	return subprog >= 0 &&
	       env->subprog_info[subprog].orig_no == env->insn_aux_data[insn_idx].callee;
}

/**
 * bpf_calls_check - check that all calls and references have their original target
 * @env: the verifier's environment, after the program was rewritten
 *
 * Return: 0, or -EFAULT after a warning.
 */
int bpf_calls_check(const struct bpf_verifier_env *env)
{
	const struct bpf_insn *insn = env->prog->insnsi;
	int i;

	for (i = 0; i < env->prog->len; i++, insn++) {
		if (!refers_to_subprog(insn) || target_is_unchanged(env, i))
			continue;

		WARN_ONCE(1, "verifier bug: insn %d refers to another function than before", i);
		return -EFAULT;
	}

	return 0;
}
