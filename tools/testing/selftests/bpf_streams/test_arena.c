// SPDX-License-Identifier: GPL-2.0
/* Accesses to unmapped arena memory: their result, and the reports */
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "report.h"
#include "raw.h"
#include "arena.skel.h"

#define FILE_NAME	"arena.bpf.c"
#define PAGE		4096
#define PAGES		64

/* Pages of the arena: user space has touched the first, but not the second */
#define MAPPED		(20 * PAGE)
#define UNMAPPED	(40 * PAGE)

/* The program has this one report, with this address */
static bool faulted(int fd, struct report *r, const char *access, __u64 address)
{
	char want[128];

	snprintf(want, sizeof(want), "ERROR: Arena %s access at unmapped address 0x%llx",
		 access, (unsigned long long)address);
	if (!report_read(fd, r))
		return false;
	if (!strcmp(want, r->error))
		return true;
	fprintf(stderr, "# the report is '%s'\n# rather than   '%s'\n", r->error, want);
	return false;
}

FIXTURE(arena)
{
	struct arena_bpf *skel;
	struct arena_bpf__bss *bss;
	struct report r;
	char *base;
	__u64 unmapped;
};

FIXTURE_SETUP(arena)
{
	size_t size;

	self->skel = arena_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->base = bpf_map__initial_value(self->skel->maps.arena, &size);
	ASSERT_NE(NULL, self->base);
	self->base[MAPPED] = 1;
	self->unmapped = (uintptr_t)self->base + UNMAPPED;
	self->bss->address = self->unmapped;
	self->bss->value = 42;
	self->skel->data->loops = 1;
}

FIXTURE_TEARDOWN(arena)
{
	arena_bpf__destroy(self->skel);
}

TEST_F(arena, access_to_memory_that_is_there_is_not_reported)
{
	self->bss->address = (uintptr_t)self->base + MAPPED;
	ASSERT_EQ(0, run(self->skel->progs.load));
	EXPECT_EQ(1, self->bss->value);
	self->base[MAPPED] = 7;
	ASSERT_EQ(0, run(self->skel->progs.store));
	EXPECT_EQ(1, self->base[MAPPED]);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(arena, load_in_main_program)
{
	struct bpf_program *prog = self->skel->progs.load;

	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(0, self->bss->value);
	ASSERT_TRUE(faulted(bpf_program__fd(prog), &self->r, "READ", self->unmapped));
	EXPECT_EQ(getpid(), self->r.pid);
	/* The exception itself is not shown: the first frame is that of the access */
	EXPECT_TRUE(first_frame_is(&self->r, "load"));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "load", "value = *p;", FILE_NAME,
				 self->bss->load_line));
	EXPECT_EQ(NULL, bpf_frame(&self->r, 1));
	EXPECT_LE(self->r.nr_frames - 2, frame_of(&self->r, "do_syscall_64"));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(arena, store_in_main_program)
{
	struct bpf_program *prog = self->skel->progs.store;

	ASSERT_EQ(0, run(prog));
	ASSERT_TRUE(faulted(bpf_program__fd(prog), &self->r, "WRITE", self->unmapped));
	EXPECT_TRUE(first_frame_is(&self->r, "store"));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "store", "*p = 1;", FILE_NAME,
				 self->bss->store_line));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(arena, line_is_that_of_the_instruction_and_not_the_one_before)
{
	struct bpf_program *prog = self->skel->progs.alone;

	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(0, self->bss->value);
	EXPECT_EQ(1, self->bss->after);
	ASSERT_TRUE(faulted(bpf_program__fd(prog), &self->r, "READ", self->unmapped));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "alone",
				 "asm volatile(\"%0 = *(u64 *)(%1 + 0)\" : \"=r\"(v) : \"r\"(p));",
				 FILE_NAME, self->bss->alone_line));
}

