/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the programs with resilient spin locks and their tests */
#ifndef RES_LOCK_H
#define RES_LOCK_H

/* Locks that a program can take at once here, and programs that do so in turn */
#define DEEP		40
#define NR_DEEP		4

#define NR_LOCKS	(DEEP * NR_DEEP)

/* Beyond that number they are counted but not listed */
#define NR_LISTED	31

/* So many locks at most can a CPU hold */
#define MAX_HELD_AT_ALL	128

/* The lock is neither first nor last, to see that the rest is left as it is */
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
 * What a program is to do: wait for its cue, take the first lock, meet another,
 * take the second lock and release it, see somebody off, release the first lock.
 */
struct actor {
	/* in: numbers of locks and of other actors */
	int first, second;
	int cue;	/* begins when that one has met */
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
