/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the programs with resilient spin locks and their tests */
#ifndef RES_LOCK_H
#define RES_LOCK_H

/* Locks that a program can take at once here, and number of such programs */
#define DEEP		40
#define NR_DEEP		4

#define NR_LOCKS	(DEEP * NR_DEEP)

/* Beyond this number locks are counted but not listed */
#define NR_LISTED	31

/* Maximum number of locks that a CPU can hold */
#define MAX_HELD_AT_ALL	128

/* The lock is neither first nor last, to check that the rest is unchanged */
struct locked {
#ifdef __bpf__
	__u64 before;
	struct bpf_res_spin_lock lock;
	__u32 after;
	__u64 value;
#else
	unsigned long long before;
	unsigned int lock;
	unsigned int after;
	unsigned long long value;
#endif
};

#define NO_LOCK		(-1)
#define NOBODY		(-1)
#define NR_ACTORS	3

/*
 * The actions of a program: wait for its cue, take the first lock, meet another program,
 * take the second lock and release it, wait until another program is done, release the
 * first lock.
 */
struct actor {
	/* in: numbers of locks and of other actors */
	int first, second;
	int cue;	/* begins when that one has met its partner */
	int meets;	/* takes the second lock when that one holds the first */
	int sees_off;	/* keeps the first lock until that one is done */
	int irqsave;
	/* out */
	int started;
	int holds;
	int done;
	int ended;
	int lost;	/* waited in vain */
	int first_err, second_err;
	int cpu;
	unsigned int context;
	unsigned long long first_addr, second_addr;
};

#endif /* RES_LOCK_H */