TEST_F(arena, load_in_subprogram)
{
	struct bpf_program *prog = self->skel->progs.subprog;

	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(0, self->bss->value);
	ASSERT_TRUE(faulted(bpf_program__fd(prog), &self->r, "READ", self->unmapped));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "load_sub", "v = *p;", FILE_NAME,
				 self->bss->sub_line));
	EXPECT_TRUE(bpf_frame_is(&self->r, 1, "subprog", "value = load_sub();",
				 FILE_NAME, self->bss->sub_call_line));
	EXPECT_EQ(NULL, bpf_frame(&self->r, 2));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(arena, store_in_global_subprogram)
{
	struct bpf_program *prog = self->skel->progs.global_subprog;

	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(1, self->bss->value);
	ASSERT_TRUE(faulted(bpf_program__fd(prog), &self->r, "WRITE", self->unmapped));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "global_store_sub", "*p = n;", FILE_NAME,
				 self->bss->global_sub_line));
	EXPECT_STREQ("global_subprog", bpf_frame(&self->r, 1)->symbol);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(arena, load_in_bpf_loop_callback)
{
	struct bpf_program *prog = self->skel->progs.loop;

	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(0, self->bss->value);
	ASSERT_TRUE(faulted(bpf_program__fd(prog), &self->r, "READ", self->unmapped));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "loop_cb", "value = *p;", FILE_NAME,
				 self->bss->loop_cb_line));
	EXPECT_STREQ("loop", bpf_frame(&self->r, 1)->symbol);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(arena, store_in_for_each_map_elem_callback)
{
	struct bpf_program *prog = self->skel->progs.each_elem;

	ASSERT_EQ(0, run(prog));
	ASSERT_TRUE(faulted(bpf_program__fd(prog), &self->r, "WRITE", self->unmapped));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "elem_cb", "*p = *key;", FILE_NAME,
				 self->bss->elem_cb_line));
	EXPECT_STREQ("each_elem", bpf_frame(&self->r, 1)->symbol);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(arena, load_in_timer_callback)
{
	struct bpf_program *prog = self->skel->progs.timer;

	ASSERT_EQ(0, run(prog));
	wait_until(__atomic_load_n(&self->bss->timer_done, __ATOMIC_ACQUIRE));
	EXPECT_EQ(0, self->bss->value);
	ASSERT_TRUE(faulted(bpf_program__fd(prog), &self->r, "READ", self->unmapped));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "timer_cb", "value = *p;", FILE_NAME,
				 self->bss->timer_cb_line));
	EXPECT_EQ(NULL, bpf_frame(&self->r, 1));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

/* The exception table entry is found as long as the program can run */
TEST_F(arena, faults_while_the_program_is_unloaded)
{
	struct bpf_program *prog = self->skel->progs.long_timer;

	/* Other kernels panic */
	SKIP_UNLESS_OURS("programs may fault while they are unloaded");
	if (nr_cpus() < 2)
		SKIP(return, "needs two CPUs");
	/* Not before this task has left that CPU */
	self->bss->timer_delay = 300 * 1000 * 1000;
	pin_to_cpu(0);
	ASSERT_EQ(0, run(prog));
	pin_to_cpu(1);
	wait_until(__atomic_load_n(&self->bss->timer_runs, __ATOMIC_ACQUIRE));
	bpf_program__unload(prog);
	arena_bpf__destroy(self->skel);

	/* The CPU that the timer runs on still works */
	pin_to_cpu(0);
	self->skel = arena_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->skel->bss->address = self->unmapped;
	ASSERT_EQ(0, run(self->skel->progs.load));
}

/* An unmapped kernel address outside the arena */
TEST_F(arena, fault_elsewhere_is_not_reported)
{
	if (!kernel_has_func("bpf_rdonly_cast"))
		SKIP(return, "no bpf_rdonly_cast()");
	self->bss->address = 0xffffffff00000000ULL;
	ASSERT_EQ(0, run(self->skel->progs.other_fault));
	EXPECT_EQ(1, self->bss->after);
	EXPECT_EQ(0, self->bss->value);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(arena, freed_memory_is_unmapped)
{
	struct bpf_program *prog = self->skel->progs.load;

	self->bss->address = (uintptr_t)self->base + MAPPED;
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(1, self->bss->value);
	ASSERT_EQ(0, run(self->skel->progs.free_page));
	ASSERT_EQ(0, run(prog));
	EXPECT_EQ(0, self->bss->value);
	EXPECT_TRUE(faulted(bpf_program__fd(prog), &self->r, "READ", self->bss->address));
}

struct runner {
	pthread_t thread;
	const struct bpf_program *prog;
	int cpu;
	int error;
	struct flag stop;
	__u64 address;
};

/* At least once */
static void *run_thread(void *arg)
{
	struct runner *r = arg;

	pin_to_cpu(r->cpu);
	do {
		r->error = run(r->prog);
	} while (!r->error && !flag_is_set(&r->stop));
	return NULL;
}

TEST_F(arena, faults_on_several_cpus_do_not_interleave)
{
	struct bpf_program *prog = self->skel->progs.loop;
	struct runner runners[2] = {};
	int i, reports;

	SKIP_UNLESS_ROOM(MIB);
	self->skel->data->loops = 200;
	for (i = 0; i < 2; i++) {
		runners[i].prog = prog;
		runners[i].cpu = i % nr_cpus();
		flag_set(&runners[i].stop);
		ASSERT_EQ(0, pthread_create(&runners[i].thread, NULL, run_thread,
					    &runners[i]));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(runners[i].thread, NULL));
		EXPECT_EQ(0, runners[i].error);
	}

	reports = reports_read(bpf_program__fd(prog), &self->r);
	EXPECT_TRUE(reports_are_accounted(bpf_program__fd(prog), reports, 400));
	EXPECT_LT(200, reports);
}

