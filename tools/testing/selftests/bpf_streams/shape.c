// SPDX-License-Identifier: GPL-2.0
/* Compose programs and compute their expected results, see shape.h */
#include <sys/mman.h>
#include <bpf/btf.h>

#include "../kselftest.h"
#include "shape.h"

#define CONSTANT	0x55
#define MARK		0x1357

/* The stack of each function */
#define SCRATCH		(-8)
#define ARGUMENT	(-16)
#define RESTARTED	(-24)
#define MIN_STACK	32

/* Elements of the map that is iterated; the first one has the timer */
#define ELEMS		2
#define WQ_OFF		16
#define ELEM_OFF	32
#define NODE_SIZE	40
#define NODE_KEY	32
#define TREE_ROOT	8

struct elem {
	__u64 timer[2];
	__u64 wq[2];
	__u64 constant;
};

const char *const role_names[] = {
	[ROLE_MAIN] = "main",
	[ROLE_MAIN_TC] = "tc",
	[ROLE_STATIC] = "static",
	[ROLE_GLOBAL] = "global",
	[ROLE_LOOP] = "bpf_loop",
	[ROLE_LOOP_CALL] = "bpf_loop not inlined",
	[ROLE_EACH] = "bpf_for_each_map_elem",
	[ROLE_TIMER] = "timer",
	[ROLE_WQ] = "work queue",
	[ROLE_RINGBUF] = "bpf_user_ringbuf_drain",
	[ROLE_VMA] = "bpf_find_vma",
	[ROLE_LESS] = "bpf_rbtree_add",
	[ROLE_EXCEPTION] = "exception",
};

/* Callbacks that can load the constant, and those that get a number in R1 */
static const struct {
	int load_reg;
	int load_off;
	bool scalar;
} role_args[NR_ROLES] = {
	[ROLE_MAIN] = { BPF_REG_1, 0 },
	[ROLE_STATIC] = { BPF_REG_1, 0, true },
	[ROLE_GLOBAL] = { .scalar = true },
	[ROLE_LOOP] = { BPF_REG_2, 0, true },
	[ROLE_LOOP_CALL] = { BPF_REG_2, 0, true },
	[ROLE_EACH] = { BPF_REG_3, ELEM_OFF },
	[ROLE_TIMER] = { BPF_REG_3, ELEM_OFF },
	[ROLE_WQ] = { BPF_REG_3, ELEM_OFF },
	[ROLE_RINGBUF] = { BPF_REG_2, 0 },
	[ROLE_VMA] = { BPF_REG_3, 0 },
	[ROLE_LESS] = { BPF_REG_1, NODE_KEY },
	[ROLE_EXCEPTION] = { .scalar = true },
};

bool role_is_async(enum func_role role)
{
	return role == ROLE_TIMER || role == ROLE_WQ;
}

bool role_is_free(enum func_role role)
{
	return role >= ROLE_STATIC && role < ROLE_TIMER;
}

/* --- composing --- */

static struct func *current(struct shape *s)
{
	return &s->funcs[s->current];
}

static void emit(struct shape *s, struct bpf_insn insn)
{
	if (s->len == MAX_INSNS)
		ksft_exit_fail_msg("a program is too long\n");
	s->insns[s->len++] = insn;
}

static void emit_imm64(struct shape *s, int reg, int src, __u64 low, __u64 high)
{
	emit(s, BPF_RAW_INSN(BPF_LD | BPF_DW | BPF_IMM, reg, src, 0, low));
	emit(s, BPF_RAW_INSN(0, 0, 0, 0, high));
}

static void emit_u64(struct shape *s, int reg, __u64 value)
{
	emit_imm64(s, reg, 0, (__u32)value, value >> 32);
}

static void emit_map(struct shape *s, int reg, int fd)
{
	emit_imm64(s, reg, BPF_PSEUDO_MAP_FD, fd, 0);
}

static void emit_value(struct shape *s, int reg, int fd, int off)
{
	emit_imm64(s, reg, BPF_PSEUDO_MAP_VALUE, fd, off);
}

static void emit_cell(struct shape *s, int reg, int cell)
{
	emit_value(s, reg, s->env->cells_fd, cell);
}

static void emit_helper(struct shape *s, int func)
{
	emit(s, BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, func));
}

/* Cached, as looking up a name takes long */
static void emit_kfunc(struct shape *s, const char *name)
{
	static struct {
		const char *name;
		struct bpf_insn call;
	} cache[32];
	int i;

	for (i = 0; cache[i].name && strcmp(cache[i].name, name); i++)
		;
	if (!cache[i].name) {
		cache[i].name = name;
		cache[i].call = raw_kfunc_call(name);
	}
	emit(s, cache[i].call);
	s->needs_jit = true;
}

static int emit_jump(struct shape *s, struct bpf_insn insn)
{
	emit(s, insn);
	return s->len - 1;
}

static void land(struct shape *s, int jump)
{
	s->insns[jump].off = s->len - jump - 1;
}

static void emit_jump_to(struct shape *s, int target)
{
	emit(s, BPF_RAW_INSN(BPF_JMP32 | BPF_JA, 0, 0, 0, target - s->len - 1));
}

static void emit_exit(struct shape *s, int value)
{
	emit(s, BPF_MOV64_IMM(BPF_REG_0, value));
	emit(s, BPF_EXIT_INSN());
}

static void add_ref(struct shape *s, int func)
{
	if (s->nr_refs == MAX_REFS)
		ksft_exit_fail_msg("a program refers to too many functions\n");
	s->refs[s->nr_refs].insn = s->len;
	s->refs[s->nr_refs++].func = func;
}

static void add_calls(struct shape *s, int func, int times)
{
	struct func *f = current(s);

	if (f->nr_calls == MAX_CALLS)
		ksft_exit_fail_msg("a function calls too many others\n");
	f->calls[f->nr_calls].func = func;
	f->calls[f->nr_calls].once = s->at_end;
	f->calls[f->nr_calls++].times = times;
}

static void emit_call(struct shape *s, int func)
{
	add_ref(s, func);
	emit(s, BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0));
}

static void emit_func(struct shape *s, int reg, int func)
{
	add_ref(s, func);
	emit_imm64(s, reg, BPF_PSEUDO_FUNC, 0, 0);
	s->needs_jit = true;
}

/* Adds R0, changes R5 */
static void emit_add(struct shape *s, int cell)
{
	emit_cell(s, BPF_REG_5, cell);
	emit(s, BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_5, BPF_REG_0, 0));
}

static void emit_increment(struct shape *s, int cell)
{
	emit(s, BPF_MOV64_IMM(BPF_REG_0, 1));
	emit_add(s, cell);
}

static void emit_key(struct shape *s, int reg, int off)
{
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_10, off, 0));
	emit(s, BPF_MOV64_REG(reg, BPF_REG_10));
	emit(s, BPF_ALU64_IMM(BPF_ADD, reg, off));
}

/*
 * A loop that begins with may_goto and does not depend on registers: it counts in a cell
 * that is 0 before and after. R1 is preserved.
 */
static void emit_loop(struct shape *s)
{
	int left = FUNC_CELL(left, s->current), turns = FUNC_CELL(turns, s->current);
	int head = s->len, timeout, end, i;

	current(s)->loops++;
	if (!current(s)->may_goto) {
		for (i = 0; i < TURNS; i++)
			emit_increment(s, turns);
		return;
	}

	timeout = emit_jump(s, RAW_MAY_GOTO(0));
	emit_cell(s, BPF_REG_2, left);
	emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	emit_cell(s, BPF_REG_4, CELL(limit));
	emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_4, BPF_REG_4, 0));
	end = emit_jump(s, BPF_JMP_REG(BPF_JGE, BPF_REG_3, BPF_REG_4, 0));
	emit(s, BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, 1));
	emit(s, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, 0));
	emit_increment(s, turns);
	emit_jump_to(s, head);
	land(s, timeout);
	land(s, end);
	emit_cell(s, BPF_REG_2, left);
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_2, 0, 0));
}

