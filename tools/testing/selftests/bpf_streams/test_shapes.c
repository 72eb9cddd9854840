// SPDX-License-Identifier: GPL-2.0
/*
 * Programs compute the same with each kind of first instruction of functions, with
 * may_gotos in all places, with all kinds of callers, and with tracing: with the JIT, for
 * which may_goto limits the time, and without, where it counts.
 *
 * First each kind of instruction at the beginning of each kind of function, then
 * programs composed at random. BPF_STREAMS_SEED in the environment repeats the latter.
 * BPF_STREAMS_SAMPLE=N tries only one program in N, for kernels on which all take hours.
 */
#include <time.h>

#include <bpf/btf.h>

#include "../kselftest_harness.h"
#include "report.h"
#include "shape.h"

#define JIT_ENABLE	"/proc/sys/net/core/bpf_jit_enable"
#define JIT_HARDEN	"/proc/sys/net/core/bpf_jit_harden"

/* Of the functions of a program, in this order */
enum {
	MAIN,
	EARLY,
	EARLY_GLOBAL,
	SUBJECT,
	LATE,
	LATE_GLOBAL,
	WRITER,			/* gets the packet's context */
};

/* The functions with a may_goto */
enum {
	IN_MAIN		= 1 << 0,
	IN_EARLY	= 1 << 1,
	IN_SUBJECT	= 1 << 2,
	IN_LATE		= 1 << 3,
	IN_ALL		= IN_MAIN | IN_EARLY | IN_SUBJECT | IN_LATE,
};

static const int places[] = { 0, IN_MAIN, IN_EARLY, IN_SUBJECT, IN_LATE, IN_ALL };

/* A test case and its result */
struct trial {
	struct shape_env env;
	struct shape *s;
	bool has_jit;
	__u32 flags;
	int sample;
	int composed;
	int loaded;
	int refused;
	int failed;
};

FIXTURE(shapes)
{
	struct trial trial;
};

FIXTURE_VARIANT(shapes)
{
	const char *jit;
	const char *harden;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(shapes, jit) { .jit = "1", .harden = "0" };

/* The JIT adds instructions for constants, the verifier everywhere */
FIXTURE_VARIANT_ADD(shapes, blinded) {
	.jit = "1", .harden = "2", .flags = BPF_F_TEST_RND_HI32
};

FIXTURE_VARIANT_ADD(shapes, interpreter) { .jit = "0", .harden = "0" };

FIXTURE_SETUP(shapes)
{
	struct trial *t = &self->trial;

	SKIP_UNLESS_OURS("loops that may_goto ends by time");
	if (!write_file(JIT_ENABLE, variant->jit) || !write_file(JIT_HARDEN, variant->harden))
		SKIP(return, "the kernel always has the JIT");
	t->has_jit = variant->jit[0] == '1';
	t->flags = variant->flags;
	t->sample = getenv("BPF_STREAMS_SAMPLE") ? atoi(getenv("BPF_STREAMS_SAMPLE")) : 1;
	ASSERT_LT(0, t->sample);
	t->s = calloc(1, sizeof(*t->s));
	ASSERT_NE(NULL, t->s);
	ASSERT_EQ(0, shape_env_init(&t->env));
}

static void jit_as_before(void)
{
	write_file(JIT_ENABLE, "1");
	write_file(JIT_HARDEN, "0");
}

FIXTURE_TEARDOWN(shapes)
{
	if (self->trial.s)
		shape_env_free(&self->trial.env);
	free(self->trial.s);
	jit_as_before();
}

#define MAX_TOLD	4

static void tell(struct trial *t, const char *what, const char *more)
{
	static char text[2048];

	if (t->failed++ >= MAX_TOLD)
		return;
	shape_describe(t->s, text, sizeof(text));
	ksft_print_msg("%s: %s\n%s", what, text, more);
}

/* The end of the verifier's log */
static void tell_refusal(struct trial *t, int err)
{
	static char log[1024 * 1024];
	char what[64];
	size_t len;

	snprintf(what, sizeof(what), "refused with %d", err);
	log[0] = '\0';
	if (t->failed < MAX_TOLD)
		shape_load(t->s, log, sizeof(log));
	len = strlen(log);
	tell(t, what, log + (len > 1000 ? len - 1000 : 0));
}

#define MAX_TRIES	10

/* The emulated machine may be stopped for that long by a busy host. */
static bool was_kept_waiting(int fd)
{
	static char report[64 * 1024];
	long len = stream_read(fd, STDERR, report, sizeof(report));

	return len > 0 && memmem(report, len, "Timeout detected for may_goto", 29);
}

/* Run it once and compare the result */
static bool run_shape(struct trial *t, int fd, bool timeout, const char *how)
{
	const char *difference;
	char what[320];
	int err, tries = 0;

	do {
		shape_expect(t->s, timeout);
		err = shape_run(t->s, fd, timeout);
		difference = err ? "an error" : shape_differs(t->s, timeout);
	} while (difference && !timeout && was_kept_waiting(fd) && ++tries < MAX_TRIES);
	if (!difference)
		return true;
	snprintf(what, sizeof(what), "%s%s (%d)", how, difference, err);
	tell(t, what, "");
	return false;
}

/* Count calls of the function. Return: fd of a link, or a negative error. */
static int trace(struct trial *t, int fd, int func, enum bpf_attach_type type)
{
	struct bpf_insn insns[] = {
		BPF_RAW_INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0,
			     t->env.cells_fd),
		BPF_RAW_INSN(0, 0, 0, 0, FUNC_CELL(traced, func)),
		BPF_MOV64_IMM(BPF_REG_2, 1),
		BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_1, BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type,
		    .attach_prog_fd = fd,
		    .attach_btf_id = shape_func_type(t->s, func));
	int prog, link;

	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "tracer", "GPL", insns,
			     ARRAY_SIZE(insns), &opts);
	if (prog < 0)
		return -errno;
	link = bpf_link_create(prog, 0, type, NULL);
	close(prog);
	return link < 0 ? -errno : link;
}

