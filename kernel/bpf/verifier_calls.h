/* SPDX-License-Identifier: GPL-2.0 */
/* Checking that calls name the functions that the verifier saw */
#ifndef _KERNEL_BPF_VERIFIER_CALLS_H
#define _KERNEL_BPF_VERIFIER_CALLS_H

struct bpf_verifier_env;

void bpf_calls_note(struct bpf_verifier_env *env);
int bpf_calls_check(const struct bpf_verifier_env *env);

#endif /* _KERNEL_BPF_VERIFIER_CALLS_H */
