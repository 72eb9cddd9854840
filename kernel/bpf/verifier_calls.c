// SPDX-License-Identifier: GPL-2.0
/*
 * Checking that calls name the functions that the verifier saw
 *
 * Once a program has been verified it is rewritten: instructions are inserted and
 * removed, and calls of and references to functions, which count instructions, are
 * adjusted. If one were left behind, it would name a function that nobody has
 * verified with these arguments, or no function at all. So note what they name
 * before the first rewrite, and look again after the last.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/bug.h>
#include <linux/filter.h>
#include "verifier_calls.h"

static bool names_subprog(const struct bpf_insn *insn)
{
	return bpf_pseudo_func(insn) ||
	       (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL);
}

/* Number of the function that the instruction names, now; -ENOENT if none begins there */
static int named_subprog(const struct bpf_verifier_env *env, int insn_idx)
{
	int i, start = insn_idx + env->prog->insnsi[insn_idx].imm + 1;

	for (i = 0; i < env->subprog_cnt; i++) {
		if (env->subprog_info[i].start == start)
			return i;
	}

	return -ENOENT;
}

/**
 * bpf_calls_note - note what the calls of a program name
 * @env: the verifier's environment, before the program is rewritten
 *
 * Subprograms that are dead will be removed, so that their numbers change: each
 * keeps the one that it has now, in bpf_subprog_info.orig_no. They count from 1 there,
 * as an instruction of which nothing is noted has 0.
 */
void bpf_calls_note(struct bpf_verifier_env *env)
{
	const struct bpf_insn *insn = env->prog->insnsi;
	int i;

	for (i = 0; i < env->subprog_cnt; i++)
		env->subprog_info[i].orig_no = i + 1;

	for (i = 0; i < env->prog->len; i++, insn++) {
		if (names_subprog(insn))
			env->insn_aux_data[i].callee = named_subprog(env, i) + 1;
	}
}

static bool names_what_it_did(const struct bpf_verifier_env *env, int insn_idx)
{
	int subprog = named_subprog(env, insn_idx);

	return subprog >= 0 &&
	       env->subprog_info[subprog].orig_no == env->insn_aux_data[insn_idx].callee;
}

/**
 * bpf_calls_check - check that the calls of a program name what they did
 * @env: the verifier's environment, after the program was rewritten
 *
 * Return: 0, or -EFAULT after a warning.
 */
int bpf_calls_check(const struct bpf_verifier_env *env)
{
	const struct bpf_insn *insn = env->prog->insnsi;
	int i;

	for (i = 0; i < env->prog->len; i++, insn++) {
		if (!names_subprog(insn) || names_what_it_did(env, i))
			continue;

		WARN_ONCE(1, "verifier bug: insn %d names another function than before", i);
		return -EFAULT;
	}

	return 0;
}