/* Functions that throw do not reach their exit */
static __u64 traced_calls(const struct shape *s, int func)
{
	return s->want_calls[func] * (s->funcs[func].throws ? 1 : 2);
}

/* With the function traced at its entry and its exit */
static void run_traced(struct trial *t, int fd, int func, bool timeout)
{
	int entry, exit;
	__u64 wanted;

	entry = trace(t, fd, func, BPF_TRACE_FENTRY);
	exit = trace(t, fd, func, BPF_TRACE_FEXIT);
	if (entry < 0 || exit < 0) {
		tell(t, "it cannot be traced", "");
	} else if (run_shape(t, fd, timeout, "when traced: ")) {
		wanted = traced_calls(t->s, func);
		/* It has finished before its exit is traced */
		if (role_is_async(t->s->funcs[func].role))
			wait_until(shape_cell(&t->env.cells->traced[func]) >= wanted);
		if (t->env.cells->traced[func] != wanted)
			tell(t, "not all calls were traced", "");
	}
	close(entry);
	close(exit);
}

/* Load it, with the expected result. Return: fd, or -1. */
static int load_shape(struct trial *t)
{
	bool loads;
	int fd;

	t->s->flags = t->flags;
	shape_compose(t->s);
	loads = t->has_jit || !t->s->needs_jit;
	fd = shape_load(t->s, NULL, 0);
	t->loaded += fd >= 0;
	t->refused += fd < 0;
	if (loads && fd < 0)
		tell_refusal(t, fd);
	if (!loads && fd >= 0)
		tell(t, "loaded without the JIT", "");
	if (fd >= 0 && !loads)
		close(fd);
	return fd >= 0 && loads ? fd : -1;
}

/* The kernel refuses to trace the exception callback */
static bool can_trace(const struct trial *t, const struct func *f)
{
	return t->has_jit && f->role != ROLE_EXCEPTION;
}

/* Also with that function traced, if not negative */
static void try_shape(struct trial *t, int func)
{
	int fd;

	if (t->composed++ % t->sample)
		return;
	fd = load_shape(t);
	if (fd < 0)
		return;
	if (run_shape(t, fd, false, "") && func >= 0 &&
	    can_trace(t, &t->s->funcs[func]))
		run_traced(t, fd, func, false);
	close(fd);
}

