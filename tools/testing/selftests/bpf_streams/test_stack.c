// SPDX-License-Identifier: GPL-2.0
/* Stack dumps: their text, the source lines, errors, several at once */
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "../kselftest_harness.h"
#include "report.h"
#include "raw.h"
#include "stack.skel.h"
#include "lock.skel.h"

#define FILE_NAME	"stack.bpf.c"
#define PRINT		"bpf_stream_print_stack(STDERR);"

#define HARDEN		"/proc/sys/net/core/bpf_jit_harden"

FIXTURE(stack)
{
	struct stack_bpf *skel;
	struct stack_bpf__bss *bss;
	struct report r;
};

FIXTURE_VARIANT(stack)
{
	bool blinded;
};

/* Blinding the constants of a program moves its instructions */
FIXTURE_VARIANT_ADD(stack, of_plain_programs) { .blinded = false };
FIXTURE_VARIANT_ADD(stack, of_blinded_programs) { .blinded = true };

FIXTURE_SETUP(stack)
{
	if (variant->blinded)
		ASSERT_TRUE(write_file(HARDEN, "2"));
	self->skel = stack_bpf__open_and_load();
	if (variant->blinded)
		ASSERT_TRUE(write_file(HARDEN, "0"));
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->err = 1;
	pin_to_cpu(nr_cpus() - 1);
}

FIXTURE_TEARDOWN(stack)
{
	stack_bpf__destroy(self->skel);
}

TEST_F(stack, tells_task_source_and_kernel_functions)
{
	struct report *r = &self->r;
	int i;

	ASSERT_EQ(0, prctl(PR_SET_NAME, "a: %s @ b+0x1"));
	ASSERT_EQ(0, run(self->skel->progs.plain));
	EXPECT_EQ(0, self->bss->err);
	ASSERT_TRUE(report_read(bpf_program__fd(self->skel->progs.plain), r));

	EXPECT_STREQ("", r->error);
	EXPECT_EQ(nr_cpus() - 1, r->cpu);
	EXPECT_EQ(0, r->uid);
	EXPECT_EQ(getpid(), r->pid);
	EXPECT_STREQ("a: %s @ b+0x1", r->comm);
	EXPECT_TRUE(bpf_frame_is(r, 0, "plain", "err = " PRINT, FILE_NAME,
				 self->bss->plain_line));
	EXPECT_EQ(NULL, bpf_frame(r, 1));

	/* The innermost function is first, the system call is last */
	i = frame_of(r, "plain");
	EXPECT_LT(i, frame_of(r, "bpf_prog_test_run_syscall"));
	EXPECT_LT(i, frame_of(r, "do_syscall_64"));
	EXPECT_LE(r->nr_frames - 2, frame_of(r, "do_syscall_64"));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

static void load_alone(struct bpf_object *obj, const struct bpf_program *alone)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj)
		bpf_program__set_autoload(prog, prog == alone);
}

/* A hash of an address has 32 bits. */
static bool is_address(const char *symbol)
{
	return !strncmp(symbol, "0x", 2) && strtoull(symbol, NULL, 16) > UINT32_MAX;
}

TEST(functions_without_a_name_are_not_shown_by_address)
{
	struct stack_bpf *skel = stack_bpf__open();
	struct report r;
	int i;

	SKIP_UNLESS_OURS("addresses without a name are hashed");
	ASSERT_NE(NULL, skel);
	load_alone(skel->obj, skel->progs.in_probe);
	ASSERT_EQ(0, stack_bpf__load(skel));
	skel->links.in_probe = bpf_program__attach(skel->progs.in_probe);
	if (!skel->links.in_probe)
		SKIP(return, "no kprobes");
	getpgid(0);
	EXPECT_EQ(0, skel->bss->err);
	ASSERT_TRUE(report_read(bpf_program__fd(skel->progs.in_probe), &r));
	for (i = 0; i < r.nr_frames; i++)
		EXPECT_FALSE(is_address(r.frames[i].symbol))
			TH_LOG("frame %d: %s", i, r.frames[i].symbol);
	stack_bpf__destroy(skel);
}

