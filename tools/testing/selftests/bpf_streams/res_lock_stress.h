/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by progs/res_lock_stress.bpf.c and test_res_lock_stress.c */
#ifndef RES_LOCK_STRESS_H
#define RES_LOCK_STRESS_H

#define STRESS_LOCKS	8	/* a power of 2 */
#define STRESS_CPUS	64

/* Number of failures, by error */
struct stress_errors {
	unsigned long long deadlocks;
	unsigned long long timeouts;
	unsigned long long others;
};

#endif /* RES_LOCK_STRESS_H */