static void add_func(struct shape *s, int func, enum func_role role, const char *kind, int other)
{
	struct func *f = &s->funcs[func];

	f->role = role;
	f->items[0] = kind_find(kind);
	f->item_funcs[0] = other;
	f->nr_items = 1;
	if (func >= s->nr_funcs)
		s->nr_funcs = func + 1;
}

static void add_item(struct shape *s, int func, const char *kind, int other)
{
	struct func *f = &s->funcs[func];

	f->items[f->nr_items] = kind_find(kind);
	f->item_funcs[f->nr_items++] = other;
}

static bool is_main(enum func_role role)
{
	return role == ROLE_MAIN || role == ROLE_MAIN_TC;
}

/* Main calls all others, the subject last */
static void fill(struct shape *s, const struct shape_env *env, enum func_role role,
		 const char *first, int other)
{
	memset(s, 0, sizeof(*s));
	s->env = env;
	add_func(s, EARLY, ROLE_STATIC, "mov", 0);
	add_func(s, EARLY_GLOBAL, ROLE_GLOBAL, "mov", 0);
	add_func(s, LATE, ROLE_STATIC, "mov", 0);
	add_func(s, LATE_GLOBAL, ROLE_GLOBAL, "mov", 0);
	if (is_main(role)) {
		add_func(s, MAIN, role, first, other);
		add_func(s, SUBJECT, ROLE_STATIC, "mov", 0);
	} else {
		add_func(s, MAIN, kind_find(first)->flags & K_CTX ? ROLE_MAIN_TC : ROLE_MAIN,
			 "mov", 0);
		add_func(s, SUBJECT, role, first, other);
	}
	if (other == WRITER)
		add_func(s, WRITER, ROLE_STATIC, "skb->data", 0);
	/* This gives it a prologue */
	if (role == ROLE_MAIN_TC && kind_find(first)->flags & K_KEEPS_R1)
		add_item(s, MAIN, "packet", 0);
	add_item(s, MAIN, "invocation", EARLY);
	add_item(s, MAIN, "invocation", EARLY_GLOBAL);
	add_item(s, MAIN, "invocation", LATE);
	add_item(s, MAIN, "invocation", LATE_GLOBAL);
	s->last_call = SUBJECT;
}

/* The may_goto of the subject is that of main if main is the subject */
static void place(struct shape *s, int subject, int in, bool back)
{
	s->funcs[MAIN].may_goto = in & IN_MAIN;
	s->funcs[EARLY].may_goto = in & IN_EARLY;
	s->funcs[EARLY_GLOBAL].may_goto = in & IN_EARLY;
	s->funcs[LATE].may_goto = in & IN_LATE;
	s->funcs[LATE_GLOBAL].may_goto = in & IN_LATE;
	s->funcs[subject].may_goto = in & IN_SUBJECT;
	s->funcs[subject].back = back;
}

/* Attaching takes most of the time: one in three is traced */
static void try_places(struct trial *t, enum func_role role, const struct kind *kind, int other)
{
	int subject = is_main(role) ? MAIN : SUBJECT;
	bool may_goto;
	size_t i;
	int back;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		may_goto = places[i] & IN_SUBJECT;
		if (is_main(role) && places[i] == IN_MAIN)
			continue;
		/* Without the JIT there are no callbacks: one check is enough */
		if (!t->has_jit && role > ROLE_GLOBAL && places[i] != IN_ALL)
			continue;
		for (back = 0; back <= may_goto; back++) {
			if (!kind_fits(kind, role, may_goto, back))
				continue;
			/* The context register is overwritten then */
			if (back && other == WRITER)
				continue;
			fill(t->s, &t->env, role, kind->name, other);
			place(t->s, subject, places[i], back);
			try_shape(t, t->loaded % 3 ? -1 : subject);
		}
	}
}