TEST(program_with_a_hidden_function_shows_its_own_lines)
{
	struct stack_bpf *skel = stack_bpf__open();
	struct report r;

	ASSERT_NE(NULL, skel);
	load_alone(skel->obj, skel->progs.thrower);
	/* If the stack cannot be unwound there are no exceptions */
	if (stack_bpf__load(skel))
		SKIP(return, "this kernel does not let programs call bpf_throw()");

	SKIP_UNLESS_OURS("lines of functions that follow a hidden one");
	EXPECT_EQ(0, run(skel->progs.thrower));
	ASSERT_TRUE(report_read(bpf_program__fd(skel->progs.thrower), &r));
	EXPECT_TRUE(bpf_frame_is(&r, 0, "thrower", PRINT, FILE_NAME,
				 skel->data->thrower_line));
	stack_bpf__destroy(skel);
}

TEST_F(stack, task_cannot_pass_for_a_line)
{
	SKIP_UNLESS_OURS("names of tasks are escaped");
	ASSERT_EQ(0, prctl(PR_SET_NAME, "a\n\nERROR: b\t"));
	ASSERT_EQ(0, run(self->skel->progs.plain));
	ASSERT_TRUE(report_read(bpf_program__fd(self->skel->progs.plain), &self->r));
	EXPECT_STREQ("a\\n\\nERROR: b\\t", self->r.comm);
}

TEST_F(stack, goes_to_the_stream_that_was_asked)
{
	struct text t = {};

	ASSERT_EQ(0, run(self->skel->progs.to_stdout));
	EXPECT_EQ(0, self->bss->err);
	ASSERT_EQ(0, stream_drain(bpf_program__fd(self->skel->progs.to_stdout),
				  STDOUT, 4096, &t));
	EXPECT_EQ(1, reports_count(&t, &self->r));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
	text_free(&t);
}

TEST_F(stack, shows_the_line_of_a_call_and_not_the_next)
{
	struct bpf_program *prog = self->skel->progs.static_caller;

	ASSERT_EQ(0, run(prog));
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "static_sub", PRINT, FILE_NAME,
				 self->bss->static_sub_line));
	EXPECT_TRUE(bpf_frame_is(&self->r, 1, "static_caller", "static_sub();",
				 FILE_NAME, self->bss->static_call_line));
	EXPECT_EQ(NULL, bpf_frame(&self->r, 2));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(stack, shows_all_of_nested_global_functions)
{
	struct bpf_program *prog = self->skel->progs.global_caller;

	ASSERT_EQ(1, run(prog));
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "global_sub", "return " PRINT,
				 FILE_NAME, self->bss->global_sub_line));
	EXPECT_TRUE(bpf_frame_is(&self->r, 1, "global_middle", "err = global_sub();",
				 FILE_NAME, self->bss->global_middle_line));
	EXPECT_TRUE(bpf_frame_is(&self->r, 2, "global_caller",
				 "return global_middle(1);", FILE_NAME,
				 self->bss->global_call_line));
	EXPECT_EQ(NULL, bpf_frame(&self->r, 3));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(stack, shows_bpf_loop_callback_and_caller)
{
	struct bpf_program *prog = self->skel->progs.loop;
	int i;

	ASSERT_EQ(0, run(prog));
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "loop_cb", "err = " PRINT,
				 FILE_NAME, self->bss->loop_cb_line));
	EXPECT_TRUE(bpf_frame_is(&self->r, 1, "loop",
				 "bpf_loop(1, loop_cb, NULL, 0);",
				 FILE_NAME, self->bss->loop_line));

	/* The verifier may have inlined the helper */
	i = frame_of(&self->r, "bpf_loop");
	if (i >= 0)
		EXPECT_EQ(frame_of(&self->r, "loop_cb") + 1, i);
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(stack, shows_for_each_map_elem_callback_and_caller)
{
	struct bpf_program *prog = self->skel->progs.each_elem;

	ASSERT_EQ(0, run(prog));
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "elem_cb", "err = " PRINT,
				 FILE_NAME, self->bss->elem_cb_line));
	EXPECT_TRUE(bpf_frame_is(&self->r, 1, "each_elem",
				 "bpf_for_each_map_elem(&elems, elem_cb, NULL, 0);",
				 FILE_NAME, self->bss->each_elem_line));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(stack, of_timer_callback_goes_to_the_program)
{
	struct bpf_program *prog = self->skel->progs.timer;

	ASSERT_EQ(0, run(prog));
	wait_until(__atomic_load_n(&self->bss->timer_done, __ATOMIC_ACQUIRE));
	EXPECT_EQ(0, self->bss->err);
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "timer_cb", "err = " PRINT,
				 FILE_NAME, self->bss->timer_cb_line));
	EXPECT_EQ(NULL, bpf_frame(&self->r, 1));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

