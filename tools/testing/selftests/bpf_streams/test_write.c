// SPDX-License-Identifier: GPL-2.0
/* The kfuncs that print: formats, lengths, errors, permission */
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "streams_test.h"
#include "formats.h"
#include "formats.skel.h"
#include "errors.skel.h"
#include "lock.skel.h"
#include "caps.skel.h"
#include "nested.skel.h"

/* The first argument of each row only: the others are the BPF program's */
#define FORMAT_ROW(fmt, expected, ...) { fmt, expected },
static const struct {
	const char *fmt;
	const char *expected;
} formats[] = { FORMATS(FORMAT_ROW) };

#define BAD_FORMAT_ROW(fmt, ...) fmt,
static const char * const bad_formats[] = { BAD_FORMATS(BAD_FORMAT_ROW) };

static long read_string(int fd, char *buf, size_t size)
{
	long len = stream_read(fd, STDOUT, buf, size - 1);

	if (len >= 0)
		buf[len] = '\0';
	return len;
}

TEST(every_conversion_prints_what_bpf_snprintf_does)
{
	char user_string[] = "user's string";
	struct formats_bpf *skel;
	char got[2048];
	size_t i;
	int fd;

	skel = formats_bpf__open_and_load();
	ASSERT_NE(NULL, skel);
	memset(skel->bss->long_string, 'l', sizeof(skel->bss->long_string) - 1);
	fd = bpf_program__fd(skel->progs.format);

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		struct format_args args = {
			.index = i,
			.user_string = (uintptr_t)user_string,
		};

		memset(skel->bss->want, 0, sizeof(skel->bss->want));
		ASSERT_EQ(0, run_prog(fd, &args, sizeof(args)));
		EXPECT_LT(0, args.snprintf_len);
		EXPECT_EQ(0, args.stream_err)
			TH_LOG("format \"%s\"", formats[i].fmt);
		ASSERT_LE(0, read_string(fd, got, sizeof(got)));
		EXPECT_STREQ(skel->bss->want, got)
			TH_LOG("format \"%s\"", formats[i].fmt);
		EXPECT_STREQ(formats[i].expected ?: skel->bss->want, got);
		EXPECT_EQ(args.snprintf_len, strlen(got) + 1);
	}
	formats_bpf__destroy(skel);
}

TEST(format_may_be_utf8)
{
	struct formats_bpf *skel = formats_bpf__open();

	ASSERT_NE(NULL, skel);
	SKIP_UNLESS_OURS("formats may be UTF-8");
	bpf_program__set_autoload(skel->progs.utf8, true);
	ASSERT_EQ(0, formats_bpf__load(skel));
	ASSERT_EQ(0, run(skel->progs.utf8));
	EXPECT_TRUE(stream_is(skel->progs.utf8, STDOUT, "caf\xc3\xa9 1\n"));
	formats_bpf__destroy(skel);
}

FIXTURE(error)
{
	struct errors_bpf *skel;
	int raw_fd;
};

FIXTURE_SETUP(error)
{
	self->skel = errors_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->raw_fd = bpf_program__fd(self->skel->progs.raw);
}

FIXTURE_TEARDOWN(error)
{
	errors_bpf__destroy(self->skel);
}

/* Call the kfunc with each prototype that the kernel has; the errors must agree. */
static int raw_call(int fd, __u32 stream, __u32 len)
{
	struct raw_args args = { .stream = stream, .len = len };

	if (run_prog(fd, &args, sizeof(args)))
		return -errno;
	if (args.err == 1)
		return args.err_impl;
	if (args.err_impl == 1)
		return args.err;
	return args.err == args.err_impl ? args.err : 2;
}