/* Each kind of first instruction, with the functions it may refer to */
static int try_role(struct trial *t, enum func_role role)
{
	static const int statics[] = { EARLY, LATE }, globals[] = { EARLY_GLOBAL, LATE_GLOBAL };
	enum func_role callee;
	size_t i, j;

	if (role == ROLE_MAIN_TC)
		try_places(t, role, kind_find("call"), WRITER);
	for (i = 0; i < nr_kinds; i++) {
		if (!kind_calls(&kinds[i], &callee)) {
			try_places(t, role, &kinds[i], 0);
			continue;
		}
		for (j = 0; j < ARRAY_SIZE(statics); j++)
			try_places(t, role, &kinds[i], statics[j]);
		for (j = 0; callee == ROLE_GLOBAL && j < ARRAY_SIZE(globals); j++)
			try_places(t, role, &kinds[i], globals[j]);
	}
	ksft_print_msg("%d programs loaded, %d refused\n", t->loaded, t->refused);
	return t->failed;
}

TEST_F(shapes, main)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_MAIN));
}

TEST_F(shapes, main_of_tc)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_MAIN_TC));
}

TEST_F(shapes, static_function)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_STATIC));
}

TEST_F(shapes, global_function)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_GLOBAL));
}

TEST_F(shapes, callback_of_bpf_loop)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_LOOP));
}

TEST_F(shapes, callback_of_bpf_loop_not_inlined)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_LOOP_CALL));
}

TEST_F(shapes, callback_of_for_each_map_elem)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_EACH));
}

TEST_F(shapes, callback_of_timer)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_TIMER));
}

TEST_F(shapes, callback_of_work_queue)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_WQ));
}

TEST_F(shapes, callback_of_user_ringbuf_drain)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_RINGBUF));
}

TEST_F(shapes, callback_of_find_vma)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_VMA));
}

TEST_F(shapes, callback_of_rbtree_add)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_LESS));
}

TEST_F(shapes, exception_callback)
{
	EXPECT_EQ(0, try_role(&self->trial, ROLE_EXCEPTION));
}

/* --- a function of one instruction --- */

/* The next instruction is in another function, and calling that is not refused */
static void try_shortest(struct trial *t, enum func_role role, int in)
{
	int subject = is_main(role) ? MAIN : SUBJECT;

	if (!kind_fits(kind_find("call"), role, false, false))
		return;
	fill(t->s, &t->env, role, "call", EARLY);
	place(t->s, subject, in, false);
	add_func(t->s, EARLY, ROLE_STATIC, "exit", 0);
	try_shape(t, subject);
}

TEST_F(shapes, shortest_function)
{
	struct trial *t = &self->trial;
	size_t i;
	int role;

	for (role = 0; role < NR_ROLES; role++)
		for (i = 0; i < ARRAY_SIZE(places); i++)
			try_shortest(t, role, places[i]);
	EXPECT_EQ(0, t->failed);
}

/* --- programs that are too long for reports of counted may_gotos, or have no stack left --- */

#define LONG	4200

static void try_long(struct trial *t, enum func_role role, const char *kind, int other)
{
	int subject = is_main(role) ? MAIN : SUBJECT;
	size_t i;

	if (!kind_fits(kind_find(kind), role, true, true))
		return;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (!(places[i] & IN_SUBJECT))
			continue;
		fill(t->s, &t->env, role, kind, other);
		place(t->s, subject, places[i], true);
		t->s->funcs[EARLY].filler = LONG;
		try_shape(t, subject);
	}
}

TEST_F(shapes, long_programs)
{
	struct trial *t = &self->trial;
	int role;

	for (role = 0; role < NR_ROLES; role++) {
		try_long(t, role, "may_goto", 0);
		try_long(t, role, "call", EARLY);
		try_long(t, role, "call", LATE);
		try_long(t, role, "function", EARLY);
	}
	EXPECT_EQ(0, t->failed);
}

/* Without the JIT the countdown takes part of the program's stack */
TEST_F(shapes, full_stack)
{
	static const int sizes[] = { 432, 440, 448, 456, 464, 496, 504, 512 };
	struct trial *t = &self->trial;
	struct func *f = &t->s->funcs[MAIN];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(t->s, 0, sizeof(*t->s));
		t->s->env = &t->env;
		add_func(t->s, MAIN, ROLE_MAIN, "may_goto", 0);
		f->may_goto = true;
		f->stack = sizes[i];
		shape_compose(t->s);
		if (!t->has_jit && sizes[i] + 8 > 512) {
			fd = shape_load(t->s, NULL, 0);
			EXPECT_GT(0, fd) TH_LOG("%d", sizes[i]);
			close(fd);
			continue;
		}
		try_shape(t, MAIN);
	}
	EXPECT_EQ(0, t->failed);
}