TEST_F(stack, of_tail_call_goes_to_the_callee)
{
	int key = 0, callee = bpf_program__fd(self->skel->progs.tail_callee);

	ASSERT_EQ(0, bpf_map_update_elem(bpf_map__fd(self->skel->maps.tails),
					 &key, &callee, BPF_ANY));
	ASSERT_EQ(0, run(self->skel->progs.tail_caller));
	ASSERT_TRUE(report_read(callee, &self->r));
	EXPECT_TRUE(bpf_frame_is(&self->r, 0, "tail_callee", "err = " PRINT,
				 FILE_NAME, self->bss->tail_callee_line));
	EXPECT_TRUE(others_are_empty(self->skel->obj));
}

#define SOMEBODY	4294901760U	/* more than INT_MAX */

TEST_F(stack, tells_the_effective_user)
{
	struct bpf_program *prog = self->skel->progs.plain;

	SKIP_UNLESS_OURS("user ids above INT_MAX");
	/* Change the user ID, keeping all capabilities */
	ASSERT_EQ(0, prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
	ASSERT_EQ(0, seteuid(SOMEBODY));
	ASSERT_EQ(0, getuid());
	ASSERT_EQ(0, run(prog));
	ASSERT_EQ(0, seteuid(0));
	ASSERT_TRUE(report_read(bpf_program__fd(prog), &self->r));
	EXPECT_EQ(SOMEBODY, self->r.uid);
}

/* A program of instructions that dumps its stack */
static int load_raw(const struct raw_line *line)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_1, STDERR),
		raw_kfunc_call("bpf_stream_print_stack"),
		BPF_EXIT_INSN(),
	};

	return raw_load("raw", insns, ARRAY_SIZE(insns), line);
}

TEST(program_without_line_info_shows_the_symbol)
{
	int fd = load_raw(NULL);
	struct report r;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, run_prog(fd, NULL, 0));
	ASSERT_TRUE(report_read(fd, &r));
	EXPECT_TRUE(bpf_frame_is(&r, 0, "raw", "", "", 0));
	EXPECT_LE(0, frame_of(&r, "do_syscall_64"));
	close(fd);
}

FIXTURE(line_info)
{
	int fd;
};

FIXTURE_VARIANT(line_info)
{
	struct raw_line line;
	const char *source;	/* if different from that of the line info */
	const char *file;
};

FIXTURE_VARIANT_ADD(line_info, as_usual) {
	.line = { "int i = 0;", "prog.bpf.c", 42 },
};

FIXTURE_VARIANT_ADD(line_info, indented) {
	.line = { " \t\t  f(a,  b); ", "prog.bpf.c", 42 },
	.source = "f(a,  b); ",
};

FIXTURE_VARIANT_ADD(line_info, with_a_path) {
	.line = { "i++;", "/usr/src/a dir/../prog.bpf.c", 42 },
	.file = "prog.bpf.c",
};

FIXTURE_VARIANT_ADD(line_info, with_a_relative_path) {
	.line = { "i++;", "./prog.bpf.c", 42 },
	.file = "prog.bpf.c",
};

FIXTURE_VARIANT_ADD(line_info, with_conversions) {
	.line = { "printk(\"%s %n %pS %%\\n\");", "%s.c", 42 },
};

FIXTURE_VARIANT_ADD(line_info, like_a_report) {
	.line = { "Call trace: a @ b.c:7 @ c+0x1/0x2", "prog.bpf.c", 42 },
};

FIXTURE_VARIANT_ADD(line_info, without_text) {
	.line = { "", "prog.bpf.c", 42 },
};

FIXTURE_VARIANT_ADD(line_info, without_text_but_blanks) {
	.line = { " \t ", "prog.bpf.c", 42 },
	.source = "",
};