/* With test runs, which pass the address as the argument */
static void *fault_thread(void *arg)
{
	struct runner *r = arg;
	__u64 ctx = r->address;

	pin_to_cpu(r->cpu);
	while (!flag_is_set(&r->stop) && !r->error)
		r->error = run_prog(bpf_program__fd(r->prog), &ctx, sizeof(ctx));
	return NULL;
}

TEST(arena_faults_in_nmi)
{
	struct runner r = { .cpu = 1 };
	struct bpf_program *prog;
	struct arena_bpf *skel;
	struct bpf_link *link;
	struct report report;
	int level, reports;
	size_t size;

	if (nr_cpus() < 2)
		SKIP(return, "needs two CPUs: NMIs are sent to the others");
	skel = arena_bpf__open();
	ASSERT_NE(NULL, skel);
	prog = skel->progs.interrupt;
	bpf_program__set_autoload(prog, true);
	ASSERT_EQ(0, arena_bpf__load(skel));
	r.address = UNMAPPED +
		    (uintptr_t)bpf_map__initial_value(skel->maps.arena, &size);
	skel->bss->address = r.address;
	quiet_libbpf(true);
	link = bpf_program__attach_raw_tracepoint(prog, "nmi_handler");
	if (!link)
		SKIP(return, "no tracepoint nmi_handler");

	/* NMIs interrupt faults and reports on the other CPU */
	r.prog = prog;
	ASSERT_EQ(0, pthread_create(&r.thread, NULL, fault_thread, &r));
	level = set_console_level(CONSOLE_ERRORS);
	while (skel->bss->nmi_faults < 200 && send_nmis())
		usleep(1000);
	set_console_level(level);
	flag_set(&r.stop);
	ASSERT_EQ(0, pthread_join(r.thread, NULL));
	EXPECT_EQ(0, r.error);
	bpf_link__destroy(link);
	/* Until the other CPUs have left the program */
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);

	reports = reports_read(bpf_program__fd(prog), &report);
	SKIP_UNLESS_OURS("counters");
	TH_LOG("%llu faults, of which %llu in NMIs",
	       (unsigned long long)skel->bss->interrupt_faults,
	       (unsigned long long)skel->bss->nmi_faults);
	EXPECT_LE(200, skel->bss->nmi_faults);
	EXPECT_TRUE(reports_are_accounted(bpf_program__fd(prog), reports,
					  skel->bss->interrupt_faults));
	EXPECT_TRUE(bpf_frame_is(&report, 0, "interrupt", "value = *p;", FILE_NAME,
				 skel->bss->interrupt_line));
	arena_bpf__destroy(skel);
}

#define FILLER_LEN	63	/* of the text that the program prints before it faults */

FIXTURE(flood)
{
	struct arena_bpf *skel;
	struct say_bpf *other;
	struct runner runner;
	int fd, other_fd;
};

FIXTURE_VARIANT(flood)
{
	int cpu;
};

FIXTURE_VARIANT_ADD(flood, on_the_same_cpu) { .cpu = 0 };
FIXTURE_VARIANT_ADD(flood, on_another_cpu) { .cpu = 1 };