/* --- a function that is replaced --- */

/* Counts in a loop with may_goto, which is its first instruction */
static int load_replacement(struct trial *t, int fd)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	const struct bpf_insn insns[] = {
		RAW_MAY_GOTO(7),
		BPF_RAW_INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0,
			     t->env.cells_fd),
		BPF_RAW_INSN(0, 0, 0, 0, FUNC_CELL(traced, SUBJECT)),
		BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_1, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, 1),
		BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_2, 0),
		BPF_JMP_IMM(BPF_JGE, BPF_REG_2, TURNS, 1),
		BPF_JMP_A(-8),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct bpf_func_info info = { .type_id = shape_func_type(t->s, SUBJECT) };

	opts.attach_prog_fd = fd;
	opts.attach_btf_id = info.type_id;
	opts.prog_btf_fd = btf__fd(t->env.btf);
	opts.func_info = &info;
	opts.func_info_cnt = 1;
	opts.func_info_rec_size = sizeof(info);
	return bpf_prog_load(BPF_PROG_TYPE_EXT, "replacement", "GPL", insns,
			     ARRAY_SIZE(insns), &opts);
}

static bool runs_replaced(struct trial *t, int fd)
{
	struct cells *want = &t->s->want;

	shape_expect(t->s, false);
	want->hits[SUBJECT] = 0;
	want->sum[SUBJECT] = 0;
	want->turns[SUBJECT] = 0;
	return !shape_run(t->s, fd, false) && !shape_differs(t->s, false) &&
	       t->env.cells->traced[SUBJECT] == TURNS;
}

static void try_replaced(struct trial *t, const char *kind, int in)
{
	int fd, prog, link;

	fill(t->s, &t->env, ROLE_GLOBAL, kind, 0);
	place(t->s, SUBJECT, in, false);
	fd = load_shape(t);
	if (fd < 0)
		return;
	prog = load_replacement(t, fd);
	link = bpf_raw_tracepoint_open(NULL, prog);
	if (prog < 0 || link < 0)
		tell(t, "it cannot be replaced", "");
	else if (!runs_replaced(t, fd))
		tell(t, "other results when replaced", "");
	close(link);
	if (link >= 0)
		run_shape(t, fd, false, "no longer replaced: ");
	close(prog);
	close(fd);
}

TEST_F(shapes, replaced_functions)
{
	struct trial *t = &self->trial;
	size_t i;

	if (!t->has_jit)
		SKIP(return, "nothing is replaced without the JIT");
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		try_replaced(t, "mov", places[i]);
		try_replaced(t, "ld_imm64 map value", places[i]);
		if (places[i] & IN_SUBJECT)
			try_replaced(t, "may_goto", places[i]);
	}
	EXPECT_EQ(0, t->failed);
}

/* --- at random --- */

#define MAX_CALLS_IN_ALL	3000

/* It may call functions below these levels */
struct levels {
	bool has_jit;
	int of[MAX_FUNCS];
	__u64 seed;
};

static int dice(struct levels *l, int sides)
{
	return prng(&l->seed) % sides;
}

static void shuffle(struct levels *l, int nr)
{
	int i, j, level;

	for (i = 0; i < nr; i++)
		l->of[i] = i;
	for (i = nr - 1; i > 1; i--) {
		j = 1 + dice(l, i);
		level = l->of[i];
		l->of[i] = l->of[j];
		l->of[j] = level;
	}
}

/* A function below that suits the kind, 0 if there is none */
static int pick_callee(struct shape *s, struct levels *l, int func, const struct kind *kind)
{
	int nr = 0, picked = 0, i;

	for (i = 1; i < s->nr_funcs; i++)
		if (l->of[i] > l->of[func] && kind_may_call(kind, &s->funcs[i]) &&
		    !dice(l, ++nr))
			picked = i;
	return picked;
}