FIXTURE_VARIANT_ADD(line_info, of_first_line) {
	.line = { "i++;", "prog.bpf.c", 1 },
};

FIXTURE_VARIANT_ADD(line_info, of_last_line) {
	.line = { "i++;", "prog.bpf.c", (1 << 22) - 1 },
};

/* Instructions that the compiler does not associate with a line */
FIXTURE_VARIANT_ADD(line_info, of_no_line) {
	.line = { "i++;", "prog.bpf.c", 0 },
	.source = "",
	.file = "",
};

FIXTURE_SETUP(line_info)
{
	self->fd = load_raw(&variant->line);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(line_info)
{
	close(self->fd);
}

TEST_F(line_info, is_shown_as_it_is)
{
	struct report r;

	ASSERT_EQ(0, run_prog(self->fd, NULL, 0));
	ASSERT_TRUE(report_read(self->fd, &r));
	EXPECT_TRUE(bpf_frame_is(&r, 0, "raw", variant->source ?: variant->line.source,
				 variant->file ?: variant->line.file,
				 variant->line.line));
	EXPECT_EQ(NULL, bpf_frame(&r, 1));
	EXPECT_LE(0, frame_of(&r, "do_syscall_64"));
}

#define LONG_LINE	700	/* is shown completely */

/* A long line affects neither its file name nor other lines */
TEST(long_source_line_is_cut_and_nothing_else)
{
	static const int lens[] = {
		100, 700, 767, 768, 769, 900, 990, 1000, 1010, 1023, 1024, 1100, 5000,
	};
	struct raw_line line = { .file = "prog.bpf.c", .line = 1234567 };
	char source[5001], *p;
	const struct frame *f;
	struct report r;
	size_t i, len;
	int fd;

	SKIP_UNLESS_OURS("a long source line costs nothing else");
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		memset(source, 'x', sizeof(source));
		source[lens[i]] = '\0';
		line.source = source;
		fd = load_raw(&line);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, run_prog(fd, NULL, 0));
		ASSERT_TRUE(report_read(fd, &r)) TH_LOG("%d bytes", lens[i]);
		close(fd);

		f = bpf_frame(&r, 0);
		ASSERT_NE(NULL, f);
		TH_LOG("of %d bytes %zu are shown", lens[i], strlen(f->source));
		EXPECT_STREQ("prog.bpf.c", f->file);
		EXPECT_EQ(1234567, f->line);
		EXPECT_LE(0, frame_of(&r, "do_syscall_64"));

		/* Test if it is the beginning, truncated only as necessary, maybe with dots */
		len = strlen(f->source);
		for (p = source; *p && *p == f->source[p - source]; p++)
			;
		EXPECT_LE(lens[i] < LONG_LINE ? lens[i] : LONG_LINE, p - source);
		EXPECT_EQ(strspn(f->source + (p - source), "."), len - (p - source));
	}
}

TEST(stack_with_bpf_spin_lock_held)
{
	struct lock_bpf *skel;
	struct report r;

	if (!has_pages_with_irqs_off())
		SKIP(return, "no page is to be had there on UP and PREEMPT_RT");
	skel = lock_bpf__open_and_load();
	ASSERT_NE(NULL, skel);
	EXPECT_EQ(0, run(skel->progs.stack_under_lock));
	ASSERT_TRUE(report_read(bpf_program__fd(skel->progs.stack_under_lock), &r));
	EXPECT_STREQ("stack_under_lock", bpf_frame(&r, 0)->symbol);
	EXPECT_TRUE(others_are_empty(skel->obj));
	lock_bpf__destroy(skel);
}

FIXTURE(many)
{
	struct say_bpf *skel;
	int fd;
};

FIXTURE_SETUP(many)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
	pin_to_cpu(0);
}

FIXTURE_TEARDOWN(many)
{
	say_bpf__destroy(self->skel);
}