FIXTURE_SETUP(flood)
{
	size_t size;

	self->skel = arena_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->other = say_load(&self->other_fd);
	ASSERT_NE(NULL, self->other);
	SKIP_UNLESS_OURS("room for 4 MiB, counters");

	self->skel->bss->address = UNMAPPED +
		(uintptr_t)bpf_map__initial_value(self->skel->maps.arena, &size);
	self->runner.prog = self->skel->progs.fill;
	self->fd = bpf_program__fd(self->runner.prog);
	self->runner.cpu = variant->cpu % nr_cpus();
}

FIXTURE_TEARDOWN(flood)
{
	say_bpf__destroy(self->other);
	arena_bpf__destroy(self->skel);
}

TEST_F(flood, of_reports_is_refused_and_others_print)
{
	struct stream_stats st;
	struct text t = {};
	struct report r;
	size_t pos, len;
	int i, reports;
	__u64 seq = 0;

	/* The stream is almost full in the first run */
	self->skel->bss->filler = (CAPACITY - 100000) / FILLER_LEN;
	self->skel->data->loops = 100;
	pin_to_cpu(0);
	ASSERT_EQ(0, pthread_create(&self->runner.thread, NULL, run_thread, &self->runner));

	/* Messages of one program are refused, and all messages of the other are read */
	do {
		ASSERT_EQ(0, stream_stats(self->fd, STDERR, &st));
		usleep(1000);
	} while (!st.dropped_msgs || st.unread_bytes < CAPACITY - 5000);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, say_all(self->other_fd, STDERR, SAY_512, 100, &seq));
		ASSERT_EQ(0, say_all(self->other_fd, STDERR, SAY_STACK, 1, NULL));
		ASSERT_LT(100 * 512, stream_discard(self->other_fd, STDERR));
	}
	flag_set(&self->runner.stop);
	ASSERT_EQ(0, pthread_join(self->runner.thread, NULL));
	EXPECT_EQ(0, self->runner.error);

	/* In its stream whole reports follow the filler, up to the capacity */
	ASSERT_EQ(0, stream_stats(self->fd, STDERR, &st));
	EXPECT_LT(0, st.dropped_msgs);
	ASSERT_EQ(0, stream_drain(self->fd, STDERR, 65536, &t));
	EXPECT_GE(CAPACITY, t.len);
	for (pos = 0; pos + FILLER_LEN <= t.len && !memcmp(t.data + pos, "filler ", 7); )
		pos += FILLER_LEN;
	for (i = 0; pos < t.len; i++, pos += len) {
		len = report_parse(t.data + pos, t.len - pos, &r);
		ASSERT_LT(0, len);
	}
	TH_LOG("%d reports, %llu messages dropped", i, st.dropped_msgs);
	EXPECT_LT(10, i);
	EXPECT_LT(CAPACITY - 5000, t.len);
	/* No newline was inserted before any of them. */
	EXPECT_EQ(st.unread_bytes, t.len + i);

	/* After it was read, it accepts reports again */
	ASSERT_EQ(0, run(self->skel->progs.fill));
	reports = reports_read(self->fd, &r);
	EXPECT_GE(self->skel->data->loops, reports);
	/* One may have failed because the page allocator's locks were held */
	EXPECT_LE(self->skel->data->loops - 1, reports);
	text_free(&t);
}

/*
 * Each form of access with each register. The programs consist of the access and of
 * instructions that set all registers before and save them afterwards.
 */
struct access_ctx {
	__u64 address;
	__u64 regs[10];
};

struct form {
	const char *name;
	__u8 class;
	__u8 size;
	int op;			/* of atomic operations, else 0 */
};