/* Without the JIT most programs must not need it */
static bool may_pick(const struct func *f, const struct kind *kind, struct levels *l)
{
	if (!l->has_jit && (kind->flags & K_JIT) && dice(l, 20))
		return false;
	if (f->nr_items)
		return kind_fits_within(kind, f->role);
	return kind_fits(kind, f->role, f->may_goto, f->back) && !(kind->flags & K_CTX);
}

static void pick_item(struct shape *s, struct levels *l, int func)
{
	struct func *f = &s->funcs[func];
	const struct kind *kind;
	enum func_role role;
	int other;

	for (;;) {
		kind = &kinds[dice(l, nr_kinds)];
		if (!may_pick(f, kind, l))
			continue;
		other = 0;
		if (kind_calls(kind, &role)) {
			other = pick_callee(s, l, func, kind);
			if (!other)
				continue;
		}
		f->items[f->nr_items] = kind;
		f->item_funcs[f->nr_items++] = other;
		return;
	}
}

static enum func_role pick_role(const struct shape *s, struct levels *l, int func)
{
	static const enum func_role roles[] = {
		ROLE_STATIC, ROLE_GLOBAL, ROLE_LOOP, ROLE_LOOP_CALL, ROLE_EACH
	};

	if (!func)
		return ROLE_MAIN;
	if (func == s->last_call)
		return ROLE_TIMER + dice(l, NR_ROLES - ROLE_TIMER);
	return roles[dice(l, l->has_jit ? ARRAY_SIZE(roles) : 2)];
}

static void pick_func(struct shape *s, struct levels *l, int func)
{
	struct func *f = &s->funcs[func];
	int i;

	f->role = pick_role(s, l, func);
	f->may_goto = dice(l, 2);
	f->back = f->may_goto && dice(l, 2);
	f->stack = dice(l, 2) ? 0 : 32 + 8 * dice(l, 4);
	pick_item(s, l, func);
	if (f->items[0]->flags & K_ENDS)
		return;
	for (i = dice(l, 4); i; i--)
		pick_item(s, l, func);
}

static bool is_called(const struct shape *s, int func)
{
	enum func_role role;
	int i, j;

	if (func == s->last_call)
		return true;
	for (i = 0; i < s->nr_funcs; i++)
		for (j = 0; j < s->funcs[i].nr_items; j++)
			if (kind_calls(s->funcs[i].items[j], &role) &&
			    s->funcs[i].item_funcs[j] == func)
				return true;
	return false;
}

/*
 * A function that is not called by others. Only static functions have an address, and
 * the functions that they need may refer to others.
 */
static void add_uncalled(struct shape *s, struct levels *l, int func)
{
	struct func *f = &s->funcs[func];
	bool dead = l->has_jit && f->role != ROLE_GLOBAL && !f->items[0]->args && !dice(l, 3);

	add_item(s, MAIN, dead ? "address" : "invocation", func);
}

/* From the bottom up */
static void pick_shape(struct shape *s, struct levels *l)
{
	int level, i;

	s->nr_funcs = 2 + dice(l, MAX_FUNCS - 1);
	if (l->has_jit && s->nr_funcs > SUBJECT && dice(l, 2))
		s->last_call = SUBJECT;
	shuffle(l, s->nr_funcs);
	for (level = s->nr_funcs - 1; level >= 0; level--)
		for (i = 0; i < s->nr_funcs; i++)
			if (l->of[i] == level)
				pick_func(s, l, i);
	for (i = 1; i < s->nr_funcs; i++)
		if (!is_called(s, i))
			add_uncalled(s, l, i);
	if (!dice(l, 10))
		s->funcs[dice(l, s->nr_funcs)].filler = LONG;
}

static __u64 calls_in_all(struct shape *s)
{
	__u64 sum = 0;
	int i;

	shape_compose(s);
	shape_expect(s, false);
	for (i = 0; i < s->nr_funcs; i++)
		sum += s->want_calls[i];
	return sum;
}