TEST_F(error, prototype_without_program_prints)
{
	struct raw_args args = { .stream = STDERR, .len = 16 };
	char buf[100] = {};
	const char *want = "1 and 2\n1 and 2\n";

	if (!kernel_has_func("bpf_stream_vprintk"))
		SKIP(return, "no bpf_stream_vprintk()");
	ASSERT_EQ(0, run_prog(self->raw_fd, &args, sizeof(args)));
	EXPECT_EQ(0, args.err);
	if (args.err_impl)
		want += 8;
	EXPECT_EQ(strlen(want), stream_read(self->raw_fd, STDERR, buf, sizeof(buf)));
	EXPECT_STREQ(want, buf);
}

TEST_F(error, prototype_with_program_prints)
{
	struct raw_args args = { .stream = STDERR, .len = 16 };
	char buf[100] = {};
	const char *want = "1 and 2\n1 and 2\n";

	if (!kernel_has_func("bpf_stream_vprintk_impl"))
		SKIP(return, "no bpf_stream_vprintk_impl()");
	ASSERT_EQ(0, run_prog(self->raw_fd, &args, sizeof(args)));
	/* Since 7.0 it is in BTF, but programs cannot call it */
	if (args.err_impl == 1)
		SKIP_UNLESS_OURS("both prototypes");
	EXPECT_EQ(0, args.err_impl);
	if (args.err)
		want += 8;
	EXPECT_EQ(strlen(want), stream_read(self->raw_fd, STDERR, buf, sizeof(buf)));
	EXPECT_STREQ(want, buf);
}

/* Our kernel has both, although later kernels have dropped one */
TEST_F(error, kernel_has_both_prototypes)
{
	SKIP_UNLESS_OURS("both prototypes");
	EXPECT_TRUE(kernel_has_func("bpf_stream_vprintk"));
	EXPECT_TRUE(kernel_has_func("bpf_stream_vprintk_impl"));
}

TEST_F(error, unknown_stream_is_enoent)
{
	static const __u32 ids[] = { 0, 3, 4, 64, 1U << 31, -1 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		EXPECT_EQ(-ENOENT, raw_call(self->raw_fd, ids[i], 16));
	EXPECT_EQ(0, stream_discard(self->raw_fd, STDOUT));
	EXPECT_EQ(0, stream_discard(self->raw_fd, STDERR));
}

TEST_F(error, bad_argument_size_is_einval)
{
	/* Sizes for the two numbers in the format: none, one, part of one, 13 */
	static const __u32 lens[] = { 0, 8, 1, 4, 12, 17, 23, 95, 97, 104, 128 };
	struct stream_stats st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lens); i++)
		EXPECT_EQ(-EINVAL, raw_call(self->raw_fd, STDOUT, lens[i]))
			TH_LOG("%u bytes of arguments", lens[i]);
	EXPECT_EQ(0, stream_discard(self->raw_fd, STDOUT));
	if (!ours())
		return;
	/* With both prototypes */
	ASSERT_EQ(0, stream_stats(self->raw_fd, STDOUT, &st));
	EXPECT_EQ(2 * ARRAY_SIZE(lens), st.dropped_msgs);
}

TEST_F(error, twelve_arguments_are_accepted)
{
	char buf[100];

	EXPECT_EQ(0, raw_call(self->raw_fd, STDOUT, 12 * 8));
	EXPECT_LE(8, stream_read(self->raw_fd, STDOUT, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "1 and 2\n", 8));
}

TEST_F(error, bad_format_is_einval)
{
	int fd = bpf_program__fd(self->skel->progs.bad_format);
	struct stream_stats st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad_formats); i++) {
		struct bad_format_args args = { .index = i };

		ASSERT_EQ(0, run_prog(fd, &args, sizeof(args)));
		EXPECT_EQ(-EINVAL, args.err)
			TH_LOG("format \"%s\"", bad_formats[i]);
	}
	EXPECT_EQ(0, stream_discard(fd, STDOUT));
	if (!ours())
		return;
	ASSERT_EQ(0, stream_stats(fd, STDOUT, &st));
	EXPECT_EQ(ARRAY_SIZE(bad_formats), st.dropped_msgs);
}

