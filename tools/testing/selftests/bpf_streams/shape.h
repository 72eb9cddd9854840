/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs made of functions whose first instructions vary, and what they compute
 *
 * The verifier inserts instructions at the beginning of some functions: the one that
 * starts the clock or the countdown of may_goto, or the prologue of a program type. With
 * any first instruction, and jumps to it from any place, a program has to compute the same
 * as before. So each of its functions counts its calls and sums up values in a map of one
 * element, struct cells, and this file predicts these from the functions.
 */
#ifndef SHAPE_H
#define SHAPE_H

#include "streams_test.h"
#include "raw.h"

#define MAX_FUNCS	8
#define MAX_ITEMS	12
#define MAX_CALLS	24
#define MAX_INSNS	16384
#define MAX_REFS	256
#define CATCHER		3		/* the function that catches exceptions */

/* Iterations of a loop that ends by itself, and of one around a whole function */
#define TURNS		3
#define PASSES		2

/* The way in which a function is called */
enum func_role {
	ROLE_MAIN,
	ROLE_MAIN_TC,		/* of a program that gets a packet */
	ROLE_STATIC,
	ROLE_GLOBAL,
	ROLE_LOOP,		/* of bpf_loop(), which the verifier inlines */
	ROLE_LOOP_CALL,		/* and which it does not inline */
	ROLE_EACH,		/* of bpf_for_each_map_elem() */
	ROLE_TIMER,
	ROLE_WQ,
	ROLE_RINGBUF,		/* of bpf_user_ringbuf_drain() */
	ROLE_VMA,		/* of bpf_find_vma() */
	ROLE_LESS,		/* of bpf_rbtree_add() */
	ROLE_EXCEPTION,		/* the exception callback */
	NR_ROLES,
};

/* The element of the map that functions write to, and user space maps */
struct cells {
	__u64 hits[MAX_FUNCS];
	__u64 sum[MAX_FUNCS];
	__u64 turns[MAX_FUNCS];
	__u64 left[MAX_FUNCS];		/* countdown of the function's loop */
	__u64 pass[MAX_FUNCS];		/* passes of the function so far */
	__u64 traced[MAX_FUNCS];	/* calls that a tracing program saw, twice each */
	__u64 finished;			/* calls of asynchronous callbacks */
	__u64 limit;			/* iterations of each loop */
	__u64 zero;
	__u64 constant;
	__u64 scratch;
};

#define CELL(member)		((int)offsetof(struct cells, member))
#define FUNC_CELL(member, n)	(CELL(member) + (n) * (int)sizeof(__u64))

/* Shared by the programs */
struct shape_env {
	struct btf *btf;
	int cells_fd;
	int elems_fd;
	int ringbuf_fd;
	int lock_fd;
	int res_lock_fd;
	int tree_fd;
	int text_fd;
	int tails_fd;
	int arena_fd;
	struct cells *cells;
	void *arena;
	struct user_ring_buffer *ring;
};

struct shape;

/* Requirements and effects of kinds of instructions */
enum {
	K_CALL		= 1 << 0,	/* calls, so not while a lock is held */
	K_TC		= 1 << 1,	/* needs R1 to be a packet's context */
	K_MAY_GOTO	= 1 << 2,
	K_SELF		= 1 << 3,	/* refers to the function that it is in */
	K_LOAD		= 1 << 4,	/* loads from an argument */
	K_KEY		= 1 << 5,	/* needs a map in R1, a key of it in R2 */
	K_SCALAR	= 1 << 6,	/* needs any number in R1 */
	K_ARGS		= 1 << 7,	/* needs an argument that only generated callers pass */
	K_CTX		= 1 << 8,	/* that is the context */
	K_ENDS		= 1 << 9,	/* ends the function */
	K_KEEPS_R1	= 1 << 10,
	K_DIRECT	= 1 << 11,	/* calls the other function */
	K_REF		= 1 << 12,	/* has bpf_loop() call it */
	K_INVOKE	= 1 << 13,	/* calls it according to its role */
	K_JIT		= 1 << 14,	/* is refused without the JIT */
	K_ADDRESS	= 1 << 15,	/* loads the address of the other function */
};

/*
 * One kind of instruction. "emit" begins with it and leaves the value in R0; "args"
 * sets up the registers that it needs, if its function is not called with them.
 */
struct kind {
	const char *name;
	unsigned int flags;
	void (*emit)(struct shape *s, int other);
	void (*args)(struct shape *s, int other);
	__u64 value;
};

struct func {
	enum func_role role;
	/* The kind of the first instruction comes first */
	const struct kind *items[MAX_ITEMS];
	int item_funcs[MAX_ITEMS];	/* function that the item calls */
	int nr_items;
	bool may_goto;			/* has a loop */
	bool back;			/* jumps back to its first instruction */
	bool restarts;			/* jumps there when the time is over */
	bool throws;			/* throws an exception at its end */
	int filler;			/* instructions that do nothing */
	int stack;			/* size in bytes, 0 for the minimum */

	/* Set when it is composed */
	int start;
	__u64 value;			/* added to the sum in each pass */
	int loops;
	struct {
		int func;
		int times;
		bool once;		/* for all passes */
	} calls[MAX_CALLS];
	int nr_calls;
	bool uncounted;			/* ends before it counts */
};

/* A program */
struct shape {
	const struct shape_env *env;
	struct func funcs[MAX_FUNCS];
	int nr_funcs;
	int last_call;			/* last item of main, if not 0 */
	__u32 flags;

	struct bpf_insn insns[MAX_INSNS];
	int len;
	struct {
		int insn;
		int func;
	} refs[MAX_REFS];
	int nr_refs;
	bool needs_jit;
	int current;			/* function that is being composed */
	bool at_end;			/* of it */
	struct cells want;
	__u64 want_calls[MAX_FUNCS];
};

/* Modified by programs */
static inline __u64 shape_cell(const __u64 *cell)
{
	return __atomic_load_n(cell, __ATOMIC_ACQUIRE);
}

extern const struct kind kinds[];
extern const int nr_kinds;
const struct kind *kind_find(const char *name);
/* Test if the function may begin with that. */
bool kind_fits(const struct kind *kind, enum func_role role, bool may_goto, bool back);
/* Test if it may be used later in a function. */
bool kind_fits_within(const struct kind *kind, enum func_role role);
/* Return: the role of the function that it refers to. */
bool kind_calls(const struct kind *kind, enum func_role *role);
/* The functions that it may refer to */
bool kind_may_call(const struct kind *kind, const struct func *callee);

extern const char *const role_names[];
/* Test if it can be called anywhere and any number of times. */
bool role_is_free(enum func_role role);
bool role_is_async(enum func_role role);

int shape_env_init(struct shape_env *env);
void shape_env_free(struct shape_env *env);

/* Compose the instructions. */
void shape_compose(struct shape *s);
/* Load it. Return: fd or a negative error. 'log' may be NULL. */
int shape_load(const struct shape *s, char *log, size_t size);
/* Compute the expected cells after a run in s->want, with or without time-outs. */
void shape_expect(struct shape *s, bool timeout);
/* Type of the function in env->btf */
__u32 shape_func_type(const struct shape *s, int func);
/* Run it and wait for asynchronous callbacks. Return: its result or a negative error. */
int shape_run(const struct shape *s, int fd, bool timeout);
/* Compare the result. Return: the first difference, or NULL. */
const char *shape_differs(const struct shape *s, bool timeout);
void shape_describe(const struct shape *s, char *text, size_t size);

#endif /* SHAPE_H */