static const struct form forms[] = {
	{ "LDX B", BPF_LDX, BPF_B, 0 },
	{ "LDX H", BPF_LDX, BPF_H, 0 },
	{ "LDX W", BPF_LDX, BPF_W, 0 },
	{ "LDX DW", BPF_LDX, BPF_DW, 0 },
	{ "ST B", BPF_ST, BPF_B, 0 },
	{ "ST H", BPF_ST, BPF_H, 0 },
	{ "ST W", BPF_ST, BPF_W, 0 },
	{ "ST DW", BPF_ST, BPF_DW, 0 },
	{ "STX B", BPF_STX, BPF_B, 0 },
	{ "STX H", BPF_STX, BPF_H, 0 },
	{ "STX W", BPF_STX, BPF_W, 0 },
	{ "STX DW", BPF_STX, BPF_DW, 0 },
	{ "atomic add W", BPF_ATOMIC, BPF_W, BPF_ADD },
	{ "atomic add DW", BPF_ATOMIC, BPF_DW, BPF_ADD },
	{ "atomic and W", BPF_ATOMIC, BPF_W, BPF_AND },
	{ "atomic and DW", BPF_ATOMIC, BPF_DW, BPF_AND },
	{ "atomic or W", BPF_ATOMIC, BPF_W, BPF_OR },
	{ "atomic or DW", BPF_ATOMIC, BPF_DW, BPF_OR },
	{ "atomic xor W", BPF_ATOMIC, BPF_W, BPF_XOR },
	{ "atomic xor DW", BPF_ATOMIC, BPF_DW, BPF_XOR },
	{ "atomic fetch add W", BPF_ATOMIC, BPF_W, BPF_ADD | BPF_FETCH },
	{ "atomic fetch add DW", BPF_ATOMIC, BPF_DW, BPF_ADD | BPF_FETCH },
	{ "atomic xchg W", BPF_ATOMIC, BPF_W, BPF_XCHG },
	{ "atomic xchg DW", BPF_ATOMIC, BPF_DW, BPF_XCHG },
	{ "atomic cmpxchg W", BPF_ATOMIC, BPF_W, BPF_CMPXCHG },
	{ "atomic cmpxchg DW", BPF_ATOMIC, BPF_DW, BPF_CMPXCHG },
};

#define ST_IMM		(-0x12345678)
#define REG_SLOT(i)	((short)(-16 - 8 * (i)))
#define REG_CTX(i)	((short)offsetof(struct access_ctx, regs[i]))

/* BPF_ATOMIC is used as a class here, as no class has that number */
static struct bpf_insn form_insn(const struct form *f, int addr, int val, short off)
{
	switch (f->class) {
	case BPF_LDX:
		return BPF_LDX_MEM(f->size, val, addr, off);
	case BPF_ST:
		return BPF_ST_MEM(f->size, addr, off, ST_IMM);
	case BPF_STX:
		return BPF_STX_MEM(f->size, addr, val, off);
	}
	return BPF_ATOMIC_OP(f->size, f->op, addr, val, off);
}

/* The register that gets the old value in memory, or -1 */
static int fetched_reg(const struct form *f, int val)
{
	if (f->op == BPF_CMPXCHG)
		return 0;
	if (f->class == BPF_LDX || f->op & BPF_FETCH)
		return val;
	return -1;
}

static void emit(struct bpf_insn **p, struct bpf_insn insn)
{
	*(*p)++ = insn;
}

static void emit_const(struct bpf_insn **p, int reg, __u64 value)
{
	const struct bpf_insn insns[] = { BPF_LD_IMM64(reg, value) };

	emit(p, insns[0]);
	emit(p, insns[1]);
}

/* Values of memory and of registers other than that of the address */
static __u64 content(int reg)
{
	return 0x8123456789abcdefULL + reg * 0x0101010101010101ULL;
}

static int load_access(int arena_fd, const struct form *f, int addr, int val, short off)
{
	const struct bpf_insn map[] = { BPF_LD_MAP_FD(BPF_REG_2, arena_fd) };
	struct bpf_insn insns[100], *p = insns;
	int i;

	/* A reference to the arena associates it with the program */
	emit(&p, map[0]);
	emit(&p, map[1]);
	emit(&p, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, -8));
	emit(&p, BPF_LDX_MEM(BPF_DW, addr, BPF_REG_1, 0));
	emit(&p, raw_cast_kern(addr));
	for (i = 0; i < 10; i++)
		if (i != addr)
			emit_const(&p, i, content(i));

	emit(&p, form_insn(f, addr, val, off));

	for (i = 0; i < 10; i++)
		emit(&p, BPF_STX_MEM(BPF_DW, BPF_REG_10, i, REG_SLOT(i)));
	emit(&p, BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_10, -8));
	for (i = 0; i < 10; i++) {
		emit(&p, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_10, REG_SLOT(i)));
		emit(&p, BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_2, REG_CTX(i)));
	}
	emit(&p, BPF_MOV64_IMM(BPF_REG_0, 0));
	emit(&p, BPF_EXIT_INSN());
	return raw_load("access", insns, p - insns, NULL);
}

static void regs_before(int addr, __u64 address, __u64 *regs)
{
	int i;

	for (i = 0; i < 10; i++)
		regs[i] = i == addr ? (__u32)address : content(i);
}