static void set_string(char *s, char c, size_t size, size_t len)
{
	memset(s, 0, size);
	memset(s, c, len);
}

/* Texts that consist of strings are printed whole or refused, never truncated */
TEST_F(error, strings_are_printed_whole_or_e2big)
{
	static const struct {
		size_t first, second;
	} len[] = {
		{ 511, 0 }, { 512, 0 }, { 600, 0 }, { 1021, 0 }, { 1022, 0 },
		{ 300, 300 }, { 1, 1021 }, { 500, 522 }, { 1022, 0 },
		{ 1023, 0 }, { 1024, 0 }, { 2047, 0 }, { 1, 1022 },
		{ 500, 523 }, { 600, 600 }, { 2047, 2047 }, { 0, 2047 },
	};
	int fd = bpf_program__fd(self->skel->progs.long_args);
	struct errors_bpf__bss *bss = self->skel->bss;
	struct bad_format_args args = {};
	char want[4096], got[4096];
	size_t i, total;

	SKIP_UNLESS_OURS("strings come out whole or not at all");
	for (i = 0; i < ARRAY_SIZE(len); i++) {
		TH_LOG("%zu and %zu bytes", len[i].first, len[i].second);
		set_string(bss->first, 'f', sizeof(bss->first), len[i].first);
		set_string(bss->second, 's', sizeof(bss->second), len[i].second);
		total = snprintf(want, sizeof(want), "%s%s\n", bss->first, bss->second);

		ASSERT_EQ(0, run_prog(fd, &args, sizeof(args)));
		if (total > 1023) {
			ASSERT_EQ(-E2BIG, args.err);
			ASSERT_EQ(0, stream_discard(fd, STDOUT));
			continue;
		}
		ASSERT_EQ(0, args.err);
		ASSERT_EQ(total, stream_read(fd, STDOUT, got, sizeof(got)));
		ASSERT_EQ(0, memcmp(want, got, total));
	}
}

/* The kernel's log reports buffer overruns */
TEST_F(error, arguments_after_a_long_string_are_e2big)
{
	int fd = bpf_program__fd(self->skel->progs.args_after_long);
	struct errors_bpf__bss *bss = self->skel->bss;
	struct bad_format_args args = {};
	int kmsg = kmsg_open();
	char line[1024] = "";
	size_t len;

	SKIP_UNLESS_OURS("strings come out whole or not at all");
	for (args.index = 0; args.index < 2; args.index++) {
		for (len = 1000; len < 1250; len++) {
			set_string(bss->first, 'f', sizeof(bss->first), len);
			ASSERT_EQ(0, run_prog(fd, &args, sizeof(args)));
			ASSERT_EQ(-E2BIG, args.err) TH_LOG("after %zu bytes", len);
		}
	}
	EXPECT_EQ(0, stream_discard(fd, STDOUT));
	EXPECT_EQ(0, kmsg_bugs(kmsg, line, sizeof(line))) TH_LOG("%s", line);
	close(kmsg);
}

static char log_buf[16384];

/* Also without arguments */
static void expect_null_refused(struct __test_metadata *_metadata, bool impl)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .kernel_log_buf = log_buf,
		    .kernel_log_size = sizeof(log_buf),
		    .kernel_log_level = 1);
	struct errors_bpf *skel = errors_bpf__open_opts(&opts);
	struct bpf_program *prog, *it;

	ASSERT_NE(NULL, skel);
	prog = impl ? skel->progs.null_is_no_array_impl : skel->progs.null_is_no_array;
	bpf_object__for_each_program(it, skel->obj)
		bpf_program__set_autoload(it, it == prog);

	log_buf[0] = '\0';
	quiet_libbpf(true);
	EXPECT_EQ(-EACCES, errors_bpf__load(skel));
	quiet_libbpf(false);
	EXPECT_NE(NULL, strstr(log_buf, "Possibly NULL pointer passed to trusted arg2"))
		TH_LOG("%s", log_buf);
	errors_bpf__destroy(skel);
}