/* --- how functions are called --- */

static void emit_args(struct shape *s, int func)
{
	const struct func *f = &s->funcs[func];

	if (f->nr_items && f->items[0]->args)
		f->items[0]->args(s, f->item_funcs[0]);
}

static void emit_argument(struct shape *s, int reg)
{
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_10, ARGUMENT, CONSTANT));
	emit(s, BPF_MOV64_REG(reg, BPF_REG_10));
	emit(s, BPF_ALU64_IMM(BPF_ADD, reg, ARGUMENT));
}

#define LOOPS	2

static void invoke_loop(struct shape *s, int func, bool inlined)
{
	emit(s, BPF_MOV64_IMM(BPF_REG_1, LOOPS));
	emit_func(s, BPF_REG_2, func);
	emit_argument(s, BPF_REG_3);
	if (inlined) {
		emit(s, BPF_MOV64_IMM(BPF_REG_4, 0));
	} else {
		emit_cell(s, BPF_REG_4, CELL(zero));
		emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_4, BPF_REG_4, 0));
	}
	emit_helper(s, BPF_FUNC_loop);
	add_calls(s, func, LOOPS);
}

static void invoke_each(struct shape *s, int func)
{
	emit_map(s, BPF_REG_1, s->env->elems_fd);
	emit_func(s, BPF_REG_2, func);
	emit_argument(s, BPF_REG_3);
	emit(s, BPF_MOV64_IMM(BPF_REG_4, 0));
	emit_helper(s, BPF_FUNC_for_each_map_elem);
	add_calls(s, func, ELEMS);
}

/* The first element, in R7 */
static void emit_first_elem(struct shape *s)
{
	int found;

	emit_map(s, BPF_REG_1, s->env->elems_fd);
	emit_key(s, BPF_REG_2, ARGUMENT);
	emit_helper(s, BPF_FUNC_map_lookup_elem);
	found = emit_jump(s, BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 0));
	emit_exit(s, 1);
	land(s, found);
	emit(s, BPF_MOV64_REG(BPF_REG_7, BPF_REG_0));
}

/* R7 is the element. The function is in R2 if it is -1. */
static void emit_timer_callback(struct shape *s, int func)
{
	if (func >= 0)
		emit_func(s, BPF_REG_2, func);
	emit(s, BPF_MOV64_REG(BPF_REG_1, BPF_REG_7));
	emit_helper(s, BPF_FUNC_timer_set_callback);
}

static void emit_timer_start(struct shape *s)
{
	emit(s, BPF_MOV64_REG(BPF_REG_1, BPF_REG_7));
	emit(s, BPF_MOV64_IMM(BPF_REG_2, 0));
	emit(s, BPF_MOV64_IMM(BPF_REG_3, 0));
	emit_helper(s, BPF_FUNC_timer_start);
}

static void emit_wq(struct shape *s)
{
	emit(s, BPF_MOV64_REG(BPF_REG_1, BPF_REG_7));
	emit(s, BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, WQ_OFF));
}

static void emit_wq_callback(struct shape *s, int func)
{
	if (func >= 0)
		emit_func(s, BPF_REG_2, func);
	emit_wq(s);
	emit(s, BPF_MOV64_IMM(BPF_REG_3, 0));
	emit(s, BPF_MOV64_IMM(BPF_REG_4, 0));
	emit_kfunc(s, "bpf_wq_set_callback_impl");
}

static void emit_wq_start(struct shape *s)
{
	emit_wq(s);
	emit(s, BPF_MOV64_IMM(BPF_REG_2, 0));
	emit_kfunc(s, "bpf_wq_start");
}

/* A function that refers to itself starts itself again */
static int async_times(const struct func *f)
{
	return f->items[0]->flags & K_SELF ? 2 : 1;
}

static void invoke_timer(struct shape *s, int func)
{
	emit_first_elem(s);
	emit(s, BPF_MOV64_REG(BPF_REG_1, BPF_REG_7));
	emit_map(s, BPF_REG_2, s->env->elems_fd);
	emit(s, BPF_MOV64_IMM(BPF_REG_3, 1 /* CLOCK_MONOTONIC */));
	emit_helper(s, BPF_FUNC_timer_init);
	emit_timer_callback(s, func);
	emit_timer_start(s);
	add_calls(s, func, async_times(&s->funcs[func]));
}

static void invoke_wq(struct shape *s, int func)
{
	emit_first_elem(s);
	emit_wq(s);
	emit_map(s, BPF_REG_2, s->env->elems_fd);
	emit(s, BPF_MOV64_IMM(BPF_REG_3, 0));
	emit_kfunc(s, "bpf_wq_init");
	emit_wq_callback(s, func);
	emit_wq_start(s);
	add_calls(s, func, async_times(&s->funcs[func]));
}

static void invoke_ringbuf(struct shape *s, int func)
{
	emit_map(s, BPF_REG_1, s->env->ringbuf_fd);
	emit_func(s, BPF_REG_2, func);
	emit_argument(s, BPF_REG_3);
	emit(s, BPF_MOV64_IMM(BPF_REG_4, 0));
	emit_helper(s, BPF_FUNC_user_ringbuf_drain);
	add_calls(s, func, 1);
}

static void invoke_vma(struct shape *s, int func)
{
	emit_helper(s, BPF_FUNC_get_current_task_btf);
	emit(s, BPF_MOV64_REG(BPF_REG_1, BPF_REG_0));
	emit_u64(s, BPF_REG_2, (unsigned long)s->env->cells);
	emit_func(s, BPF_REG_3, func);
	emit_argument(s, BPF_REG_4);
	emit(s, BPF_MOV64_IMM(BPF_REG_5, 0));
	emit_helper(s, BPF_FUNC_find_vma);
	add_calls(s, func, 1);
}

static __s32 node_type(const struct shape_env *env)
{
	return btf__find_by_name_kind(env->btf, "shape_node", BTF_KIND_STRUCT);
}

/* R7 is the new node */
static void emit_add_node(struct shape *s, int func)
{
	int got;

	emit_u64(s, BPF_REG_1, node_type(s->env));
	emit(s, BPF_MOV64_IMM(BPF_REG_2, 0));
	emit_kfunc(s, "bpf_obj_new_impl");
	got = emit_jump(s, BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 0));
	emit_exit(s, 2);
	land(s, got);
	emit(s, BPF_MOV64_REG(BPF_REG_7, BPF_REG_0));
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_7, NODE_KEY, CONSTANT));
	emit_value(s, BPF_REG_1, s->env->tree_fd, 0);
	emit_helper(s, BPF_FUNC_spin_lock);
	emit_value(s, BPF_REG_1, s->env->tree_fd, TREE_ROOT);
	emit(s, BPF_MOV64_REG(BPF_REG_2, BPF_REG_7));
	emit_func(s, BPF_REG_3, func);
	emit(s, BPF_MOV64_IMM(BPF_REG_4, 0));
	emit(s, BPF_MOV64_IMM(BPF_REG_5, 0));
	emit_kfunc(s, "bpf_rbtree_add_impl");
	emit_value(s, BPF_REG_1, s->env->tree_fd, 0);
	emit_helper(s, BPF_FUNC_spin_unlock);
}

/* The first node is not compared */
static void invoke_less(struct shape *s, int func)
{
	emit_add_node(s, func);
	emit_add_node(s, func);
	add_calls(s, func, 1);
}