static void try_random(struct trial *t, __u64 seed)
{
	struct levels l = { .has_jit = t->has_jit, .seed = seed };
	int failed = t->failed, func;

	do {
		memset(t->s, 0, sizeof(*t->s));
		t->s->env = &t->env;
		pick_shape(t->s, &l);
	} while (calls_in_all(t->s) > MAX_CALLS_IN_ALL);
	func = dice(&l, t->s->nr_funcs);
	try_shape(t, t->s->want_calls[func] ? func : -1);
	if (failed != t->failed && failed < MAX_TOLD)
		ksft_print_msg("BPF_STREAMS_SEED=%llu\n", seed);
}

#define RANDOM_SHAPES	150

TEST_F(shapes, at_random)
{
	struct trial *t = &self->trial;
	const char *given = getenv("BPF_STREAMS_SEED");
	__u64 seed = given ? strtoull(given, NULL, 0) : time(NULL) * 1000ULL;
	int i;

	TH_LOG("BPF_STREAMS_SEED=%llu", (unsigned long long)seed);
	for (i = 0; i < RANDOM_SHAPES; i++)
		try_random(t, seed + i);
	TH_LOG("%d programs loaded, %d refused", t->loaded, t->refused);
	EXPECT_EQ(0, t->failed);
}

/* --- when the time is over --- */

/* An endless loop in the subject, or in all */
static void try_timeout(struct trial *t, enum func_role role, int in, bool traced)
{
	const char *first = traced || role == ROLE_LESS ? "may_goto" : "call";
	int subject = is_main(role) ? MAIN : SUBJECT, fd;

	fill(t->s, &t->env, role, first, EARLY);
	place(t->s, subject, in, true);
	t->s->funcs[subject].restarts = in == IN_SUBJECT;
	fd = load_shape(t);
	if (fd < 0)
		return;
	if (!traced)
		run_shape(t, fd, true, "when time is over: ");
	else if (can_trace(t, &t->s->funcs[subject]))
		run_traced(t, fd, subject, true);
	if (!traced && reports_read(fd, NULL) < 1)
		tell(t, "nothing was reported", "");
	close(fd);
}

TEST_F(shapes, that_time_out)
{
	struct trial *t = &self->trial;
	int role;

	if (t->flags)
		SKIP(return, "it is the same as with the plain JIT");
	for (role = 0; role < NR_ROLES; role++) {
		try_timeout(t, role, IN_SUBJECT, false);
		try_timeout(t, role, IN_SUBJECT, true);
		if (t->has_jit)
			try_timeout(t, role, IN_ALL, false);
	}
	EXPECT_EQ(0, t->failed);
}

/* --- exceptions from nested functions --- */

static void try_throw(struct trial *t, enum func_role role, const char *first, bool traced)
{
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		fill(t->s, &t->env, ROLE_EXCEPTION, first, EARLY);
		place(t->s, SUBJECT, places[i], false);
		t->s->funcs[LATE].role = role;
		t->s->funcs[LATE].throws = true;
		t->s->funcs[MAIN].nr_items = 3;
		add_item(t->s, MAIN, "invocation", LATE_GLOBAL);
		t->s->last_call = LATE;
		fd = load_shape(t);
		if (fd < 0)
			continue;
		if (run_shape(t, fd, false, "") && traced)
			run_traced(t, fd, LATE, false);
		close(fd);
	}
}

static const enum func_role throwers[] = { ROLE_STATIC, ROLE_GLOBAL };

TEST_F(shapes, exceptions_from_within)
{
	struct trial *t = &self->trial;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(throwers); i++) {
		try_throw(t, throwers[i], "mov", false);
		try_throw(t, throwers[i], "call", false);
	}
	EXPECT_EQ(0, t->failed);
}

/* The last test, as it used to crash the machine */
TEST_F(shapes, exceptions_from_traced_functions)
{
	struct trial *t = &self->trial;
	size_t i;

	if (!t->has_jit)
		SKIP(return, "nothing is traced without the JIT");
	for (i = 0; i < ARRAY_SIZE(throwers); i++)
		try_throw(t, throwers[i], "mov", true);
	EXPECT_EQ(0, t->failed);
}

int main(int argc, char **argv)
{
	int result;

	streams_require();
	raw_kfunc_call("bpf_throw");
	result = test_harness_run(argc, argv);
	/* Restore it after a test that crashed */
	jit_as_before();
	return result;
}