static __u64 size_mask(const struct form *f)
{
	switch (f->size) {
	case BPF_B:
		return 0xff;
	case BPF_H:
		return 0xffff;
	case BPF_W:
		return 0xffffffff;
	}
	return -1;
}

/* The value that the access has to write, if cmpxchg succeeds */
static __u64 new_value(const struct form *f, __u64 old, __u64 val)
{
	if (f->class == BPF_ST)
		return (__s64)ST_IMM;
	switch (f->class == BPF_ATOMIC ? f->op & ~BPF_FETCH : BPF_XCHG) {
	case BPF_ADD:
		return old + val;
	case BPF_AND:
		return old & val;
	case BPF_OR:
		return old | val;
	case BPF_XOR:
		return old ^ val;
	}
	return val;
}

/* Apply the expected effect of the access to memory and registers */
static void do_access(const struct form *f, int val, __u64 *mem, __u64 *regs)
{
	__u64 mask = size_mask(f), old = *mem & mask;
	__u64 new = new_value(f, old, regs[val]) & mask;
	int fetched = fetched_reg(f, val);

	if (f->op == BPF_CMPXCHG && old != (regs[0] & mask))
		new = old;
	if (fetched >= 0)
		regs[fetched] = old;
	if (f->class != BPF_LDX)
		*mem = (*mem & ~mask) | new;
}

FIXTURE(access)
{
	int arena_fd;
	char *base;
};

FIXTURE_VARIANT(access)
{
	__u8 class;
};

FIXTURE_VARIANT_ADD(access, loads) { .class = BPF_LDX };
FIXTURE_VARIANT_ADD(access, immediate_stores) { .class = BPF_ST };
FIXTURE_VARIANT_ADD(access, stores) { .class = BPF_STX };
FIXTURE_VARIANT_ADD(access, atomics) { .class = BPF_ATOMIC };

FIXTURE_SETUP(access)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	self->arena_fd = bpf_map_create(BPF_MAP_TYPE_ARENA, "arena", 0, 0, PAGES, &opts);
	ASSERT_LE(0, self->arena_fd);
	self->base = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			  self->arena_fd, 0);
	ASSERT_NE(MAP_FAILED, self->base);
	memset(self->base + MAPPED, 0, PAGE);
}

FIXTURE_TEARDOWN(access)
{
	munmap(self->base, PAGES * PAGE);
	close(self->arena_fd);
}

static void expect_regs(struct __test_metadata *const _metadata,
			const __u64 *want, const __u64 *got, const char *what)
{
	int i;

	for (i = 0; i < 10; i++)
		EXPECT_EQ(want[i], got[i])
			TH_LOG("R%d %s", i, what);
}

/* The same access to mapped memory, which validates the program */
static void expect_access(struct __test_metadata *const _metadata, int fd,
			  const struct form *f, int addr, int val, short off,
			  __u64 *mem)
{
	struct access_ctx ctx = { .address = (uintptr_t)mem - off };
	__u64 want_mem, want[10];

	*mem = content(0);
	want_mem = *mem;
	regs_before(addr, ctx.address, want);
	do_access(f, val, &want_mem, want);

	ASSERT_EQ(0, run_prog(fd, &ctx, sizeof(ctx)));
	EXPECT_EQ(want_mem, *mem);
	expect_regs(_metadata, want, ctx.regs, "after the access");
	EXPECT_EQ(0, stream_discard(fd, STDERR));
}

/* The only report failed because the page allocator's locks were held */
static bool report_is_lost(int fd)
{
	struct stream_stats st;

	return ours() && !stream_stats(fd, STDERR, &st) && st.dropped_msgs && !st.unread_bytes;
}

static void expect_fault(struct __test_metadata *const _metadata, int fd,
			 const struct form *f, int addr, int val,
			 __u64 address, __u64 reported)
{
	const char *access = f->class == BPF_LDX ? "READ" : "WRITE";
	int tries = 3, fetched = fetched_reg(f, val);
	struct access_ctx ctx;
	struct report r;
	__u64 want[10];

	regs_before(addr, address, want);
	if (fetched >= 0)
		want[fetched] = 0;

	do {
		ctx = (struct access_ctx){ .address = address };
		ASSERT_EQ(0, run_prog(fd, &ctx, sizeof(ctx)));
		expect_regs(_metadata, want, ctx.regs, "after the fault");
	} while (--tries && report_is_lost(fd));
	EXPECT_TRUE(faulted(fd, &r, access, reported));
	EXPECT_TRUE(first_frame_is(&r, "access"));
	EXPECT_TRUE(bpf_frame_is(&r, 0, "access", "", "", 0));
}