static void invoke_exception(struct shape *s, int func)
{
	emit(s, BPF_MOV64_IMM(BPF_REG_1, 4));
	emit_kfunc(s, "bpf_throw");
	add_calls(s, func, 1);
}

static void invoke_direct(struct shape *s, int func)
{
	emit_args(s, func);
	emit_call(s, func);
	add_calls(s, func, 1);
}

static void invoke(struct shape *s, int func)
{
	switch (s->funcs[func].role) {
	case ROLE_LOOP:
	case ROLE_LOOP_CALL:
		return invoke_loop(s, func, s->funcs[func].role == ROLE_LOOP);
	case ROLE_EACH:
		return invoke_each(s, func);
	case ROLE_TIMER:
		return invoke_timer(s, func);
	case ROLE_WQ:
		return invoke_wq(s, func);
	case ROLE_RINGBUF:
		return invoke_ringbuf(s, func);
	case ROLE_VMA:
		return invoke_vma(s, func);
	case ROLE_LESS:
		return invoke_less(s, func);
	case ROLE_EXCEPTION:
		return invoke_exception(s, func);
	default:
		return invoke_direct(s, func);
	}
}

/* --- the kinds of instructions --- */

static void set(struct shape *s, int value)
{
	emit(s, BPF_MOV64_IMM(BPF_REG_0, value));
}

static void load(struct shape *s, int reg, int off)
{
	emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_0, reg, off));
}

/* R0 becomes the value unless it is 0, which the function does not return */
static void set_if_not_zero(struct shape *s, int value)
{
	int zero = emit_jump(s, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 0));

	set(s, value);
	land(s, zero);
}

/* R0 becomes the value if it is 0; other values are errors */
static void set_if_zero(struct shape *s, int value)
{
	int error = emit_jump(s, BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 0));

	set(s, value);
	land(s, error);
}

static void emit_mov(struct shape *s, int other)
{
	set(s, 1);
}

static void emit_mov_fp(struct shape *s, int other)
{
	emit(s, BPF_MOV64_REG(BPF_REG_1, BPF_REG_10));
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_1, SCRATCH, 2));
	load(s, BPF_REG_10, SCRATCH);
}

#define LONG_VALUE 0x123456789abcdefULL

static void emit_ld_imm64(struct shape *s, int other)
{
	emit_u64(s, BPF_REG_0, LONG_VALUE);
}

static void emit_ld_map_value(struct shape *s, int other)
{
	emit_cell(s, BPF_REG_1, CELL(constant));
	load(s, BPF_REG_1, 0);
}

static void load_found(struct shape *s)
{
	int missing = emit_jump(s, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 0));

	load(s, BPF_REG_0, ELEM_OFF);
	land(s, missing);
}

static void emit_ld_map(struct shape *s, int other)
{
	emit_map(s, BPF_REG_1, s->env->elems_fd);
	emit_key(s, BPF_REG_2, SCRATCH);
	emit_helper(s, BPF_FUNC_map_lookup_elem);
	load_found(s);
}

static void emit_st(struct shape *s, int other)
{
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_10, SCRATCH, 3));
	load(s, BPF_REG_10, SCRATCH);
}

static void emit_stx(struct shape *s, int other)
{
	emit(s, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_10, SCRATCH));
	emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_10, SCRATCH));
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_2, SCRATCH, 4));
	load(s, BPF_REG_10, SCRATCH);
}

static void emit_jump_not_taken(struct shape *s, int other)
{
	int wrong = emit_jump(s, BPF_JMP_IMM(BPF_JEQ, BPF_REG_10, 0, 0));
	int right;

	set(s, 5);
	right = emit_jump(s, BPF_JMP_A(0));
	land(s, wrong);
	set(s, 0);
	land(s, right);
}

static void emit_jump_taken(struct shape *s, int other)
{
	int right = emit_jump(s, BPF_JMP_IMM(BPF_JNE, BPF_REG_10, 0, 0));
	int wrong;

	set(s, 0);
	wrong = emit_jump(s, BPF_JMP_A(0));
	land(s, right);
	set(s, 6);
	land(s, wrong);
}

/* The verifier removes it */
static void emit_nop(struct shape *s, int other)
{
	emit(s, BPF_JMP_A(0));
	set(s, 7);
}

/* Jumps forward, and back to the skipped instruction */
static void emit_ja(struct shape *s, int other)
{
	int there, out;

	there = emit_jump(s, BPF_JMP_A(0));
	set(s, 8);
	out = emit_jump(s, BPF_JMP_A(0));
	land(s, there);
	emit(s, BPF_JMP_A(there + 1 - s->len - 1));
	land(s, out);
}

static void emit_long_ja(struct shape *s, int other)
{
	int there = s->len, out;

	emit(s, BPF_RAW_INSN(BPF_JMP32 | BPF_JA, 0, 0, 0, 2));
	set(s, 9);
	out = emit_jump(s, BPF_JMP_A(0));
	emit_jump_to(s, there + 1);
	land(s, out);
}

static void emit_may_goto(struct shape *s, int other)
{
	emit_loop(s);
	set(s, 10);
}

static void emit_ktime(struct shape *s, int other)
{
	emit_helper(s, BPF_FUNC_ktime_get_ns);
	set_if_not_zero(s, 11);
}

static void emit_jiffies(struct shape *s, int other)
{
	emit_helper(s, BPF_FUNC_jiffies64);
	set_if_not_zero(s, 12);
}

static void emit_cpu(struct shape *s, int other)
{
	emit_helper(s, BPF_FUNC_get_smp_processor_id);
	emit(s, BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 16));
	emit(s, BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 13));
}

static void emit_kfunc_call(struct shape *s, int other)
{
	emit_kfunc(s, "bpf_rcu_read_lock");
	emit_kfunc(s, "bpf_rcu_read_unlock");
	set(s, 14);
}

static void emit_func_call(struct shape *s, int other)
{
	emit_call(s, other);
	add_calls(s, other, 1);
	set(s, 15);
}

static void emit_func_ref(struct shape *s, int other)
{
	emit_func(s, BPF_REG_2, other);
	emit(s, BPF_MOV64_IMM(BPF_REG_1, LOOPS));
	emit(s, BPF_MOV64_IMM(BPF_REG_3, 0));
	emit(s, BPF_MOV64_IMM(BPF_REG_4, 0));
	emit_helper(s, BPF_FUNC_loop);
	add_calls(s, other, LOOPS);
	set(s, 16);
}

/* Removed as dead if it is not called */
static void emit_address(struct shape *s, int other)
{
	emit_func(s, BPF_REG_2, other);
	set(s, 33);
}

static void emit_invocation(struct shape *s, int other)
{
	invoke(s, other);
	set(s, 17);
}

/* The callback sets itself as callback, and starts again the first time */
static void emit_self_ref(struct shape *s, int other)
{
	bool timer = current(s)->role == ROLE_TIMER;
	int again;

	emit_func(s, BPF_REG_2, s->current);
	emit(s, BPF_MOV64_REG(BPF_REG_7, BPF_REG_3));
	(timer ? emit_timer_callback : emit_wq_callback)(s, -1);
	emit_cell(s, BPF_REG_1, FUNC_CELL(hits, s->current));
	emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_1, 0));
	again = emit_jump(s, BPF_JMP_IMM(BPF_JNE, BPF_REG_1, 0, 0));
	(timer ? emit_timer_start : emit_wq_start)(s);
	land(s, again);
	set(s, 18);
}

static void args_scalar(struct shape *s, int other)
{
	emit(s, BPF_MOV64_IMM(BPF_REG_1, 4));
}