TEST(arguments_are_not_null)
{
	SKIP_UNLESS_OURS("what is refused, and how");
	expect_null_refused(_metadata, false);
	expect_null_refused(_metadata, true);
}

static void expect_printed(struct __test_metadata *_metadata, struct bpf_program *prog,
			   __u32 index, const char *want)
{
	struct bad_format_args args = { .index = index, .err = 1 };

	ASSERT_EQ(0, run_prog(bpf_program__fd(prog), &args, sizeof(args)));
	EXPECT_EQ(want ? 0 : -EINVAL, args.err) TH_LOG("text %u", index);
	EXPECT_TRUE(stream_is(prog, STDOUT, want ?: ""));
}

/* Also if the verifier might take the text for constant */
TEST(one_call_may_print_several_texts)
{
	struct errors_bpf *skel = errors_bpf__open();
	struct bpf_program *prog;

	ASSERT_NE(NULL, skel);
	SKIP_UNLESS_OURS("one call for several texts");
	bpf_program__set_autoload(skel->progs.one_length, true);
	bpf_program__set_autoload(skel->progs.two_lengths, true);
	bpf_program__set_autoload(skel->progs.several_lengths, true);
	ASSERT_EQ(0, errors_bpf__load(skel));

	prog = skel->progs.one_length;
	expect_printed(_metadata, prog, 0, "short\n");
	expect_printed(_metadata, prog, 1, "other\n");

	prog = skel->progs.two_lengths;
	expect_printed(_metadata, prog, 0, "short\n");
	expect_printed(_metadata, prog, 1, "a good deal longer than that\n");

	prog = skel->progs.several_lengths;
	expect_printed(_metadata, prog, 0, "short\n");
	expect_printed(_metadata, prog, 1, "a good deal longer than that\n");
	expect_printed(_metadata, prog, 2, "100%\n");
	expect_printed(_metadata, prog, 3, NULL);
	expect_printed(_metadata, prog, 4, "7\n");
	/* As for bpf_trace_printk(), an excess argument is no error */
	expect_printed(_metadata, prog, 5, "short\n");
	errors_bpf__destroy(skel);
}

/* Refused by the verifier or, if not there, by the kfunc */
TEST(null_arguments_of_some_size_are_refused)
{
	struct errors_bpf *skel = errors_bpf__open();
	struct raw_args args;
	int fd;

	ASSERT_NE(NULL, skel);
	bpf_program__set_autoload(skel->progs.null_args, true);
	quiet_libbpf(true);
	if (!errors_bpf__load(skel)) {
		fd = bpf_program__fd(skel->progs.null_args);
		ASSERT_EQ(0, run_prog(fd, &args, sizeof(args)));
		EXPECT_TRUE(args.err == 1 || args.err == -EINVAL);
		EXPECT_TRUE(args.err_impl == 1 || args.err_impl == -EINVAL);
		EXPECT_EQ(0, stream_discard(fd, STDOUT));
	}
	errors_bpf__destroy(skel);
}

FIXTURE(length)
{
	struct say_bpf *skel;
	int fd;
};