TEST_F(many, unknown_stream_is_enoent)
{
	static const __u32 ids[] = { 0, 3, 4, 64, 1U << 31, -1 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		EXPECT_EQ(-ENOENT, say_all(self->fd, ids[i], SAY_STACK, 1, NULL));
	EXPECT_EQ(0, stream_discard(self->fd, STDOUT));
	EXPECT_EQ(0, stream_discard(self->fd, STDERR));
}

/* Fill stderr except for that many bytes */
static int fill_but(struct say_bpf *skel, int fd, long room)
{
	int err;

	err = say_all(fd, STDERR, SAY_512, (CAPACITY - room) / 512, NULL);
	if (!err && (CAPACITY - room) % 512)
		err = say_bytes(skel, STDERR, (CAPACITY - room) % 512);
	return err;
}

/* Try a stack dump of 'len' bytes with room for 'room' bytes */
static void expect_whole_or_nothing(struct __test_metadata *const _metadata,
				    struct say_bpf *skel, int fd, long len, long room)
{
	struct say_args args = { .stream = STDERR, .kind = SAY_STACK, .count = 1 };
	struct stream_stats before, after;
	struct text t = {};
	struct report r;
	bool fits = len <= room;

	TH_LOG("%ld bytes, room for %ld", len, room);
	ASSERT_EQ(0, fill_but(skel, fd, room));
	do {
		ASSERT_EQ(0, stream_stats(fd, STDERR, &before));
		ASSERT_EQ(CAPACITY - room, before.unread_bytes);
		ASSERT_EQ(0, say(fd, &args));
	} while (args.error == -ENOMEM);
	EXPECT_EQ(fits ? 0 : -ENOSPC, args.error);

	ASSERT_EQ(0, stream_stats(fd, STDERR, &after));
	/* with the newline before it */
	EXPECT_EQ(before.unread_bytes + (fits ? len + 1 : 0), after.unread_bytes);
	/* Generating a dump may stop when it is known not to fit */
	EXPECT_EQ(fits, before.dropped_bytes == after.dropped_bytes);
	EXPECT_GE(before.dropped_bytes + len, after.dropped_bytes);
	EXPECT_EQ(fits, before.dropped_msgs == after.dropped_msgs);

	/* The incomplete line before it, then nothing or all of the dump */
	ASSERT_EQ(0, stream_drain(fd, STDERR, 65536, &t));
	ASSERT_EQ(after.unread_bytes, t.len);
	if (fits) {
		EXPECT_EQ('\n', t.data[CAPACITY - room]);
		EXPECT_EQ(len, report_parse(t.data + CAPACITY - room + 1, len, &r));
	}
	text_free(&t);
}

/* With any text before it, read already or not, and buffers of any size */
TEST_F(many, each_begins_a_line)
{
	static const size_t chunks[] = { 1, 4, 4096 };
	struct stream_stats st;
	struct text t = {};
	struct report r;
	size_t i;
	char buf[4];

	SKIP_UNLESS_OURS("reports begin a line");
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		ASSERT_EQ(0, say_bytes(self->skel, STDERR, 3));
		ASSERT_EQ(0, say_all(self->fd, STDERR, SAY_STACK, 1, NULL));
		ASSERT_EQ(0, stream_drain(self->fd, STDERR, chunks[i], &t));
		ASSERT_LT(4, t.len);
		EXPECT_EQ(0, memcmp("abc\n", t.data, 4));
		EXPECT_EQ(t.len - 4, report_parse(t.data + 4, t.len - 4, &r));
		text_free(&t);

		ASSERT_EQ(0, say_bytes(self->skel, STDERR, 3));
		ASSERT_EQ(3, stream_read(self->fd, STDERR, buf, chunks[i] < 3 ? 3 : 4));
		ASSERT_EQ(0, say_all(self->fd, STDERR, SAY_STACK, 2, NULL));
		ASSERT_EQ(0, stream_drain(self->fd, STDERR, chunks[i], &t));
		EXPECT_EQ('\n', t.data[0]);
		EXPECT_EQ((t.len - 1) / 2, report_parse(t.data + 1, t.len - 1, &r));
		EXPECT_EQ(0, memcmp(t.data + t.len - 2, "\n\n", 2));
		text_free(&t);
	}

	ASSERT_EQ(0, stream_stats(self->fd, STDERR, &st));
	EXPECT_EQ(0, st.unread_bytes);
	EXPECT_EQ(0, st.dropped_msgs);
}