static void emit_alu(struct shape *s, int other)
{
	emit(s, BPF_ALU64_IMM(BPF_OR, BPF_REG_1, -1));
	emit(s, BPF_MOV64_REG(BPF_REG_0, BPF_REG_1));
	emit(s, BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 20));
}

/* The upper half becomes zero */
static void emit_alu32(struct shape *s, int other)
{
	emit(s, BPF_ALU32_IMM(BPF_OR, BPF_REG_1, -1));
	emit(s, BPF_MOV64_REG(BPF_REG_0, BPF_REG_1));
	emit(s, BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 28));
}

static void emit_bswap(struct shape *s, int other)
{
	emit(s, BPF_RAW_INSN(BPF_ALU64 | BPF_END | BPF_TO_LE, BPF_REG_1, 0, 0, 64));
	emit(s, BPF_MOV64_REG(BPF_REG_0, BPF_REG_1));
	emit(s, BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 56));
}

/* 4 is not above 1000, nor are the numbers that callbacks get */
static void emit_jump_if(struct shape *s, int other)
{
	int wrong = emit_jump(s, BPF_JMP_IMM(BPF_JGT, BPF_REG_1, 1000, 0));
	int right;

	set(s, 21);
	right = emit_jump(s, BPF_JMP_A(0));
	land(s, wrong);
	set(s, 0);
	land(s, right);
}

static void args_div(struct shape *s, int other)
{
	emit(s, BPF_MOV64_IMM(BPF_REG_1, 100));
	emit(s, BPF_MOV64_IMM(BPF_REG_2, 7));
}

static void args_div_zero(struct shape *s, int other)
{
	emit(s, BPF_MOV64_IMM(BPF_REG_1, 100));
	emit_cell(s, BPF_REG_2, CELL(zero));
	emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_2, 0));
}

static void emit_div(struct shape *s, int other)
{
	emit(s, BPF_ALU64_REG(BPF_DIV, BPF_REG_1, BPF_REG_2));
	emit(s, BPF_MOV64_REG(BPF_REG_0, BPF_REG_1));
}

static void emit_mod(struct shape *s, int other)
{
	emit(s, BPF_ALU64_REG(BPF_MOD, BPF_REG_1, BPF_REG_2));
	emit(s, BPF_MOV64_REG(BPF_REG_0, BPF_REG_1));
}

static void emit_sdiv(struct shape *s, int other)
{
	emit(s, BPF_RAW_INSN(BPF_ALU64 | BPF_DIV | BPF_X, BPF_REG_1, BPF_REG_2, 1, 0));
	emit(s, BPF_MOV64_REG(BPF_REG_0, BPF_REG_1));
}

static void args_constant(struct shape *s, int other)
{
	emit_cell(s, BPF_REG_1, CELL(constant));
}

static void emit_load(struct shape *s, int other)
{
	enum func_role role = s->len == current(s)->start ? current(s)->role : ROLE_STATIC;

	load(s, role_args[role].load_reg, role_args[role].load_off);
}

static void args_scratch(struct shape *s, int other)
{
	emit_cell(s, BPF_REG_1, CELL(scratch));
	emit(s, BPF_MOV64_IMM(BPF_REG_2, 22));
}

static void emit_store(struct shape *s, int other)
{
	emit(s, BPF_ST_MEM(BPF_W, BPF_REG_1, 0, 23));
	emit(s, BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_1, 0));
}

static void emit_atomic(struct shape *s, int other)
{
	emit(s, BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_1, BPF_REG_2, 0));
	emit(s, BPF_MOV64_REG(BPF_REG_0, BPF_REG_2));
}

static void emit_xchg(struct shape *s, int other)
{
	emit(s, BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, BPF_REG_1, BPF_REG_2, 0));
	load(s, BPF_REG_1, 0);
}

static void args_lookup(struct shape *s, int other)
{
	emit_map(s, BPF_REG_1, s->env->elems_fd);
	emit_key(s, BPF_REG_2, SCRATCH);
}

static void emit_lookup(struct shape *s, int other)
{
	emit_helper(s, BPF_FUNC_map_lookup_elem);
	load_found(s);
}

static void args_loop(struct shape *s, int other)
{
	emit_func(s, BPF_REG_2, other);
	emit(s, BPF_MOV64_IMM(BPF_REG_1, LOOPS));
	emit(s, BPF_MOV64_IMM(BPF_REG_3, 0));
	emit(s, BPF_MOV64_IMM(BPF_REG_4, 0));
}

static void emit_bpf_loop(struct shape *s, int other)
{
	emit_helper(s, BPF_FUNC_loop);
	add_calls(s, other, LOOPS);
	set(s, 24);
}

/* The context is where main keeps it */
static void args_tail_call(struct shape *s, int other)
{
	emit(s, BPF_MOV64_REG(BPF_REG_1, BPF_REG_8));
	emit_map(s, BPF_REG_2, s->env->tails_fd);
	emit(s, BPF_MOV64_IMM(BPF_REG_3, 0));
}

/* The map has no program */
static void emit_tail_call(struct shape *s, int other)
{
	emit_helper(s, BPF_FUNC_tail_call);
	set(s, 25);
	s->needs_jit = true;
}

static void args_lock(struct shape *s, int other)
{
	emit_value(s, BPF_REG_1, s->env->lock_fd, 0);
}

static void emit_lock(struct shape *s, int other)
{
	emit_helper(s, BPF_FUNC_spin_lock);
	emit_value(s, BPF_REG_1, s->env->lock_fd, 0);
	emit_helper(s, BPF_FUNC_spin_unlock);
	set(s, 26);
}

static void args_res_lock(struct shape *s, int other)
{
	emit_value(s, BPF_REG_1, s->env->res_lock_fd, 0);
}

static void emit_res_lock(struct shape *s, int other)
{
	int failed;

	emit_kfunc(s, "bpf_res_spin_lock");
	failed = emit_jump(s, BPF_JMP32_IMM(BPF_JNE, BPF_REG_0, 0, 0));
	emit_value(s, BPF_REG_1, s->env->res_lock_fd, 0);
	emit_kfunc(s, "bpf_res_spin_unlock");
	land(s, failed);
	set(s, 27);
}

static void args_vprintk(struct shape *s, int other)
{
	emit(s, BPF_MOV64_IMM(BPF_REG_1, STDOUT));
	emit_value(s, BPF_REG_2, s->env->text_fd, 0);
	emit_cell(s, BPF_REG_3, CELL(scratch));
	emit(s, BPF_MOV64_IMM(BPF_REG_4, 0));
}

static void emit_vprintk(struct shape *s, int other)
{
	emit_kfunc(s, "bpf_stream_vprintk");
	set_if_zero(s, 28);
}

static void args_print_stack(struct shape *s, int other)
{
	emit(s, BPF_MOV64_IMM(BPF_REG_1, STDOUT));
}

static void emit_print_stack(struct shape *s, int other)
{
	emit_kfunc(s, "bpf_stream_print_stack");
	set_if_zero(s, 29);
}

static void args_arena(struct shape *s, int other)
{
	emit_u64(s, BPF_REG_1, (unsigned long)s->env->arena);
}

/* Associates the arena with the program */
static void use_arena(struct shape *s)
{
	emit_map(s, BPF_REG_2, s->env->arena_fd);
	s->needs_jit = true;
}

static void emit_cast(struct shape *s, int other)
{
	emit(s, raw_cast_kern(BPF_REG_1));
	use_arena(s);
	load(s, BPF_REG_1, 0);
}