FIXTURE_SETUP(length)
{
	self->skel = say_load(&self->fd);
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(length)
{
	say_bpf__destroy(self->skel);
}

TEST_F(length, of_1023_is_accepted_whole)
{
	char buf[2048];
	__u64 seq = 42;

	ASSERT_EQ(0, say_all(self->fd, STDOUT, SAY_1023, 1, &seq));
	ASSERT_EQ(1023, stream_read(self->fd, STDOUT, buf, sizeof(buf)));
	EXPECT_EQ('0', buf[0]);
	EXPECT_EQ(0, memcmp(buf + 1020, "42\n", 3));
}

TEST_F(length, of_1024_is_e2big)
{
	SKIP_UNLESS_OURS("what is too long is refused and counted");
	EXPECT_EQ(-E2BIG, say_all(self->fd, STDOUT, SAY_1024, 1, NULL));
	EXPECT_EQ(0, stream_discard(self->fd, STDOUT));
}

TEST_F(length, five_thousand_over_long_leave_the_stream_writable)
{
	struct say_args args = { .stream = STDOUT, .kind = SAY_1024, .count = 5000 };

	SKIP_UNLESS_OURS("what is too long is refused and counted");
	ASSERT_EQ(0, say(self->fd, &args));
	EXPECT_EQ(5000, args.refused);
	EXPECT_EQ(-E2BIG, args.error);
	EXPECT_EQ(0, args.other_errors);

	/* If each had been charged, the stream would be full: 5000 * 1024 > 4 MiB */
	EXPECT_EQ(0, say_all(self->fd, STDOUT, SAY_512, CAPACITY / 512, NULL));
	EXPECT_EQ(CAPACITY, stream_discard(self->fd, STDOUT));
}

TEST_F(length, of_zero_is_success_and_queues_nothing)
{
	struct stream_stats st;
	char buf[16];

	SKIP_UNLESS_OURS("an empty message is success");
	EXPECT_EQ(0, say_all(self->fd, STDOUT, SAY_EMPTY, 3, NULL));
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 0));
	EXPECT_EQ(0, stream_read(self->fd, STDOUT, buf, sizeof(buf)));

	ASSERT_EQ(0, stream_stats(self->fd, STDOUT, &st));
	EXPECT_EQ(0, st.written_msgs);
	EXPECT_EQ(0, st.written_bytes);
	EXPECT_EQ(0, st.dropped_msgs);

	/* Nor does it show between others */
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 2));
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 0));
	EXPECT_EQ(0, say_bytes(self->skel, STDOUT, 2));
	EXPECT_EQ(4, stream_read(self->fd, STDOUT, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "abab", 4));
}

TEST_F(length, a_million_empty_messages_hold_no_memory)
{
	struct say_args args = { .stream = STDOUT, .kind = SAY_EMPTY, .count = 1000000 };
	long before;

	SKIP_UNLESS_OURS("an empty message is success");
	ASSERT_EQ(0, say_bytes(self->skel, STDOUT, 1));
	ASSERT_EQ(1, stream_discard(self->fd, STDOUT));

	before = settled_memory();
	ASSERT_EQ(0, say(self->fd, &args));
	EXPECT_EQ(1000000, args.accepted);
	EXPECT_TRUE(memory_is_back(before, MIB));
	EXPECT_EQ(0, stream_discard(self->fd, STDOUT));
	EXPECT_EQ(0, say_all(self->fd, STDOUT, SAY_512, CAPACITY / 512, NULL));
}

TEST(prints_with_bpf_spin_lock_held)
{
	struct lock_bpf *skel = lock_bpf__open_and_load();

	if (!skel)
		SKIP_UNLESS_OURS("printing with a bpf_spin_lock held");
	ASSERT_NE(NULL, skel);
	EXPECT_EQ(0, run(skel->progs.under_lock));
	EXPECT_TRUE(stream_is(skel->progs.under_lock, STDOUT, "before\nvalue 1\n"));
	lock_bpf__destroy(skel);
}

