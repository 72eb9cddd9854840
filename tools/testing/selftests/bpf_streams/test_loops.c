// SPDX-License-Identifier: GPL-2.0
/*
 * Loops that the verifier does not follow to their end: it must make sure that they have
 * one. The names of the programs say if they have.
 */
#include "../kselftest_harness.h"
#include "streams_test.h"
#include "loops.skel.h"

#define ENDS	"ends_"
#define BY_TIME	"ends_by_time_"
#define ENDLESS	"endless_"
#define UNSAFE	"unsafe_"

/* Log errors, not each instruction */
#define LOG_ERRORS	4

static char log_buf[64 * 1024];

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* Load the n-th program alone. Return: its name, or NULL if there are no more. */
static const char *load_nth(struct loops_bpf **skel, int n, __u32 flags, int *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .kernel_log_buf = log_buf,
		    .kernel_log_size = sizeof(log_buf),
		    .kernel_log_level = LOG_ERRORS);
	struct bpf_program *prog = NULL;

	*skel = loops_bpf__open_opts(&opts);
	if (!*skel)
		return NULL;
	do {
		prog = bpf_object__next_program((*skel)->obj, prog);
	} while (prog && n--);
	if (!prog)
		return NULL;

	bpf_program__set_autoload(prog, true);
	bpf_program__set_flags(prog, bpf_program__flags(prog) | flags);
	log_buf[0] = '\0';
	quiet_libbpf(true);
	*err = loops_bpf__load(*skel);
	quiet_libbpf(false);
	return bpf_program__name(prog);
}

/* Test if the verdict is that which the name demands. */
static bool verdict_is_right(const char *name, int err)
{
	if (begins(name, ENDS))
		return !err;
	if (begins(name, UNSAFE))
		return err && (strstr(log_buf, "math between map_value pointer and register") ||
			       strstr(log_buf, "invalid access to map value"));

	return begins(name, ENDLESS) && err &&
	       (strstr(log_buf, "infinite loop detected") ||
		strstr(log_buf, "infinite loop possible") ||
		strstr(log_buf, "BPF program is too large") ||
		strstr(log_buf, "jumps is too complex"));
}

FIXTURE(loops)
{
};

FIXTURE_VARIANT(loops)
{
	__u32 flags;
};

/* The verifier saves states at some instructions, or wherever possible */
FIXTURE_VARIANT_ADD(loops, with_some_states) { .flags = 0 };
FIXTURE_VARIANT_ADD(loops, with_all_states) { .flags = BPF_F_TEST_STATE_FREQ };

FIXTURE_SETUP(loops)
{
}

FIXTURE_TEARDOWN(loops)
{
}

TEST_F(loops, that_end_are_accepted_and_no_others)
{
	struct loops_bpf *skel;
	const char *name;
	int n, err;

	SKIP_UNLESS_OURS("endless loops are refused");
	for (n = 0; (name = load_nth(&skel, n, variant->flags, &err)); n++) {
		EXPECT_TRUE(verdict_is_right(name, err))
			TH_LOG("%s: %d\n%.2000s", name, err, log_buf);
		loops_bpf__destroy(skel);
	}
	loops_bpf__destroy(skel);
	EXPECT_LT(10, n);
}

/* They end */
TEST(loops_that_are_accepted_end)
{
	struct loops_bpf *skel;
	const char *name;
	int n, err;

	SKIP_UNLESS_OURS("endless loops are refused");
	for (n = 0; (name = load_nth(&skel, n, 0, &err)); n++) {
		if (begins(name, ENDS)) {
			ASSERT_EQ(0, err);
			EXPECT_LE(0, run(bpf_object__find_program_by_name(skel->obj, name)))
				TH_LOG("%s", name);
		}
		loops_bpf__destroy(skel);
	}
	loops_bpf__destroy(skel);
}

#define JIT	"/proc/sys/net/core/bpf_jit_enable"

/* Without the JIT may_goto counts for each call of the function that it is in */
TEST(loop_around_counted_may_goto_is_refused)
{
	struct loops_bpf *skel;
	const char *name;
	int n, err, seen = 0;

	SKIP_UNLESS_OURS("endless loops are refused");
	if (!write_file(JIT, "0"))
		SKIP(return, "the kernel has no interpreter");
	for (n = 0; (name = load_nth(&skel, n, 0, &err)); n++) {
		if (begins(name, BY_TIME)) {
			seen++;
			EXPECT_EQ(-EINVAL, err)
				TH_LOG("%s", name);
			EXPECT_NE(NULL, strstr(log_buf, "infinite loop detected"));
		}
		loops_bpf__destroy(skel);
	}
	loops_bpf__destroy(skel);
	EXPECT_TRUE(write_file(JIT, "1"));
	EXPECT_EQ(3, seen);
}

STREAMS_TEST_MAIN