static void emit_cast_user(struct shape *s, int other)
{
	emit(s, BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_1, 1, 1 << 16));
	use_arena(s);
	emit(s, BPF_MOV64_REG(BPF_REG_0, BPF_REG_1));
	emit_u64(s, BPF_REG_1, (unsigned long)s->env->arena - 30);
	emit(s, BPF_ALU64_REG(BPF_SUB, BPF_REG_0, BPF_REG_1));
}

static void args_arena_load(struct shape *s, int other)
{
	args_arena(s, other);
	emit(s, raw_cast_kern(BPF_REG_1));
}

static void emit_arena_load(struct shape *s, int other)
{
	load(s, BPF_REG_1, 0);
	use_arena(s);
}

static void emit_nothing(struct shape *s, int other)
{
	emit(s, BPF_EXIT_INSN());
}

static void load_skb(struct shape *s, int size, int off)
{
	emit(s, BPF_RAW_INSN(BPF_LDX | BPF_MEM | size, BPF_REG_0, BPF_REG_1, off, 0));
}

#define PACKET_LEN	64

static void emit_skb_len(struct shape *s, int other)
{
	load_skb(s, BPF_W, offsetof(struct __sk_buff, len));
}

static void emit_skb_byte(struct shape *s, int other)
{
	load_skb(s, BPF_B, offsetof(struct __sk_buff, len));
}

/* Through the device, which is lo */
static void emit_skb_ifindex(struct shape *s, int other)
{
	load_skb(s, BPF_W, offsetof(struct __sk_buff, ifindex));
}

static void emit_skb_mark(struct shape *s, int other)
{
	emit(s, BPF_ST_MEM(BPF_W, BPF_REG_1, offsetof(struct __sk_buff, mark), 31));
	load_skb(s, BPF_W, offsetof(struct __sk_buff, mark));
}

/* A write into the packet gives the program a prologue */
static void emit_skb_data(struct shape *s, int other)
{
	int too_short;

	emit(s, BPF_LDX_MEM(BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, data)));
	emit(s, BPF_LDX_MEM(BPF_W, BPF_REG_3, BPF_REG_1,
			    offsetof(struct __sk_buff, data_end)));
	emit(s, BPF_MOV64_IMM(BPF_REG_0, 0));
	emit(s, BPF_MOV64_REG(BPF_REG_4, BPF_REG_2));
	emit(s, BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, 1));
	too_short = emit_jump(s, BPF_JMP_REG(BPF_JGT, BPF_REG_4, BPF_REG_3, 0));
	emit(s, BPF_ST_MEM(BPF_B, BPF_REG_2, 0, 1));
	set(s, 32);
	land(s, too_short);
}

static void args_packet(struct shape *s, int other)
{
	emit(s, BPF_MOV64_REG(BPF_REG_1, BPF_REG_8));
}

const struct kind kinds[] = {
	{ "mov", K_KEEPS_R1, emit_mov, NULL, 1 },
	{ "mov of fp", 0, emit_mov_fp, NULL, 2 },
	{ "ld_imm64", K_KEEPS_R1, emit_ld_imm64, NULL, LONG_VALUE },
	{ "ld_imm64 map value", 0, emit_ld_map_value, NULL, CONSTANT },
	{ "ld_imm64 map", K_CALL, emit_ld_map, NULL, CONSTANT },
	{ "st", K_KEEPS_R1, emit_st, NULL, 3 },
	{ "stx", K_KEEPS_R1, emit_stx, NULL, 4 },
	{ "jump not taken", K_KEEPS_R1, emit_jump_not_taken, NULL, 5 },
	{ "jump taken", K_KEEPS_R1, emit_jump_taken, NULL, 6 },
	{ "nop", K_KEEPS_R1, emit_nop, NULL, 7 },
	{ "ja", K_KEEPS_R1, emit_ja, NULL, 8 },
	{ "long ja", K_KEEPS_R1, emit_long_ja, NULL, 9 },
	{ "may_goto", K_MAY_GOTO | K_KEEPS_R1, emit_may_goto, NULL, 10 },
	{ "helper", K_CALL, emit_ktime, NULL, 11 },
	{ "inlined jiffies", K_CALL, emit_jiffies, NULL, 12 },
	{ "inlined processor id", K_CALL, emit_cpu, NULL, 13 },
	{ "kfunc", K_JIT | K_CALL, emit_kfunc_call, NULL, 14 },
	{ "call", K_CALL | K_DIRECT, emit_func_call, NULL, 15 },
	{ "function", K_JIT | K_CALL | K_REF, emit_func_ref, NULL, 16 },
	{ "invocation", K_CALL | K_INVOKE, emit_invocation, NULL, 17 },
	{ "address", K_JIT | K_ADDRESS, emit_address, NULL, 33 },
	{ "function itself", K_JIT | K_CALL | K_SELF, emit_self_ref, NULL, 18 },
	{ "alu", K_SCALAR, emit_alu, args_scalar, 19 },
	{ "alu32", K_SCALAR, emit_alu32, args_scalar, 15 },
	{ "jump if", K_SCALAR, emit_jump_if, args_scalar, 21 },
	{ "bswap", K_ARGS, emit_bswap, args_scalar, 4 },
	{ "div", K_ARGS, emit_div, args_div, 100 / 7 },
	{ "mod", K_ARGS, emit_mod, args_div, 100 % 7 },
	{ "sdiv", K_ARGS, emit_sdiv, args_div, 100 / 7 },
	{ "div by zero", K_ARGS, emit_div, args_div_zero, 0 },
	{ "mod by zero", K_ARGS, emit_mod, args_div_zero, 100 },
	{ "sdiv by zero", K_ARGS, emit_sdiv, args_div_zero, 0 },
	{ "load", K_LOAD, emit_load, args_constant, CONSTANT },
	{ "store", K_ARGS, emit_store, args_scratch, 23 },
	{ "atomic", K_ARGS, emit_atomic, args_scratch, 22 },
	{ "xchg", K_ARGS, emit_xchg, args_scratch, 22 },
	{ "inlined lookup", K_CALL | K_KEY, emit_lookup, args_lookup, CONSTANT },
	{ "inlined bpf_loop", K_JIT | K_CALL | K_ARGS | K_REF, emit_bpf_loop, args_loop, 24 },
	{ "tail call", K_JIT | K_CALL | K_CTX, emit_tail_call, args_tail_call, 25 },
	{ "lock", K_CALL | K_ARGS, emit_lock, args_lock, 26 },
	{ "resilient lock", K_JIT | K_CALL | K_ARGS, emit_res_lock, args_res_lock, 27 },
	{ "vprintk", K_JIT | K_CALL | K_ARGS, emit_vprintk, args_vprintk, 28 },
	{ "print_stack", K_JIT | K_CALL | K_ARGS, emit_print_stack, args_print_stack, 29 },
	{ "cast", K_JIT | K_ARGS, emit_cast, args_arena, CONSTANT },
	{ "cast to user", K_JIT | K_ARGS, emit_cast_user, args_arena, 30 },
	{ "arena load", K_JIT | K_ARGS, emit_arena_load, args_arena_load, CONSTANT },
	{ "packet", K_CTX, emit_skb_data, args_packet, 32 },
	{ "exit", K_ARGS | K_ENDS, emit_nothing, NULL, 0 },
	{ "skb->len", K_TC | K_KEEPS_R1, emit_skb_len, NULL, PACKET_LEN },
	{ "byte of skb->len", K_TC | K_KEEPS_R1, emit_skb_byte, NULL, PACKET_LEN },
	{ "skb->ifindex", K_TC | K_KEEPS_R1, emit_skb_ifindex, NULL, 1 },
	{ "skb->mark", K_TC | K_KEEPS_R1, emit_skb_mark, NULL, 31 },
	{ "skb->data", K_TC | K_KEEPS_R1, emit_skb_data, NULL, 32 },
};