/* Return: 0 if it was loaded, 1 if not; other values are errors of the test. */
static int load_with_caps(__u64 caps, const char *name)
{
	struct bpf_program *prog;
	struct caps_bpf *skel;
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return 2;
	if (!pid) {
		quiet_libbpf(true);
		skel = caps_bpf__open();
		if (!skel || keep_only_caps(caps))
			_exit(3);
		prog = bpf_object__find_program_by_name(skel->obj, name);
		if (bpf_program__set_autoload(prog, true))
			_exit(5);
		_exit(!!caps_bpf__load(skel));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 4;
	return WEXITSTATUS(status);
}

TEST(without_cap_perfmon_is_refused_at_load)
{
	const __u64 bpf = 1ULL << CAP_BPF, perfmon = 1ULL << CAP_PERFMON;
	struct say_bpf *skel;
	int fd;

	/* The capabilities suffice for the program, but not for the kfunc */
	ASSERT_EQ(0, load_with_caps(bpf, "is_silent"));
	ASSERT_EQ(0, load_with_caps(bpf | perfmon, "prints"));

	skel = say_load(&fd);
	ASSERT_NE(NULL, skel);
	SKIP_UNLESS_OURS("printing needs CAP_PERFMON");
	EXPECT_EQ(1, load_with_caps(bpf, "prints"));
	say_bpf__destroy(skel);
}

TEST(stack_without_cap_perfmon_is_refused_at_load)
{
	const __u64 bpf = 1ULL << CAP_BPF, perfmon = 1ULL << CAP_PERFMON;

	if (!kernel_has_func("bpf_stream_print_stack"))
		SKIP(return, "no bpf_stream_print_stack()");
	SKIP_UNLESS_OURS("printing needs CAP_PERFMON");
	EXPECT_EQ(0, load_with_caps(bpf | perfmon, "prints_stack"));
	EXPECT_EQ(1, load_with_caps(bpf, "prints_stack"));
}

/* Attach the four programs to 'func', print, and count */
static int print_nested(struct nested_bpf *skel, const char *func)
{
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_program(prog, skel->obj) {
		if (bpf_program__type(prog) != BPF_PROG_TYPE_TRACING)
			continue;
		err = bpf_program__set_attach_target(prog, 0, func);
		if (err)
			return err;
	}
	err = nested_bpf__load(skel);
	if (err)
		return err;
	err = nested_bpf__attach(skel);
	if (err)
		return err;
	skel->bss->pid = getpid();
	return run_prog(bpf_program__fd(skel->progs.outermost), NULL, 0);
}

TEST(nesting_deeper_than_the_buffers_is_ebusy_and_counted)
{
	static const char * const funcs[] = {
		"copy_from_kernel_nofault_allowed", "bstr_printf",
	};
	unsigned long long written = 0, dropped = 0, read = 0;
	struct nested_bpf *skel = NULL;
	struct stream_stats st;
	struct bpf_program *prog;
	char line[1024] = "";
	struct text t = {};
	int fd, kmsg;
	size_t i;

	SKIP_UNLESS_OURS("printing within printing is refused and counted");
	kmsg = kmsg_open();
	ASSERT_LE(0, kmsg);

	/* The traceable functions that formatting calls depend on the kernel */
	quiet_libbpf(true);
	for (i = 0; i < ARRAY_SIZE(funcs); i++) {
		skel = nested_bpf__open();
		ASSERT_NE(NULL, skel);
		if (!print_nested(skel, funcs[i]) && skel->bss->accepted > 1)
			break;
		nested_bpf__destroy(skel);
		skel = NULL;
	}
	quiet_libbpf(false);
	ASSERT_NE(NULL, skel) TH_LOG("nothing to attach to while formatting");
	nested_bpf__detach(skel);

	EXPECT_LE(3, skel->bss->accepted);
	EXPECT_LT(0, skel->bss->busy);
	EXPECT_EQ(0, skel->bss->other);

	bpf_object__for_each_program(prog, skel->obj) {
		fd = bpf_program__fd(prog);
		ASSERT_EQ(0, stream_stats(fd, STDOUT, &st));
		written += st.written_msgs;
		dropped += st.dropped_msgs;
		ASSERT_EQ(0, stream_drain(fd, STDOUT, 4096, &t));
	}
	for (i = 0; i < t.len; i++)
		read += t.data[i] == '\n';
	EXPECT_EQ(skel->bss->accepted, written);
	EXPECT_EQ(skel->bss->accepted, read);
	EXPECT_EQ(skel->bss->busy, dropped);
	EXPECT_EQ(0, kmsg_bugs(kmsg, line, sizeof(line))) TH_LOG("%s", line);

	text_free(&t);
	close(kmsg);
	nested_bpf__destroy(skel);
}

STREAMS_TEST_MAIN