static const short offsets[] = { 0, 8, -8, 127, -128, 128, 32767, -32768 };

/* With mapped memory, then with unmapped memory */
static void try_access(struct __test_metadata *const _metadata, int arena_fd,
		       char *base, const struct form *f, int addr, int val)
{
	short off = offsets[(addr + val) % ARRAY_SIZE(offsets)];
	__u64 unmapped = (uintptr_t)base + UNMAPPED;
	int fd;

	fd = load_access(arena_fd, f, addr, val, off);
	ASSERT_LE(0, fd);
	expect_access(_metadata, fd, f, addr, val, off, (__u64 *)(base + MAPPED));
	expect_fault(_metadata, fd, f, addr, val, unmapped - off, unmapped);
	close(fd);
	ASSERT_EQ(KSFT_PASS, _metadata->exit_code)
		TH_LOG("%s, address in R%d%+d, value in R%d", f->name, addr, off, val);
}

TEST_F(access, by_each_register)
{
	const struct form *f;
	int addr, val, tried = 0;

	/* Some kernels have no exception handler for these */
	if (variant->class == BPF_ATOMIC)
		SKIP_UNLESS_OURS("faults of atomics");
	for (f = forms; f < forms + ARRAY_SIZE(forms); f++) {
		for (addr = 0; addr < 10 && f->class == variant->class; addr++) {
			/* ST has an immediate value */
			for (val = 0; val < (f->class == BPF_ST ? 1 : 10); val++) {
				/* The verifier refuses atomics that overwrite their address */
				if (f->op && fetched_reg(f, val) == addr)
					continue;
				try_access(_metadata, self->arena_fd, self->base,
					   f, addr, val);
				tried++;
			}
		}
	}
	TH_LOG("%d combinations", tried);
	EXPECT_LE(40, tried);
}

TEST_F(access, at_the_edges)
{
	const __u64 upper = (uintptr_t)self->base & ~0xffffffffULL;
	const __u64 unmapped = (uintptr_t)self->base + UNMAPPED;
	const __u64 end_of_page = (uintptr_t)self->base + MAPPED + PAGE;
	const struct form *f;
	int i, fd;
	struct {
		__u64 address;
		short off;
		__u64 reported;
	} edges[] = {
		/* Only the lower half of the pointer is used, and reported correctly */
		{ (__u32)unmapped, 0, unmapped },
		{ unmapped + (1ULL << 40), 0, unmapped },
		{ unmapped ^ 1ULL << 63, 4, unmapped + 4 },
		/* NULL without an offset */
		{ 0, 0x10, 0x10 },
		{ 0, 0, 0 },
		{ 0, 32767, 32767 },
		/* The ends of the range of the lower half */
		{ upper | 0xfffffff0, 0, upper | 0xfffffff0 },
		{ upper | 0xfffffff0, 32767, (upper | 0xfffffff0) + 32767 },
		{ upper | 0x10, -32768, (upper | 0x10) - 32768 },
		{ upper | 1, -1, upper },
		/* Half of the access is mapped */
		{ end_of_page - 1, 0, end_of_page - 1 },
	};

	SKIP_UNLESS_OURS("the address that the program meant");
	for (f = forms; f < forms + ARRAY_SIZE(forms); f++) {
		for (i = 0; i < ARRAY_SIZE(edges) && f->class == variant->class; i++) {
			/* One byte doesn't cross the edge, and split locks are slow */
			if (edges[i].address == end_of_page - 1 &&
			    (f->size == BPF_B || f->class == BPF_ATOMIC))
				continue;
			fd = load_access(self->arena_fd, f, BPF_REG_2, BPF_REG_3,
					 edges[i].off);
			ASSERT_LE(0, fd);
			expect_fault(_metadata, fd, f, BPF_REG_2, BPF_REG_3,
				     edges[i].address, edges[i].reported);
			close(fd);
			ASSERT_EQ(KSFT_PASS, _metadata->exit_code)
				TH_LOG("%s, edge %d", f->name, i);
		}
	}
}

REPORTS_TEST_MAIN("bpf_prog_report_arena_violation")