const int nr_kinds = ARRAY_SIZE(kinds);

const struct kind *kind_find(const char *name)
{
	int i;

	for (i = 0; i < nr_kinds; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	ksft_exit_fail_msg("there is no kind '%s'\n", name);
}

bool kind_fits(const struct kind *kind, enum func_role role, bool may_goto, bool back)
{
	unsigned int flags = kind->flags;

	if (flags & (K_INVOKE | K_ADDRESS) || (role == ROLE_LESS && (flags & K_CALL)))
		return false;
	if (flags & K_ENDS)
		return role == ROLE_STATIC && !may_goto;
	if (flags & K_CTX)
		return role == ROLE_STATIC && !back;
	if (flags & K_ARGS)
		return role == ROLE_STATIC;
	if (flags & K_TC)
		return role == ROLE_MAIN_TC;
	if (flags & K_MAY_GOTO)
		return may_goto;
	if (flags & K_SELF)
		return role_is_async(role) && !back;
	if (flags & K_SCALAR)
		return role_args[role].scalar;
	if (role == ROLE_STATIC)
		return true;
	/* These arguments are overwritten when it jumps back */
	if (flags & K_LOAD)
		return role_args[role].load_reg && (!back || role == ROLE_MAIN);
	if (flags & K_KEY)
		return (role == ROLE_EACH || role_is_async(role)) && !back;
	return true;
}

bool kind_fits_within(const struct kind *kind, enum func_role role)
{
	if (role == ROLE_LESS && (kind->flags & K_CALL))
		return false;
	return !(kind->flags & (K_TC | K_SELF | K_CTX | K_ENDS | K_DIRECT | K_REF | K_MAY_GOTO |
				K_ADDRESS));
}

bool kind_calls(const struct kind *kind, enum func_role *role)
{
	*role = kind->flags & K_DIRECT ? ROLE_GLOBAL : ROLE_STATIC;
	return kind->flags & (K_DIRECT | K_REF | K_INVOKE);
}

bool kind_may_call(const struct kind *kind, const struct func *callee)
{
	if (!role_is_free(callee->role))
		return false;
	if (kind->flags & K_INVOKE)
		return true;
	if (callee->items[0]->args)
		return false;
	/* A callback has to return a value */
	return kind->flags & K_DIRECT ||
	       (callee->role != ROLE_GLOBAL && !(callee->items[0]->flags & K_ENDS));
}

/* --- functions --- */

/* Saved for the first instruction */
static void emit_kept_context(struct shape *s)
{
	if (!s->current && (current(s)->items[0]->flags & (K_KEEPS_R1 | K_LOAD)))
		emit(s, BPF_MOV64_REG(BPF_REG_1, BPF_REG_8));
}

static void emit_back(struct shape *s)
{
	int pass = FUNC_CELL(pass, s->current), timeout, end;
	const struct func *f = current(s);

	timeout = emit_jump(s, RAW_MAY_GOTO(0));
	emit_cell(s, BPF_REG_1, pass);
	emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_1, 0));
	end = emit_jump(s, BPF_JMP_IMM(BPF_JGE, BPF_REG_2, PASSES - 1, 0));
	emit(s, BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, 1));
	emit(s, BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_2, 0));
	if (s->current)
		emit_args(s, s->current);
	emit_kept_context(s);
	emit_jump_to(s, f->start);
	land(s, timeout);
	land(s, end);
	emit_cell(s, BPF_REG_1, pass);
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_1, 0, 0));
}

/* Value of RESTARTED in the second pass; unknown to the verifier in the first */
#define MAGIC	0x5bd1e995a7b3c2d1ULL

/* A loop that ends if its function was called before */
static void emit_restart(struct shape *s)
{
	int left = FUNC_CELL(left, s->current), restarted, end, loop;

	emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_10, RESTARTED));
	emit_u64(s, BPF_REG_3, MAGIC);
	restarted = emit_jump(s, BPF_JMP_REG(BPF_JEQ, BPF_REG_2, BPF_REG_3, 0));
	emit(s, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_3, RESTARTED));
	emit_kept_context(s);
	loop = s->len;
	emit(s, RAW_MAY_GOTO(current(s)->start - s->len - 1));
	emit_cell(s, BPF_REG_2, left);
	emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	emit_cell(s, BPF_REG_4, CELL(limit));
	emit(s, BPF_LDX_MEM(BPF_DW, BPF_REG_4, BPF_REG_4, 0));
	end = emit_jump(s, BPF_JMP_REG(BPF_JGE, BPF_REG_3, BPF_REG_4, 0));
	emit(s, BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, 1));
	emit(s, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, 0));
	emit_jump_to(s, loop);
	land(s, restarted);
	land(s, end);
	emit_cell(s, BPF_REG_2, left);
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_2, 0, 0));
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_10, RESTARTED, 0));
}

/* At the end of its stack */
static int stack_mark(struct shape *s)
{
	return -(current(s)->stack ?: MIN_STACK);
}

/* Registers that other functions must not change */
static void emit_marks(struct shape *s)
{
	emit(s, BPF_ST_MEM(BPF_DW, BPF_REG_10, stack_mark(s), MARK + s->current));
	emit(s, BPF_MOV64_IMM(BPF_REG_6, MARK));
	emit(s, BPF_MOV64_IMM(BPF_REG_9, MARK + s->current));
}

/* Adds 0 if they are unchanged */
static void emit_check_marks(struct shape *s)
{
	load(s, BPF_REG_10, stack_mark(s));
	emit(s, BPF_ALU64_REG(BPF_SUB, BPF_REG_0, BPF_REG_9));
	emit(s, BPF_ALU64_REG(BPF_ADD, BPF_REG_0, BPF_REG_6));
	emit(s, BPF_ALU64_IMM(BPF_SUB, BPF_REG_0, MARK));
	emit_add(s, FUNC_CELL(sum, s->current));
}

static void emit_item(struct shape *s, int item)
{
	struct func *f = current(s);
	const struct kind *kind = f->items[item];

	if (item && kind->args)
		kind->args(s, f->item_funcs[item]);
	kind->emit(s, f->item_funcs[item]);
	if (!s->current && !item && (kind->flags & (K_KEEPS_R1 | K_LOAD)))
		emit(s, BPF_MOV64_REG(BPF_REG_8, BPF_REG_1));
	f->value += kind->value;
	emit_add(s, FUNC_CELL(sum, s->current));
}

static void emit_end(struct shape *s)
{
	const struct func *f = current(s);

	s->at_end = true;
	if (role_is_async(f->role))
		emit_increment(s, CELL(finished));
	if (s->last_call && !s->current)
		invoke(s, s->last_call);
	if (f->throws)
		invoke(s, CATCHER);
	emit_exit(s, 0);
}

static void compose_func(struct shape *s)
{
	struct func *f = current(s);
	int i;

	f->start = s->len;
	f->value = 0;
	f->loops = 0;
	f->nr_calls = 0;
	s->at_end = false;
	f->uncounted = f->items[0]->flags & K_ENDS;
	if (f->uncounted)
		return emit_nothing(s, 0);

	emit_item(s, 0);
	emit_marks(s);
	for (i = 0; i < f->filler; i++)
		set(s, i);
	if (f->may_goto)
		emit_loop(s);
	for (i = 1; i < f->nr_items; i++)
		emit_item(s, i);
	emit_check_marks(s);
	emit_increment(s, FUNC_CELL(hits, s->current));
	if (f->back)
		emit_back(s);
	if (f->restarts)
		emit_restart(s);
	emit_end(s);
}

