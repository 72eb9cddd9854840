// SPDX-License-Identifier: GPL-2.0
/*
 * The macros of bpf_helpers.h for printing, in objects that run on any kernel, including
 * those without streams.
 */
#include <sys/utsname.h>

#include "../kselftest_harness.h"
#include "streams_test.h"
#include "printk_all.skel.h"
#include "printk_6_18.skel.h"
#include "printk_none.skel.h"
#include "printk_silent.skel.h"
#include "printk_light.lskel.h"

#define TRACEFS		"/sys/kernel/tracing/"

enum sink {
	SINK_STREAM,
	SINK_TRACE,
	SINK_NOWHERE,
};

static bool kernel_has_streams(void)
{
	return kernel_has_func("bpf_stream_vprintk") ||
	       kernel_has_func("bpf_stream_vprintk_impl");
}

/* The only version whose bpf_stream_vprintk() has five arguments */
static bool kernel_is_6_17(void)
{
	struct utsname uts;

	return !uname(&uts) && !strncmp(uts.release, "6.17", 4);
}

/* Where the text of a program can appear */
struct output {
	int trace_fd;
	struct text text[SINK_NOWHERE];
};

static void output_start(struct output *out)
{
	close(open(TRACEFS "trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
	out->trace_fd = open(TRACEFS "trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void output_end(struct output *out)
{
	text_free(&out->text[SINK_STREAM]);
	text_free(&out->text[SINK_TRACE]);
	close(out->trace_fd);
}

/* In the pipe a message that ends in a newline is followed by an empty line */
static void take_trace(struct output *out)
{
	static const char mark[] = "bpf_trace_printk: ";
	struct text all = {};
	char buf[4096], *line, *save;
	ssize_t len;

	while ((len = read(out->trace_fd, buf, sizeof(buf))) > 0)
		text_add(&all, buf, len);
	text_add(&all, "", 1);
	for (line = strtok_r(all.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line = strstr(line, mark);
		if (!line)
			continue;
		line += strlen(mark);
		text_add(&out->text[SINK_TRACE], line, strlen(line));
		text_add(&out->text[SINK_TRACE], "\n", 1);
	}
	text_free(&all);
}

static void output_take(struct output *out, int prog_fd)
{
	if (kernel_has_streams())
		stream_drain(prog_fd, STDOUT, 4096, &out->text[SINK_STREAM]);
	take_trace(out);
}

static bool output_is(struct output *out, int prog_fd, enum sink sink, const char *want)
{
	bool ok = true;
	int i;

	output_take(out, prog_fd);
	for (i = 0; i < SINK_NOWHERE; i++) {
		struct text *t = &out->text[i];
		const char *expected = i == sink ? want : "";

		text_add(t, "", 1);
		if (strcmp(t->data, expected)) {
			fprintf(stderr, "# %s has '%s' rather than '%s'\n",
				i == SINK_STREAM ? "the stream" : "the trace pipe",
				t->data, expected);
			ok = false;
		}
		text_free(t);
	}
	return ok;
}

FIXTURE(printk)
{
	struct bpf_object *obj;
	struct output out;
	enum sink sink;
	int err;
};

FIXTURE_VARIANT(printk)
{
	const void *(*elf)(size_t *size);
	enum sink sink;
	bool dumps_stacks;	/* if the kernel does */
	int err;
};

/* Into the stream if the kernel has streams */
FIXTURE_VARIANT_ADD(printk, any_kernel)
{
	.elf = printk_all_bpf__elf_bytes,
	.sink = SINK_STREAM,
	.dumps_stacks = true,
};

FIXTURE_VARIANT_ADD(printk, as_on_6_18)
{
	.elf = printk_6_18_bpf__elf_bytes,
	.sink = SINK_STREAM,
};

FIXTURE_VARIANT_ADD(printk, kernel_without_streams)
{
	.elf = printk_none_bpf__elf_bytes,
	.sink = SINK_TRACE,
};

FIXTURE_VARIANT_ADD(printk, kernel_without_streams_no_fallback)
{
	.elf = printk_silent_bpf__elf_bytes,
	.sink = SINK_NOWHERE,
	.err = -EOPNOTSUPP,
};

FIXTURE_SETUP(printk)
{
	const void *elf;
	size_t size;

	/* Other kernels have one prototype, see any_kernel */
	if (variant->elf == printk_6_18_bpf__elf_bytes)
		SKIP_UNLESS_OURS("both prototypes");
	elf = variant->elf(&size);
	self->obj = bpf_object__open_mem(elf, size, NULL);
	ASSERT_NE(NULL, self->obj);
	ASSERT_EQ(0, bpf_object__load(self->obj));
	self->sink = variant->sink;
	self->err = variant->err;
	if (self->sink == SINK_STREAM && !kernel_has_streams())
		self->sink = SINK_TRACE;
	output_start(&self->out);
	ASSERT_LE(0, self->out.trace_fd);
}

FIXTURE_TEARDOWN(printk)
{
	output_end(&self->out);
	bpf_object__close(self->obj);
}

static const struct bpf_program *program(const struct bpf_object *obj, const char *name)
{
	return bpf_object__find_program_by_name(obj, name);
}

/* The program returns the value of the macro */
#define EXPECT_PRINTS(name, want)						\
	do {									\
		const struct bpf_program *prog = program(self->obj, name);	\
										\
		ASSERT_NE(NULL, prog);						\
		EXPECT_EQ(self->err, run(prog));				\
		EXPECT_TRUE(output_is(&self->out, bpf_program__fd(prog),	\
				      self->sink, want));			\
	} while (0)

#define FUNCTIONS_TEXT	"from the program\n"		\
			"from a static function: 1\n"	\
			"from a global function: 2\n"

TEST_F(printk, prints_from_functions)
{
	EXPECT_PRINTS("functions", FUNCTIONS_TEXT);
}

TEST_F(printk, prints_from_a_callback)
{
	EXPECT_PRINTS("callback", "from a callback: 0\nfrom a callback: 1\n");
}

TEST_F(printk, prints_from_a_library)
{
	if (!program(self->obj, "library"))
		SKIP(return, "no library in this object");
	EXPECT_PRINTS("library", "from a library: 3\n");
}

#define ARGUMENTS_TEXT	"none\n-1\n1 two\n1 2 fffffffffffffffd\n1 2 three 4\n"	\
			"1 2 3 4 5 6 7 8 9 10 11 12\n"

TEST_F(printk, prints_up_to_12_arguments)
{
	EXPECT_PRINTS("arguments", ARGUMENTS_TEXT);
}

TEST_F(printk, returns_what_the_kfunc_does)
{
	const struct bpf_program *prog = program(self->obj, "unknown_stream");
	bool refused = self->sink == SINK_STREAM;

	EXPECT_EQ(refused ? -ENOENT : self->err, run(prog));
	EXPECT_TRUE(output_is(&self->out, bpf_program__fd(prog), self->sink,
			      refused ? "" : "unknown stream\n"));
}

/* If the kernel can't, the macro prints at least the source location */
static bool is_stack(const char *text, bool dumped)
{
	static const char place[] = "stack() at progs/printk.bpf.h:";

	if (dumped)
		return !strncmp(text, "CPU: ", 5) && strstr(text, "\nCall trace:\n");
	return !strncmp(text, place, strlen(place)) &&
	       strstr(text, " (this kernel dumps no stacks)\n");
}

TEST_F(printk, prints_a_stack_or_the_place)
{
	const struct bpf_program *prog = program(self->obj, "stack");
	enum sink sink = self->sink;
	bool dumped = variant->dumps_stacks && sink == SINK_STREAM &&
		      kernel_has_func("bpf_stream_print_stack");
	char text[1024] = "";

	EXPECT_EQ(self->err, run(prog));
	output_take(&self->out, bpf_program__fd(prog));
	if (sink != SINK_NOWHERE)
		snprintf(text, sizeof(text), "%.*s", (int)self->out.text[sink].len,
			 self->out.text[sink].data);
	EXPECT_EQ(sink != SINK_NOWHERE, is_stack(text, dumped)) TH_LOG("'%s'", text);
	if (sink != SINK_STREAM)
		EXPECT_EQ(0, self->out.text[SINK_STREAM].len);
	if (sink != SINK_TRACE)
		EXPECT_EQ(0, self->out.text[SINK_TRACE].len);
}

/* The loader program of a light skeleton resolves kfuncs itself */
TEST(light_skeleton_prints_too)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct printk_light_lskel *skel;
	struct output out = {};

	/* From 7.0 on, bpf_stream_vprintk_impl() is in BTF but not a symbol */
	if (kernel_has_func("bpf_stream_vprintk") && !kernel_is_6_17())
		SKIP_UNLESS_OURS("light skeletons that know both prototypes");
	skel = printk_light_lskel__open_and_load();
	ASSERT_NE(NULL, skel);
	output_start(&out);
	EXPECT_EQ(0, bpf_prog_test_run_opts(skel->progs.functions.prog_fd, &opts));
	EXPECT_EQ(0, opts.retval);
	EXPECT_TRUE(output_is(&out, skel->progs.functions.prog_fd,
			      kernel_has_streams() ? SINK_STREAM : SINK_TRACE,
			      FUNCTIONS_TEXT));
	output_end(&out);
	printk_light_lskel__destroy(skel);
}

struct insns {
	struct bpf_insn insn[64];
	__u32 count;
};

static int get_insns(int prog_fd, struct insns *insns)
{
	struct bpf_prog_info info = {
		.xlated_prog_insns = (uintptr_t)insns->insn,
		.xlated_prog_len = sizeof(insns->insn),
	};
	__u32 len = sizeof(info);
	int err;

	err = bpf_prog_get_info_by_fd(prog_fd, &info, &len);
	insns->count = info.xlated_prog_len / sizeof(insns->insn[0]);
	return err ?: insns->count > ARRAY_SIZE(insns->insn) ? -E2BIG : 0;
}

static int count_jumps(const struct insns *insns)
{
	int class, op, jumps = 0;
	__u32 i;

	for (i = 0; i < insns->count; i++) {
		class = BPF_CLASS(insns->insn[i].code);
		op = BPF_OP(insns->insn[i].code);
		if ((class == BPF_JMP || class == BPF_JMP32) && op != BPF_EXIT)
			jumps++;
	}
	return jumps;
}

/* Only the call remains, and the constant by which it was selected */
TEST(costs_no_more_than_the_call)
{
	struct insns once, by_hand;
	struct printk_all_bpf *skel = printk_all_bpf__open();
	struct bpf_program *prog;

	ASSERT_NE(NULL, skel);
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, true);
	if (!kernel_has_func("bpf_stream_vprintk") || kernel_is_6_17())
		SKIP(return, "no bpf_stream_vprintk() with 4 arguments");
	ASSERT_EQ(0, printk_all_bpf__load(skel));
	ASSERT_EQ(0, get_insns(bpf_program__fd(skel->progs.once), &once));
	ASSERT_EQ(0, get_insns(bpf_program__fd(skel->progs.once_by_hand), &by_hand));
	EXPECT_EQ(1, count_jumps(&by_hand));
	EXPECT_EQ(1, count_jumps(&once));
	/* An instruction of two slots */
	EXPECT_EQ(by_hand.count + 2, once.count);
	printk_all_bpf__destroy(skel);
}

int main(int argc, char **argv)
{
	if (geteuid())
		ksft_exit_skip("needs root\n");
	quiet_libbpf(false);
	return test_harness_run(argc, argv);
}