/* Reading as much as the counter says gets all of it. */
TEST_F(many, unread_bytes_have_room_for_newlines)
{
	struct stream_stats st;
	struct text t = {};
	int i;

	SKIP_UNLESS_OURS("reports begin a line");
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, say_bytes(self->skel, STDERR, 3));
		ASSERT_EQ(0, say_all(self->fd, STDERR, SAY_STACK, 1, NULL));
	}
	ASSERT_EQ(0, say_all(self->fd, STDERR, SAY_STACK, 1, NULL));
	ASSERT_EQ(0, stream_stats(self->fd, STDERR, &st));
	ASSERT_EQ(0, stream_drain(self->fd, STDERR, 100, &t));
	EXPECT_EQ(t.len + 1, st.unread_bytes);
	text_free(&t);
	ASSERT_EQ(0, stream_stats(self->fd, STDERR, &st));
	EXPECT_EQ(0, st.unread_bytes);
}

TEST_F(many, one_that_does_not_fit_is_absent_and_counted)
{
	struct text t = {};
	long len;

	SKIP_UNLESS_OURS("counters");
	ASSERT_EQ(0, say_all(self->fd, STDERR, SAY_STACK, 1, NULL));
	ASSERT_EQ(0, stream_drain(self->fd, STDERR, 4096, &t));
	len = t.len;
	text_free(&t);

	expect_whole_or_nothing(_metadata, self->skel, self->fd, len, len);
	expect_whole_or_nothing(_metadata, self->skel, self->fd, len, len - 1);
	expect_whole_or_nothing(_metadata, self->skel, self->fd, len, len / 2);
	expect_whole_or_nothing(_metadata, self->skel, self->fd, len, 1);
	expect_whole_or_nothing(_metadata, self->skel, self->fd, len, 0);

	/* Refused messages leave no charge */
	ASSERT_EQ(0, say_all(self->fd, STDERR, SAY_512, CAPACITY / 512, NULL));
	EXPECT_EQ(CAPACITY, stream_discard(self->fd, STDERR));
}

#define DUMPERS		4
#define DUMPS		200

struct dumper {
	pthread_t thread;
	int fd;
	int cpu;
	int error;
	char comm[16];
	int dumped;
	struct flag done;
};

static void *dump_thread(void *arg)
{
	struct dumper *d = arg;

	pin_to_cpu(d->cpu);
	prctl(PR_SET_NAME, d->comm);
	d->error = say_all(d->fd, STDERR, SAY_STACK, DUMPS, NULL);
	flag_set(&d->done);
	return NULL;
}

static void count_dump(struct dumper *dumpers, const struct report *r)
{
	int i;

	for (i = 0; i < DUMPERS; i++)
		if (!strcmp(r->comm, dumpers[i].comm) && r->cpu == dumpers[i].cpu)
			dumpers[i].dumped++;
}

static bool all_done(const struct dumper *dumpers)
{
	int i;

	for (i = 0; i < DUMPERS; i++)
		if (!flag_is_set(&dumpers[i].done))
			return false;
	return true;
}

TEST_F(many, at_once_do_not_interleave)
{
	struct dumper dumpers[DUMPERS] = {};
	struct text t = {};
	struct report r;
	size_t len, pos;
	bool done;
	int i;

	SKIP_UNLESS_ROOM(MIB);
	for (i = 0; i < DUMPERS; i++) {
		dumpers[i].fd = self->fd;
		dumpers[i].cpu = i % nr_cpus();
		sprintf(dumpers[i].comm, "dumper %d", i);
		ASSERT_EQ(0, pthread_create(&dumpers[i].thread, NULL, dump_thread,
					    &dumpers[i]));
	}
	do {
		done = all_done(dumpers);
		ASSERT_EQ(0, stream_drain(self->fd, STDERR, 777, &t));
	} while (!done);

	for (pos = 0; pos < t.len; pos += len) {
		len = report_parse(t.data + pos, t.len - pos, &r);
		ASSERT_LT(0, len);
		count_dump(dumpers, &r);
	}
	for (i = 0; i < DUMPERS; i++) {
		pthread_join(dumpers[i].thread, NULL);
		EXPECT_EQ(0, dumpers[i].error);
		EXPECT_EQ(DUMPS, dumpers[i].dumped);
	}
	text_free(&t);
}

REPORTS_TEST_MAIN("bpf_stream_print_stack")