void shape_compose(struct shape *s)
{
	struct bpf_insn *insn;
	int i;

	s->len = 0;
	s->nr_refs = 0;
	s->needs_jit = false;
	for (s->current = 0; s->current < s->nr_funcs; s->current++)
		compose_func(s);
	for (i = 0; i < s->nr_refs; i++) {
		insn = &s->insns[s->refs[i].insn];
		insn->imm = s->funcs[s->refs[i].func].start - s->refs[i].insn - 1;
	}
}

/* --- expected results --- */

static void expect_calls(struct shape *s, int func, __u64 times, bool timeout)
{
	const struct func *f = &s->funcs[func];
	__u64 passes = (timeout ? f->restarts : f->back) ? PASSES : 1;
	int i, n;

	s->want_calls[func] += times;
	if (role_is_async(f->role))
		s->want.finished += times;
	if (!f->uncounted)
		s->want.hits[func] += times * passes;
	s->want.sum[func] += times * passes * f->value;
	s->want.turns[func] += times * passes * f->loops * TURNS;

	for (i = 0; i < f->nr_calls; i++) {
		n = f->calls[i].times * (f->calls[i].once ? 1 : passes);
		expect_calls(s, f->calls[i].func, times * n, timeout);
	}
}

void shape_expect(struct shape *s, bool timeout)
{
	memset(&s->want, 0, sizeof(s->want));
	memset(s->want_calls, 0, sizeof(s->want_calls));
	expect_calls(s, 0, 1, timeout);
}

static char difference[256];

static bool differs(const char *what, int func, __u64 want, __u64 got)
{
	if (want == got)
		return false;
	snprintf(difference, sizeof(difference), "%s of function %d: %lld rather than %lld",
		 what, func, (long long)got, (long long)want);
	return true;
}

const char *shape_differs(const struct shape *s, bool timeout)
{
	const struct cells *got = s->env->cells;
	int i;

	for (i = 0; i < MAX_FUNCS; i++) {
		if (differs("calls", i, s->want.hits[i], got->hits[i]) ||
		    differs("sum", i, s->want.sum[i], got->sum[i]) ||
		    differs("countdown", i, 0, got->left[i]) ||
		    differs("passes", i, 0, got->pass[i]))
			return difference;
		if (!timeout && differs("turns", i, s->want.turns[i], got->turns[i]))
			return difference;
	}
	return NULL;
}

/* --- loading and running --- */

static bool is_tc(const struct shape *s)
{
	return s->funcs[0].role == ROLE_MAIN_TC;
}

static bool has_role(const struct shape *s, enum func_role role)
{
	int i;

	for (i = 0; i < s->nr_funcs; i++)
		if (s->funcs[i].role == role)
			return true;
	return false;
}

__u32 shape_func_type(const struct shape *s, int func)
{
	const struct func *f = &s->funcs[func];
	const char *prefix = "static";
	char name[32] = "main";

	if (!func && has_role(s, ROLE_EXCEPTION))
		return btf__find_by_name_kind(s->env->btf, "main_catches", BTF_KIND_FUNC);
	if (f->role == ROLE_EXCEPTION || (f->role == ROLE_GLOBAL && f->items[0]->args))
		prefix = "global_of_one";
	else if (f->role == ROLE_GLOBAL)
		prefix = "global";
	if (func)
		snprintf(name, sizeof(name), "%s%d", prefix, func);
	return btf__find_by_name_kind(s->env->btf, name, BTF_KIND_FUNC);
}

int shape_load(const struct shape *s, char *log, size_t size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct bpf_func_info info[MAX_FUNCS];
	int i, fd;

	for (i = 0; i < s->nr_funcs; i++) {
		info[i].insn_off = s->funcs[i].start;
		info[i].type_id = shape_func_type(s, i);
	}
	opts.prog_btf_fd = btf__fd(s->env->btf);
	opts.func_info = info;
	opts.func_info_cnt = s->nr_funcs;
	opts.func_info_rec_size = sizeof(info[0]);
	opts.prog_flags = s->flags | (is_tc(s) ? 0 : BPF_F_SLEEPABLE);
	opts.log_buf = log;
	opts.log_size = size;
	opts.log_level = log ? 1 : 0;
	fd = bpf_prog_load(is_tc(s) ? BPF_PROG_TYPE_SCHED_CLS : BPF_PROG_TYPE_SYSCALL,
			   "shape", "GPL", s->insns, s->len, &opts);
	return fd < 0 ? -errno : fd;
}

static void prepare(const struct shape *s, bool timeout)
{
	struct {
		__u64 lock;
		__u64 root[2];
	} no_tree = {};
	struct user_ring_buffer *ring = s->env->ring;
	int key = 0;
	void *sample;

	memset(s->env->cells, 0, sizeof(*s->env->cells));
	s->env->cells->limit = timeout ? ~0ULL : TURNS;
	s->env->cells->constant = CONSTANT;
	if (has_role(s, ROLE_LESS))
		bpf_map_update_elem(s->env->tree_fd, &key, &no_tree, BPF_ANY);
	if (has_role(s, ROLE_RINGBUF)) {
		sample = user_ring_buffer__reserve(ring, 8);
		if (sample)
			user_ring_buffer__submit(ring, sample);
	}
}

int shape_run(const struct shape *s, int fd, bool timeout)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	char packet[PACKET_LEN + 14] = {};
	__u64 ctx = CONSTANT;

	prepare(s, timeout);
	if (is_tc(s)) {
		opts.data_in = packet;
		opts.data_size_in = PACKET_LEN;
		opts.repeat = 1;
	} else {
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
	}
	if (bpf_prog_test_run_opts(fd, &opts))
		return -errno;
	if (!opts.retval)
		wait_until(shape_cell(&s->env->cells->finished) >= s->want.finished);
	return opts.retval;
}

/* All others begin with "mov" and only count */
static bool is_special(const struct func *f)
{
	return f->may_goto || f->back || f->filler || f->stack || f->nr_items > 1 ||
	       strcmp(f->items[0]->name, "mov") || f->role >= ROLE_LOOP;
}

static int describe_func(const struct shape *s, int func, char *text, size_t size)
{
	const struct func *f = &s->funcs[func];
	enum func_role role;
	int i, n;

	n = snprintf(text, size, "%d (%s%s%s%s%s%s", func, role_names[f->role],
		     f->may_goto ? ", may_goto" : "", f->back ? ", back to the first" : "",
		     f->restarts ? ", restarts" : "",
		     f->throws ? ", throws" : "", f->filler ? ", long" : "");
	n += snprintf(text + n, size - n, f->stack ? ", stack %d):" : "):", f->stack);
	for (i = 0; i < f->nr_items && n < size; i++) {
		n += snprintf(text + n, size - n, " %s", f->items[i]->name);
		if ((kind_calls(f->items[i], &role) || f->items[i]->flags & K_ADDRESS) && n < size)
			n += snprintf(text + n, size - n, " %d", f->item_funcs[i]);
		if (n < size)
			n += snprintf(text + n, size - n, ";");
	}
	return n;
}

void shape_describe(const struct shape *s, char *text, size_t size)
{
	size_t n = 0;
	int i;

	for (i = 0; i < s->nr_funcs && n < size; i++) {
		if (!is_special(&s->funcs[i]))
			continue;
		n += snprintf(text + n, size - n, "%s", n ? " " : "");
		if (n < size)
			n += describe_func(s, i, text + n, size - n);
	}
	if (s->last_call && n < size)
		snprintf(text + n, size - n, " last: %d", s->last_call);
}

/* --- types and maps --- */

static int add_opaque(struct btf *btf, const char *name, int size, int member)
{
	int id = btf__add_struct(btf, name, size);

	btf__add_field(btf, "val", member, 0, 0);
	return id;
}

static int add_proto(struct btf *btf, int arg, int nr)
{
	int ret = btf__find_by_name_kind(btf, "long", BTF_KIND_INT);
	int id = btf__add_func_proto(btf, ret);
	char name[] = "a";

	for (; nr--; name[0]++)
		btf__add_func_param(btf, name, arg);
	return id;
}

static void add_funcs(struct btf *btf, const char *prefix, enum btf_func_linkage linkage,
		      int proto)
{
	char name[16];
	int i;

	for (i = 1; i < MAX_FUNCS; i++) {
		snprintf(name, sizeof(name), "%s%d", prefix, i);
		btf__add_func(btf, name, linkage, proto);
	}
}

/* The exception callback of the main function that has one */
static void add_func_types(struct btf *btf, int long_id)
{
	int ctx = btf__add_ptr(btf, 0), main_proto, id;

	main_proto = add_proto(btf, ctx, 1);
	btf__add_func(btf, "main", BTF_FUNC_GLOBAL, main_proto);
	id = btf__add_func(btf, "main_catches", BTF_FUNC_GLOBAL, main_proto);
	btf__add_decl_tag(btf, "exception_callback:global_of_one3", id, -1);
	/* As many arguments as callbacks have, so that tracing passes them on */
	add_funcs(btf, "static", BTF_FUNC_STATIC, add_proto(btf, long_id, 5));
	add_funcs(btf, "global", BTF_FUNC_GLOBAL, add_proto(btf, long_id, 0));
	add_funcs(btf, "global_of_one", BTF_FUNC_GLOBAL, add_proto(btf, long_id, 1));
}

struct types {
	int u32_id, elem, lock, res_lock, tree;
};

static void add_tree_types(struct btf *btf, struct types *t, int lock, int u64_array4,
			   int long_id)
{
	int root, id;

	id = btf__add_struct(btf, "bpf_rb_node", 32);
	btf__add_field(btf, "val", u64_array4, 0, 0);
	btf__add_struct(btf, "shape_node", NODE_SIZE);
	btf__add_field(btf, "node", id, 0, 0);
	btf__add_field(btf, "key", long_id, NODE_KEY * 8, 0);
	root = btf__add_struct(btf, "bpf_rb_root", 16);
	btf__add_field(btf, "val", long_id, 0, 0);
	btf__add_field(btf, "val2", long_id, 64, 0);
	t->tree = btf__add_struct(btf, "shape_tree", TREE_ROOT + 16);
	btf__add_field(btf, "lock", lock, 0, 0);
	btf__add_field(btf, "root", root, TREE_ROOT * 8, 0);
	btf__add_decl_tag(btf, "contains:shape_node:node", t->tree, 1);
}

static struct btf *load_types(struct types *t)
{
	struct btf *btf = btf__new_empty();
	int long_id, pair, lock, res_lock;

	if (!btf)
		return NULL;
	t->u32_id = btf__add_int(btf, "u32", 4, 0);
	long_id = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
	pair = btf__add_array(btf, t->u32_id, long_id, 2);
	lock = add_opaque(btf, "bpf_spin_lock", 4, t->u32_id);
	res_lock = add_opaque(btf, "bpf_res_spin_lock", 4, t->u32_id);
	t->lock = add_opaque(btf, "shape_lock", 8, lock);
	t->res_lock = add_opaque(btf, "shape_res_lock", 8, res_lock);
	t->elem = btf__add_struct(btf, "shape_elem", sizeof(struct elem));
	btf__add_field(btf, "timer", t->elem + 1, 0, 0);
	btf__add_field(btf, "wq", t->elem + 2, WQ_OFF * 8, 0);
	btf__add_field(btf, "constant", long_id, ELEM_OFF * 8, 0);
	add_opaque(btf, "bpf_timer", 16, pair);
	add_opaque(btf, "bpf_wq", 16, pair);
	add_tree_types(btf, t, lock, btf__add_array(btf, t->u32_id, long_id, 4), long_id);
	add_func_types(btf, long_id);
	if (!btf__load_into_kernel(btf))
		return btf;
	btf__free(btf);
	return NULL;
}

static int create_map(const struct shape_env *env, enum bpf_map_type type, int key_type,
		      int value_type, int size, int nr)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .btf_fd = btf__fd(env->btf),
		    .btf_key_type_id = key_type, .btf_value_type_id = value_type);
	int fd = bpf_map_create(type, "shapes", 4, size, nr, &opts);

	if (fd < 0)
		ksft_print_msg("no map of type %d: %d\n", type, -errno);
	return fd;
}

static int create_plain_map(enum bpf_map_type type, int key, int size, int nr, __u32 flags,
			    __u64 extra)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags, .map_extra = extra);
	int fd = bpf_map_create(type, "shapes", key, size, nr, &opts);

	if (fd < 0)
		ksft_print_msg("no map of type %d: %d\n", type, -errno);
	return fd;
}

static int create_text(void)
{
	int fd = create_plain_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_RDONLY_PROG, 0);
	int key = 0;

	if (fd < 0 || bpf_map_update_elem(fd, &key, "shapes\n", BPF_ANY) || bpf_map_freeze(fd))
		return -1;
	return fd;
}

/* A cast to 0 in the lower half would be NULL */
#define ARENA_AT	0x100000100000ULL

static bool map_memory(struct shape_env *env)
{
	int page = getpagesize();

	env->cells = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, env->cells_fd, 0);
	env->arena = mmap((void *)ARENA_AT, page, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, env->arena_fd, 0);
	if (env->cells == MAP_FAILED || env->arena == MAP_FAILED)
		return false;
	*(__u64 *)env->arena = CONSTANT;
	return true;
}

int shape_env_init(struct shape_env *env)
{
	struct elem elem = { .constant = CONSTANT };
	struct types t;
	int page = getpagesize(), i;

	env->btf = load_types(&t);
	if (!env->btf)
		return -1;
	env->cells_fd = create_plain_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cells), 1,
					 BPF_F_MMAPABLE, 0);
	env->ringbuf_fd = create_plain_map(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, page, 0, 0);
	env->tails_fd = create_plain_map(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0, 0);
	env->arena_fd = create_plain_map(BPF_MAP_TYPE_ARENA, 0, 0, 1, BPF_F_MMAPABLE,
					 ARENA_AT);
	env->text_fd = create_text();
	env->elems_fd = create_map(env, BPF_MAP_TYPE_ARRAY, t.u32_id, t.elem, sizeof(elem),
				   ELEMS);
	env->lock_fd = create_map(env, BPF_MAP_TYPE_ARRAY, t.u32_id, t.lock, 8, 1);
	env->res_lock_fd = create_map(env, BPF_MAP_TYPE_ARRAY, t.u32_id, t.res_lock, 8, 1);
	env->tree_fd = create_map(env, BPF_MAP_TYPE_ARRAY, t.u32_id, t.tree, TREE_ROOT + 16,
				  1);
	if (!map_memory(env))
		return -1;
	for (i = 0; i < ELEMS; i++)
		if (bpf_map_update_elem(env->elems_fd, &i, &elem, BPF_ANY))
			return -1;
	env->ring = user_ring_buffer__new(env->ringbuf_fd, NULL);
	return env->ring ? 0 : -1;
}

void shape_env_free(struct shape_env *env)
{
	user_ring_buffer__free(env->ring);
	munmap(env->cells, getpagesize());
	munmap(env->arena, getpagesize());
	close(env->cells_fd);
	close(env->elems_fd);
	close(env->ringbuf_fd);
	close(env->lock_fd);
	close(env->res_lock_fd);
	close(env->tree_fd);
	close(env->text_fd);
	close(env->tails_fd);
	close(env->arena_fd);
	btf__free(env->btf);
}
